"""Mistakes in the step that follows the credit: the loss, the entropy and the schedule."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

objective = partial(Mutant, "objective", "pg_experiments/algorithm/objective.py")
algorithm = partial(Mutant, "objective", "pg_experiments/algorithm/reinforce.py")
run = partial(Mutant, "optimizer", "pg_experiments/run/run.py")
agent = partial(Mutant, "optimizer", "pg_experiments/algorithm/reinforce.py")

OF_OBJECTIVE = "tests/test_objective.py::"
OF_CREDIT = "tests/test_credit.py::"
BY_HAND = OF_OBJECTIVE + "test_the_loss_is_minus_the_sum_over_steps_of_advantage_and_log_probability_over_the_episodes"
ENTROPY = OF_OBJECTIVE + "test_the_entropy_is_summed_over_the_steps_that_count_and_averaged_over_the_episodes"
BONUS = OF_OBJECTIVE + "test_an_entropy_bonus_is_subtracted_from_the_loss_so_that_a_step_makes_the_policy_more_random"
OWN = OF_OBJECTIVE + "test_the_loss_of_some_learners_is_that_of_their_own_parameters_and_masks"
RATES = OF_CREDIT + "test_each_seed_has_the_learning_rate_of_its_own_progress"
ALONE = OF_CREDIT + "test_a_learner_that_plays_alone_is_credited_and_learns_by_its_own_values"

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
        "loss = loss - bonus.repeat_interleave(len(loss) // len(bonus)) * entropy",
        "loss = loss + bonus.repeat_interleave(len(loss) // len(bonus)) * entropy",
        BONUS,
    ),
    algorithm(
        "the entropy bonus has no gradient",
        "loss = loss - bonus.repeat_interleave(len(loss) // len(bonus)) * entropy",
        "loss = loss - bonus.repeat_interleave(len(loss) // len(bonus)) * entropy.detach()",
        BONUS,
    ),
    algorithm(
        "a seed is given the entropy bonus of the one in its place",
        "bonus = self.entropy_bonus[rollout.learners]",
        "bonus = self.entropy_bonus[: len(rollout.learners)]",
        ALONE,
    ),
    algorithm(
        "where the first learner has no entropy bonus, nobody has",
        "bool(self.entropy_bonus.any())",
        "bool(self.entropy_bonus[0])",
        ALONE,
    ),
    algorithm(
        "the entropy bonus is not averaged as the loss is",
        "total_entropy(distribution.entropy, steps.valid, divisor)",
        "total_entropy(distribution.entropy, steps.valid, 1)",
        BONUS,
    ),
    algorithm(
        "mean sums and sum averages",
        'return rollout.mask.shape[2] if self.settings.reduction == "mean" else 1',
        'return rollout.mask.shape[2] if self.settings.reduction != "mean" else 1',
        "tests/test_closed_form.py::test_the_texts_cross_entropy_form_of_the_loss_is_ours",
    ),
    algorithm(
        "learning drops no unit",
        "noise = None if rollout.dropout_masks is None else steps.gather(rollout.dropout_masks).float()",
        "noise = None",
        OWN,
    ),
    algorithm(
        "a seed's loss is that of the parameters of the one in its place",
        "self._outputs(self.policy.bind(rollout.learners), block, rollout)",
        "self._outputs(self.policy.bind(rollout.learners * 0), block, rollout)",
        OWN,
    ),
    algorithm(
        "a seed's loss of a small batch is that of the parameters of the one in its place",
        "network = self.policy.bind(rollout.learners)\n",
        "network = self.policy.bind(rollout.learners * 0)\n",
        "tests/test_reference_loop.py::test_twelve_updates_are_those_of_a_naive_loop[default-3]",
    ),
    algorithm(
        "learning takes each step for the first action",
        "distribution.log_prob(steps.gather(rollout.actions))",
        "distribution.log_prob(steps.gather(rollout.actions) * 0)",
        "tests/test_closed_form.py::"
        "test_linear_softmax_gradient_is_one_minus_pi_for_the_action_and_minus_pi_for_the_others",
    ),
    agent(
        "every seed is given the first seed's schedule",
        "self.optimizer_settings.factor(share) for share in progress.tolist()",
        "self.optimizer_settings.factor(float(progress[0])) for _ in progress",
        RATES,
    ),
    run(
        "a seed is given the schedule of the one in its place",
        "self.agent.learn(scaled, progress[active])",
        "self.agent.learn(scaled, progress[: len(active)])",
        RATES,
    ),
    agent(
        "the schedule is written down, and not stepped by",
        "step = self.optimizer.step(losses(), rollout.learners.tolist(), factors)",
        "step = self.optimizer.step(losses(), rollout.learners.tolist(), [1.0] * len(factors))",
        RATES,
    ),
    agent(
        "the learning rate that is recorded is that of the learner in its place",
        "self.learning_rate[rollout.learners.cpu()]",
        "self.learning_rate[: len(rollout.learners)]",
        ALONE,
    ),
    agent(
        "the recorded entropy is averaged over the padding of the batch, too",
        "per_step = self._divisor(rollout) / rollout.flat.valid.sum(1)",
        "per_step = self._divisor(rollout) / rollout.flat.valid.shape[1]",
        OF_CREDIT + "test_the_entropy_that_is_recorded_is_the_mean_over_each_seeds_own_steps",
    ),
    agent(
        "the baseline is fitted to what is left of the returns",
        "baseline_metrics, non_finite = self.baseline.learn(rollout, credit.returns, skip=broken)",
        "baseline_metrics, non_finite = self.baseline.learn(rollout, credit.advantages, skip=broken)",
        "tests/test_baseline.py::test_a_run_fits_its_values_to_the_returns_that_it_credits",
    ),
]
