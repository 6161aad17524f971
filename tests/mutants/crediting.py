"""Mistakes in what an action is credited with: returns, normalisers, baselines, and how a run puts them together."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

returns = partial(Mutant, "credit", "pg_experiments/returns.py")
run = partial(Mutant, "credit", "pg_experiments/run/run.py")
normalisers = partial(Mutant, "normalisers", "pg_experiments/normalization.py")
masks = partial(Mutant, "masks", "pg_experiments/tensors/masked.py")
baselines = partial(Mutant, "baselines", "pg_experiments/baseline.py")

OF_RETURNS = "tests/test_returns.py::"
OF_CREDIT = "tests/test_credit.py::"
OF_NORMALISERS = "tests/test_normalization.py::"
OF_BASELINES = "tests/test_baseline.py::"

MUTANTS = [
    returns(
        "what follows is not discounted",
        "running = torch.add(rewards[t], running, alpha=discount, out=returns[t])",
        "running = torch.add(rewards[t], running, alpha=1.0, out=returns[t])",
        OF_RETURNS + "test_reward_to_go_equals_the_sum_written_out",
    ),
    returns(
        "a return goes on over its end",
        "running = running.masked_fill(ends[t], 0.0)",
        "running = running.masked_fill(~mask[t], 0.0)",
        OF_RETURNS + "test_a_return_that_ends_inside_a_column_is_that_of_a_column_of_its_own",
    ),
    returns(
        "a return that ends leaves out its last reward",
        "running = running.masked_fill(ends[t], 0.0)\n"
        "        running = torch.add(rewards[t], running, alpha=discount, out=returns[t])",
        "running = running.masked_fill(ends[t], 0.0)\n"
        "        running = torch.add(rewards[t], running, alpha=discount, out=returns[t])\n"
        "        running = running if ends is None else torch.where(ends[t], 0.0, running)",
        OF_RETURNS + "test_a_return_that_ends_inside_a_column_is_that_of_a_column_of_its_own",
    ),
    returns(
        "the value of what follows the last step is not discounted",
        "rewards + discount * bootstrap",
        "rewards + bootstrap",
        OF_RETURNS + "test_only_what_is_handed_in_bootstraps_and_from_the_last_step_that_was_played",
    ),
    returns(
        "a return that ends with the last step is continued with a value",
        "mask & ~after if ends is None else mask & ~after & ~ends",
        "mask & ~after",
        OF_RETURNS + "test_a_return_that_ends_with_the_last_step_has_no_bootstrap_value",
    ),
    returns(
        "a value is added to the last row, though the episode ended before it",
        "after = torch.cat([mask[1:], torch.zeros_like(mask[:1])])",
        "after = torch.cat([torch.ones_like(mask[1:]), torch.zeros_like(mask[:1])])",
        OF_RETURNS + "test_only_what_is_handed_in_bootstraps_and_from_the_last_step_that_was_played",
    ),
    returns(
        "what the mask hides is paid",
        "rewards = torch.where(mask, rewards, 0.0)\n    if bootstrap",
        "rewards = rewards.clone()\n    if bootstrap",
        OF_RETURNS + "test_what_the_mask_hides_changes_no_return_and_no_normalised_one",
    ),
    returns(
        "the whole return is taken from the first step of the column, not of the return",
        "begins = steps_since_start(mask, ends) == 0",
        "begins = steps_since_start(mask, None) == 0",
        OF_RETURNS + "test_a_return_that_ends_inside_a_column_is_that_of_a_column_of_its_own",
    ),
    returns(
        "the step that ends a return is the first of the next",
        "after_end = torch.cat([torch.zeros_like(ends[:1]), ends[:-1]])",
        "after_end = ends",
        OF_RETURNS + "test_a_return_that_ends_inside_a_column_is_that_of_a_column_of_its_own",
    ),
    returns(
        "γ^t counts from 1",
        "return discount ** steps_since_start(mask, ends).double()",
        "return discount ** (steps_since_start(mask, ends) + 1).double()",
        OF_RETURNS + "test_exact_discount_weighs_step_t_with_gamma_to_the_t_and_leaves_the_trajectory_alone",
    ),
    returns(
        "exact_discount does the opposite",
        "if not self.exact_discount:",
        "if self.exact_discount:",
        OF_RETURNS + "test_exact_discount_weighs_step_t_with_gamma_to_the_t_and_leaves_the_trajectory_alone",
    ),
    returns(
        "the whole return is weighed with γ^t as well",
        "    ) -> Tensor:\n        return trajectory_return(rewards, mask, discount, bootstrap, ends)\n",
        "    ) -> Tensor:\n        return discount_weights(mask, discount, ends).to(rewards.dtype) * trajectory_return("
        "rewards, mask, discount, bootstrap, ends)\n",
        "tests/test_exact_gradient.py::test_the_expected_estimate_is_the_gradient_of_the_objective",
    ),
    run(
        "exact_discount is not wired into the run",
        "return returns, values, of.returns.weigh(advantages, rollout.mask, discount, ends)",
        "return returns, values, advantages",
        OF_CREDIT + "test_exact_discount_reaches_the_advantages_of_a_run",
    ),
    run(
        "γ^t goes on over the ends of returns",
        "of.returns.weigh(advantages, rollout.mask, discount, ends)",
        "of.returns.weigh(advantages, rollout.mask, discount, None)",
        OF_CREDIT + "test_where_a_return_ends_inside_a_column_credit_and_its_weights_begin_anew",
    ),
    run(
        "returns go on over their ends",
        "returns = of.returns(rollout.rewards, rollout.mask, discount, bootstrap, ends)",
        "returns = of.returns(rollout.rewards, rollout.mask, discount, bootstrap, None)",
        OF_CREDIT + "test_where_a_return_ends_inside_a_column_credit_and_its_weights_begin_anew",
    ),
    run(
        "a truncated episode is not continued",
        "bootstrap = self.baseline.final_values(rollout)",
        "bootstrap = None",
        "tests/test_episodes.py::test_a_truncated_episode_goes_on_with_its_value_and_a_terminated_one_does_not",
    ),
    run(
        "advantages are normalised before the baseline is subtracted",
        "advantages = of.normalization.of_advantages(returns - values, rollout.mask)",
        "advantages = of.normalization.of_advantages(returns, rollout.mask) - values",
        OF_CREDIT + "test_the_baseline_is_subtracted_before_advantages_are_normalised_and_after_returns_are",
    ),
    run(
        "returns are normalised after the baseline has seen them",
        "returns = of.normalization.of_returns(returns, rollout.mask)\n        values = self.baseline.values(rollout, "
        "returns).expand_as(returns)",
        "values = self.baseline.values(rollout, returns).expand_as(returns)\n"
        "        returns = of.normalization.of_returns(returns - values, rollout.mask)",
        OF_CREDIT + "test_the_baseline_is_subtracted_before_advantages_are_normalised_and_after_returns_are",
    ),
    run(
        "the baseline is never told of a batch",
        "        self.baseline.follow(rollout, returns)\n",
        "",
        OF_CREDIT + "test_a_baseline_that_follows_is_shown_every_batch_and_only_after_it",
    ),
    run(
        "the baseline takes one step, however many it is to take",
        "for _ in range(self.baseline.steps):",
        "for _ in range(1):",
        OF_CREDIT + "test_the_baseline_takes_its_own_number_of_steps_after_the_advantages_were_taken",
    ),
    normalisers(
        "the deviation is the population's",
        "degrees = (mask.sum(dims, keepdim=True) - 1).clamp(min=1)",
        "degrees = mask.sum(dims, keepdim=True).clamp(min=1)",
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
        "return torch.where(mask & ~(deviation <= rounding), centred / deviation, 0.0)",
        "return torch.where(~(deviation <= rounding), centred / deviation, 0.0)",
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
        "torch.where(mask & ~(deviation <= rounding)",
        "torch.where(mask & (deviation > rounding)",
        OF_NORMALISERS + "test_a_value_that_is_not_finite_makes_nan_of_its_own_group_and_hides_nothing",
    ),
    normalisers(
        "over=episode is over the batch, and over=batch over the episode",
        '(0,) if self.over == "episode" else (0, 2)',
        '(0,) if self.over != "episode" else (0, 2)',
        OF_NORMALISERS + "test_returns_of_an_episode_are_standardised_over_its_own_steps",
    ),
    normalisers(
        "a batch's returns are normalised over all seeds",
        '(0,) if self.over == "episode" else (0, 2)',
        '(0,) if self.over == "episode" else (0, 1, 2)',
        OF_NORMALISERS
        + "test_returns_of_a_batch_and_advantages_are_standardised_over_all_steps_of_a_seed_and_of_no_other",
    ),
    normalisers(
        "advantages are normalised over all seeds",
        "return standardize(advantages, mask, (0, 2))",
        "return standardize(advantages, mask, (0, 1, 2))",
        OF_NORMALISERS
        + "test_returns_of_a_batch_and_advantages_are_standardised_over_all_steps_of_a_seed_and_of_no_other",
    ),
    normalisers(
        "advantages are normalised over each episode",
        "return standardize(advantages, mask, (0, 2))",
        "return standardize(advantages, mask, (0,))",
        OF_NORMALISERS
        + "test_returns_of_a_batch_and_advantages_are_standardised_over_all_steps_of_a_seed_and_of_no_other",
    ),
    masks(
        "sums take in what the mask hides",
        "return torch.where(mask, values, 0.0).double().sum(dims, keepdim=True)",
        "return values.double().sum(dims, keepdim=True)",
        OF_NORMALISERS + "test_sums_and_means_are_over_what_was_played_and_nothing_has_a_mean_of_zero",
    ),
    masks(
        "sums are taken in float32",
        "torch.where(mask, values, 0.0).double().sum(",
        "torch.where(mask, values, 0.0).sum(",
        OF_NORMALISERS + "test_sums_lose_nothing_beside_a_large_number",
    ),
    masks(
        "means are over all places, played or not",
        "mask.sum(dims, keepdim=True).clamp(min=1)",
        "torch.ones_like(mask).sum(dims, keepdim=True)",
        OF_NORMALISERS + "test_sums_and_means_are_over_what_was_played_and_nothing_has_a_mean_of_zero",
    ),
    baselines(
        "the mean is that of each episode",
        "return masked_mean(returns, rollout.mask, (0, 2)).to(returns.dtype)",
        "return masked_mean(returns, rollout.mask, (0,)).to(returns.dtype)",
        OF_BASELINES + "test_the_mean_is_over_all_steps_that_a_seed_has_played_and_over_no_other_seeds",
    ),
    baselines(
        "the mean is over all seeds",
        "return masked_mean(returns, rollout.mask, (0, 2)).to(returns.dtype)",
        "return masked_mean(returns, rollout.mask, (0, 1, 2)).to(returns.dtype)",
        OF_BASELINES + "test_the_mean_is_over_all_steps_that_a_seed_has_played_and_over_no_other_seeds",
    ),
    baselines(
        "the moving average's start at 0 is not corrected",
        "average = (self.average / correction)[rollout.learners]",
        "average = self.average[rollout.learners]",
        OF_BASELINES + "test_a_moving_average_is_kept_for_each_learner_whoever_takes_part",
    ),
    baselines(
        "the moving average keeps what it should forget",
        "self.decay * average + (1 - self.decay) * mean",
        "(1 - self.decay) * average + self.decay * mean",
        OF_BASELINES + "test_a_moving_average_is_kept_for_each_learner_whoever_takes_part",
    ),
    baselines(
        "a seed is given the moving average of the one in its place",
        "(self.average / correction)[rollout.learners]",
        "(self.average / correction)[: len(rollout.learners)]",
        OF_BASELINES + "test_a_moving_average_is_kept_for_each_learner_whoever_takes_part",
    ),
    baselines(
        "a batch is entered into the moving average of the one in its place",
        "learners = rollout.learners\n        sound",
        "learners = torch.arange(len(rollout.learners))\n        sound",
        OF_BASELINES + "test_a_moving_average_is_kept_for_each_learner_whoever_takes_part",
    ),
    baselines(
        "the moving average counts batches of seeds that took no part",
        "self.batches[learners] += sound",
        "self.batches += 1",
        OF_BASELINES + "test_a_moving_average_is_kept_for_each_learner_whoever_takes_part",
    ),
    baselines(
        "the value loss is summed, not averaged",
        "yield torch.where(block.valid, error.square(), 0.0).sum(1) / count",
        "yield torch.where(block.valid, error.square(), 0.0).sum(1)",
        OF_BASELINES + "test_the_value_loss_is_the_mean_square_of_the_error_over_each_seeds_own_steps",
    ),
    baselines(
        "the value loss is averaged over padding, too",
        "count = rollout.flat.valid.sum(1).clamp(min=1)",
        "count = rollout.flat.valid.shape[1]",
        OF_BASELINES + "test_the_value_loss_is_the_mean_square_of_the_error_over_each_seeds_own_steps",
    ),
    baselines(
        "the value loss is averaged over the steps of all seeds",
        "count = rollout.flat.valid.sum(1).clamp(min=1)",
        "count = rollout.flat.valid.sum() / len(rollout.flat.valid)",
        OF_BASELINES + "test_the_value_loss_is_the_mean_square_of_the_error_over_each_seeds_own_steps",
    ),
    baselines(
        "padding counts for the value loss",
        "yield torch.where(block.valid, error.square(), 0.0).sum(1) / count",
        "yield error.square().sum(1) / count",
        OF_BASELINES + "test_values_and_their_losses_are_those_of_the_learners_that_took_part",
    ),
    baselines(
        "the value loss is the absolute error",
        "error.square()",
        "error.abs()",
        OF_BASELINES + "test_the_value_loss_is_the_mean_square_of_the_error_over_each_seeds_own_steps",
    ),
    baselines(
        "an episode that is terminated and truncated at once is continued",
        "torch.where(rollout.truncated & ~rollout.terminated, values, 0.0)",
        "torch.where(rollout.truncated, values, 0.0)",
        OF_RETURNS + "test_an_episode_that_is_terminated_and_truncated_at_once_has_no_bootstrap_value",
    ),
    baselines(
        "a terminated episode is continued",
        "torch.where(rollout.truncated & ~rollout.terminated, values, 0.0)",
        "torch.where(rollout.truncated | rollout.terminated, values, 0.0)",
        OF_RETURNS + "test_an_episode_that_is_terminated_and_truncated_at_once_has_no_bootstrap_value",
    ),
    baselines(
        "a truncated episode is continued from its last step, not from what followed",
        "self.network(rollout.final_observations, rollout.learners)",
        "self.network(rollout.observations[-1], rollout.learners)",
        OF_BASELINES + "test_a_truncated_episode_goes_on_with_the_value_that_its_own_learner_gives_to_what_stood_there",
    ),
    baselines(
        "a seed's steps are judged by the value network of the one in its place",
        "self.network(block.gather(rollout.observations), rollout.learners)",
        "self.network(block.gather(rollout.observations), torch.arange(len(rollout.learners)))",
        OF_BASELINES + "test_values_and_their_losses_are_those_of_the_learners_that_took_part",
    ),
    baselines(
        "the value network starts from the policy's random numbers",
        "network.initialise(seeds, Purpose.BASELINE_PARAMETERS,",
        "network.initialise(seeds, Purpose.POLICY_PARAMETERS,",
        OF_BASELINES + "test_a_value_network_starts_from_random_numbers_of_its_own",
    ),
    baselines(
        "explained variance takes an offset for an error",
        "return masked_mean((x - mean).square(), mask, (0, 2)).flatten()",
        "return masked_mean(x.square(), mask, (0, 2)).flatten()",
        OF_BASELINES + "test_explained_variance_is_none_for_a_constant_one_for_the_returns_and_counts_no_offset",
    ),
    baselines(
        "explained variance is over all seeds",
        "mean = masked_mean(x, mask, (0, 2)).to(x.dtype)",
        "mean = masked_mean(x, mask, (0, 1, 2)).to(x.dtype)",
        OF_BASELINES + "test_explained_variance_is_none_for_a_constant_one_for_the_returns_and_counts_no_offset",
    ),
]
