"""NumPy's `SeedSequence`, `PCG64` and `SFC64` for compiled loops: the same numbers, bit for bit.

All integers are uint64; those that stand for 32-bit numbers are masked. A literal integer would make Numba choose a
signed type or float64, so every constant is a `np.uint64`.
"""

from __future__ import annotations

import numpy as np

from pg_experiments.tensors.compiled import helper

LOW = np.uint64(0xFFFFFFFF)
ONE = np.uint64(1)
SIXTEEN = np.uint64(16)
THIRTY_TWO = np.uint64(32)
# of SeedSequence
INIT_A = np.uint64(0x43B0D7E5)
MULT_A = np.uint64(0x931E8875)
INIT_B = np.uint64(0x8B51F9DD)
MULT_B = np.uint64(0x58F38DED)
MIX_MULT_L = np.uint64(0xCA01F9DD)
MIX_MULT_R = np.uint64(0x4973F715)
POOL = 4  # 32-bit words of a SeedSequence's pool
# of PCG64: the multiplier of the 128-bit congruential generator
PCG_HIGH = np.uint64(0x2360ED051FC65DA4)
PCG_LOW = np.uint64(0x4385DF649FCCF645)
# of SFC64
SFC_WARM_UP = 12  # numbers that seeding discards
DOUBLE_UNIT = 1.0 / 9007199254740992.0  # 2^-53
SINGLE_UNIT = np.float32(1.0 / 16777216.0)  # 2^-24


@helper
def seed_pool(entropy, count, pool):  # type: ignore[no-untyped-def]
    """Mixes `count` words of entropy into a pool of 4 words, as `SeedSequence` does."""
    constant = INIT_A
    for i in range(POOL):
        word = entropy[i] if i < count else np.uint64(0)
        pool[i], constant = hash_word(word, constant, MULT_A)
    for source in range(POOL):
        for target in range(POOL):
            if source != target:
                word, constant = hash_word(pool[source], constant, MULT_A)
                pool[target] = mix_words(pool[target], word)
    for source in range(POOL, count):
        for target in range(POOL):
            word, constant = hash_word(entropy[source], constant, MULT_A)
            pool[target] = mix_words(pool[target], word)


@helper
def hash_word(word, constant, multiplier):  # type: ignore[no-untyped-def]
    """SeedSequence's hash of a word. Returns it and the next constant."""
    word ^= constant
    constant = (constant * multiplier) & LOW
    word = (word * constant) & LOW
    return word ^ (word >> SIXTEEN), constant


@helper
def mix_words(x, y):  # type: ignore[no-untyped-def]
    """SeedSequence's combination of two words."""
    word = (MIX_MULT_L * x - MIX_MULT_R * y) & LOW
    return word ^ (word >> SIXTEEN)


@helper
def pool_words(pool, words):  # type: ignore[no-untyped-def]
    """Fills `words` with `generate_state(len(words), np.uint64)` of a seeded pool."""
    constant = INIT_B
    for i in range(len(words)):
        low, constant = hash_word(pool[(2 * i) % POOL], constant, MULT_B)
        high, constant = hash_word(pool[(2 * i + 1) % POOL], constant, MULT_B)
        words[i] = low | (high << THIRTY_TWO)


@helper
def pool_halves(pool, halves):  # type: ignore[no-untyped-def]
    """Fills the first column of `halves` [n, m] with `generate_state(n, np.uint32)` of a seeded pool."""
    constant = INIT_B
    for i in range(len(halves)):
        halves[i, 0], constant = hash_word(pool[i % POOL], constant, MULT_B)


@helper
def seed_sfc64(entropy, count, pool, state):  # type: ignore[no-untyped-def]
    """Fills the state [4] of `SFC64(SeedSequence(…))`."""
    seed_pool(entropy, count, pool)
    pool_words(pool, state[:3])
    state[3] = ONE
    for _ in range(SFC_WARM_UP):
        next_sfc64(state)


