"""Mistakes in playing: whose chance, whose environment, which steps, and how an episode or a point ended."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

streams = partial(Mutant, "streams", "pg_experiments/tensors/streams.py")
noise = partial(Mutant, "streams", "pg_experiments/collect/noise.py")
episodes = partial(Mutant, "collectors", "pg_experiments/collect/episodes.py")
arcade = partial(Mutant, "collectors", "pg_experiments/collect/arcade.py")
assembly = partial(Mutant, "collectors", "pg_experiments/collect/assembly.py")
tape = partial(Mutant, "collectors", "pg_experiments/collect/tape.py")
vector = partial(Mutant, "environments", "pg_experiments/env/vector.py")
screens = partial(Mutant, "environments", "pg_experiments/env/screens.py")
emulators = partial(Mutant, "environments", "pg_experiments/env/arcade.py")

OF_STREAMS = "tests/test_streams.py::"
OF_BATCHES = "tests/test_collect.py::"
OF_PONG = "tests/test_collect_pong.py::"
OF_TAPE = "tests/test_tape.py::"
OF_EPISODES = "tests/test_episodes.py::"
NO_TWO = "test_no_two_seeds_purposes_and_indices_share_a_stream_however_large_the_seed"
OWN_STREAMS = OF_BATCHES + "test_actions_and_dropout_have_each_seeds_own_stream_of_the_update_from_its_first_number_on"
STOPPED = OF_BATCHES + "test_seeds_that_have_stopped_change_nothing_of_the_others_batch[step_by_step]"
TO_ITS_END = OF_BATCHES + "test_a_batch_plays_every_episode_to_its_end[step_by_step]"
SLOW = OF_EPISODES + "test_the_accounts_agree_with_a_slow_single_environment[step_by_step]"
STANDING = OF_EPISODES + "test_who_has_finished_stands_still_until_reset_and_the_others_go_on"
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
FRAMES = "tests/test_pong.py::test_what_a_policy_sees_is_what_a_slow_reference_makes_of_the_same_game_in_colour[frames]"
REPLAYED = (
    "tests/test_pong.py::"
    "test_a_batch_holds_whole_returns_and_each_step_is_the_one_that_an_emulator_of_its_own_makes"
    "[points, nobody waits-1]"
)
BOTH = (
    "tests/test_compiled_play.py::test_whole_batches_equal_those_through_gymnasium_over_several_updates"
    "[num_seeds=3 collect.episodes=4 policy.layers=2 policy.hidden=33 policy.dropout=0.3]"
)

MUTANTS = [
    streams(
        "streams ignore their index",
        "np.random.SeedSequence((low, purpose, index),",
        "np.random.SeedSequence((low, purpose, 0),",
        OF_STREAMS + NO_TWO,
    ),
    streams(
        "streams ignore their purpose",
        "np.random.SeedSequence((low, purpose, index),",
        "np.random.SeedSequence((low, 0, index),",
        OF_STREAMS + NO_TWO,
    ),
    streams(
        "what is above 32 bits of a seed is lost",
        "spawn_key=(high,) if high else ()",
        "spawn_key=()",
        OF_STREAMS + NO_TWO,
    ),
    streams(
        "what is above 32 bits of a seed is taken for a purpose",
        "np.random.SeedSequence((low, purpose, index), spawn_key=(high,) if high else ())",
        "np.random.SeedSequence((seed, purpose, index))",
        OF_STREAMS + NO_TWO,
    ),
    streams(
        "NumPy's streams ignore the update",
        "np.random.SFC64(seed_sequence(seed, purpose, update))",
        "np.random.SFC64(seed_sequence(seed, purpose))",
        OF_BATCHES + "test_every_update_draws_other_numbers",
    ),
    streams(
        "episodes ignore the update",
        "seed_sequence(seed, Purpose.ENVIRONMENT, update)",
        "seed_sequence(seed, Purpose.ENVIRONMENT)",
        BOTH,
    ),
    streams(
        "emulators have the seeds of the episodes",
        "seed_sequence(seed, Purpose.EMULATORS)",
        "seed_sequence(seed, Purpose.ENVIRONMENT)",
        OF_STREAMS + "test_what_is_drawn_from_the_streams_is_what_version_0_1_drew",
    ),
    streams(
        "the first parameters ignore what they are for",
        "word = seed_sequence(seed, purpose).generate_state(1, np.uint64)[0]",
        "word = seed_sequence(seed, Purpose.POLICY_PARAMETERS).generate_state(1, np.uint64)[0]",
        "tests/test_baseline.py::test_a_value_network_starts_from_random_numbers_of_its_own",
    ),
    streams(
        "an evaluation plays the episodes of the training",
        "return int(seed_sequence(seed, Purpose.EVALUATION).generate_state(1, np.uint64)[0])",
        "return seed",
        OF_STREAMS + "test_the_seed_of_an_evaluation_is_none_that_anyone_trains_with",
    ),
    noise(
        "dropout masks are drawn from the actions' stream",
        "self.network_streams = [numpy_stream(seed, Purpose.DROPOUT, update) for seed in seeds.values()]",
        "self.network_streams = self.action_streams",
        OF_BATCHES + "test_dropout_changes_none_of_the_numbers_that_actions_are_drawn_from",
    ),
    noise(
        "dropout masks are drawn from the same numbers as the actions",
        "numpy_stream(seed, Purpose.DROPOUT, update)",
        "numpy_stream(seed, Purpose.ACTIONS, update)",
        OWN_STREAMS,
    ),
    noise(
        "every update draws the same actions' noise",
        "numpy_stream(seed, Purpose.ACTIONS, update)",
        "numpy_stream(seed, Purpose.ACTIONS, 0)",
        OF_BATCHES + "test_every_update_draws_other_numbers",
    ),
    noise(
        "every update draws the same dropout masks",
        "numpy_stream(seed, Purpose.DROPOUT, update)",
        "numpy_stream(seed, Purpose.DROPOUT, 0)",
        BOTH,
    ),
    noise(
        "all seeds draw the first seed's noise",
        "numpy_stream(seed, Purpose.ACTIONS, update)",
        "numpy_stream(seeds[0], Purpose.ACTIONS, update)",
        OWN_STREAMS,
    ),
    noise(
        "all seeds draw the first seed's dropout masks",
        "numpy_stream(seed, Purpose.DROPOUT, update)",
        "numpy_stream(seeds[0], Purpose.DROPOUT, update)",
        OWN_STREAMS,
    ),
    noise(
        "a seed drops units as often as the one in its place",
        "zip(self.learners, self.network_streams, strict=True)",
        "zip(range(len(self.learners)), self.network_streams, strict=True)",
        OF_BATCHES + "test_each_learner_drops_units_as_often_as_its_own_probability_says_whoever_takes_part",
    ),
    noise(
        "the masks that are remembered are those of the next step",
        "return torch.cat(self.drawn)[:steps] if self.drawn else None",
        "return torch.cat(self.drawn).roll(-1, 0)[:steps] if self.drawn else None",
        OWN_STREAMS,
    ),
    noise(
        "the masks of one chunk are used for all",
        "yield from zip(noise, self.drawn[-1].float().unbind(0), strict=True)",
        "yield from zip(noise, self.drawn[0].float().unbind(0), strict=True)",
        OWN_STREAMS,
    ),
    episodes(
        "a batch ends with its first episode",
        "                if not alive.any():",
        "                if not alive.all():",
        BOTH,
    ),
    episodes(
        "the last step of an episode is hidden",
        "alive = alive & ~(ended | cut)",
        "alive = mask[-1] = alive & ~(ended | cut)",
        BOTH,
    ),
    episodes(
        "a step after the end counts as played",
        "mask.append(alive)",
        "mask.append(alive if len(rewards) < 2 else alive | (rewards[-1] > 0))",
        BOTH,
    ),
    episodes(
        "terminated and truncated are exchanged",
        "terminated.append(ended)\n                truncated.append(cut)",
        "terminated.append(cut)\n                truncated.append(ended)",
        BOTH,
    ),
    episodes(
        "the final observation is the last that was acted on",
        "network.finals(self._columns(observation), network.states)",
        "network.finals(self._columns(observations[-1]), network.states)",
        SLOW,
    ),
    episodes(
        "the final observation of every episode is that of the batch's last step",
        "(mask.sum(0) - 1) * (R * E) + columns",
        "(len(mask) - 1) * (R * E) + columns",
        SLOW,
    ),
    episodes(
        "a seed plays in the environments of the one in its place",
        "envs = (active[:, None] * E + np.arange(E)).ravel()",
        "envs = (np.arange(R)[:, None] * E + np.arange(E)).ravel()",
        BOTH,
    ),
    episodes(
        "a seed acts by the chance of the one in its place",
        "{i: self.seeds[i] for i in active.tolist()}",
        "{i: self.seeds[r] for r, i in enumerate(active.tolist())}",
        BOTH,
    ),
    episodes(
        "all seeds play the first seed's episodes",
        "s for seed in self.seeds for s in episode_seeds(seed, update, self.episodes)",
        "s for _ in self.seeds for s in episode_seeds(self.seeds[0], update, self.episodes)",
        BOTH,
    ),
    episodes(
        "every batch plays the same episodes",
        "episode_seeds(seed, update, self.episodes)",
        "episode_seeds(seed, 0, self.episodes)",
        BOTH,
    ),
    episodes(
        "actions are sent as the policy counts them",
        "= head.for_environment(action.cpu().numpy().reshape(R * E, *action.shape[2:]))",
        "= action.cpu().numpy().reshape(R * E, *action.shape[2:])",
        OF_BATCHES + "test_actions_that_do_not_begin_at_zero_are_sent_as_the_environment_counts_them",
    ),
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
