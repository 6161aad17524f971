"""The compiled loop that plays environments with a policy: environment step, network with dropout, and sampling.

Each learner is played by itself, so its numbers depend neither on the other learners nor on the number of threads.
The state of the environments is passed in and changed, so that a batch can be continued, and episodes can continue in
the next batch. All helpers are functions of other modules; `compiled` says how its cache notices that they changed.
"""

from __future__ import annotations

import numpy as np

from pg_experiments.collect.noise import CHUNK
from pg_experiments.env import compiled as env
from pg_experiments.policy import compiled_heads as heads
from pg_experiments.tensors import compiled_dense as dense
from pg_experiments.tensors import compiled_random as random
from pg_experiments.tensors import compiled_recurrent as recurrent
from pg_experiments.tensors.compiled import compiled, helper
from pg_experiments.tensors.streams import Purpose

env_reset, env_observe, env_step = env.reset, env.observe, env.step
choose, choose_vector, bound = heads.choose, heads.choose_vector, heads.bound
choose_between_bounds = heads.choose_between_bounds
dense_outputs, take_observation = dense.dense_outputs, dense.take_observation
recurrent_outputs = recurrent.recurrent_outputs
seed_sfc64, fill_raw, fill_uniform = random.seed_sfc64, random.fill_raw, random.fill_uniform
seed_pool, pool_halves = random.seed_pool, random.pool_halves
OF_STREAMS = (np.uint64(Purpose.ACTIONS), np.uint64(Purpose.DROPOUT))
OF_EPISODES = np.uint64(Purpose.ENVIRONMENT)

STEPS_PER_DRAW = 4  # random numbers are drawn for 4 steps at a time, which always fill whole 64-bit words
NOT_BEGUN = -1  # step count of an environment that must be reset before its next step


@helper
def seed_streams(entropy, words, update, streams):  # type: ignore[no-untyped-def]
    """Fills streams [2, 4] of a learner: those of `numpy_stream` for actions and for dropout."""
    pool = np.empty(4, dtype=np.uint64)
    for i in range(2):
        entropy[1], entropy[2] = OF_STREAMS[i], np.uint64(update)
        seed_sfc64(entropy, words, pool, streams[i])


@helper
def begin(kind, entropy, words, number, e, seeds, state):  # type: ignore[no-untyped-def]
    """Resets environment e of a learner for its episode of this number. `seeds` [E, 1] is scratch memory.

    The episode's seed is that of `episode_seeds(seed, number, E)`.
    """
    pool, generator = np.empty(4, dtype=np.uint64), np.empty(4, dtype=np.uint64)
    entropy[1], entropy[2] = OF_EPISODES, np.uint64(number)
    seed_pool(entropy, words, pool)
    pool_halves(pool, seeds)
    env_reset(kind, seeds[e, 0], state, pool, generator)


@helper
def draw(streams, uniform, raw, drop_below, kept):  # type: ignore[no-untyped-def]
    """Draws the random numbers of some steps: `uniform` for actions; `kept`, from `raw`, for dropout."""
    fill_uniform(streams[0], uniform)
    if len(kept):
        fill_raw(streams[1], raw)
        bits = raw.view(np.uint16)
        for i in range(len(kept)):
            kept[i] = bits[i] >= drop_below


@helper
def copy(values, to):  # type: ignore[no-untyped-def]
    for i in range(len(values)):
        to[i] = values[i]


@helper
def fill_zeros(values):  # type: ignore[no-untyped-def]
    for i in range(len(values)):
        values[i] = np.float32(0.0)


