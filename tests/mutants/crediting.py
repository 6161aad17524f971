"""Mistakes in what an action is credited with: returns, normalisers, baselines, and how a run puts them together."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

recursion = partial(Mutant, "credit", "pg_experiments/returns/recursion.py")
whole = partial(Mutant, "credit", "pg_experiments/returns/monte_carlo.py")
rollout = partial(Mutant, "credit", "pg_experiments/tensors/rollout.py")
agent = partial(Mutant, "credit", "pg_experiments/algorithm/reinforce.py")
credit = partial(Mutant, "credit", "pg_experiments/algorithm/credit.py")
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
CONTINUED = OF_RETURNS + "test_a_truncated_episode_continues_with_the_value_of_the_state_after_its_last_step"
INSIDE = OF_RETURNS + "test_a_return_that_ends_inside_a_column_is_that_of_a_column_of_its_own"
CUT_OFF = (
    OF_RETURNS + "test_the_value_of_the_next_state_counts_where_data_is_cut_off_and_never_where_an_episode_terminates"
)
AVERAGED = OF_RETURNS + "test_the_recursion_equals_the_average_of_n_step_returns_written_out[0.7]"
ANEW = OF_CREDIT + "test_where_a_return_ends_inside_a_column_credit_and_its_weights_begin_anew"
CONTINUES = "continues = torch.where(ends, 0.0, discount)\n    trace_decay = "

MUTANTS = [
    recursion(
        "what follows is not discounted",
        CONTINUES,
        CONTINUES.replace("0.0, discount", "0.0, torch.ones_like(discount)"),
        OF_RETURNS + "test_reward_to_go_equals_the_sum_written_out",
    ),
    recursion(
        "a return goes on over its end",
        CONTINUES,
        CONTINUES.replace("torch.where(ends, 0.0, discount)", "discount.expand(ends.shape)"),
        INSIDE,
    ),
    recursion(
        "a return that ends leaves out its last reward",
        "constants = rewards\n",
        "constants = rewards = torch.where(ends, 0.0, rewards)\n",
        OF_RETURNS + "test_reward_to_go_equals_the_sum_written_out",
    ),
    recursion(
        "the value of what follows the last step is not discounted",
        "bootstrap = continues - weights",
        "bootstrap = torch.where(cuts, 1.0, continues - weights)",
        CONTINUED,
    ),
    recursion(
        "a return that ends with the last step is continued with a value",
        "bootstrap = continues - weights",
        "bootstrap = discount - weights",
        OF_RETURNS + "test_a_return_that_ends_with_the_last_step_has_no_bootstrap_value",
    ),
    recursion(
        "what is behind a cut counts, too",
        "weights = torch.where(cuts, 0.0, continues * trace_decay)",
        "weights = continues * trace_decay",
        OF_RETURNS + "test_the_recursion_equals_the_average_of_n_step_returns_written_out[1.0]",
    ),
    recursion(
        "λ and 1 − λ are exchanged",
        "weights = torch.where(cuts, 0.0, continues * trace_decay)",
        "weights = torch.where(cuts, 0.0, continues * (1 - trace_decay))",
        AVERAGED,
    ),
    recursion(
        "the next value has the weight 1, whatever λ is",
        "bootstrap = continues - weights",
        "bootstrap = continues",
        AVERAGED,
    ),
    recursion(
        "a next value past an end makes NaN of its return",
        "rewards + bootstrap * torch.where(bootstrap == 0, 0.0, next_values)",
        "rewards + bootstrap * next_values",
        OF_RETURNS + "test_values_past_an_end_do_not_count_whatever_they_are",
    ),
    whole(
        "all returns are discounted as the first learner's",
        "rollout.cuts, next_values, discount[:, None])",
        "rollout.cuts, next_values, discount[:1, None])",
        OF_RETURNS + "test_each_learner_has_a_discount_of_its_own",
    ),
    recursion(
        "all steps are weighed with the first learner's γ^t",
        "discount.double()[:, None] **",
        "discount.double()[:1, None] **",
        OF_RETURNS + "test_each_learner_has_a_discount_of_its_own",
    ),
    rollout(
        "a column that is shorter than its neighbours, and did not end, is not continued",
        "followed = torch.cat([self.mask[1:], torch.zeros_like(self.mask[:1])])",
        "followed = torch.cat([torch.ones_like(self.mask[1:]), torch.zeros_like(self.mask[:1])])",
        "tests/test_rollout.py::test_a_column_that_neither_ends_nor_goes_on_is_cut_off_after_its_last_step",
    ),
    rollout(
        "a batch is not cut off after its last step",
        "return (self.truncated | (self.mask & ~followed)) & ~self.ends",
        "return self.truncated & ~self.ends",
        CUT_OFF,
    ),
    rollout(
        "values of what was never observed are placed, too",
        "placed[self.finals.positions[self.finals.valid]] = values[self.finals.valid]",
        "placed[self.finals.positions] = values",
        "tests/test_rollout.py::test_values_of_final_observations_stand_at_the_steps_that_they_followed",
    ),
    recursion(
        "what the mask hides is paid",
        "return torch.where(rollout.mask, rollout.rewards, 0.0)",
        "return rollout.rewards",
        OF_RETURNS + "test_what_the_mask_hides_changes_no_return_and_no_normalised_one",
    ),
    whole(
        "the whole return is taken from the first step of the column, not of the return",
        "begins = steps_since_start(rollout.ends | rollout.cuts) == 0",
        "begins = steps_since_start(rollout.ends & ~rollout.ends) == 0",
        INSIDE,
    ),
    recursion(
        "the step that ends a return is the first of the next",
        "after = torch.cat([torch.zeros_like(restarts[:1]), restarts[:-1]])",
        "after = restarts",
        INSIDE,
    ),
    recursion(
        "γ^t counts from 1",
        "** steps_since_start(rollout.ends | rollout.cuts)",
        "** (steps_since_start(rollout.ends | rollout.cuts) + 1)",
        OF_RETURNS + "test_exact_discount_weighs_step_t_with_gamma_to_the_t_and_leaves_the_trajectory_alone",
    ),
    whole(
        "exact_discount does the opposite",
        "if not self.exact_discount:",
        "if self.exact_discount:",
        OF_RETURNS + "test_exact_discount_weighs_step_t_with_gamma_to_the_t_and_leaves_the_trajectory_alone",
    ),
    whole(
        "the whole return is weighed with γ^t as well",
        "return torch.where(rollout.mask, whole, 0.0)",
        "return torch.where(rollout.mask, whole * discount_weights(rollout, discount).to(whole.dtype), 0.0)",
        "tests/test_exact_gradient.py::test_the_expected_estimate_is_the_gradient_of_the_objective",
    ),
    credit(
        "exact_discount is not wired into the agent",
        "return Credit(targets, values, returns.weigh(advantages, rollout, discount))",
        "return Credit(targets, values, advantages)",
        OF_CREDIT + "test_exact_discount_reaches_the_advantages_of_a_run",
    ),
    recursion(
        "γ^t goes on over the ends of returns",
        "** steps_since_start(rollout.ends | rollout.cuts)",
        "** steps_since_start(rollout.terminated)",
        ANEW,
    ),
    rollout(
        "returns go on over their ends",
        "return self.terminated if self.return_ends is None else self.terminated | self.return_ends",
        "return self.terminated",
        ANEW,
    ),
    agent(
        "a seed's returns are discounted as those of the one in its place",
        "discount = self.discount[rollout.learners]",
        "discount = self.discount[: len(rollout.learners)]",
        OF_CREDIT + "test_a_learner_that_plays_alone_is_credited_and_learns_by_its_own_values",
    ),
    credit(
        "a truncated episode is not continued",
        "returns(rollout, baseline.final_values(rollout), discount)",
        "returns(rollout, None, discount)",
        "tests/test_episodes.py::test_a_truncated_episode_goes_on_with_its_value_and_a_terminated_one_does_not",
    ),
    credit(
        "advantages are normalised before the baseline is subtracted",
        "advantages = normalization.of_advantages(targets - values, rollout.mask)",
        "advantages = normalization.of_advantages(targets, rollout.mask) - values",
        OF_CREDIT + "test_the_baseline_is_subtracted_before_advantages_are_normalised_and_after_returns_are",
    ),
    credit(
        "returns are normalised after the baseline has seen them",
        "targets = normalization.of_returns(targets, rollout.mask)\n"
        "        values = baseline.values(rollout, targets, gradients).expand_as(targets)",
        "values = baseline.values(rollout, targets, gradients).expand_as(targets)\n"
        "        targets = normalization.of_returns(targets - values, rollout.mask)",
        OF_CREDIT + "test_the_baseline_is_subtracted_before_advantages_are_normalised_and_after_returns_are",
    ),
    agent(
        "the baseline is never told of a batch",
        "baseline_metrics, non_finite = self.baseline.learn(rollout, credit.returns, skip=broken)",
        "baseline_metrics, non_finite = {}, {}",
        OF_CREDIT + "test_a_baseline_that_follows_is_shown_every_batch_and_only_after_it",
    ),
    values(
        "the baseline takes one step, however many it is to take",
        "for _ in range(self.settings.steps):",
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
