"""Mistakes in action masks: in the policy, in acting, learning and evaluating, and in what an environment may give."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

policy = partial(Mutant, "masking", "pg_experiments/policy/policy.py")
given = partial(Mutant, "masking", "pg_experiments/env/action_masks.py")
vector = partial(Mutant, "masking", "pg_experiments/env/vector.py")
episodes = partial(Mutant, "masking", "pg_experiments/collect/episodes.py")
steps = partial(Mutant, "masking", "pg_experiments/collect/steps.py")
reinforce = partial(Mutant, "masking", "pg_experiments/algorithm/reinforce.py")
actor_critic = partial(Mutant, "masking", "pg_experiments/algorithm/actor_critic.py")
scores = partial(Mutant, "masking", "pg_experiments/algorithm/scores.py")
loaded = partial(Mutant, "masking", "pg_experiments/evaluation/loaded_run.py")

OF_MASKS = "tests/test_action_masks.py::"
OF_PARTIAL = "tests/test_exact_partial.py::"
TAKEN = OF_MASKS + "test_a_forbidden_action_is_never_taken_and_learning_stays_finite"
RECORDED = OF_MASKS + "test_a_rollout_has_the_masks_that_each_environment_gave"
WRONG = OF_MASKS + "test_a_wrong_mask_is_one_line"
LOADED = OF_MASKS + "test_a_loaded_run_takes_a_mask_and_evaluates_with_those_of_its_environment"

MUTANTS = [
    policy(
        "a forbidden action keeps a small probability",
        "MASKED = -1e9",
        "MASKED = -30.0",
        OF_MASKS + "test_the_policy_is_the_softmax_over_the_allowed_actions",
    ),
    policy(
        "noise of minus infinity excludes an allowed action",
        "noise.clamp(min=LEAST_NOISE)",
        "noise",
        OF_MASKS + "test_the_only_allowed_action_is_taken_with_any_noise",
    ),
    policy(
        "the allowed actions are the forbidden ones",
        "torch.where(action_masks, outputs, MASKED)",
        "torch.where(action_masks, MASKED, outputs)",
        TAKEN + "[recomputed]",
    ),
    episodes(
        "actions of episodes are sampled without the masks",
        "self.policy.sample(output.detach(), action_noise, allowed)",
        "self.policy.sample(output.detach(), action_noise)",
        TAKEN + "[stored]",
    ),
    episodes(
        "masks of episodes are those of their first steps",
        "                allowed = self._allowed(info, envs)\n",
        "",
        RECORDED + "[episodes]",
    ),
    steps(
        "actions of fragments are sampled without the masks",
        "self.policy.sample(outputs.detach(), action_noise, allowed)",
        "self.policy.sample(outputs.detach(), action_noise)",
        TAKEN + "[a2c]",
    ),
    steps(
        "after a reset the mask is that of the episode before",
        'self.env.reset(seed=seeds.tolist(), options={"reset_mask": chosen})\n'
        "        self.action_masks = info.get(ACTION_MASK)",
        'self.env.reset(seed=seeds.tolist(), options={"reset_mask": chosen})\n'
        "        if self.action_masks is None:\n            self.action_masks = info.get(ACTION_MASK)",
        TAKEN + "[a2c]",
    ),
    reinforce(
        "REINFORCE learns from probabilities over all actions",
        "self.policy.distribution(outputs, rollout.action_masks_at(steps))",
        "self.policy.distribution(outputs)",
        OF_PARTIAL + "test_the_expected_estimate_is_the_gradient_of_the_objective[masked-0.0]",
    ),
    scores(
        "gradients of episodes are those over all actions",
        "None if allowed is None else steps.gather(allowed)",
        "None",
        OF_PARTIAL + "test_the_gradients_of_single_episodes_are_unbiased[masked]",
    ),
    actor_critic(
        "an actor-critic learns from probabilities over all actions",
        "self.policy.distribution(outputs, steps.action_masks)",
        "self.policy.distribution(outputs)",
        TAKEN + "[ppo]",
    ),
    actor_critic(
        "log-probabilities before the update are those over all actions",
        "self.policy.distribution(outputs, rollout.action_masks_at(block))",
        "self.policy.distribution(outputs)",
        OF_MASKS + "test_log_probabilities_before_the_update_are_those_of_acting",
    ),
    loaded(
        "a loaded policy ignores the mask",
        "policy.head.noise(torch.from_numpy(uniform)), allowed)",
        "policy.head.noise(torch.from_numpy(uniform)))",
        LOADED,
    ),
    loaded(
        "probabilities of a loaded policy ignore the mask",
        "outputs = policy.masked(outputs, given_masks(action_mask, outputs.shape[1], policy.head.num_outputs))",
        "pass",
        LOADED,
    ),
    given(
        "a mask without an allowed action is accepted",
        "if not (mask.any() or is_over):",
        "if False:",
        WRONG + "[none]",
    ),
    given(
        "a missing mask keeps the one before",
        "if KEY not in info and (self.masks is None or is_over):",
        "if KEY not in info:",
        WRONG + "[missing]",
    ),
    given(
        "the last mask of an episode must allow an action",
        "(mask.any() or is_over)",
        "mask.any()",
        TAKEN + "[recomputed]",
    ),
    vector(
        "the first masks of episodes are not kept",
        "            self._masks.update(int(index), info, is_first=True)\n",
        "",
        TAKEN + "[recomputed]",
    ),
]
