"""Mistakes in the accounts of a run, in what it is warned of, and in which policy is its best."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

accounts = partial(Mutant, "accounts", "pg_experiments/run/accounts.py")
health = partial(Mutant, "health", "pg_experiments/run/health.py")
causes = partial(Mutant, "health", "pg_experiments/algorithm/reinforce.py")
made = partial(Mutant, "made with", "pg_experiments/run/made_with.py")
best = partial(Mutant, "best", "pg_experiments/run/best.py")
running = partial(Mutant, "best", "pg_experiments/run/run.py")
rows = partial(Mutant, "rows", "pg_experiments/run/tracking/rows.py")

OF_ACCOUNTS = "tests/test_accounts.py::"
OF_HEALTH = "tests/test_health.py::"
PARTS = (
    "tests/test_made_with.py::"
    "test_each_part_that_was_made_with_something_else_is_a_record_and_a_part_without_updates_is_none"
)
OF_BEST = "tests/test_best.py::"
OF_ROWS = "tests/test_rows.py::"
SOLVED = OF_ACCOUNTS + "test_a_seed_is_solved_with_the_episode_whose_full_window_reaches_the_threshold"
EQUAL = OF_BEST + "test_of_equal_means_the_one_whose_number_is_a_power_of_two_is_kept"
WINDOWS = (
    OF_ACCOUNTS + "test_a_window_with_a_batch_is_what_it_will_be_and_counts_where_it_is_full_and_an_episode_has_ended"
)
DEAD = OF_HEALTH + "test_a_layer_is_dead_whose_outputs_are_the_same_for_every_observation"
STUCK = OF_HEALTH + "test_equal_returns_are_no_symptom_at_the_best_at_the_threshold_or_before_they_are_enough"
POOR = OF_HEALTH + "test_poor_is_less_than_half_way_to_the_threshold_or_no_more_than_at_first_without_one"

MUTANTS = [
    accounts(
        "a window that is not full solves",
        "may_solve = self.episodes >= window and not self.solved and not self.error",
        "may_solve = not self.solved and not self.error",
        SOLVED,
    ),
    accounts(
        "a window must be more than full",
        "may_solve = self.episodes >= window and",
        "may_solve = self.episodes > window and",
        SOLVED,
    ),
    accounts(
        "a mean that just reaches the threshold does not solve",
        "self.mean_return(window) >= solved_at",
        "self.mean_return(window) > solved_at",
        SOLVED,
    ),
    accounts(
        "the last full window counts, not the first",
        "self.episodes >= window and not self.solved and",
        "self.episodes >= window and",
        SOLVED,
    ),
    accounts(
        "a failed seed is solved",
        "and not self.solved and not self.error",
        "and not self.solved",
        OF_ACCOUNTS + "test_a_seed_that_failed_is_not_solved_by_the_batch_with_which_it_did",
    ),
    accounts(
        "the mean return is that of the first episodes",
        "recent = self.returns[-window:]",
        "recent = self.returns[:window]",
        OF_ACCOUNTS + "test_the_mean_return_is_that_of_the_last_window_of_each_seed",
    ),
    accounts(
        "a batch is entered for the learner in its place",
        "in zip(learners, steps, returns, strict=True)",
        "in zip(range(len(learners)), steps, returns, strict=True)",
        OF_ACCOUNTS + "test_the_mean_return_is_that_of_the_last_window_of_each_seed",
    ),
    accounts(
        "the last batch of the limit of episodes is not played",
        "account.episodes + next_batch > self.max_episodes",
        "account.episodes + next_batch >= self.max_episodes",
        OF_ACCOUNTS
        + "test_a_batch_that_would_end_at_the_limit_of_episodes_is_played_and_one_that_would_pass_it_is_not",
    ),
    accounts(
        "the limit of steps must be passed",
        "account.env_steps >= self.max_steps",
        "account.env_steps > self.max_steps",
        OF_ACCOUNTS + "test_the_limit_of_steps_stops_a_seed_as_soon_as_it_is_reached",
    ),
    accounts(
        "progress is the smaller share of the limits",
        "return min(1.0, max(shares))",
        "return min(1.0, min(shares[1:], default=0.0))",
        OF_ACCOUNTS + "test_progress_is_the_greater_share_of_each_seeds_own_limits_and_no_more_than_one",
    ),
    accounts(
        "a failed seed does not count for the objective",
        "math.isfinite(final) or not a.error",
        "not a.error",
        OF_ACCOUNTS + "test_the_objective_counts_a_failed_seed_with_what_it_had_reached_and_not_with_what_is_no_number",
    ),
    causes(
        "the cause is looked for in the policy, though its baseline broke",
        "broken_policies | broken_values",
        "broken_values | broken_policies",
        OF_HEALTH + "test_where_both_broke_the_baseline_is_named_as_the_cause",
    ),
    health(
        "a policy that does well is called collapsed",
        "poor = [learner for learner in learners.tolist() if self._is_poor(self.accounts.seeds[learner])]",
        "poor = learners.tolist()",
        OF_HEALTH + "test_only_a_poor_seed_with_a_full_window_is_said_to_have_collapsed",
    ),
    health(
        "a policy is judged before its window is full",
        "if account.episodes < window or account.solved or account.error:",
        "if account.solved or account.error:",
        OF_HEALTH + "test_only_a_poor_seed_with_a_full_window_is_said_to_have_collapsed",
    ),
    health(
        "the learner in its place is warned of",
        "rollout.learners.cpu().numpy()[low]",
        "np.flatnonzero(low)",
        OF_HEALTH + "test_only_a_poor_seed_with_a_full_window_is_said_to_have_collapsed",
    ),
    health(
        "half-way to the threshold counts from zero",
        "mean_return < (first + solved_at) / 2",
        "mean_return < solved_at / 2",
        POOR,
    ),
    health(
        "no improvement is not poor",
        "return mean_return <= first if math.isinf(solved_at)",
        "return mean_return < first if math.isinf(solved_at)",
        POOR,
    ),
    health(
        "a layer is dead whose input is the same for every observation",
        "_differs(before) & ~_differs(after) for before, after in",
        "~_differs(after) for before, after in",
        DEAD,
    ),
    health(
        "a layer is dead of which any unit is",
        "SAME * torch.maximum(most.abs(), least.abs())).any(1)",
        "SAME * torch.maximum(most.abs(), least.abs())).all(1)",
        DEAD,
    ),
    accounts(
        "a window counts again without an episode",
        "full[row] = len(new) > 0 and",
        "full[row] =",
        WINDOWS,
    ),
    accounts(
        "an infinite return makes the best window",
        " and all(map(math.isfinite, recent))",
        "",
        OF_ACCOUNTS + "test_a_window_with_a_return_that_is_no_finite_number_does_not_count",
    ),
    accounts(
        "a window is full without the batch",
        "len(recent) == self.window and",
        "account.episodes >= self.window and",
        WINDOWS,
    ),
    accounts(
        "the window of the learner in its place",
        "account = self.seeds[learner]\n            recent",
        "account = self.seeds[row]\n            recent",
        WINDOWS,
    ),
    best(
        "parameters that have learned are kept before their first full window alone",
        "learners[self.mean_return[learners] == -np.inf]",
        "learners[self.mean_return[learners] > -np.inf]",
        OF_BEST + "test_until_a_window_is_full_the_newest_is_kept_however_good_an_earlier_one_was",
    ),
    running(
        "the number of updates of the best counts the one after its batch",
        "means, full, self.updates)",
        "means, full, self.updates + 1)",
        "tests/test_checkpoint.py::test_the_newest_stay_and_each_holds_every_seeds_policy_at_its_best",
    ),
    best(
        "of equal policies the first one is kept",
        "learners[is_better | (is_equal & is_power)]",
        "learners[is_better]",
        EQUAL,
    ),
    best(
        "of equal policies the last one is kept",
        "(is_equal & is_power)",
        "is_equal",
        EQUAL,
    ),
    best(
        "equal windows are counted on after a better one",
        "self.windows[learners[is_better]] = 1",
        "self.windows[learners[is_better]] += 1",
        OF_BEST + "test_equal_means_are_counted_past_lower_ones_and_from_one_again_after_a_higher_one",
    ),
    best(
        "a window that is not full counts",
        "is_better = full & (mean_returns",
        "is_better = (mean_returns",
        OF_BEST + "test_until_a_window_is_full_the_newest_is_kept_however_good_an_earlier_one_was",
    ),
    best(
        "a mean is compared with that of the learner in its place",
        "mean_returns > self.mean_return[learners]",
        "mean_returns > self.mean_return[: len(learners)]",
        OF_BEST + "test_each_learner_keeps_the_parameters_of_its_own_best_update",
    ),
    best(
        "the parameters are those of the learner in its place",
        "self._copy(policy, learners[is_better | (is_equal & is_power)], update)",
        "self._copy(policy, np.flatnonzero(is_better | (is_equal & is_power)), update)",
        OF_BEST + "test_each_learner_keeps_the_parameters_of_its_own_best_update",
    ),
    best(
        "whoever takes part is kept with the best",
        "self._copy(policy, learners[is_better | (is_equal & is_power)], update)",
        "self._copy(policy, learners, update)",
        OF_BEST + "test_each_learner_keeps_the_parameters_of_its_own_best_update",
    ),
    accounts(
        "every return counts as equal to the one before",
        "is_same = bool(self.returns) and episode_return == self.returns[-1]",
        "is_same = True",
        STUCK,
    ),
    accounts(
        "the lowest return is the highest",
        "min(self.lowest, episode_return)",
        "max(self.lowest, episode_return)",
        STUCK,
    ),
    health(
        "one return more is needed to be stuck",
        "account.unchanged < UNCHANGED",
        "account.unchanged <= UNCHANGED",
        STUCK,
    ),
    health(
        "returns at their best are stuck",
        "return account.returns[-1] == account.lowest < solved_at",
        "return account.returns[-1] < solved_at",
        STUCK,
    ),
    health(
        "returns at the threshold are stuck", "== account.lowest < solved_at", "== account.lowest <= solved_at", STUCK
    ),
    health(
        "a stopped seed is stuck",
        "if account.unchanged < UNCHANGED or account.solved or account.error:",
        "if account.unchanged < UNCHANGED or account.solved:",
        STUCK,
    ),
    rows(
        "episodes of a row weigh as their updates do",
        "finished if name in OF_EPISODES else",
        "finished if name in () else",
        OF_ROWS + "test_every_episode_counts_once_in_the_mean_of_its_row",
    ),
    rows(
        "updates without a value count in a mean",
        "weights = np.where(np.isnan(values), 0, weights)",
        "weights = np.where(np.isnan(values), weights, weights)",
        OF_ROWS + "test_a_mean_leaves_out_updates_without_a_value_and_is_none_where_all_are_without",
    ),
    rows(
        "the mean return is averaged",
        "set(_names(records)) - set(LAST)",
        "set(_names(records))",
        OF_ROWS + "test_metrics_are_the_mean_over_the_updates_and_the_mean_return_is_the_last",
    ),
    rows(
        "a seed stops without a row",
        "due = active < len(record.learners) or steps.max() >= self.every_steps",
        "due = steps.max() >= self.every_steps",
        OF_ROWS + "test_a_seed_that_stops_has_its_row_at_its_last_update",
    ),
    rows(
        "the steps since the last row are the neighbour's",
        "record.env_steps - self._steps[record.learners]",
        "record.env_steps - self._steps[: len(record.learners)]",
        OF_ROWS + "test_updates_of_other_seeds_after_a_resume_count_their_own_steps",
    ),
    rows(
        "updates of other seeds are combined",
        "rows = self.take() if other else []",
        "rows: list[UpdateRecord] = []",
        OF_ROWS + "test_updates_of_other_seeds_after_a_resume_have_a_row_of_their_own",
    ),
    rows(
        "a checkpoint forgets the steps at the last row",
        "self._steps[:] = state",
        "self._steps[:] = 0 * state",
        OF_ROWS + "test_a_checkpoint_has_the_updates_that_wait_for_a_row",
    ),
    rows(
        "a checkpoint forgets the updates that wait",
        '[] if state["waiting"] is None else',
        '[] if state["waiting"] else',
        OF_ROWS + "test_a_checkpoint_has_the_updates_that_wait_for_a_row",
    ),
    made("a part without an update stays", "if record[START] < update]", "if record[START] <= update]", PARTS),
    made("each resume is a record", "if history and not differences(history[-1], now):", "if not history:", PARTS),
    made(
        "where a part begins is a difference",
        "if key != START)",
        ")",
        "tests/test_made_with.py::test_differences_name_the_key_and_both_values_in_one_printable_line",
    ),
]
