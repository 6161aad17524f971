"""Mistakes in what an action is credited with: returns, and how a run puts them together."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

recursion = partial(Mutant, "credit", "pg_experiments/returns/recursion.py")
whole = partial(Mutant, "credit", "pg_experiments/returns/monte_carlo.py")
rollout = partial(Mutant, "credit", "pg_experiments/tensors/rollout.py")
agent = partial(Mutant, "credit", "pg_experiments/algorithm/reinforce.py")
credit = partial(Mutant, "credit", "pg_experiments/algorithm/credit.py")

OF_RETURNS = "tests/test_returns.py::"
OF_CREDIT = "tests/test_credit.py::"
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
]
