"""Mistakes in the step that follows the credit: the loss, the entropy and the schedule."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

objective = partial(Mutant, "objective", "pg_experiments/algorithm/objective.py")
algorithm = partial(Mutant, "objective", "pg_experiments/algorithm/reinforce.py")
run = partial(Mutant, "optimizer", "pg_experiments/run/run.py")

OF_OBJECTIVE = "tests/test_objective.py::"
OF_CREDIT = "tests/test_credit.py::"
BY_HAND = OF_OBJECTIVE + "test_the_loss_is_minus_the_sum_over_steps_of_advantage_and_log_probability_over_the_episodes"
ENTROPY = OF_OBJECTIVE + "test_the_entropy_is_summed_over_the_steps_that_count_and_averaged_over_the_episodes"
BONUS = OF_OBJECTIVE + "test_an_entropy_bonus_is_subtracted_from_the_loss_so_that_a_step_makes_the_policy_more_random"
OWN = OF_OBJECTIVE + "test_the_loss_of_some_learners_is_that_of_their_own_parameters_and_masks"

MUTANTS = [
    objective(
        "the loss has the wrong sign",
        "return -torch.where(valid, advantages.detach() * log_probs, 0.0).sum(1) / episodes",
        "return torch.where(valid, advantages.detach() * log_probs, 0.0).sum(1) / episodes",
        BY_HAND,
    ),
    objective(
        "the loss is averaged over time",
        "0.0).sum(1) / episodes\n\n\ndef total_entropy",
        "0.0).mean(1) / episodes\n\n\ndef total_entropy",
        BY_HAND,
    ),
    objective(
        "the loss is not averaged over episodes",
        "0.0).sum(1) / episodes\n\n\ndef total_entropy",
        "0.0).sum(1)\n\n\ndef total_entropy",
        BY_HAND,
    ),
    objective(
        "padding counts in the loss",
        "-torch.where(valid, advantages.detach() * log_probs, 0.0)",
        "-(advantages.detach() * log_probs)",
        BY_HAND,
    ),
    objective(
        "advantages are not constants",
        "advantages.detach() * log_probs",
        "advantages * log_probs",
        OF_OBJECTIVE + "test_advantages_are_constants_of_the_loss",
    ),
    objective(
        "padding counts in the entropy",
        "return torch.where(valid, entropies, 0.0).sum(1) / episodes",
        "return entropies.sum(1) / episodes",
        ENTROPY,
    ),
    objective(
        "the entropy is not averaged over episodes",
        "return torch.where(valid, entropies, 0.0).sum(1) / episodes",
        "return torch.where(valid, entropies, 0.0).sum(1)",
        ENTROPY,
    ),
    algorithm(
        "the entropy bonus has the wrong sign",
        "loss = loss - self.entropy_bonus * entropy",
        "loss = loss + self.entropy_bonus * entropy",
        BONUS,
    ),
    algorithm(
        "the entropy bonus has no gradient",
        "loss = loss - self.entropy_bonus * entropy",
        "loss = loss - self.entropy_bonus * entropy.detach()",
        BONUS,
    ),
    algorithm(
        "the entropy bonus is not averaged as the loss is",
        "total_entropy(policy.head.entropy(logits), steps.valid, self.divisor)",
        "total_entropy(policy.head.entropy(logits), steps.valid, 1)",
        BONUS,
    ),
    algorithm(
        "mean sums and sum averages",
        'return self.quota if self.reduction == "mean" else 1',
        'return self.quota if self.reduction != "mean" else 1',
        "tests/test_closed_form.py::test_the_texts_cross_entropy_form_of_the_loss_is_ours",
    ),
    algorithm(
        "learning drops no unit",
        "masks = None if rollout.dropout_masks is None else block.gather(rollout.dropout_masks)",
        "masks = None",
        OWN,
    ),
    algorithm(
        "a seed's loss is that of the parameters of the one in its place",
        "logits = policy.of(rollout.learners)(block.gather(rollout.observations), masks)",
        "logits = policy.of(rollout.learners * 0)(block.gather(rollout.observations), masks)",
        OWN,
    ),
    algorithm(
        "learning takes each step for the first action",
        "policy.head.log_prob(logits, steps.gather(rollout.actions))",
        "policy.head.log_prob(logits, steps.gather(rollout.actions) * 0)",
        "tests/test_closed_form.py::"
        "test_linear_softmax_gradient_is_one_minus_pi_for_the_action_and_minus_pi_for_the_others",
    ),
    run(
        "every seed is given the first seed's schedule",
        "self.config.optimizer.factor(progress[learner]) for learner in active",
        "self.config.optimizer.factor(progress[0]) for learner in active",
        OF_CREDIT + "test_each_seed_has_the_learning_rate_of_its_own_progress",
    ),
    run(
        "a seed is given the schedule of the one in its place",
        "self.config.optimizer.factor(progress[learner]) for learner in active",
        "self.config.optimizer.factor(progress[index]) for index, _ in enumerate(active)",
        OF_CREDIT + "test_each_seed_has_the_learning_rate_of_its_own_progress",
    ),
    run(
        "the schedule is written down, and not stepped by",
        "step = self.optimizer.step(losses(), active.tolist(), factors)",
        "step = self.optimizer.step(losses(), active.tolist(), [1.0] * len(factors))",
        OF_CREDIT + "test_each_seed_has_the_learning_rate_of_its_own_progress",
    ),
    run(
        "the recorded entropy is averaged over the padding of the batch, too",
        "per_step = self.config.algorithm.divisor / rollout.flat.valid.sum(1)",
        "per_step = self.config.algorithm.divisor / rollout.flat.valid.shape[1]",
        OF_CREDIT + "test_the_entropy_that_is_recorded_is_the_mean_over_each_seeds_own_steps",
    ),
    run(
        "the baseline is fitted to what is left of the returns",
        "of_baseline, broken = self._learn_baseline(rollout, returns, active.tolist(), step.broken)",
        "of_baseline, broken = self._learn_baseline(rollout, advantages, active.tolist(), step.broken)",
        "tests/test_baseline.py::test_a_run_fits_its_values_to_the_returns_that_it_credits",
    ),
]
