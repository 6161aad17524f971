"""Mistakes in how environments and emulators are played."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

vector = partial(Mutant, "environments", "pg_experiments/env/vector.py")
screens = partial(Mutant, "environments", "pg_experiments/env/screens.py")
emulators = partial(Mutant, "environments", "pg_experiments/env/arcade.py")

OF_EPISODES = "tests/test_episodes.py::"
STANDING = OF_EPISODES + "test_who_has_finished_stands_still_until_reset_and_the_others_go_on"
FRAMES = "tests/test_pong.py::test_what_a_policy_sees_is_what_a_slow_reference_makes_of_the_same_game_in_colour[frames]"
REPLAYED = (
    "tests/test_pong.py::"
    "test_a_batch_holds_whole_returns_and_each_step_is_the_one_that_an_emulator_of_its_own_makes"
    "[points, nobody waits-1]"
)

MUTANTS = [
    vector(
        "a time limit comes one step late",
        "truncated = (self.steps >= self.max_episode_steps) & self._alive",
        "truncated = (self.steps > self.max_episode_steps) & self._alive",
        OF_EPISODES + "test_a_cartpole_episode_of_500_steps_is_truncated_and_not_terminal",
    ),
    vector(
        "a pole that falls, and does not run away, goes on",
        "terminated = (over[0] | over[2]) & self._alive",
        "terminated = over[0] & self._alive",
        OF_EPISODES + "test_our_cartpole_moves_as_gymnasiums_does_to_the_last_bit",
    ),
    vector(
        "who has finished is paid",
        "rewards = self._alive.astype(np.float32)",
        "rewards = np.ones(self.num_envs, dtype=np.float32)",
        STANDING,
    ),
    vector(
        "every pole starts where the first one does",
        "rng, _ = seeding.np_random(None if seed is None else seed[index])",
        "rng, _ = seeding.np_random(None if seed is None else seed[0])",
        OF_EPISODES
        + "test_an_episode_is_the_one_that_a_single_environment_plays_with_the_same_seed_and_actions[CartPole-v1]",
    ),
    vector(
        "a reset gives everyone's steps back",
        "self.steps[chosen] = 0",
        "self.steps[:] = 0",
        OF_EPISODES + "test_a_reset_of_some_poles_leaves_the_others_and_their_time_limit_alone",
    ),
    vector(
        "a reset does not begin the time limit anew",
        "        self.steps[chosen] = 0\n",
        "",
        OF_EPISODES + "test_a_reset_of_some_poles_leaves_the_others_and_their_time_limit_alone",
    ),
    vector(
        "whoever has finished is stepped again",
        "for index in np.flatnonzero(~self._finished):",
        "for index in range(self.num_envs):",
        STANDING,
    ),
    screens(
        "what has come and what has gone are exchanged",
        "foreground[now_levels[r, e, row, x]] - foreground[seen_levels[r, e, y, x]]",
        "foreground[seen_levels[r, e, y, x]] - foreground[now_levels[r, e, row, x]]",
        REPLAYED,
    ),
    screens(
        "the frame before comes first",
        "columns[n], values[n] = ((2 * r * h + y) * width + x) // stride, 1",
        "columns[n], values[n] = (((2 * r + 1) * h + y) * width + x) // stride, 1",
        FRAMES,
    ),
    screens(
        "the first frame of an episode has the last of the one before beside it",
        "for y in range(rows if fresh[r, e] else 0):",
        "for y in range(0):",
        FRAMES,
    ),
    emulators(
        "both halves are the same emulators",
        "[learner_seeds[span] for learner_seeds in seeds]",
        "[learner_seeds[: span.stop - span.start] for learner_seeds in seeds]",
        REPLAYED,
    ),
]
