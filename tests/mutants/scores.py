"""Mistakes in the gradients of single episodes."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

scores = partial(Mutant, "scores", "pg_experiments/algorithm/scores.py")

OF_SCORES = "tests/test_scores.py::"
BY_AUTOGRAD = OF_SCORES + "test_each_episodes_gradient_equals_that_of_autograd_for_it_alone"

MUTANTS = [
    scores(
        "scores are those without dropout",
        "self.policy.bind(self.learners)(observations.transpose(0, 1), noise)",
        "self.policy.bind(self.learners)(observations.transpose(0, 1), None)",
        BY_AUTOGRAD + "[dropout-three learners]",
    ),
    scores(
        "scores are those of the learners in these places",
        "self.policy.bind(self.learners)(observations.transpose(0, 1), noise)",
        "self.policy.bind(torch.arange(len(self.learners)))(observations.transpose(0, 1), noise)",
        BY_AUTOGRAD + "[mlp-two of three learners]",
    ),
    scores(
        "gradients are given to the learners in these places",
        "g[rollout.learners]",
        "g[: len(rollout.learners)]",
        BY_AUTOGRAD + "[mlp-two of three learners]",
    ),
    scores(
        "what lies behind an episode's end counts",
        "return torch.where(mask.view(*mask.shape, *(1 for _ in per_step.shape[3:])), per_step, 0)",
        "return per_step",
        BY_AUTOGRAD + "[mlp-one learner]",
    ),
    scores(
        "only the last block of steps counts",
        "total = flat if total is None else total + flat",
        "total = flat",
        BY_AUTOGRAD + "[mlp-one learner]",
    ),
    scores(
        "the last block of steps is shorter than the others",
        "return pad(steps, (0, 0) * (steps.ndim - 1) + (0, BLOCK - len(steps)))",
        "return steps",
        OF_SCORES + "test_a_neighbours_steps_change_no_bit_of_a_learners_gradients[50]",
    ),
]