@compiled(
    "int64", "int64", "int64", "int64",
    "int64", "float64[::1]", "int64",
    "int64[:, ::1]", "float64[:, :, ::1]", "float32[:, :, ::1]", "int64[:, ::1]", "float64[:, ::1]", "int64[:, ::1]",
    "int64", "uint64[:, ::1]", "int64[::1]", "uint64[:, :, ::1]",
    "float32[:, ::1]", "int64[::1]", "int64", "float32[::1]", "uint16[::1]",
    "float32[:, ::1]", "float32[:, ::1]", "float64",
    "int64", "int64", "boolean", "boolean", "float64[::1]", "float32[:, ::1]",
    "float32[:, :, :, ::1]", "int64[:, :, ::1]", "float32[:, :, :, ::1]", "float32[:, :, ::1]", "boolean[:, :, :, ::1]",
    "boolean[:, :, :, ::1]", "float32[:, :, :, ::1]", "float32[:, :, :, ::1]", "float64[:, :, :, ::1]", "int64[::1]",
    helpers=(*env.HELPERS, *heads.HELPERS, *dense.HELPERS, *recurrent.HELPERS, seed_streams, begin, draw, copy,
        fill_zeros),
    nogil=True,
)  # fmt: skip
def play(  # type: ignore[no-untyped-def]
    first, last, start, stop,
    kind, constants, limit,
    numbers, states, memories, steps, scores, episodes,
    update, entropy, words, streams,
    parameters, widths, activation, scale, drop_below,
    shift, factor, obs_limit,
    hold, rule, is_greedy, is_continuous, limits, bounds,
    observations, actions, vectors, rewards, flags, kept, finals, final_memories, results, rows,
):  # fmt: skip
    """Plays the learners from `first` to before `last`, in the rows from `start` to before `stop`.

    Row 0 is the first of a batch; `start` is a multiple of STEPS_PER_DRAW. Below, R learners, E environments of each,
    S numbers in a state, M in that of a recurrent
    network (0 for others), D in an observation, T rows, U hidden units in all layers.

    Args:
        kind, constants, limit: the environment, as in `CompiledForm`.
        numbers: [R, E] number of the next episode of each environment, from which its seed follows.
        states: [R, E, S] states of the environments.
        memories: [R, E, M] states of a recurrent network; 0 where the environment must be reset.
        steps: [R, E] steps of the current episode so far; NOT_BEGUN where the environment must be reset.
        scores: [R, E] return of the current episode so far.
        episodes: [R, E] episodes that each environment has finished in this batch; after G of them, it stops.
        update, entropy, words: the random streams: index of the batch, [R, W] words of entropy and their count [R].
        streams: [R, 2, 4] states of the streams, which are set in row 0.
        parameters, widths, activation, scale, drop_below, shift, factor, obs_limit: the networks, as in `DenseForm`.
        hold: 0 for actions of the policy; otherwise they are uniformly distributed, and kept for so many steps.
        rule, is_greedy, is_continuous, limits, bounds: the head, as in `CompilableHead`.
        observations: [T, R, E, D] before each action.
        actions, vectors: [T, R, E] and [T, R, E, A], of which one is filled, by whether actions are continuous.
        rewards: [T, R, E].
        flags: [3, T, R, E]: whether there is a step; terminated; truncated.
        kept: [T, R, E, U] hidden units that dropout kept; U is 0 without dropout.
        finals: [R, E, G, D] the observation after each episode, and after the last row for one that continues.
        final_memories: [R, E, G, M] states of a recurrent network with these observations before it.
        results: [R, E, G, 3] return and length of each finished episode, and the row of its last step.
        rows: [R] rows of each learner up to now.
    """
    E, G = finals.shape[1:3]
    M = memories.shape[2]
    products = np.empty((2, 3 * M), dtype=np.float32)
    K, U = widths[-1], kept.shape[3]
    widest = 0
    for width in widths:
        widest = max(widest, width)
    units = np.empty((2, widest), dtype=np.float32)
    N = vectors.shape[3] if is_continuous else K  # random numbers of an action
    uniform = np.empty(STEPS_PER_DRAW * E * N, dtype=np.float32)
    held = np.empty((E, N), dtype=np.float32)
    vector = np.empty(vectors.shape[3], dtype=np.float32)
    raw = np.empty(STEPS_PER_DRAW * E * U // 4, dtype=np.uint64)
    seeds = np.empty((E, 1), dtype=np.uint64)
    keeps = np.empty(STEPS_PER_DRAW * E * U, dtype=np.bool_)
    for r in range(first, last):
        if start == 0:
            seed_streams(entropy[r], words[r], update, streams[r])
        going = 0  # environments that have not stopped
        for e in range(E):
            going += episodes[r, e] < G
        for t in range(start, stop):
            if going == 0:
                break
            rows[r] = t + 1
            if t % STEPS_PER_DRAW == 0:
                draw(streams[r], uniform, raw, drop_below[r], keeps)
            for e in range(E):
                if episodes[r, e] == G:
                    continue
                if steps[r, e] == NOT_BEGUN:
                    begin(kind, entropy[r], words[r], numbers[r, e], e, seeds, states[r, e])
                    numbers[r, e] += 1
                    steps[r, e], scores[r, e] = 0, 0.0
                draws = (t % STEPS_PER_DRAW) * E + e
                for u in range(U):
                    kept[t, r, e, u] = keeps[draws * U + u]
                env_observe(kind, states[r, e], steps[r, e] == 0, observations[t, r, e])
                take_observation(observations[t, r, e], shift, factor, obs_limit, r, units[0])
                if M > 0:
                    row = recurrent_outputs(parameters[r], widths, memories[r, e], products, units)
                else:
                    row = dense_outputs(parameters[r], widths, activation, scale[r], kept[t, r, e], units)
                numbers_of_action, action = uniform[draws * N : (draws + 1) * N], np.int64(0)
                if hold > 0:
                    if t % CHUNK % hold == 0:
                        copy(numbers_of_action, held[e])
                    numbers_of_action = held[e]
                    fill_zeros(units[row, :K])
                if is_continuous:
                    if hold > 0:
                        choose_between_bounds(numbers_of_action, vectors[t, r, e])
                    else:
                        choose_vector(is_greedy, limits, units[row, :K], numbers_of_action, vectors[t, r, e])
                    bound(rule, bounds, vectors[t, r, e], vector)
                else:
                    action = choose(rule, is_greedy, units[row, :K], numbers_of_action)
                reward, terminated = env_step(kind, constants, states[r, e], action, vector)
                steps[r, e] += 1
                scores[r, e] += np.float32(reward)
                truncated = steps[r, e] >= limit
                actions[t, r, e], rewards[t, r, e] = action, reward
                flags[0, t, r, e], flags[1, t, r, e], flags[2, t, r, e] = True, terminated, truncated
                if terminated or truncated:
                    g = episodes[r, e]
                    env_observe(kind, states[r, e], False, finals[r, e, g])
                    for m in range(M):
                        final_memories[r, e, g, m], memories[r, e, m] = memories[r, e, m], 0.0
                    results[r, e, g, 0], results[r, e, g, 1], results[r, e, g, 2] = scores[r, e], steps[r, e], t
                    episodes[r, e] += 1
                    going -= episodes[r, e] == G
                    steps[r, e] = NOT_BEGUN
        for e in range(E):
            if steps[r, e] != NOT_BEGUN and episodes[r, e] < G:
                env_observe(kind, states[r, e], False, finals[r, e, episodes[r, e]])
                for m in range(M):
                    final_memories[r, e, episodes[r, e], m] = memories[r, e, m]
