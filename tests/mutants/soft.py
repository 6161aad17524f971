"""Mistakes in soft actor-critics: targets, losses, target networks, and what is stored."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

agent = partial(Mutant, "soft", "pg_experiments/algorithm/sac_agent.py")
actions = partial(Mutant, "soft", "pg_experiments/algorithm/soft_actions.py")
critics = partial(Mutant, "soft", "pg_experiments/algorithm/critics.py")
transitions = partial(Mutant, "soft", "pg_experiments/algorithm/transitions.py")
sampling = partial(Mutant, "soft", "pg_experiments/algorithm/sampling.py")
play = partial(Mutant, "soft", "pg_experiments/collect/compiled_play.py")
heads = partial(Mutant, "soft", "pg_experiments/policy/compiled_heads.py")
replay = partial(Mutant, "soft", "pg_experiments/tensors/replay.py")

OF_SAC = "tests/test_sac.py::"
REFERENCE = OF_SAC + "test_targets_losses_and_gradients_are_those_of_a_reference_that_takes_one_transition_at_a_time"
CONTINUOUS, DISCRETE = f"{REFERENCE}[continuous-3]", f"{REFERENCE}[discrete-3]"
FOLLOWING = OF_SAC + "test_target_networks_follow_by_tau_at_the_interval_of_gradient_steps"
OF_SAMPLING = "tests/test_sampling.py::"
DRAWN = OF_SAMPLING + "test_places_are_uniform_and_noise_is_normal"
FIRST_DRAWN = OF_SAMPLING + "test_the_first_places_are_the_bits_of_the_stream_of_the_purpose"
OF_LEARNER = OF_SAMPLING + "test_a_learners_numbers_depend_on_its_seed_and_the_update_alone"
EXPLORED = "tests/test_compiled_steps.py::test_exploring_actions_are_uniform_and_held_as_they_are_through_gymnasium"
OF_STORING = "tests/test_replay.py::"
FOLLOWED = OF_STORING + "test_a_transition_has_the_observation_that_followed_its_step_and_not_that_of_the_next_episode"
RING = OF_STORING + "test_a_ring_has_the_newest_rows_of_each_learner[4]"

MUTANTS = [
    agent("a terminated episode goes on", "(1 - batch.terminated)", "1", CONTINUOUS),
    agent(
        "the discount is squared",
        "self.discount[learners][:, None]",
        "self.discount[learners][:, None] ** 2",
        CONTINUOUS,
    ),
    agent(
        "the temperature moves away from its target",
        "entropy - self.target_entropy",
        "self.target_entropy - entropy",
        CONTINUOUS,
    ),
    agent("target networks follow at every step", "% self.settings.target_update_interval == 0", "% 1 == 0", FOLLOWING),
    actions(
        "the entropy lowers the value", "values - alpha * distribution", "values + alpha * distribution", CONTINUOUS
    ),
    actions("the policy avoids entropy", "alpha * log_probs - values", "-alpha * log_probs - values", CONTINUOUS),
    actions("the slope of tanh is missing", "by_actions * (1 - actions.square())", "by_actions", CONTINUOUS),
    actions("the density of tanh has no slope", "weight * 2 * actions", "weight * 0 * actions", CONTINUOUS),
    actions(
        "the entropy does not widen the policy", "(by_before * spread - weight)", "(by_before * spread)", CONTINUOUS
    ),
    actions("discrete values have no entropy", "+ alpha * distribution.entropy", "", DISCRETE),
    actions("the gradient by logits is not centred", "probs * (each - losses[..., None])", "probs * each", DISCRETE),
    critics(
        "targets take the larger critic",
        "torch.minimum(*_of_twins(outputs))",
        "torch.maximum(*_of_twins(outputs))",
        CONTINUOUS,
    ),
    critics("critics are their own targets", "self._bound(self.target,", "self._bound(self.online,", CONTINUOUS),
    critics(
        "the policy takes the larger critic",
        "return torch.minimum(first, second), of_lower",
        "return torch.maximum(first, second), of_lower",
        CONTINUOUS,
    ),
    critics(
        "the policy climbs the larger critic", "is_first = first <= second", "is_first = first >= second", CONTINUOUS
    ),
    critics("the policy climbs both critics", "gradient * ~is_first", "gradient", CONTINUOUS),
    critics(
        "targets do not follow their critics",
        "_target_values.lerp_(self.optimizer.values",
        "_target_values.lerp_(self._target_values",
        FOLLOWING,
    ),
    critics("critics of neighbours are mixed", "(2 * learner, 2 * learner + 1)", "(learner, learner + 1)", CONTINUOUS),
    critics("the gradient of a critic is a sum", "(errors / N)", "errors", CONTINUOUS),
    transitions(
        "a terminated episode goes on in the next one",
        "torch.where(_as(rollout.terminated,",
        "torch.where(_as(rollout.truncated,",
        FOLLOWED,
    ),
    transitions(
        "a truncated episode counts as terminated",
        "rollout.terminated[..., None], following",
        "(rollout.terminated | rollout.truncated)[..., None], following",
        FOLLOWED,
    ),
    sampling(
        "the noise of the next states is that of the states", "uniform[(N + n) * A + a]", "uniform[n * A + a]", DRAWN
    ),
    sampling("half of the places are the same", "((bits >> THIRTY_TWO) * size)", "((bits & LOW) * size)", FIRST_DRAWN),
    sampling(
        "the last transition is never sampled", "size = np.uint64(sizes[r])", "size = np.uint64(sizes[r] - 1)", DRAWN
    ),
    sampling("all updates sample alike", "= OF_REPLAY, update", "= OF_REPLAY, 0", OF_LEARNER),
    play("random actions are not held", "if t % CHUNK % hold == 0:", "if True:", f"{EXPLORED}[Box]"),
    heads("random actions are on one side", "(TWO * uniform[i] - ONE)", "uniform[i]", f"{EXPLORED}[Box]"),
    replay(
        "a learner gets rows of the first one",
        "torch.tensor(learners)[:, None] * self.capacity",
        "0 * self.capacity",
        RING,
    ),
]
