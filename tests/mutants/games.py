"""Mistakes in how batches of points are put together from games that span batches."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

arcade = partial(Mutant, "collectors", "pg_experiments/collect/arcade.py")
assembly = partial(Mutant, "collectors", "pg_experiments/collect/assembly.py")
tape = partial(Mutant, "collectors", "pg_experiments/collect/tape.py")

OF_PONG = "tests/test_collect_pong.py::"
OF_TAPE = "tests/test_tape.py::"
GAMES = OF_PONG + "test_a_games_return_and_length_are_of_all_its_steps_and_of_none_of_the_game_before"
AT_ONCE = OF_PONG + "test_when_a_time_limit_and_a_point_come_at_once_the_point_has_ended_and_the_game_was_cut_off"
WAITING = (
    OF_PONG + "test_where_all_wait_exactly_the_quota_is_begun_and_nothing_is_under_way_when_the_batch_is_learned_from"
)
ORDER = OF_PONG + "test_a_batch_is_what_was_begun_first_where_all_wait_and_what_ended_first_where_nobody_does"
COLUMN = (
    OF_TAPE + "test_a_column_has_the_steps_of_its_own_point_in_their_order_and_a_cut_off_one_ends_before_its_last_row"
)
FINAL = OF_TAPE + "test_what_stood_after_a_cut_off_column_is_its_last_row_and_nothing_after_one_that_ended"
REPLAYED = (
    "tests/test_pong.py::"
    "test_a_batch_holds_whole_returns_and_each_step_is_the_one_that_an_emulator_of_its_own_makes"
    "[points, nobody waits-1]"
)

MUTANTS = [
    arcade(
        "a point that is complete after the batch is lost",
        "batch, self.complete[r] = self.complete[r][: self.quota], self.complete[r][self.quota :]",
        "batch, self.complete[r] = self.complete[r][: self.quota], []",
        ORDER,
    ),
    arcade(
        "episodes that wait are entered in the order of their ends",
        "self.complete[r].sort(key=lambda unit: unit.id)",
        "pass",
        ORDER,
    ),
    arcade(
        "where all wait, one point more than the quota is begun",
        "if self.carry_over or self.begun[r] < self.quota:",
        "if self.carry_over or self.begun[r] <= self.quota:",
        WAITING,
    ),
    arcade(
        "where nobody waits, a batch goes on for one point more",
        "if self.carry_over and len(self.complete[r]) >= self.quota:",
        "if self.carry_over and len(self.complete[r]) > self.quota:",
        OF_PONG + "test_where_nobody_waits_a_batch_is_complete_with_the_point_that_fills_its_quota",
    ),
    arcade(
        "a point at a time limit is continued with a value",
        "cut_off=truncated & ~terminated & ((rewards == 0) | (not self.of_points))",
        "cut_off=truncated & ~terminated",
        AT_ONCE,
    ),
    arcade(
        "a game that ends at a time limit is continued with a value",
        "cut_off=truncated & ~terminated & ((rewards == 0) | (not self.of_points))",
        "cut_off=truncated & ((rewards == 0) | (not self.of_points))",
        AT_ONCE,
    ),
    arcade(
        "only points that are won end a return",
        "ends = over | (rewards != 0) if self.of_points else over",
        "ends = over | (rewards > 0) if self.of_points else over",
        OF_PONG + "test_a_point_ends_with_any_reward_and_an_episode_with_its_end",
    ),
    arcade(
        "the return of a game goes on in the next",
        "self.scores[r, e], self.lengths[r, e], self.fresh[r, e] = 0.0, 0, True",
        "self.lengths[r, e], self.fresh[r, e] = 0, True",
        GAMES,
    ),
    arcade(
        "games are entered again with the next batch",
        "ended, self.ended[r] = np.array(self.ended[r]).reshape(-1, 2), []",
        "ended = np.array(self.ended[r]).reshape(-1, 2)",
        GAMES,
    ),
    arcade(
        "the first screen of a game is compared with the last of the game before",
        "self.scores[r, e], self.lengths[r, e], self.fresh[r, e] = 0.0, 0, True",
        "self.scores[r, e], self.lengths[r, e], self.fresh[r, e] = 0.0, 0, False",
        REPLAYED,
    ),
    arcade(
        "both halves act by the same chance",
        "self._act(half, act, drawn[:, span], None if kept is None else kept[:, span])",
        "self._act(half, act, drawn[:, : span.stop - span.start], None if kept is None else kept[:, span])",
        OF_PONG + "test_each_environment_has_noise_of_its_own_of_the_update_step_by_step",
    ),
    arcade(
        "every update acts by the same chance",
        "Noise(self.policy, dict(enumerate(self.seeds)), E, update, cpu)",
        "Noise(self.policy, dict(enumerate(self.seeds)), E, 0, cpu)",
        OF_PONG + "test_each_environment_has_noise_of_its_own_of_the_update_step_by_step",
    ),
    arcade(
        "the masks that are recorded are those of another environment",
        "kept = None if masks is None else masks[acting].astype(np.bool_)",
        "kept = None if masks is None else np.roll(masks, 1, 1)[acting].astype(np.bool_)",
        OF_PONG + "test_what_is_learned_from_pong_is_what_acted_dropout_included",
    ),
    arcade(
        "rows that no batch has used are renumbered one too far",
        "self.pending[:] = (np.cumsum(left) - 1)[self.pending]",
        "self.pending[:] = np.maximum((np.cumsum(left) - 2)[self.pending], 0)",
        OF_PONG + "test_what_is_under_way_between_batches_is_paid_to_the_last_step_of_its_own_point",
    ),
    assembly(
        "what followed a time limit is learned from as a step",
        "firsts, lengths = np.cumsum(counts) - counts, counts - truncated",
        "firsts, lengths = np.cumsum(counts) - counts, counts",
        COLUMN,
    ),
    assembly(
        "what a cut-off column is continued from is its first row",
        "observations.rows(columns(firsts + lengths * truncated), columns(truncated))",
        "observations.rows(columns(firsts), columns(truncated))",
        FINAL,
    ),
    assembly(
        "something follows columns that ended by themselves",
        "observations.rows(columns(firsts + lengths * truncated), columns(truncated))",
        "observations.rows(columns(firsts + lengths * truncated), columns(truncated | True))",
        FINAL,
    ),
    assembly(
        "what followed a cut-off column stands at the end of the longest",
        "columns((lengths - 1) * (R * E) + np.arange(R * E))",
        "columns((lengths.max() - 1) * (R * E) + np.arange(R * E))",
        FINAL,
    ),
    assembly(
        "something is said to follow every column",
        "            columns(truncated),\n        ),",
        "            columns(truncated | True),\n        ),",
        FINAL,
    ),
    assembly(
        "a point that is lost ends no return in a column of a whole game",
        "return_ends=columns(rewards != 0) if points_within else None",
        "return_ends=columns(rewards > 0) if points_within else None",
        OF_TAPE + "test_every_reward_ends_a_return_inside_a_column_of_a_whole_game",
    ),
    assembly(
        "columns are taken from the rows as they were recorded",
        'order = np.argsort(recorded.units, kind="stable")',
        "order = np.arange(len(recorded.units))",
        COLUMN,
    ),
    tape(
        "rewards are paid one row late",
        "rows.rewards[places] = rewards",
        "rows.rewards[np.minimum(places + 1, len(rows.rewards) - 1)] = rewards",
        OF_TAPE + "test_rows_are_paid_by_their_numbers_also_after_what_was_used_is_gone",
    ),
    tape(
        "a new tape counts from the first of its own rows",
        "self.length = 0 if kept is None else len(kept.counts)",
        "self.length = 0",
        OF_TAPE + "test_rows_are_paid_by_their_numbers_also_after_what_was_used_is_gone",
    ),
    tape(
        "the pixels of a row are those of the row before",
        "places = ranges(starts[rows], counts)",
        "places = ranges(np.roll(starts, 1)[rows], counts)",
        OF_TAPE + "test_observations_and_masks_of_a_step_are_its_own",
    ),
]
