"""Mistakes in soft actor-critics: targets, losses, target networks, and what is stored."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

agent = partial(Mutant, "soft", "pg_experiments/algorithm/sac_agent.py")
actions = partial(Mutant, "soft", "pg_experiments/algorithm/soft_actions.py")
critics = partial(Mutant, "soft", "pg_experiments/algorithm/critics.py")
transitions = partial(Mutant, "soft", "pg_experiments/algorithm/transitions.py")
replay = partial(Mutant, "soft", "pg_experiments/tensors/replay.py")

OF_SAC = "tests/test_sac.py::"
REFERENCE = OF_SAC + "test_targets_losses_and_gradients_are_those_of_a_reference_that_takes_one_transition_at_a_time"
CONTINUOUS, DISCRETE = f"{REFERENCE}[continuous-3]", f"{REFERENCE}[discrete-3]"
FOLLOWING = OF_SAC + "test_target_networks_follow_by_tau_at_the_interval_of_gradient_steps"
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
    agent("critics are their own targets", "self.critics.target_values(", "self.critics.lower_values(", CONTINUOUS),
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
        "bind(_rows(learners)), inputs).amin(1)",
        "bind(_rows(learners)), inputs).amax(1)",
        CONTINUOUS,
    ),
    critics(
        "the policy takes the larger critic",
        "layers=layers), inputs).amin(1)",
        "layers=layers), inputs).amax(1)",
        CONTINUOUS,
    ),
    critics(
        "targets follow their critics the wrong way",
        "_foreach_lerp_(list(self.target",
        "_foreach_lerp_(list(self.online",
        FOLLOWING,
    ),
    critics("critics of neighbours are mixed", "2 * learners[:, None] +", "learners[:, None] +", CONTINUOUS),
    critics("the gradient of a critic is a sum", "(errors / N)", "errors", CONTINUOUS),
    transitions(
        "an episode goes on in the next one", "rollout.cuts | rollout.terminated", "rollout.terminated", FOLLOWED
    ),
    transitions(
        "a truncated episode counts as terminated",
        "rollout.terminated[..., None], following",
        "(rollout.terminated | rollout.truncated)[..., None], following",
        FOLLOWED,
    ),
    replay(
        "a learner gets rows of the first one",
        "torch.tensor(learners)[:, None] * self.capacity",
        "0 * self.capacity",
        RING,
    ),
]
