"""Mistakes in random streams, and in batches of episodes: whose steps, and how an episode ended."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

streams = partial(Mutant, "streams", "pg_experiments/tensors/streams.py")
noise = partial(Mutant, "streams", "pg_experiments/collect/noise.py")
episodes = partial(Mutant, "collectors", "pg_experiments/collect/episodes.py")

OF_STREAMS = "tests/test_streams.py::"
OF_BATCHES = "tests/test_collect.py::"
OF_EPISODES = "tests/test_episodes.py::"
NO_TWO = "test_no_two_seeds_purposes_and_indices_share_a_stream_however_large_the_seed"
OWN_STREAMS = OF_BATCHES + "test_actions_and_dropout_have_each_seeds_own_stream_of_the_update_from_its_first_number_on"
SLOW = OF_EPISODES + "test_the_accounts_agree_with_a_slow_single_environment[step_by_step]"
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
]
