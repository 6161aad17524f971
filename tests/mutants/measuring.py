"""Mistakes in the statistics of gradients, and in what is measured while training."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

statistics = partial(Mutant, "diagnostics", "pg_experiments/algorithm/gradient_statistics.py")

OF_STATISTICS = "tests/test_gradient_statistics.py::"
TWO_PASSES = OF_STATISTICS + "test_mean_and_variance_are_those_of_two_passes_however_the_gradients_are_divided"
FORMULAS = OF_STATISTICS + "test_signal_noise_scale_and_snr_are_their_formulas"
EXPECTED = (
    OF_STATISTICS
    + "test_the_expected_variance_of_two_episodes_is_the_exact_one_and_the_expected_signal_that_of_the_exact_gradient"
)

MUTANTS = [
    statistics(
        "the variance of gradients is that of the population",
        "moments.deviations.sum(1) / (count - 1)",
        "moments.deviations.sum(1) / count",
        (TWO_PASSES + "[[7]]", EXPECTED + "[trajectory-1.0-of equal length]"),
    ),
    statistics(
        "the variance of gradients is the mean over parameters",
        "moments.deviations.sum(1) / (count - 1)",
        "moments.deviations.mean(1) / (count - 1)",
        TWO_PASSES + "[[7]]",
    ),
    statistics(
        "gradients of the last part alone are counted",
        "count += n",
        "count = n",
        TWO_PASSES + "[[3, 4]]",
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
]
