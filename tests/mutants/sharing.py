"""Mistakes in stale gradients, in values that share the policy's layers, and in fragments of games."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

workers = partial(Mutant, "stale gradients", "pg_experiments/algorithm/a3c.py")
checks = partial(Mutant, "stale gradients", "pg_experiments/algorithm/checks.py")
shared = partial(Mutant, "shared values", "pg_experiments/baseline/shared_value.py")
networks = partial(Mutant, "shared values", "pg_experiments/tensors/stacked.py")
games = partial(Mutant, "fragments of games", "pg_experiments/collect/arcade_steps.py")

OF_WORKERS = "tests/test_a3c.py::"
OF_SHARED = "tests/test_shared_value.py::"
OF_GAMES = "tests/test_arcade_steps.py::"
STALE = (
    OF_WORKERS + "test_the_kth_workers_gradient_is_k_plus_staleness_updates_old_and_applied_to_the_newest_parameters"
)
DIVIDED = OF_WORKERS + "test_workers_divide_the_columns_of_a_batch[2-steps]"
RESUMED = "tests/test_checkpoint.py::test_a_run_that_goes_on_from_any_of_its_checkpoints_ends_in_the_same_bits"
REFUSED = "tests/test_config.py::test_options_that_do_not_fit_are_refused_in_one_line_with_the_nearest_that_do"
GRADIENT = OF_SHARED + "test_the_loss_of_the_value_changes_the_hidden_layers_of_the_policy_and_the_linear_map"
SOME = OF_SHARED + "test_learners_that_continue_after_others_have_stopped_share_their_own_layers"
NAMES = (
    OF_SHARED
    + "test_the_policy_has_the_parameters_that_it_has_with_a_value_of_its_own_and_the_baseline_has_the_linear_map"
)
EMULATORS = OF_GAMES + "test_fragments_are_what_emulators_of_their_own_give_under_the_same_actions[2]"
NEXT = OF_GAMES + "test_the_observation_after_a_fragment_is_the_first_of_the_next_one"
CUT = OF_GAMES + "test_a_truncated_game_is_cut_with_the_screen_that_followed_and_the_next_one_begins_with_zeros"
BY_HAND = OF_GAMES + "test_a_games_return_and_length_are_those_of_all_its_fragments"
STANDING = OF_GAMES + "test_the_games_of_a_stopped_learner_stand_still_and_continue_after_a_restore_where_they_were"

MUTANTS = [
    workers(
        "gradients are applied to the parameters that they were computed with",
        "        self._load(self.versions[-1])\n",
        "",
        STALE + "[4-0-1]",
    ),
    workers(
        "every worker's gradient is that of the newest parameters",
        "        self._load(acted)\n",
        "",
        STALE + "[4-0-1]",
    ),
    workers(
        "the newest parameters act", "self._load(self.versions[0])", "self._load(self.versions[-1])", STALE + "[2-1-2]"
    ),
    workers(
        "gradients are one update older than staleness says",
        "maxlen=option.staleness + 1",
        "maxlen=option.staleness + 2",
        STALE + "[2-1-2]",
    ),
    workers(
        "a checkpoint has the newest parameters only",
        '"versions": list(self.versions)',
        '"versions": [self.versions[-1]]',
        RESUMED + "[a3c]",
    ),
    workers(
        "all workers learn from the environments of the first",
        "slice(worker * each, (worker + 1) * each)",
        "slice(0, each)",
        DIVIDED,
    ),
    workers(
        "the last worker makes no step",
        "for worker in range(self.workers):",
        "for worker in range(max(1, self.workers - 1)):",
        DIVIDED,
    ),
    checks(
        "workers need not divide the environments",
        "if columns % workers:",
        "if workers > columns:",
        REFUSED + "[algorithm=a3c collect.num_envs=8 algorithm.workers=3]",
    ),
    shared(
        "the gradient of a shared value stops at the linear map",
        "self.output(self.trunk.features(observations))",
        "self.output(self.trunk.features(observations).detach())",
        GRADIENT,
    ),
    shared(
        "some learners share the layers of the first",
        "trunk = policy.bind(learners)",
        "trunk = policy.bind(None if learners is None else torch.arange(len(learners)))",
        SOME,
    ),
    shared(
        "some learners have the linear map of the first",
        "self.output.bind(learners))",
        "self.output.bind(None if learners is None else torch.arange(len(learners))))",
        SOME,
    ),
    shared(
        "the parameters of the policy are counted as those of the baseline",
        "self._policy: Sequence[Network] = [policy]",
        "self._policy = nn.ModuleList([policy])",
        NAMES,
    ),
    shared(
        "a policy without a hidden layer is accepted",
        'if not getattr(config.policy, "has_features", getattr(config.policy, "layers", 0) > 0):',
        "if False:",
        REFUSED + "[algorithm=ppo baseline=shared_value policy=linear]",
    ),
    networks(
        "the units that are shared are those before the activation",
        "units: Tensor = getattr(nn.functional, self.activation)(before)",
        "units: Tensor = before",
        GRADIENT,
    ),
    games(
        "a half's environments are not contiguous",
        "return np.ascontiguousarray(self.playing[:, envs])",
        "return self.playing[:, envs]",
        EMULATORS,
    ),
    games(
        "what follows a fragment counts as seen",
        "        at.observer.seen[:] = seen\n",
        "",
        NEXT,
    ),
    games(
        "a game's score goes on in the next one",
        "self.scores[r, e], self.lengths[r, e], self.fresh[r, e] = 0.0, 0, True",
        "self.lengths[r, e], self.fresh[r, e] = 0, True",
        BY_HAND,
    ),
    games(
        "the first screen of a game is compared with the last of the game before",
        "self.scores[r, e], self.lengths[r, e], self.fresh[r, e] = 0.0, 0, True",
        "self.scores[r, e], self.lengths[r, e], self.fresh[r, e] = 0.0, 0, False",
        EMULATORS,
    ),
    games(
        "points that are lost end no return",
        "tensor(rewards != 0) if return_ends_at_points",
        "tensor(rewards > 0) if return_ends_at_points",
        BY_HAND,
    ),
    games(
        "final observations stand at the steps of another learner",
        "(t * R + r) * E + e, True",
        "t * E + e, True",
        EMULATORS,
    ),
    games(
        "a truncated game is continued from the first screen of the next one",
        "at.observer.look(at.emulators.final_screens, cut_off,",
        "at.observer.look(at.emulators.screens, cut_off,",
        CUT,
    ),
    games(
        "the games of a stopped learner go on",
        "playing[active] = True",
        "playing[:] = True",
        STANDING,
    ),
    games(
        "the games of a stopped learner grow longer",
        "self.lengths[:, at.envs] += playing",
        "self.lengths[:, at.envs] += 1",
        STANDING,
    ),
    games(
        "both halves drop the units of the first",
        "kept[:, half.envs].numpy()",
        "kept[:, : half.envs.stop - half.envs.start].numpy()",
        OF_GAMES + "test_what_is_learned_from_is_what_acted_dropout_included",
    ),
    games(
        "the screens that were seen are not restored",
        "            half.observer.seen[:] = screens.numpy()\n",
        "            pass\n",
        OF_GAMES + "test_after_a_restore_the_next_fragments_have_the_same_bits",
    ),
]
