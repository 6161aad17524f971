"""Mistakes in what a comparison makes of runs: what counts of each seed, intervals and measures."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

outcomes = partial(Mutant, "outcomes", "pg_experiments/comparison/outcomes.py")
statistics = partial(Mutant, "statistics", "pg_experiments/comparison/statistics.py")
measures = partial(Mutant, "statistics", "pg_experiments/comparison/measures.py")
summary = partial(Mutant, "statistics", "pg_experiments/comparison/summary.py")

OF_OUTCOMES = "tests/test_outcomes.py::"
OF_STATISTICS = "tests/test_comparison_statistics.py::"
OF_HEADLINE = "tests/test_headline.py::"
OF_LEADING = "tests/test_leading.py::"
OF_VERDICTS = "tests/test_verdicts.py::"
COMMON = OF_OUTCOMES + "test_what_happens_at_the_common_number_of_steps_still_counts_and_what_comes_after_it_does_not"
THRESHOLD = OF_OUTCOMES + "test_a_threshold_is_reached_with_the_first_update_that_has_it_exactly"

MUTANTS = [
    outcomes(
        "runs are compared at the steps of the longest seed",
        "return min(ends, default=None)",
        "return max(ends, default=None)",
        COMMON,
    ),
    outcomes(
        "runs are cut down to where a seed was solved",
        "if not (seed.solved or seed.error) and len(seed.env_steps)",
        "if not seed.error and len(seed.env_steps)",
        "tests/test_comparison.py::test_runs_of_different_limits_are_compared_at_the_steps_that_all_of_them_have",
    ),
    outcomes(
        "runs are cut down to where a seed failed",
        "if not (seed.solved or seed.error) and len(seed.env_steps)",
        "if not seed.solved and len(seed.env_steps)",
        COMMON,
    ),
    outcomes(
        "runs of one limit are cut down to the shortest",
        "if len({run.limits for run, _ in pairs}) < 2:",
        "if not pairs:",
        OF_OUTCOMES + "test_runs_of_one_length_are_compared_each_at_its_own_end",
    ),
    outcomes(
        "the value at the common step does not count",
        "(seed.env_steps <= limit)",
        "(seed.env_steps < limit)",
        COMMON,
    ),
    outcomes(
        "the final value is the best",
        "float(seed.values[metric][there][-1])",
        "float(seed.values[metric][there].max())",
        OF_OUTCOMES + "test_runs_of_one_length_are_compared_each_at_its_own_end",
    ),
    outcomes(
        "what was reached at the common step does not count",
        "seed.env_steps[row] > limit",
        "seed.env_steps[row] >= limit",
        COMMON,
    ),
    outcomes(
        "a threshold must be passed",
        "(seed.values[metric] >= threshold)",
        "(seed.values[metric] > threshold)",
        THRESHOLD,
    ),
    outcomes(
        "a threshold is reached by the last update that has it",
        "rows = np.flatnonzero(full & (seed.values[metric] >= threshold))\n    return int(rows[0])",
        "rows = np.flatnonzero(full & (seed.values[metric] >= threshold))\n    return int(rows[-1])",
        THRESHOLD,
    ),
    outcomes(
        "a threshold is reached by a window that is not full",
        "np.flatnonzero(full & (seed.values[metric] >= threshold))",
        "np.flatnonzero(seed.values[metric] >= threshold)",
        THRESHOLD,
    ),
    outcomes(
        "a seed is solved one update late",
        "rows = np.flatnonzero(seed.episodes >= seed.episodes_to_solve)",
        "rows = np.flatnonzero(seed.episodes > seed.episodes_to_solve)",
        OF_OUTCOMES + "test_a_seed_was_solved_in_the_update_whose_episodes_include_the_one_that_solved_it",
    ),
    outcomes(
        "a seed counts with a value of any metric",
        "return all(math.isfinite(value) for value in outcome.finals.values())",
        "return any(math.isfinite(value) for value in outcome.finals.values())",
        OF_OUTCOMES + "test_a_seed_counts_only_with_a_value_of_every_metric",
    ),
    statistics(
        "the interquartile mean leaves out a fifth",
        "trim_mean(values, 0.25, axis=axis)",
        "trim_mean(values, 0.2, axis=axis)",
        OF_STATISTICS + "test_the_interquartile_mean_leaves_out_the_lowest_and_the_highest_quarter",
    ),
    statistics(
        "resampling mixes strata",
        "return _bootstrapped(_of_pooled(statistic), strata)",
        "return _bootstrapped(_of_pooled(statistic), [np.concatenate(strata)])",
        OF_STATISTICS + "test_resampling_stays_within_strata",
    ),
    statistics(
        "the last that was reached counts as never reached",
        "math.inf if end > largest else end",
        "math.inf if end >= largest else end",
        OF_STATISTICS + "test_the_median_counts_what_was_never_reached_as_infinite",
    ),
    statistics(
        "intervals hold 90 of 100",
        "CONFIDENCE = 0.95",
        "CONFIDENCE = 0.9",
        OF_STATISTICS + "test_the_fraction_has_an_interval_at_its_ends_too",
    ),
    statistics(
        "the fraction has the exact interval, not Wilson's",
        'proportion_ci(CONFIDENCE, method="wilson")',
        'proportion_ci(CONFIDENCE, method="exact")',
        OF_STATISTICS + "test_the_fraction_has_an_interval_at_its_ends_too",
    ),
    statistics(
        "a tie is lost",
        'np.searchsorted(y, x, "left") + np.searchsorted(y, x, "right")',
        'np.searchsorted(y, x, "left") + np.searchsorted(y, x, "left")',
        OF_STATISTICS + "test_the_probability_of_improvement_by_hand",
    ),
    statistics(
        "strata weigh by their seeds",
        "np.mean([_placements(x, y).mean() for x, y in zip(first, second, strict=True)])",
        "np.mean(np.concatenate([_placements(x, y) for x, y in zip(first, second, strict=True)]))",
        OF_STATISTICS + "test_the_probability_of_improvement_by_hand",
    ),
    statistics(
        "the interval is one-sided",
        "norm.ppf((1 + CONFIDENCE) / 2)",
        "norm.ppf(CONFIDENCE)",
        OF_STATISTICS + "test_where_all_seeds_of_a_group_are_above_the_others_the_interval_is_newcombes",
    ),
    statistics(
        "the variance of a mean over strata is that of one",
        "for part in parts) / len(parts) ** 2",
        "for part in parts) / len(parts)",
        OF_STATISTICS + "test_with_one_seed_of_each_group_in_every_stratum_the_interval_is_wilsons",
    ),
    statistics(
        "Newcombe's variance counts one seed too many",
        "others = (self.m + self.n) / 2 - 1",
        "others = (self.m + self.n) / 2",
        OF_STATISTICS + "test_where_all_seeds_of_a_group_are_above_the_others_the_interval_is_newcombes",
    ),
    statistics(
        "the spread of the placements is divided by n, not n − 1",
        "above.var(ddof=1) / m + below.var(ddof=1) / n",
        "above.var(ddof=0) / m + below.var(ddof=0) / n",
        OF_VERDICTS + "test_where_the_seeds_spread_the_interval_is_of_the_sample_variance_of_their_placements",
    ),
    statistics(
        "the larger of two variances is not taken",
        "theta * (1 - theta) * max(of_sizes, self.spread)",
        "theta * (1 - theta) * of_sizes",
        OF_STATISTICS + "test_the_interval_allows_for_one_group_that_spreads_more_than_the_other",
    ),
    summary(
        "the better group is called the worse",
        'word = "better" if self.probability.value > 0.5 else "worse"',
        'word = "better" if self.probability.value < 0.5 else "worse"',
        OF_VERDICTS + "test_three_seeds_are_enough_against_ten",
    ),
    summary(
        "the improvement is that of the first over the second",
        "improvement = probability_of_improvement(of_y, of_x)",
        "improvement = probability_of_improvement(of_x, of_y)",
        OF_VERDICTS + "test_three_seeds_are_enough_against_ten",
    ),
    summary(
        "pairs are judged by p-values that are not corrected",
        "pairs[index] = _judged(pairs[index], number, p)",
        "pairs[index] = _judged(pairs[index], number, pairs[index].contrasts[number].p)",
        OF_VERDICTS + "test_p_values_are_corrected_for_all_pairs_those_of_returns_and_those_of_time_each_by_themselves",
    ),
    summary(
        "three seeds are too few",
        "min(seeds) < FEWEST_SEEDS",
        "min(seeds) <= FEWEST_SEEDS",
        OF_VERDICTS + "test_three_seeds_are_enough_against_ten",
    ),
    measures(
        "more steps to the threshold are better",
        "lambda outcome: -outcome.steps",
        "lambda outcome: outcome.steps",
        OF_LEADING + "test_of_two_that_end_alike_the_one_that_gets_there_in_fewer_steps_is_named",
    ),
    measures(
        "steps lead only where more than half of the seeds stopped",
        "if 2 * min(stopped, reached) >= len(seeds):",
        "if 2 * min(stopped, reached) > len(seeds):",
        OF_LEADING + "test_steps_lead_from_where_half_of_all_seeds_stopped_at_the_threshold",
    ),
    measures(
        "steps lead where seeds reach the threshold and train on",
        "if 2 * min(stopped, reached) >= len(seeds):",
        "if 2 * reached >= len(seeds):",
        OF_LEADING + "test_seeds_that_reach_a_given_threshold_and_train_on_are_compared_by_their_final_returns",
    ),
    measures(
        "strata are ranked together",
        "np.mean([_ranks(values, pooled[name]).mean() for name, values in of.items()])",
        "np.mean([_ranks(values, np.sort(np.concatenate([*pooled.values()]))).mean() for name, values in of.items()])",
        OF_LEADING + "test_the_mean_rank_by_hand",
    ),
    summary(
        "few seeds are not too few for many comparisons",
        "if least * tests >= WEAK:",
        "if least >= WEAK:",
        OF_HEADLINE + "test_seeds_that_cannot_pass_the_correction_for_many_comparisons_are_too_few",
    ),
    summary(
        "pairs with the best of many groups are corrected for these pairs alone",
        "tests = len(every) if many else len(tested)",
        "tests = len(tested)",
        OF_HEADLINE + "test_with_very_many_configurations_each_is_compared_with_the_best_and_corrected_for_all_pairs",
    ),
]
