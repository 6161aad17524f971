"""Mistakes in compiled playing: random numbers, environments, the network of one step, and the loop."""

from __future__ import annotations

from functools import partial

from tests.mutants.collecting import BOTH
from tests.mutants.mutant import Mutant

random = partial(Mutant, "compiled", "pg_experiments/tensors/compiled_random.py")
dense = partial(Mutant, "compiled", "pg_experiments/tensors/compiled_dense.py")
recursion = partial(Mutant, "compiled", "pg_experiments/tensors/recursion.py")
blocks = partial(Mutant, "compiled", "pg_experiments/tensors/repeated.py")
env = partial(Mutant, "compiled", "pg_experiments/env/compiled.py")
heads = partial(Mutant, "compiled", "pg_experiments/policy/compiled_heads.py")
loop = partial(Mutant, "compiled", "pg_experiments/collect/compiled_play.py")

OF_ENVS = "tests/test_compiled_envs.py::"
OF_PLAY = "tests/test_compiled_play.py::"
PCG = OF_ENVS + "test_a_compiled_generator_has_the_numbers_of_numpys_for_every_seed_of_64_bits"
SFC = OF_ENVS + "test_a_compiled_stream_has_the_numbers_of_numpys_for_every_seed"
MOVES = OF_ENVS + "test_a_compiled_environment_moves_as_gymnasiums_does_to_the_last_bit"
TANH = OF_PLAY + "test_the_compiled_tanh_is_within_5_units_in_the_last_place"
CHOICE = OF_PLAY + "test_the_heads_compiled_choice_is_that_of_the_heads"

MUTANTS = [
    random(
        "PCG64 loses the carry of its sum",
        "state[0] = carry + state[2] + (ONE if state[1] < product else np.uint64(0))",
        "state[0] = carry + state[2]",
        PCG,
    ),
    random(
        "64-bit seeds lose their upper half",
        "seed_pool(entropy, 2 if entropy[1] else 1, pool)",
        "seed_pool(entropy, 1, pool)",
        PCG,
    ),
    random(
        "of two numbers from 64 bits, both are of the upper half",
        "uniform[i] = np.float32((bits & LOW) >> np.uint64(8)) * SINGLE_UNIT",
        "uniform[i] = np.float32(bits >> np.uint64(40)) * SINGLE_UNIT",
        SFC,
    ),
    random(
        "entropy after the first four words is not mixed",
        "for source in range(POOL, count):",
        "for source in range(POOL, POOL):",
        SFC,
    ),
    env(
        "Acrobot squares by a product",
        "math.pow(d2, two) / d1",
        "d2 * d2 / d1",
        MOVES + "[Acrobot-v1-20000-None]",
    ),
    env(
        "Acrobot's first observation is rounded as the others are",
        "is_first:  # Gymnasium",
        "False:  # Gymnasium",
        OF_ENVS + "test_the_first_observation_is_that_of_gymnasium_for_every_seed[Acrobot-v1]",
    ),
    env(
        "the corridor exchanges no actions",
        "(action == 1) != (state[0] == 1.0)",
        "action == 1",
        MOVES + "[pg/ShortCorridor-v0-2000-9]",
    ),
    env(
        "the masked CartPole shows the angle's velocity instead of the angle",
        "= state[0], state[2]",
        "= state[0], state[3]",
        OF_ENVS + "test_the_first_observation_is_that_of_gymnasium_for_every_seed[pg/CartPoleMasked-v1]",
    ),
    env(
        "a pole that falls to the left goes on",
        " or theta < -FALLEN or",
        " or",
        MOVES + "[CartPole-v1-2000-9]",
    ),
    env(
        "a car keeps its velocity at the left end",
        "if position == -1.2 and velocity < 0:",
        "if position < -1.2 and velocity < 0:",
        OF_ENVS + "test_episodes_that_reach_the_goal_or_the_time_limit_end_as_gymnasiums_do",
    ),
    heads(
        "Bernoulli's actions are exchanged",
        "logistic(uniform[0], is_greedy) < outputs[0]",
        "logistic(uniform[0], is_greedy) >= outputs[0]",
        CHOICE,
    ),
    heads(
        "a greedy head has noise",
        "return np.float32(0.0) if is_greedy else -np.log(-np.log(uniform))",
        "return -np.log(-np.log(uniform))",
        CHOICE,
    ),
    dense("units that dropout keeps are not scaled", "x[j] * scale * np", "x[j] * np", BOTH),
    dense(
        "a layer's masks are those of the first",
        "kept[layer * outputs : (layer + 1) * outputs]",
        "kept[:outputs]",
        BOTH,
    ),
    dense("tanh grows beyond its limit", "-TANH_LIMIT if x < -TANH_LIMIT else ", "", TANH),
    loop(
        "a time limit comes one step late",
        "truncated = steps[r, e] >= limit",
        "truncated = steps[r, e] > limit",
        OF_PLAY + "test_whole_batches_equal_those_through_gymnasium_over_several_updates"
        "[policy=linear policy.head=bernoulli policy.bias=true env.max_episode_steps=12]",
    ),
    loop(
        "all environments have the first one's noise",
        "draws = (t % STEPS_PER_DRAW) * E + e",
        "draws = (t % STEPS_PER_DRAW) * E",
        BOTH,
    ),
    loop("actions are drawn from the stream of dropout", "(streams[0], uniform)", "(streams[1], uniform)", BOTH),
    loop(
        "a learner drops units as often as the first",
        "drop_below[r], keeps",
        "drop_below[0], keeps",
        OF_PLAY + "test_learners_with_dropout_of_their_own_drop_units_as_often_through_both",
    ),
    loop(
        "an environment stops after its first episode",
        "going -= episodes[r, e] == G",
        "going -= 1",
        OF_PLAY + "test_an_environment_begins_one_episode_after_another",
    ),
    recursion(
        "the recursion has the weight of the next step",
        "np.float64(weights[t, i])",
        "np.float64(weights[t + 1, i])",
        "tests/test_returns.py::test_the_compiled_recursion_has_the_bits_of_torchs",
    ),
    blocks(
        "the first block counts for all",
        "total += other",
        "total += first",
        "tests/test_objective.py::test_blocks_at_once_have_the_bits_of_blocks_one_after_the_other",
    ),
]
