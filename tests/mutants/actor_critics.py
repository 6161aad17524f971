"""Mistakes in actor-critics: the objective, mini-batches, means over them, and who takes which step."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

experience = partial(Mutant, "actor-critics", "pg_experiments/algorithm/experience.py")
agent = partial(Mutant, "actor-critics", "pg_experiments/algorithm/actor_critic.py")
clipped = partial(Mutant, "actor-critics", "pg_experiments/algorithm/ppo.py")
minibatches = partial(Mutant, "actor-critics", "pg_experiments/algorithm/minibatches.py")
metrics = partial(Mutant, "actor-critics", "pg_experiments/algorithm/metrics.py")
credit = partial(Mutant, "actor-critics", "pg_experiments/algorithm/credit.py")
values = partial(Mutant, "actor-critics", "pg_experiments/baseline/value.py")
normalisers = partial(Mutant, "actor-critics", "pg_experiments/normalization/choices.py")

LOOP = "tests/test_actor_critic_loop.py::test_updates_are_those_of_a_naive_loop"
OF_AGENTS = "tests/test_actor_critic.py::"
OF_CLIPPING = "tests/test_clipping.py::"
OF_ORDERS = "tests/test_minibatches.py::"
OBJECTIVE = OF_CLIPPING + "test_the_clipped_objective_and_its_gradient_are_those_of_the_formula"
DIVERGENCE = OF_CLIPPING + "test_the_approximate_kl_is_that_of_the_old_policy_from_the_new_one"
ERRORS = OF_CLIPPING + "test_the_squared_error_is_clipped_as_documented"
SOME = OF_AGENTS + "test_learners_that_go_on_after_others_have_stopped_learn_by_their_own_parameters_and_values[a2c]"
TARGET = OF_AGENTS + "test_the_target_kl_stops_the_learner_that_exceeded_it_and_not_its_neighbours"
MEANS = OF_AGENTS + "test_metrics_are_means_over_the_mini_batches_in_which_a_learner_took_part"
DIVIDED = OF_ORDERS + "test_the_mini_batches_of_an_epoch_divide_the_steps_of_each_learner"
ORDER = OF_ORDERS + "test_the_order_of_a_learner_depends_on_its_seed_and_the_update_only"
RESUMED = "tests/test_checkpoint.py::test_a_run_that_goes_on_from_any_of_its_checkpoints_ends_in_the_same_bits[ppo]"

MUTANTS = [
    clipped(
        "the objective has the wrong sign",
        "losses = slopes = -advantages * ratio",
        "losses = slopes = advantages * ratio",
        OBJECTIVE,
    ),
    clipped("the larger objective counts", "torch.maximum(losses, ", "torch.minimum(losses, ", OBJECTIVE),
    clipped(
        "the gradient does not stop where the objective is clipped",
        "torch.where(clipped > losses, 0.0, losses)",
        "losses",
        OBJECTIVE,
    ),
    clipped(
        "the gradient stops where the objective is not clipped",
        "torch.where(clipped > losses, 0.0, losses)",
        "torch.where(clipped < losses, 0.0, losses)",
        OBJECTIVE,
    ),
    clipped(
        "the gradient is not scaled by the ratio",
        "torch.where(clipped > losses, 0.0, losses)",
        "torch.where(clipped > losses, 0.0, -advantages)",
        OBJECTIVE,
    ),
    clipped(
        "probabilities that rise are clipped at once",
        "ratio.clamp(1 - self.clip_range, 1 + self.clip_range)",
        "ratio.clamp(1 - self.clip_range, 1.0)",
        OBJECTIVE,
    ),
    clipped(
        "probabilities that fall are not clipped",
        "ratio.clamp(1 - self.clip_range, 1 + self.clip_range)",
        "ratio.clamp(max=1 + self.clip_range)",
        OBJECTIVE,
    ),
    clipped(
        "only probabilities that rise count as clipped",
        "(change.abs() > self.clip_range)",
        "(change > self.clip_range)",
        OBJECTIVE,
    ),
    clipped("the ratio is upside down", "log_probs - old_log_probs", "old_log_probs - log_probs", OBJECTIVE),
    clipped(
        "the KL divergence has the wrong sign",
        "change - log_ratio",
        "log_ratio - change",
        DIVERGENCE,
    ),
    clipped(
        "the KL divergence is that of the new policy from the old one",
        "change - log_ratio",
        "ratio * log_ratio - change",
        DIVERGENCE,
    ),
    agent(
        "the old policy is that of the mini-batch before",
        "self.objective.surrogate(log_probs, steps.old_log_probs,",
        "self.objective.surrogate(log_probs, log_probs,",
        LOOP + "[ppo-1]",
    ),
    agent(
        "learning drops no unit",
        "noise = None if rollout.dropout_masks is None else block.gather(rollout.dropout_masks)",
        "noise = None",
        LOOP + "[a2c_own_optimizer-1]",
    ),
    agent(
        "a learner's loss is that of the parameters of the one in its place",
        "self.policy.bind(rollout.learners)(block",
        "self.policy.bind(torch.arange(len(rollout.learners)))(block",
        SOME,
    ),
    agent(
        "a learner's discount is that of the one in its place",
        "discount = self.discount[rollout.learners]",
        "discount = self.discount[: len(rollout.learners)]",
        SOME,
    ),
    agent(
        "a learner's entropy bonus is that of the one in its place",
        "bonus = self.entropy_bonus[learners]",
        "bonus = self.entropy_bonus[: len(learners)]",
        SOME,
    ),
    agent(
        "the learning rate that is recorded is that of the learner in its place",
        "self.learning_rate[rollout.learners.cpu()]",
        "self.learning_rate[: len(rollout.learners)]",
        SOME,
    ),
    experience(
        "padding counts in means over a mini-batch",
        "torch.where(index.valid, rows, 0.0)",
        "rows",
        LOOP + "[ppo_whole_episodes-3]",
    ),
    experience(
        "means over a mini-batch are over all learners' steps",
        "index.counts.clamp(min=1)",
        "index.counts.sum().clamp(min=1)",
        LOOP + "[a2c-3]",
    ),
    agent(
        "the entropy bonus has the wrong sign",
        "gradient - bonus[:, None, None]",
        "gradient + bonus[:, None, None]",
        LOOP + "[a2c-1]",
    ),
    agent(
        "the value's loss has no coefficient",
        "batch.mean_gradient(coefficient * slopes[..., None]",
        "batch.mean_gradient(slopes[..., None]",
        OF_AGENTS + "test_the_loss_coefficient_scales_the_gradient_of_the_value_and_not_of_the_policy",
    ),
    agent(
        "a joint optimizer leaves the value alone",
        'trained |= critic.named_parameters("baseline")',
        "pass",
        OF_AGENTS + "test_a_joint_gradient_is_clipped_by_the_norm_of_policy_and_value_together",
    ),
    agent(
        "the value takes one step of its own, however many it is to take",
        "for _ in range(self.critic.settings.steps):",
        "for _ in range(1):",
        OF_AGENTS + "test_a_value_with_a_learning_rate_is_trained_by_itself_with_its_number_of_steps_per_mini_batch",
    ),
    agent(
        "the value of a learner whose policy broke learns on",
        "left = [0.0 if learner in broken else f for",
        "left = [f for",
        OF_AGENTS + "test_the_value_of_a_learner_whose_policy_broke_takes_no_step",
    ),
    agent(
        "a learner breaks in steps that it does not make",
        "for learner in compress(learners, takes_part) if learner in failed",
        "for learner in learners if learner in failed",
        OF_AGENTS + "test_a_learner_that_has_stopped_for_its_target_is_not_broken_by_steps_that_it_does_not_make",
    ),
    agent("learners stop below the target KL", "divergence > target for", "divergence < target for", TARGET),
    agent(
        "all learners stop where one has gone too far",
        "far = self._has_gone_far(measured)",
        "far = [any(self._has_gone_far(measured))] * len(learners)",
        TARGET,
    ),
    agent(
        "a learner that has gone too far stops for one mini-batch",
        "[a or b or c in broken for",
        "[b or c in broken for",
        TARGET,
    ),
    agent(
        "the schedule is written down, and not stepped by",
        "[factor if takes else 0.0 for takes, factor in",
        "[1.0 if takes else 0.0 for takes, factor in",
        OF_AGENTS + "test_a_schedule_scales_every_step_of_an_update_by_the_learners_own_progress",
    ),
    agent("every update has the same order", "        self.updates += 1\n", "", LOOP + "[ppo-1]"),
    agent("the order of mini-batches begins anew", 'self.updates = state["updates"]', "pass", RESUMED),
    agent(
        "the moments of the value's optimizer are lost",
        'self.critic.optimizer.restore(state["baseline_optimizer"])',
        "pass",
        RESUMED,
    ),
    metrics(
        "mini-batches in which a learner took no part count in its metrics",
        "torch.where(took_part, measured, 0.0).sum(0)",
        "measured.sum(0)",
        MEANS,
    ),
    metrics(
        "metrics are divided by the number of all mini-batches",
        "/ took_part.sum(0)",
        "/ len(took_part)",
        MEANS,
    ),
    minibatches(
        "all learners have the first learner's order",
        "numpy_stream(seed, Purpose.MINIBATCHES, update) for seed in seeds",
        "numpy_stream(seeds[0], Purpose.MINIBATCHES, update) for _ in seeds",
        ORDER,
    ),
    minibatches(
        "orders ignore the update",
        "Purpose.MINIBATCHES, update)",
        "Purpose.MINIBATCHES, 0)",
        ORDER,
    ),
    minibatches(
        "steps are not shuffled",
        "orders = [stream.permutation(size) for",
        "orders = [np.arange(size) for",
        DIVIDED,
    ),
    minibatches(
        "the last steps are left out where steps cannot be divided evenly",
        "return part * len(order) // count",
        "return part * (len(order) // count)",
        DIVIDED,
    ),
    minibatches(
        "places among a learner's steps are taken for places in the batch",
        "flat.positions.gather(1, index)",
        "index",
        DIVIDED,
    ),
    minibatches(
        "padding of a mini-batch counts",
        "< sizes[:, None]",
        "< sizes[:, None] * len(rows[0])",
        DIVIDED,
    ),
    normalisers(
        "advantages of a mini-batch are normalised over all learners",
        "standardize(advantages, valid, (1,))",
        "standardize(advantages, valid, (0, 1))",
        LOOP + "[ppo-3]",
    ),
    values(
        "the smaller error counts",
        "torch.maximum(errors.square(), clipped.square())",
        "torch.minimum(errors.square(), clipped.square())",
        ERRORS,
    ),
    values(
        "the clipped value is that of the new one", "clipped = old_values + change", "clipped = values + change", ERRORS
    ),
    values(
        "the gradient of a clipped value does not stop",
        "torch.where(is_flat, 0.0, 2 * errors)",
        "2 * errors",
        ERRORS,
    ),
    values(
        "the gradient stops wherever V(s) has changed by more than the clip range",
        "(change.abs() > limit) & (clipped.square() > errors.square())",
        "change.abs() > limit",
        ERRORS,
    ),
    values(
        "the derivative of the square has no factor",
        "return errors.square(), 2 * errors",
        "return errors.square(), errors",
        ERRORS,
    ),
    experience(
        "padding has a gradient",
        "index.without_padding(slopes) /",
        "slopes /",
        LOOP + "[ppo_whole_episodes-3]",
    ),
    experience(
        "the gradient is that of the sum over a mini-batch",
        "/ self.counts[:, None, None]",
        "/ 1",
        LOOP + "[a2c-1]",
    ),
    credit(
        "returns that need values have them at cuts only",
        "returns(rollout, baseline.next_values(rollout, values), discount)",
        "returns(rollout, baseline.final_values(rollout), discount)",
        LOOP + "[a2c-1]",
    ),
]
