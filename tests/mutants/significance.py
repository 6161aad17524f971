"""Mistakes in permutation tests, factors, interactions and power."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

permutation = partial(Mutant, "statistics", "pg_experiments/comparison/permutation.py")
factors = partial(Mutant, "statistics", "pg_experiments/comparison/factors.py")
interaction = partial(Mutant, "statistics", "pg_experiments/comparison/interaction.py")
power = partial(Mutant, "statistics", "pg_experiments/comparison/power.py")

OF_FACTORS = "tests/test_factors.py::"
OF_POWER = "tests/test_power.py::"
OF_PERMUTATION = "tests/test_permutation.py::"

MUTANTS = [
    permutation(
        "the p-value is one-sided",
        "tail = probabilities[: middle - abs(observed) + 1].sum() + probabilities[middle + abs(observed) :].sum()",
        "tail = probabilities[middle + abs(observed) :].sum()",
        OF_PERMUTATION + "test_the_p_value_is_the_share_of_divisions_that_are_as_uneven",
    ),
    permutation(
        "divisions that are just as uneven do not count",
        "probabilities[middle + abs(observed) :].sum()",
        "probabilities[middle + abs(observed) + 1 :].sum()",
        OF_PERMUTATION + "test_the_p_value_is_the_share_of_divisions_that_are_as_uneven",
    ),
    permutation(
        "of drawn divisions the one that was observed does not count",
        "return (1 + int(as_uneven)) / (1 + PERMUTATIONS)",
        "return int(as_uneven) / PERMUTATIONS",
        OF_PERMUTATION + "test_with_too_many_seeds_permutations_are_drawn_and_the_p_value_is_within_their_error",
    ),
    permutation(
        "the p-value depends on which group comes first",
        "min(sorted(_ranked(x, y) for x, y in pairs), sorted(_ranked(y, x) for x, y in pairs))",
        "sorted(_ranked(x, y) for x, y in pairs)",
        OF_PERMUTATION
        + "test_the_p_value_depends_neither_on_the_order_of_seeds_and_strata_nor_on_which_group_comes_first",
    ),
    permutation(
        "the second stratum is not shuffled",
        "for place in np.flatnonzero(of_stratum):",
        "for place in np.flatnonzero(of_stratum)[:1]:",
        OF_PERMUTATION + "test_with_few_divisions_the_p_value_counts_every_one_of_them",
    ),
    permutation(
        "strata weigh by their seeds in the test",
        "weight = unit // (m * (len(ranks) - m))",
        "weight = 1",
        OF_PERMUTATION + "test_with_few_divisions_the_p_value_counts_every_one_of_them",
    ),
    permutation(
        "a larger first group counts the wrong way",
        "return _centred_distribution(ranks, n)[::-1]",
        "return _centred_distribution(ranks, n)",
        OF_PERMUTATION + "test_with_few_divisions_the_p_value_counts_every_one_of_them",
    ),
    permutation(
        "the least p-value is one-sided",
        "return min(1.0, 2 / ways)",
        "return min(1.0, 1 / ways)",
        OF_PERMUTATION + "test_the_p_value_is_the_share_of_divisions_that_are_as_uneven",
    ),
    permutation(
        "Holm's correction does not step down",
        "(len(p_values) - rank) * p_values[index]",
        "len(p_values) * p_values[index]",
        OF_PERMUTATION + "test_holms_correction_by_hand",
    ),
    permutation(
        "Holm's correction is not monotone",
        "largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))",
        "largest = min(1.0, (len(p_values) - rank) * p_values[index])",
        OF_PERMUTATION + "test_holms_correction_by_hand",
    ),
    permutation(
        "corrected p-values are in the order of their size",
        "corrected[index] = largest",
        "corrected[rank] = largest",
        OF_PERMUTATION + "test_holms_correction_by_hand",
    ),
    factors(
        "a search has factors",
        "return len(names) > len(set(names))",
        "return len(names) > 0",
        OF_FACTORS + "test_a_search_that_uses_each_value_once_has_no_factors",
    ),
    interaction(
        "the common probability has a degree of freedom",
        "len(parts) - 1))",
        "len(parts)))",
        OF_FACTORS + "test_cochrans_q_by_hand",
    ),
    interaction(
        "the variance is not that under the common probability",
        "variances = np.array([part.variance(common) for part in parts])",
        "variances = np.array([part.variance(0.9) for part in parts])",
        OF_FACTORS + "test_cochrans_q_by_hand",
    ),
    power(
        "the level is one-sided",
        "norm.ppf(1 - level / 2)",
        "norm.ppf(1 - level)",
        OF_POWER + "test_noethers_formula_by_hand",
    ),
    power(
        "the number of seeds is that of both groups",
        "quantiles**2 / (6 * distance**2)",
        "quantiles**2 / (3 * distance**2)",
        OF_POWER + "test_noethers_formula_by_hand",
    ),
    power(
        "the fewest seeds are one too few",
        "if 2 / math.comb(2 * n, n) < level",
        "if 1 / math.comb(2 * n, n) < level",
        OF_POWER + "test_with_fewer_seeds_than_the_fewest_no_difference_is_significant",
    ),
]
