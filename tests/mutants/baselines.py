"""Mistakes in baselines from the other episodes of a batch, and in the gradients of single episodes."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

batches = partial(Mutant, "baselines", "pg_experiments/baseline/batch.py")
optimal = partial(Mutant, "baselines", "pg_experiments/baseline/optimal.py")
sums = partial(Mutant, "baselines", "pg_experiments/tensors/masked.py")
agent = partial(Mutant, "baselines", "pg_experiments/algorithm/reinforce.py")
scores = partial(Mutant, "scores", "pg_experiments/algorithm/scores.py")
copies = partial(Mutant, "scores", "pg_experiments/tensors/stacked.py")

OF_SCORES = "tests/test_scores.py::"
BY_AUTOGRAD = OF_SCORES + "test_each_episodes_gradient_equals_that_of_autograd_for_it_alone"

OF_BASELINES = "tests/test_baseline.py::"
OF_EXACT = "tests/test_exact_baselines.py::"
LEAVE_ONE_OUT = OF_BASELINES + "test_leave_one_out_is_the_mean_over_all_steps_of_the_other_episodes"
OF_A_STEP = OF_BASELINES + "test_a_time_dependent_baseline_is_the_mean_over_the_other_episodes_that_have_this_step"
BY_SCORES = OF_BASELINES + "test_the_optimal_baseline_weighs_the_other_episodes_by_their_scores"
UNBIASED = OF_EXACT + "test_a_baseline_of_the_other_episodes_leaves_the_expected_gradient_as_it_is"
REFUSED = OF_BASELINES + "test_a_batch_without_other_episodes_is_refused_with_the_nearest_that_has_some"

MUTANTS = [
    sums(
        "the sum of the others has the own entry in it",
        "return before + after",
        "return before + after + values",
        (LEAVE_ONE_OUT, UNBIASED + "[leave_one_out-trajectory-1.0-of equal length]"),
    ),
    sums(
        "the own entry is subtracted from the sum, and leaves its rounding",
        "return before + after",
        "return values.sum(-1, keepdim=True) - values",
        OF_BASELINES + "test_nothing_of_an_episode_changes_a_bit_of_its_own_baseline[leave_one_out]",
    ),
    sums(
        "the sum of the others has only those before",
        "return before + after",
        "return before",
        LEAVE_ONE_OUT,
    ),
    batches(
        "leave-one-out divides by the steps of all episodes",
        "steps = sum_of_others(rollout.lengths)",
        "steps = rollout.lengths.sum(-1, keepdim=True)",
        (LEAVE_ONE_OUT, UNBIASED + "[leave_one_out-trajectory-1.0-of random length]"),
    ),
    batches(
        "leave-one-out counts padding",
        "steps = sum_of_others(rollout.lengths)",
        "steps = sum_of_others(torch.full_like(rollout.lengths, len(rollout.mask)))",
        LEAVE_ONE_OUT,
    ),
    batches(
        "the time-dependent baseline divides by the number of all other episodes",
        "counts = sum_of_others(rollout.mask.long())",
        "counts = sum_of_others(torch.ones_like(rollout.mask).long())",
        OF_A_STEP,
    ),
    batches(
        "the time-dependent baseline counts the episode itself",
        "counts = sum_of_others(rollout.mask.long())",
        "counts = rollout.mask.sum(-1, keepdim=True)",
        OF_A_STEP,
    ),
    batches(
        "the time-dependent baseline counts padding",
        "sums = sum_of_others(torch.where(rollout.mask, returns, 0.0).double())",
        "sums = sum_of_others(returns.double())",
        OF_A_STEP,
    ),
    batches(
        "a batch of one episode is taken for one with others",
        "if columns < 2:",
        "if columns < 1:",
        REFUSED + "[leave_one_out]",
    ),
    batches(
        "points are taken for independent episodes",
        "    if columns is None:\n",
        "    if columns is None:\n        return\n    if columns is None:\n",
        OF_BASELINES + "test_points_of_one_game_are_refused[time_dependent]",
    ),
    optimal(
        "the optimal baseline weighs returns by the scores' length, not by its square",
        "return (with_returns * scores).sum(2), scores.square().sum(2)",
        "return (with_returns * scores).sum(2), scores.square().sum(2).sqrt()",
        BY_SCORES,
    ),
    optimal(
        "the optimal baseline weighs all learners together",
        "for terms in variance_terms(returns, gradients))",
        "for terms in (x.sum(0, keepdim=True) for x in variance_terms(returns, gradients)))",
        BY_SCORES,
    ),
    optimal(
        "the optimal baseline has the episode itself in it",
        "(sum_of_others(terms) for",
        "(terms.sum(-1, keepdim=True) for",
        (BY_SCORES, UNBIASED + "[optimal-reward_to_go-1.0-of equal length]"),
    ),
    optimal(
        "no scores give no number",
        "torch.where(squares > 0, products / squares, 0.0)",
        "(products / squares)",
        OF_BASELINES + "test_without_scores_the_optimal_baseline_is_zero",
    ),
    optimal(
        "images are given a gradient for each episode",
        "if config.env.emulators is not None:",
        "if config.env.emulators is None and False:",
        OF_BASELINES + "test_a_gradient_for_each_episode_is_refused_for_images",
    ),
    agent(
        "the optimal baseline is that of steps without their weights",
        "weights = self.returns.weigh(advantages, rollout, self.discount[rollout.learners])",
        "weights = advantages",
        OF_EXACT + "test_no_constant_has_less_variance_than_the_optimal_one[reward_to_go-0.9]",
    ),
    agent(
        "the optimal baseline weighs steps by the discount of the learner in its place",
        "weights = self.returns.weigh(advantages, rollout, self.discount[rollout.learners])",
        "weights = self.returns.weigh(advantages, rollout, self.discount[: len(rollout.learners)])",
        "tests/test_credit.py::test_a_learner_that_plays_alone_has_gradients_of_its_own_discount",
    ),
    scores(
        "scores are those without dropout",
        "noise = None if masks is None else steps.gather(masks).float()",
        "noise = None",
        BY_AUTOGRAD + "[dropout-three learners]",
    ),
    scores(
        "scores are those of the learners in these places",
        "copies(policy, rollout.learners.repeat_interleave(",
        "copies(policy, torch.arange(len(rollout.learners)).repeat_interleave(",
        BY_AUTOGRAD + "[mlp-two of three learners]",
    ),
    scores(
        "the copies of learners are in the order of episodes",
        "rollout.learners.repeat_interleave(",
        "rollout.learners.repeat(",
        BY_AUTOGRAD + "[mlp-three learners]",
    ),
    scores(
        "all episodes begin in the state of the first",
        "states = per_step.states[:, columns]",
        "states = per_step.states[:, :1].expand_as(per_step.states)[:, columns]",
        OF_SCORES + "test_a_recurrent_policys_are_those_of_autograd_through_time_within_each_column",
    ),
    scores(
        "all parts are the first episodes",
        "slice(start, start + size)",
        "slice(0, size)",
        OF_SCORES + "test_parts_are_those_of_consecutive_episodes_and_change_nothing[1]",
    ),
    scores(
        "the blocks of steps are as long as the batch",
        "return FlatIndex.of(mask, BLOCK)",
        "return FlatIndex.of(mask, len(mask))",
        OF_SCORES + "test_a_neighbours_steps_change_no_bit_of_a_learners_gradients[50]",
    ),
    copies(
        "each copy of a learner drops units as the learner in its place",
        "self.drop_below = self.drop_below[learners.cpu()]",
        "self.drop_below = self.drop_below[torch.arange(len(learners)) % len(self.drop_below)]",
        BY_AUTOGRAD + "[dropout-three learners]",
    ),
]
