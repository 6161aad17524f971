"""Mistakes in fragments of episodes: their returns, their ends, and what is kept from batch to batch."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

steps = partial(Mutant, "fragments", "pg_experiments/collect/steps.py")
ongoing = partial(Mutant, "fragments", "pg_experiments/collect/ongoing.py")
recursion = partial(Mutant, "fragments", "pg_experiments/returns/recursion.py")
returns = partial(Mutant, "fragments", "pg_experiments/returns/bootstrapped.py")
values = partial(Mutant, "fragments", "pg_experiments/baseline/value.py")

OF_RETURNS = "tests/test_bootstrapped_returns.py::"
OF_STEPS = "tests/test_steps.py::"
WINDOWS = OF_RETURNS + "test_n_step_returns_equal_windows_walked_step_by_step"
BUFFERS = OF_RETURNS + "test_gae_minus_the_values_equals_the_recursion_of_rollout_buffers"
PAST = OF_RETURNS + "test_no_value_past_the_end_of_an_episode_counts_whatever_it_is"
SHORT = (
    OF_RETURNS + "test_columns_that_are_shorter_than_the_batch_have_the_returns_of_their_own_steps_and_0_behind_them"
)
OWN = OF_RETURNS + "test_each_learner_has_its_own_lambda_and_discount_also_where_only_some_take_part"
NEXT = OF_RETURNS + "test_the_next_value_of_a_step_is_that_of_its_next_observation_and_at_a_cut_that_of_the_final_one"
SINGLE = (
    OF_STEPS + "test_fragments_are_what_one_gymnasium_environment_per_column_gives_under_the_same_actions[acrobot]",
    OF_STEPS + "test_fragments_are_what_one_gymnasium_environment_per_column_gives_under_the_same_actions[cartpole]",
)
RESTORED = OF_STEPS + "test_after_a_restore_the_next_fragments_have_the_same_bits[cartpole_short]"
SUMS = OF_STEPS + "test_returns_and_lengths_of_episodes_are_sums_over_fragments"
LOG = OF_STEPS + "test_the_log_holds_the_fragments_of_unfinished_episodes_only"
STANDING = (
    OF_STEPS
    + "test_the_environments_of_a_stopped_learner_stand_still_and_continue_after_a_restore_where_they_were[acrobot]"
)

MUTANTS = [
    recursion("a window is one step longer", "for _ in range(n - 1):", "for _ in range(n):", WINDOWS),
    recursion("a window goes on over a cut", "goes_on = ~(ends | cuts)", "goes_on = ~ends", WINDOWS),
    recursion(
        "a window that stops early has no value",
        "torch.where(goes_on, later, 0.0), tails)",
        "torch.where(goes_on, later, 0.0), 0.0)",
        WINDOWS,
    ),
    recursion(
        "the value after a window is not discounted",
        "tails = continues * torch.where(continues == 0, 0.0, next_values)",
        "tails = (continues > 0) * torch.where(continues == 0, 0.0, next_values)",
        WINDOWS,
    ),
    recursion(
        "a next value past an end makes NaN of a window",
        "tails = continues * torch.where(continues == 0, 0.0, next_values)",
        "tails = continues * next_values",
        PAST,
    ),
    returns(
        "a learner has the λ of the one in its place",
        "[rollout.learners, None]",
        "[: len(rollout.learners), None]",
        OWN,
    ),
    returns(
        "every learner has the λ of the config",
        'learners.values("returns.gae_lambda", self.gae_lambda)',
        "Learners(learners.seeds).values('', self.gae_lambda)",
        OWN,
    ),
    returns(
        "td continues to the end",
        "torch.zeros(len(learners), dtype=torch.float64)",
        "torch.ones(len(learners), dtype=torch.float64)",
        OF_RETURNS + "test_td_is_gae_with_lambda_0_and_n_step_with_one_step",
    ),
    returns(
        "λ-returns ignore λ",
        "next_values, discount[:, None], trace_decay\n",
        "next_values, discount[:, None]\n",
        BUFFERS,
    ),
    returns(
        "every learner's windows are discounted as the first one's",
        "next_values, discount[:, None], n)",
        "next_values, discount[:1, None], n)",
        WINDOWS,
    ),
    values(
        "the value behind a cut is that of the next episode",
        "return torch.where(rollout.cuts, self._values_at_cuts(rollout), following)",
        "return following",
        NEXT,
    ),
    values(
        "the value of a step is taken for that of the next one",
        "following = torch.cat([values[1:], torch.zeros_like(values[:1])])",
        "following = values",
        NEXT,
    ),
    steps(
        "final observations stand at the steps of another learner",
        "return Finals(before, placed(positions_of), valid)",
        "return Finals(before, placed(positions_of[np.argsort(order)]), valid)",
        SINGLE,
    ),
    steps(
        "the first observation of the next episode is taken for the last one",
        "            after = self.observations[envs]\n            self._reset(envs[terminated | truncated])\n",
        "            self._reset(envs[terminated | truncated])\n            after = self.observations[envs]\n",
        SINGLE,
    ),
    steps(
        "episodes that end with the last step are cut off, too",
        "is_cut[-1] |= ~over[-1]",
        "is_cut[-1] = True",
        SINGLE,
    ),
    steps(
        "fragments are not cut off after their last step",
        "is_cut[-1] |= ~over[-1]",
        "pass",
        SINGLE,
    ),
    steps(
        "only episodes that terminate are followed by others",
        "self._reset(envs[terminated | truncated])",
        "self._reset(envs[terminated])",
        SINGLE,
    ),
    steps(
        "every batch begins with new episodes",
        "self._reset(envs[self.ongoing.numbers[envs] < 0])",
        "self._reset(envs)",
        SINGLE,
    ),
    steps("the environments of stopped learners move on", "            self.env.hold(others)\n", "", STANDING),
    steps(
        "an environment that changed is used",
        "if not np.array_equal(self.observations[begun]",
        "if begun is None and np.array_equal(self.observations[begun]",
        OF_STEPS + "test_an_environment_that_changed_since_the_checkpoint_is_refused_in_one_line",
    ),
    steps(
        "episodes are repeated from the wrong step",
        "logs[index][lengths[index] - left]",
        "logs[index][left - 1]",
        RESTORED,
    ),
    ongoing("every episode has the first one's seed", "int(numbers[r, e]), self.envs)[e]", "0, self.envs)[e]", SINGLE),
    ongoing(
        "all environments of a learner play the same episodes",
        "int(numbers[r, e]), self.envs)[e]",
        "int(numbers[r, e]), self.envs)[0]",
        SINGLE,
    ),
    ongoing(
        "an environment has the episodes of the learner in its place",
        "episode_seeds(self.seeds[r],",
        "episode_seeds(self.seeds[0],",
        SINGLE,
    ),
    ongoing("the log is never pruned", "while log and sum", "while not log and sum", LOG),
    ongoing(
        "the log is pruned to the shortest unfinished episode",
        "needed = int(self.lengths[learner * self.envs :][: self.envs].max())",
        "needed = int(self.lengths[learner * self.envs :][: self.envs].min())",
        LOG,
    ),
    ongoing(
        "where all episodes end at once, pruning fails",
        "while log and sum",
        "while sum",
        OF_STEPS + "test_a_fragment_in_which_all_episodes_end_with_the_last_step_leaves_no_action_to_repeat",
    ),
    ongoing(
        "an episode's return is that of its last fragment",
        "returns.append(self.returns[first + e] + piece",
        "returns.append(piece",
        SUMS,
    ),
    ongoing(
        "an episode's length is that of its last fragment",
        "lengths.append(self.lengths[first + e] + len(piece))",
        "lengths.append(len(piece))",
        SUMS,
    ),
    ongoing("the last reward of an episode counts twice", "0.0, 0, t + 1", "0.0, 0, t", SUMS),
    ongoing(
        "rewards after the last end of a fragment are lost",
        "self.returns[first + e] += rewards[start:, e]",
        "self.returns[first + e] += rewards[:0, e]",
        SUMS,
    ),
    ongoing(
        "the first actions of the log are repeated",
        "recorded[len(recorded) - length :]",
        "recorded[:length]",
        RESTORED,
    ),
]
