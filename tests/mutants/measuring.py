"""Mistakes in the statistics of gradients, and in what is measured while training."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

statistics = partial(Mutant, "diagnostics", "pg_experiments/algorithm/gradient_statistics.py")
measuring = partial(Mutant, "diagnostics", "pg_experiments/diagnostics.py")
reinforce = partial(Mutant, "diagnostics", "pg_experiments/algorithm/reinforce.py")
actor_critic = partial(Mutant, "diagnostics", "pg_experiments/algorithm/actor_critic.py")
a3c = partial(Mutant, "diagnostics", "pg_experiments/algorithm/a3c.py")
board = partial(Mutant, "diagnostics", "pg_experiments/run/tracking/board.py")

OF_STATISTICS = "tests/test_gradient_statistics.py::"
TWO_PASSES = OF_STATISTICS + "test_mean_and_variance_are_those_of_two_passes_however_the_gradients_are_divided"
FORMULAS = OF_STATISTICS + "test_signal_noise_scale_and_snr_are_their_formulas"
EXPECTED = (
    OF_STATISTICS
    + "test_the_expected_variance_of_two_episodes_is_the_exact_one_and_the_expected_signal_that_of_the_exact_gradient"
)
OF_RUNS = "tests/test_diagnostics.py::"
STEP = OF_RUNS + "test_the_mean_of_the_gradients_of_a_batchs_columns_is_the_step_that_the_agent_makes"
COSINE = OF_RUNS + "test_the_cosine_is_that_of_a_learners_own_previous_mean"
WHEN = OF_RUNS + "test_a_measurement_is_made_every_so_many_updates_from_the_first_and_other_cells_are_empty"
STOPPED = OF_RUNS + "test_a_seed_that_stopped_between_measurements_counts_in_tensorboards_mean_with_its_last_one"

MUTANTS = [
    statistics(
        "the variance of gradients is that of the population",
        "deviations / (count - 1))",
        "deviations / count)",
        (TWO_PASSES + "[[7]]", EXPECTED + "[trajectory-1.0-of equal length]"),
    ),
    statistics(
        "the variance of gradients is the mean over parameters",
        "deviations / (count - 1))",
        "deviations / (count - 1) / first.shape[1])",
        TWO_PASSES + "[[7]]",
    ),
    statistics(
        "gradients of the last part alone are counted",
        "count += n",
        "count = n",
        TWO_PASSES + "[[3, 4]]",
    ),
    statistics(
        "the first gradient is taken for the mean",
        "(squares - sums.square().sum(1) / count)",
        "squares",
        TWO_PASSES + "[[7]]",
    ),
    statistics(
        "the square of the mean gradient is taken for that of the gradient",
        "self.mean.square().sum(1) - self.variance / self.count",
        "self.mean.square().sum(1)",
        (FORMULAS, EXPECTED + "[trajectory-1.0-of equal length]"),
    ),
    statistics(
        "the noise of one gradient is subtracted, not that of the mean",
        "self.mean.square().sum(1) - self.variance / self.count",
        "self.mean.square().sum(1) - self.variance",
        FORMULAS,
    ),
    statistics(
        "the noise scale is relative to the square of the mean gradient",
        "self.variance / self.signal, torch.nan",
        "self.variance / self.mean.square().sum(1), torch.nan",
        FORMULAS,
    ),
    statistics(
        "a noise scale may be negative",
        "torch.where(self.signal > 0, self.variance / self.signal, torch.nan)",
        "self.variance / self.signal",
        OF_STATISTICS + "test_where_noise_hides_the_signal_there_is_no_noise_scale_and_the_snr_is_zero",
    ),
    statistics(
        "the ratio of signal to noise is that of one gradient",
        "noise = self.variance / self.count",
        "noise = self.variance",
        FORMULAS,
    ),
    statistics(
        "the ratio of signal to noise is a square",
        "(self.signal.clamp(min=0) / noise).sqrt()",
        "(self.signal.clamp(min=0) / noise)",
        FORMULAS,
    ),
    reinforce(
        "the gradients of episodes are those of a mean, whatever is learned from",
        "(columns / self._divisor(rollout))",
        "1.0",
        STEP + "[a sum]",
    ),
    actor_critic(
        "gradients are sums over steps instead of means",
        "found * (columns / index.counts.clamp(min=1)[:, None])",
        "found",
        STEP + "[a2c]",
    ),
    actor_critic(
        "the mean over steps is taken for one over columns",
        "found * (columns / index.counts.clamp(min=1)[:, None])",
        "found / index.counts.clamp(min=1)[:, None]",
        STEP + "[a2c of episodes]",
    ),
    actor_critic(
        "advantages that are normalised over mini-batches are measured as they were before",
        "found = self.normalization.of_minibatch(index.gather(advantages), index.valid)\n            weights",
        "found = index.gather(advantages)\n            weights",
        STEP + "[ppo]",
    ),
    a3c(
        "the gradients of a worker are those of all columns",
        "yield each, rollout",
        "yield rollout.mask.shape[2], rollout",
        STEP + "[a3c]",
    ),
    measuring(
        "the last of so many updates is measured, not the first",
        "if update % self.every:",
        "if (update + 1) % self.every:",
        WHEN,
    ),
    measuring(
        "the previous gradient is that of the learner in this place",
        "self.previous[rollout.learners] = mean",
        "self.previous[: len(mean)] = mean",
        COSINE,
    ),
    measuring(
        "the previous gradient is the sum of all",
        "self.previous[rollout.learners] = mean",
        "self.previous[rollout.learners] = self.previous[rollout.learners].nan_to_num(0).add(mean)",
        COSINE,
    ),
    board(
        "a point is made of old values alone",
        "        if not known.any():\n            return math.nan\n",
        "",
        STOPPED,
    ),
    board(
        "a seed without a new value counts with its last one",
        "counts[learners] = known",
        "counts[learners] = True",
        OF_RUNS + "test_tensorboard_has_the_tags_with_points_at_measurements_alone",
    ),
]
