"""Stacked learners may differ in more than their seeds."""

from __future__ import annotations

import pytest
import torch

from pg_experiments.run.config import check
from pg_experiments.run.run import Run
from pg_experiments.tensors.learners import Learners
from tests.conftest import composed

COMMON = ("device=cpu", "baseline=value", "normalization=none", "optimizer.max_grad_norm=null", "policy.hidden=16")
VALUES = {
    "optimizer.learning_rate": (0.01, 0.002),
    "optimizer.weight_decay": (0.0, 0.1),
    "algorithm.discount": (0.99, 0.8),
    "algorithm.entropy_bonus": (0.0, 0.05),
    "policy.dropout": (0.5, 0.2),
    "baseline.learning_rate": (0.01, 0.003),
}


def parameters(learners: Learners | None, *overrides: str) -> list[torch.Tensor]:
    """[R, …] each, after four updates."""
    run = Run(check(composed(*COMMON, *overrides)), learners)
    active = run.accounts.active
    for update in range(4):
        run.learn(run.collector.collect(update, active), active)
    return [p.detach() for module in run.agent.modules.values() for p in module.parameters()]


RULES = ["adam", "adamw", "sgd", "rmsprop"]
CASES = [(key, rule) for key in VALUES for rule in (RULES if key.startswith("optimizer.") else RULES[:1])]


@pytest.mark.parametrize(("key", "optimizer"), [*CASES, ("everything", "adam")])
def test_two_learners_that_differ_in_a_value_learn_in_one_stack_what_they_learn_in_two_runs(key, optimizer):
    values = VALUES if key == "everything" else {key: VALUES[key]}
    stacked = parameters(Learners([5, 5], values), f"optimizer={optimizer}")
    for learner in range(2):
        own = [f"{name}={pair[learner]}" for name, pair in values.items()]
        alone = parameters(None, f"optimizer={optimizer}", "seed=5", *own)
        for ours, theirs in zip(stacked, alone, strict=True):
            torch.testing.assert_close(ours[learner], theirs[0], rtol=1e-4, atol=1e-5)
    assert any(not torch.equal(p[0], p[1]) for p in stacked), "the value makes a difference"
