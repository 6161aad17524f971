"""Mistakes in the normalisation of observations and rewards."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

moments = partial(Mutant, "normalising", "pg_experiments/normalization/moments.py")
observations = partial(Mutant, "normalising", "pg_experiments/normalization/observations.py")
rewards = partial(Mutant, "normalising", "pg_experiments/normalization/rewards.py")
options = partial(Mutant, "normalising", "pg_experiments/normalization/options.py")
run = partial(Mutant, "normalising", "pg_experiments/run/run.py")
compiled = partial(Mutant, "normalising", "pg_experiments/tensors/compiled_dense.py")

OF_OBSERVATIONS = "tests/test_normalized_observations.py::"
OF_REWARDS = "tests/test_normalized_rewards.py::"
MERGED = OF_OBSERVATIONS + "test_merged_batches_have_the_mean_and_variance_of_all_values_at_once"
EARLIER = OF_OBSERVATIONS + "test_policy_and_critic_see_all_earlier_batches_and_not_their_own"
DIVIDED = OF_REWARDS + "test_rewards_are_divided_by_the_deviation_of_all_discounted_sums_so_far"
PLAYED = "tests/test_compiled_play.py::test_whole_batches_equal_those_through_gymnasium_over_several_updates"

MUTANTS = [
    moments(
        "the distance of the means is not counted in the deviations",
        "deviations + difference.square() * self._rows(before * count / total)",
        "deviations",
        MERGED,
    ),
    moments("a batch's mean counts in full", "difference * self._rows(count / total)", "difference", MERGED),
    moments(
        "padding counts as steps",
        "count = mask.sum((0, 2)).double()",
        "count = (mask | True).sum((0, 2)).double()",
        MERGED,
    ),
    moments(
        "statistics are another learner's",
        "self.count[learners] = before + count",
        "self.count[learners - 1] = before + count",
        MERGED,
    ),
    observations("the deviation is not a root", ".rsqrt()", ".reciprocal()", EARLIER),
    observations(
        "observations are not centred", "observations.sub(self.shift)", "observations.add(0 * self.shift)", EARLIER
    ),
    observations(
        "observations are clipped on one side",
        "scaled.clamp_(-self.limit, self.limit)",
        "scaled.clamp_(max=self.limit)",
        EARLIER,
    ),
    observations(
        "a broken learner's statistics change",
        "if learner not in broken]",
        "]",
        OF_OBSERVATIONS + "test_the_statistics_of_a_learner_that_is_stopped_or_breaks_do_not_change",
    ),
    options(
        "shared layers are given plain observations for V(s)",
        "return self.option.build(observations, policy, learners",
        "return self.option.build(observations, policy.network, learners",
        OF_OBSERVATIONS + "test_shared_layers_are_given_normalised_observations_once",
    ),
    observations(
        "repeated networks have their neighbours' numbers",
        "x.repeat_interleave(times, 0)",
        "x.repeat(times, *(1 for _ in x.shape[1:]))",
        OF_OBSERVATIONS + "test_blocks_that_are_evaluated_at_once_have_the_same_bits",
    ),
    compiled("the compiled loop does not scale", "* factor[r, i]", "* np.float32(1.0)", PLAYED),
    compiled("the compiled loop has the first learner's numbers", "- shift[r, i]", "- shift[0, i]", PLAYED),
    compiled(
        "the compiled loop does not clip", "limit if scaled > limit else", "scaled if scaled > limit else", PLAYED
    ),
    rewards("sums go on after an end", "~over[:-1]]", "over[:-1] | True]", DIVIDED),
    rewards(
        "sums are not discounted",
        "goes_on * discount[:, None]",
        "goes_on * torch.ones_like(discount[:, None])",
        DIVIDED,
    ),
    rewards("fragments begin anew", "rewards[:1] + discount[:, None] * before", "rewards[:1] + 0 * before", DIVIDED),
    rewards("rewards are divided by the variance", "variance.sqrt()", "variance", DIVIDED),
    rewards(
        "a truncated episode's sum goes on in the next batch",
        "torch.where((rollout.ends | rollout.truncated)[-1]",
        "torch.where(rollout.ends[-1]",
        DIVIDED,
    ),
    rewards(
        "equal sums are divided by 0",
        "torch.where(differs, variance.sqrt(), 1.0)",
        "variance.sqrt()",
        OF_REWARDS + "test_rewards_whose_sums_are_all_equal_stay_as_they_are",
    ),
    run(
        "rewards are normalised nowhere",
        "self.agent.learn(scaled, ",
        "self.agent.learn(rollout, ",
        OF_REWARDS + "test_learning_sees_other_rewards_and_the_batch_stays_as_the_environment_gave_it",
    ),
]
