"""Mistakes in batch normalisation."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

layers = partial(Mutant, "batch_norm", "pg_experiments/tensors/batch_normed_mlp.py")
statistics = partial(Mutant, "batch_norm", "pg_experiments/tensors/batch_statistics.py")
agents = partial(Mutant, "batch_norm", "pg_experiments/algorithm/actor_critic.py")

TESTS = "tests/test_batch_norm.py::"
AS_TORCH = TESTS + "test_a_batch_is_normalised_as_by_torch_and_the_gradient_goes_through_its_statistics"
RUNNING = TESTS + "test_running_statistics_are_torchs_whose_first_ten_batches_count_equally"
OF_AGENTS = TESTS + "test_an_agents_gradient_is_that_of_torchs_batch_norm_over_all_steps_of_the_batch"
ONCE = TESTS + "test_running_statistics_change_once_per_batch_and_are_those_of_the_new_parameters"
RATIO = TESTS + "test_ppos_ratio_is_1_as_long_as_the_parameters_have_not_changed"

MUTANTS = [
    layers(
        "padding counts in the mean",
        "torch.where(valid, perceptron(x, [layer], activation), 0.0)",
        "perceptron(x, [layer], activation)",
        AS_TORCH,
    ),
    layers(
        "padding counts in the variance",
        "torch.where(valid, units - repeated(means[-1], times)[:, None], 0.0)",
        "units - repeated(means[-1], times)[:, None]",
        AS_TORCH,
    ),
    layers(
        "no gradient goes through the mean",
        "units - repeated(means[-1], times)",
        "units - repeated(means[-1].detach(), times)",
        AS_TORCH,
    ),
    layers(
        "no gradient goes through the variance",
        "(variances[-1] + EPSILON).rsqrt()\n            offset",
        "(variances[-1].detach() + EPSILON).rsqrt()\n            offset",
        AS_TORCH,
    ),
    layers(
        "a batch is normalised with the unbiased variance",
        "variances.append(mean(centred.square()))",
        "variances.append(mean(centred.square()) * counts / (counts - 1).clamp(min=1))",
        AS_TORCH,
    ),
    layers("all layers have the first layer's gain", "self.gain[:, index] *", "self.gain[:, 0] *", AS_TORCH),
    layers("dropout does not scale", "before * linear.scale * noise", "before * noise", AS_TORCH),
    layers(
        "the running variance is that of the population",
        "(counts / (counts - 1).clamp(min=1))",
        "(counts / counts)",
        RUNNING,
    ),
    layers(
        "the newest batch always has the same weight",
        "(1 / self.batches[learners]).clamp(min=MOMENTUM)",
        "(0 * self.batches[learners]).clamp(min=MOMENTUM)",
        RUNNING,
    ),
    layers("all batches always have the same weight", ".clamp(min=MOMENTUM)", ".clamp(min=0.0)", RUNNING),
    layers("acting leaves the mean out", "bias - mean[:, None]", "bias", RUNNING),
    layers(
        "the offset is scaled while acting",
        "shift * factor + offset[:, None]",
        "(shift + offset[:, None]) * factor",
        RUNNING,
    ),
    statistics(
        "blocks have their gradients in another order",
        "torch.cat(gradients, 1)",
        "torch.cat(gradients[::-1], 1)",
        OF_AGENTS,
    ),
    statistics("learners that failed change their statistics", "if learner not in broken]", "]", ONCE),
    agents(
        "the ratio compares with the policy that acted",
        "(index, old_log_probs(self.policy, experience.rollout, index))",
        "(index, index.gather(experience.computed[3]))",
        RATIO,
    ),
    Mutant(
        "batch_norm",
        "pg_experiments/run/run.py",
        "running statistics do not change",
        "merge_statistics(self.agent.policy.network, rollout, update.broken)",
        "pass",
        ONCE,
    ),
    Mutant(
        "batch_norm",
        "pg_experiments/algorithm/reinforce.py",
        "a batch is learned from with running statistics",
        "if with_running_statistics(self.policy.network) is not None:",
        "if False:",
        OF_AGENTS,
    ),
]