@helper
def next_sfc64(state):  # type: ignore[no-untyped-def]
    """The next 64 bits of SFC64."""
    a, b, c = state[0], state[1], state[2]
    number = a + b + state[3]
    state[3] += ONE
    state[0] = b ^ (b >> np.uint64(11))
    state[1] = c + (c << np.uint64(3))
    state[2] = ((c << np.uint64(24)) | (c >> np.uint64(40))) + number
    return number


@helper
def fill_raw(state, raw):  # type: ignore[no-untyped-def]
    """Fills an array like `SFC64.random_raw`."""
    for i in range(len(raw)):
        raw[i] = next_sfc64(state)


@helper
def fill_uniform(state, uniform):  # type: ignore[no-untyped-def]
    """Fills an array of even length like `Generator(SFC64).random(dtype=np.float32)`: two numbers from 64 bits."""
    for i in range(0, len(uniform), 2):
        bits = next_sfc64(state)
        uniform[i] = np.float32((bits & LOW) >> np.uint64(8)) * SINGLE_UNIT
        uniform[i + 1] = np.float32(bits >> np.uint64(40)) * SINGLE_UNIT


@helper
def seed_pcg64(seed, pool, state):  # type: ignore[no-untyped-def]
    """Fills the state [4] of `PCG64(SeedSequence(seed))` of a seed below 2^64: high and low word, twice."""
    entropy = np.empty(2, dtype=np.uint64)
    entropy[0], entropy[1] = seed & LOW, seed >> THIRTY_TWO
    seed_pool(entropy, 2 if entropy[1] else 1, pool)
    words = np.empty(4, dtype=np.uint64)
    pool_words(pool, words)
    state[2] = (words[2] << ONE) | (words[3] >> np.uint64(63))
    state[3] = (words[3] << ONE) | ONE
    # from 0, a step gives the increment
    low = state[3] + words[1]
    state[0] = state[2] + words[0] + (ONE if low < words[1] else np.uint64(0))
    state[1] = low
    step_pcg64(state)


@helper
def high_product(x, y):  # type: ignore[no-untyped-def]
    """The upper 64 bits of x · y."""
    x_low, x_high, y_low, y_high = x & LOW, x >> THIRTY_TWO, y & LOW, y >> THIRTY_TWO
    middle = x_high * y_low + ((x_low * y_low) >> THIRTY_TWO)
    other = x_low * y_high + (middle & LOW)
    return x_high * y_high + (middle >> THIRTY_TWO) + (other >> THIRTY_TWO)


@helper
def step_pcg64(state):  # type: ignore[no-untyped-def]
    """state · multiplier + increment, modulo 2^128."""
    high, low = state[0], state[1]
    product = low * PCG_LOW
    carry = high_product(low, PCG_LOW) + high * PCG_LOW + low * PCG_HIGH
    state[1] = product + state[3]
    state[0] = carry + state[2] + (ONE if state[1] < product else np.uint64(0))


@helper
def next_double(state):  # type: ignore[no-untyped-def]
    """`Generator(PCG64).random()`: the next number in [0, 1)."""
    step_pcg64(state)
    bits, turn = state[0] ^ state[1], state[0] >> np.uint64(58)
    bits = (bits >> turn) | (bits << ((np.uint64(64) - turn) & np.uint64(63)))
    return np.float64(bits >> np.uint64(11)) * DOUBLE_UNIT


@helper
def next_between(state, low, high):  # type: ignore[no-untyped-def]
    """`Generator(PCG64).uniform(low, high)`."""
    return low + (high - low) * next_double(state)


HELPERS = (
    seed_pool, hash_word, mix_words, pool_words, pool_halves, seed_sfc64, next_sfc64, fill_raw, fill_uniform,
    seed_pcg64, high_product, step_pcg64, next_double, next_between,
)  # fmt: skip
