"""Mistakes in how gradient estimators are put side by side."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

statistics = partial(Mutant, "estimators", "pg_experiments/estimators/statistics.py")
estimator = partial(Mutant, "estimators", "pg_experiments/estimators/estimator.py")
drawing = partial(Mutant, "estimators", "pg_experiments/estimators/drawing.py")
catalogue = partial(Mutant, "estimators", "pg_experiments/estimators/catalogue.py")
fitted = partial(Mutant, "estimators", "pg_experiments/estimators/fitted_value.py")

EXACT = "tests/test_estimators_exact.py::"
COVERS = EXACT + "test_the_truth_is_in_the_interval_in_95_of_100_repetitions"
FORMULAS = EXACT + "test_without_resampling_the_numbers_are_those_of_the_statistics_while_training"
FACTOR = EXACT + "test_a_constant_factor_is_neither_bias_nor_variance_of_an_estimator_that_normalises"
COMMAND = "tests/test_variance_command.py::"
TRAINING = COMMAND + "test_the_gradient_of_a_batch_is_that_of_training"
OTHERS = COMMAND + "test_all_estimators_see_the_same_episodes_and_v_sees_others"
LIKE_A_RUN = COMMAND + "test_an_estimator_computes_what_a_run_with_its_settings_does"
UNITS = COMMAND + "test_a_fitted_v_predicts_returns_in_their_own_units"

MUTANTS = [
    statistics(
        "a batch is a pair with itself",
        ".sum(1) - twice @ np.diagonal(products)",
        ".sum(1) - 0 * twice @ np.diagonal(products)",
        FORMULAS,
    ),
    statistics(
        "the variance is that of a batch",
        "np.asarray(size * (squares",
        "np.asarray((squares",
        (FORMULAS, COVERS + "[trajectory-snr]"),
    ),
    statistics(
        "an estimator that normalises is multiplied by its length",
        "_ratio(unbiased, cross) if normalises",
        "_ratio(cross, unbiased) if normalises",
        (FACTOR, COVERS + "[discounted, divided by its length-variance]"),
    ),
    statistics(
        "the distance of two means has half of their product",
        "distance = factor**2 * own - 2 * factor * cross",
        "distance = factor**2 * own - factor * cross",
        COVERS + "[reward-to-go-bias]",
    ),
    statistics(
        "a biased estimator has the signal of the unbiased one",
        "signal = unbiased if is_unbiased else own",
        "signal = unbiased",
        (FACTOR, COVERS + "[reward-to-go, mean-snr]"),
    ),
    estimator("the gradient has the other sign", "total -= torch.cat", "total += torch.cat", TRAINING),
    drawing(
        "V(s) is fitted to the episodes of the estimators",
        "batches[end - count : end]",
        "batches[:count]",
        OTHERS,
    ),
    catalogue(
        "the discount is not weighted by its power",
        "RewardToGo(exact_discount=True)",
        "RewardToGo(exact_discount=False)",
        LIKE_A_RUN + "[weighted]",
    ),
    fitted(
        "V(s) is not multiplied by its scale",
        "return self.scale * self.divided.state_values(rollout)",
        "return self.divided.state_values(rollout)",
        UNITS,
    ),
]
