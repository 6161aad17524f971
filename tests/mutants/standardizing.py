"""Mistakes in normalisers, masked statistics, and baselines of a batch or of values."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

normalisers = partial(Mutant, "normalisers", "pg_experiments/normalization/standardize.py")
choices = partial(Mutant, "normalisers", "pg_experiments/normalization/choices.py")
masks = partial(Mutant, "masks", "pg_experiments/tensors/masked.py")
means = partial(Mutant, "baselines", "pg_experiments/baseline/batch.py")
values = partial(Mutant, "baselines", "pg_experiments/baseline/value.py")
ends = partial(Mutant, "baselines", "pg_experiments/tensors/rollout.py")

OF_RETURNS = "tests/test_returns.py::"
OF_CREDIT = "tests/test_credit.py::"
OF_NORMALISERS = "tests/test_normalization.py::"
OF_BASELINES = "tests/test_baseline.py::"
CUT_OFF = (
    OF_RETURNS + "test_the_value_of_the_next_state_counts_where_data_is_cut_off_and_never_where_an_episode_terminates"
)

MUTANTS = [
    values(
        "the baseline takes one step, however many it is to take",
        "for _ in range(self.settings.steps):",
        "for _ in range(1):",
        OF_CREDIT + "test_the_baseline_takes_its_own_number_of_steps_after_the_advantages_were_taken",
    ),
    normalisers(
        "the deviation is the population's",
        "degrees = at_least_one(masked_count(values, mask, dims) - 1)",
        "degrees = at_least_one(masked_count(values, mask, dims))",
        OF_RETURNS + "test_the_texts_worked_example_normalises_to_the_sample_deviation_and_not_to_what_the_text_prints",
    ),
    normalisers(
        "the variance stands for the deviation",
        "/ degrees).sqrt()",
        "/ degrees)",
        OF_NORMALISERS + "test_returns_of_an_episode_are_standardised_over_its_own_steps",
    ),
    normalisers(
        "values are divided, not centred",
        "centred = values - masked_mean(values, mask, dims).to(values.dtype)",
        "centred = values",
        OF_NORMALISERS + "test_returns_of_an_episode_are_standardised_over_its_own_steps",
    ),
    normalisers(
        "padding counts for the mean",
        "values - masked_mean(values, mask, dims).to(values.dtype)",
        "values - values.mean(dims, keepdim=True)",
        OF_NORMALISERS + "test_returns_of_an_episode_are_standardised_over_its_own_steps",
    ),
    normalisers(
        "padding is left with a value",
        "torch.where(varies if mask is None else mask & varies,",
        "torch.where(varies,",
        OF_NORMALISERS
        + "test_returns_of_a_batch_and_advantages_are_standardised_over_all_steps_of_a_seed_and_of_no_other",
    ),
    normalisers(
        "equal values are divided by zero",
        "~(deviation <= rounding)",
        "~(deviation < rounding)",
        OF_RETURNS + "test_constant_returns_and_one_step_episodes_standardise_to_zero",
    ),
    normalisers(
        "rounding errors are blown up to a signal",
        "rounding = 8 * torch.finfo(values.dtype).eps * values.abs()",
        "rounding = 0 * values.abs()",
        OF_NORMALISERS + "test_equal_values_at_any_size_are_no_signal_and_the_smallest_that_differ_are",
    ),
    normalisers(
        "small differences are taken for rounding",
        "rounding = 8 * torch.finfo(values.dtype).eps * values.abs()",
        "rounding = 1e-3 * values.abs()",
        OF_NORMALISERS + "test_equal_values_at_any_size_are_no_signal_and_the_smallest_that_differ_are",
    ),
    normalisers(
        "a value that is not finite is hidden",
        "varies = ~(deviation <= rounding)",
        "varies = deviation > rounding",
        OF_NORMALISERS + "test_a_value_that_is_not_finite_makes_nan_of_its_own_group_and_hides_nothing",
    ),
    choices(
        "returns=episode is over the batch, and returns=batch over the episode",
        '(0,) if self.returns == "episode" else (0, 2)',
        '(0,) if self.returns != "episode" else (0, 2)',
        OF_NORMALISERS + "test_returns_of_an_episode_are_standardised_over_its_own_steps",
    ),
    choices(
        "a batch's returns are normalised over all seeds",
        '(0,) if self.returns == "episode" else (0, 2)',
        '(0,) if self.returns == "episode" else (0, 1, 2)',
        OF_NORMALISERS
        + "test_returns_of_a_batch_and_advantages_are_standardised_over_all_steps_of_a_seed_and_of_no_other",
    ),
    choices(
        "advantages are normalised over all seeds",
        "return standardize(advantages, mask, (0, 2))",
        "return standardize(advantages, mask, (0, 1, 2))",
        OF_NORMALISERS
        + "test_returns_of_a_batch_and_advantages_are_standardised_over_all_steps_of_a_seed_and_of_no_other",
    ),
    choices(
        "advantages are normalised over each episode",
        "return standardize(advantages, mask, (0, 2))",
        "return standardize(advantages, mask, (0,))",
        OF_NORMALISERS
        + "test_returns_of_a_batch_and_advantages_are_standardised_over_all_steps_of_a_seed_and_of_no_other",
    ),
    masks(
        "sums take in what the mask hides",
        "counted = values if mask is None else torch.where(mask, values, 0.0)",
        "counted = values",
        OF_NORMALISERS + "test_sums_and_means_are_over_what_was_played_and_nothing_has_a_mean_of_zero",
    ),
    masks(
        "sums are taken in float32",
        "counted.double().sum(",
        "counted.sum(",
        OF_NORMALISERS + "test_sums_lose_nothing_beside_a_large_number",
    ),
    masks(
        "means are over all places, played or not",
        "/ at_least_one(masked_count(values, mask, dims))",
        "/ math.prod(values.shape[dim] for dim in dims)",
        OF_NORMALISERS + "test_sums_and_means_are_over_what_was_played_and_nothing_has_a_mean_of_zero",
    ),
    means(
        "the mean is that of each episode",
        "return masked_mean(returns, rollout.mask, (0, 2)).to(returns.dtype)",
        "return masked_mean(returns, rollout.mask, (0,)).to(returns.dtype)",
        OF_BASELINES + "test_the_mean_is_over_all_steps_that_a_seed_has_played_and_over_no_other_seeds",
    ),
    means(
        "the mean is over all seeds",
        "return masked_mean(returns, rollout.mask, (0, 2)).to(returns.dtype)",
        "return masked_mean(returns, rollout.mask, (0, 1, 2)).to(returns.dtype)",
        OF_BASELINES + "test_the_mean_is_over_all_steps_that_a_seed_has_played_and_over_no_other_seeds",
    ),
    means(
        "the moving average's start at 0 is not corrected",
        "average = (self.average / correction)[rollout.learners]",
        "average = self.average[rollout.learners]",
        OF_BASELINES + "test_a_moving_average_is_kept_for_each_learner_whoever_takes_part",
    ),
    means(
        "the moving average keeps what it should forget",
        "self.kept[learners] * average + self.added[learners] * mean",
        "self.added[learners] * average + self.kept[learners] * mean",
        OF_BASELINES + "test_a_moving_average_is_kept_for_each_learner_whoever_takes_part",
    ),
    means(
        "a moving average forgets as fast as that of the one in its place",
        "self.kept[learners] * average + self.added[learners] * mean",
        "self.kept[: len(learners)] * average + self.added[: len(learners)] * mean",
        OF_BASELINES + "test_each_moving_average_has_a_decay_of_its_own",
    ),
    means(
        "all moving averages forget as fast as the config says",
        'MovingAverage(learners.values("baseline.decay", self.decay))',
        "MovingAverage(torch.full((len(learners),), self.decay))",
        OF_BASELINES + "test_each_moving_average_has_a_decay_of_its_own",
    ),
    means(
        "a seed is given the moving average of the one in its place",
        "(self.average / correction)[rollout.learners]",
        "(self.average / correction)[: len(rollout.learners)]",
        OF_BASELINES + "test_a_moving_average_is_kept_for_each_learner_whoever_takes_part",
    ),
    means(
        "a batch is entered into the moving average of the one in its place",
        "learners = rollout.learners\n        finite",
        "learners = torch.arange(len(rollout.learners))\n        finite",
        OF_BASELINES + "test_a_moving_average_is_kept_for_each_learner_whoever_takes_part",
    ),
    means(
        "the moving average counts batches of seeds that took no part",
        "self.batches[learners] += finite",
        "self.batches += 1",
        OF_BASELINES + "test_a_moving_average_is_kept_for_each_learner_whoever_takes_part",
    ),
    values(
        "the value loss is summed, not averaged",
        "yield torch.where(block.valid, error.square(), 0.0).sum(1) / count",
        "yield torch.where(block.valid, error.square(), 0.0).sum(1)",
        OF_BASELINES + "test_the_value_loss_is_the_mean_square_of_the_error_over_each_seeds_own_steps",
    ),
    values(
        "the value loss is averaged over padding, too",
        "count = rollout.flat.valid.sum(1).clamp(min=1)",
        "count = rollout.flat.valid.shape[1]",
        OF_BASELINES + "test_the_value_loss_is_the_mean_square_of_the_error_over_each_seeds_own_steps",
    ),
    values(
        "the value loss is averaged over the steps of all seeds",
        "count = rollout.flat.valid.sum(1).clamp(min=1)",
        "count = rollout.flat.valid.sum() / len(rollout.flat.valid)",
        OF_BASELINES + "test_the_value_loss_is_the_mean_square_of_the_error_over_each_seeds_own_steps",
    ),
    values(
        "padding counts for the value loss",
        "yield torch.where(block.valid, error.square(), 0.0).sum(1) / count",
        "yield error.square().sum(1) / count",
        OF_BASELINES + "test_values_and_their_losses_are_those_of_the_learners_that_took_part",
    ),
    values(
        "the value loss is the absolute error",
        "error.square()",
        "error.abs()",
        OF_BASELINES + "test_the_value_loss_is_the_mean_square_of_the_error_over_each_seeds_own_steps",
    ),
    ends(
        "an episode that is terminated and truncated at once is continued",
        "return (self.truncated | (self.mask & ~followed)) & ~self.ends",
        "return self.truncated | (self.mask & ~followed & ~self.ends)",
        CUT_OFF,
    ),
    ends(
        "a terminated episode is continued",
        "return (self.truncated | (self.mask & ~followed)) & ~self.ends",
        "return self.truncated | (self.mask & ~followed)",
        CUT_OFF,
    ),
    values(
        "a truncated episode is continued from its last step, not from what followed",
        "torch.cat([network(part).squeeze(-1) for part in finals.parts(rollout.mask.shape[2])], 1)",
        "network(rollout.observations[-1]).squeeze(-1)",
        OF_BASELINES + "test_a_truncated_episode_goes_on_with_the_value_that_its_own_learner_gives_to_what_stood_there",
    ),
    values(
        "a seed's steps are judged by the value network of the one in its place",
        "self.network.bind(rollout.learners)(block.",
        "self.network.bind(torch.arange(len(rollout.learners)))(block.",
        OF_BASELINES + "test_values_and_their_losses_are_those_of_the_learners_that_took_part",
    ),
    values(
        "the value network starts from the policy's random numbers",
        "network.initialise(learners, Purpose.BASELINE_PARAMETERS,",
        "network.initialise(learners, Purpose.POLICY_PARAMETERS,",
        OF_BASELINES + "test_a_value_network_starts_from_random_numbers_of_its_own",
    ),
    values(
        "all value networks have the config's learning rate",
        'rates = learners.values("baseline.learning_rate", settings.learning_rate)',
        "rates = settings.learning_rate",
        "tests/test_learners.py::"
        "test_two_learners_that_differ_in_a_value_learn_in_one_stack_what_they_learn_in_two_runs"
        "[baseline.learning_rate-adam]",
    ),
    values(
        "explained variance takes an offset for an error",
        "masked_mean((both - mean).square(), mask, (1, 3))",
        "masked_mean(both.square(), mask, (1, 3))",
        OF_BASELINES + "test_explained_variance_is_none_for_a_constant_one_for_the_returns_and_counts_no_offset",
    ),
    values(
        "explained variance is over all seeds",
        "mean = masked_mean(both, mask, (1, 3)).to(both.dtype)",
        "mean = masked_mean(both, mask, (1, 2, 3)).to(both.dtype)",
        OF_BASELINES + "test_explained_variance_is_none_for_a_constant_one_for_the_returns_and_counts_no_offset",
    ),
]
