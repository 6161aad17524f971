"""Twelve updates of whole configurations equal those of a naive PyTorch loop over one seed, at every update."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pg_experiments.algorithm.agent import Update
from pg_experiments.optimizer.stacked import StackedOptimizer
from pg_experiments.run.run import Run
from pg_experiments.tensors.rollout import Rollout
from tests.conftest import composed, make_run, rollout_of, track
from tests.reference_loop import (
    Episode,
    Reference,
    assert_same,
    episodes_of,
    stacked_form,
)

UPDATES = 12
OF_OTHERS = (
    *("normalization=none", "collect.episodes=3", "policy.hidden=16", "policy.dropout=0.25", "policy.layers=2"),
    *("policy.initialisation=torch", "optimizer=sgd", "optimizer.max_grad_norm=1", "env.max_steps=2500"),
)
CONFIGURATIONS = {
    # of some other seeds a gradient is all but 0, and the default's small epsilon makes a step of its rounding error
    "default": ("seed=10",),
    "adamw_value": (
        *("optimizer=adamw", "optimizer.weight_decay=0.1", "optimizer.beta1=0.8", "optimizer.beta2=0.99"),
        *("optimizer.epsilon=0.001", "optimizer.schedule=cosine", "optimizer.max_grad_norm=1", "env.max_steps=900"),
        *("baseline=value", "baseline.bootstrap=true", "baseline.steps=3", "baseline.hidden=16", "baseline.layers=2"),
        *("baseline.activation=tanh", "baseline.initialisation=torch", "normalization=advantages"),
        *("policy.layers=2", "policy.hidden=16", "policy.activation=tanh", "policy.dropout=0.25"),
        *("policy.initialisation=torch", "algorithm.entropy_bonus=0.05", "algorithm.discount=0.9"),
        *("collect.episodes=3", "env.max_episode_steps=20"),
    ),
    "rmsprop_moving_average": (
        *("optimizer=rmsprop", "optimizer.weight_decay=0.01", "optimizer.momentum=0.9", "optimizer.decay=0.95"),
        *("optimizer.epsilon=0.01", "optimizer.schedule=exponential", "env.max_steps=2500", "normalization=none"),
        *("baseline=moving_average", "baseline.decay=0.7", "returns.exact_discount=true", "algorithm.discount=0.95"),
        *("policy.head=bernoulli", "policy.activation=leaky_relu", "policy.hidden=16", "policy.initialisation=torch"),
        *("algorithm.log_probs=stored", "algorithm.reduction=sum", "algorithm.entropy_bonus=0.1"),
    ),
    "sgd_trajectory": (
        *("optimizer=sgd", "optimizer.weight_decay=0.1", "optimizer.momentum=0.9", "optimizer.schedule=linear"),
        *("optimizer.max_grad_norm=5", "env.max_steps=2500", "normalization=none"),
        *("policy=linear", "policy.bias=true", "policy.initialisation=torch", "returns=trajectory", "baseline=mean"),
        *("collect.episodes=4", "algorithm.discount=0.9"),
    ),
    "adam_batch_returns": (
        *("optimizer=adam", "optimizer.weight_decay=0.1", "optimizer.beta1=0.7", "optimizer.beta2=0.95"),
        *(
            "optimizer.epsilon=0.001",
            "normalization=returns",
            "normalization.returns=batch",
            "optimizer.max_grad_norm=null",
        ),
        *("policy.hidden=16", "policy.bias=false", "policy.dropout=0", "policy.initialisation=xavier"),
        *("optimizer.max_grad_norm=null", "algorithm.entropy_bonus=0.2", "collect.episodes=3"),
    ),
    "leave_one_out": ("baseline=leave_one_out", *OF_OTHERS),
    "time_dependent": ("baseline=time_dependent", *OF_OTHERS),
    "optimal": ("baseline=optimal", *OF_OTHERS, "algorithm.discount=0.95", "returns.exact_discount=true"),
}


def record_gradients(optimizer: StackedOptimizer | None) -> dict[str, Tensor]:
    """A dictionary that holds the newest gradients of an optimizer before clipping, by the names in the network."""
    gradients: dict[str, Tensor] = {}
    if optimizer is None:
        return gradients
    differentiate = optimizer.differentiate

    def recording(*arguments: Any) -> Tensor:
        losses = differentiate(*arguments)
        for name, parameter in optimizer.parameters.items():
            gradients[name.partition(".")[2]] = parameter.grad.clone()
        return losses

    optimizer.differentiate = recording
    return gradients


class Comparison:
    """A run and the reference loops of its seeds, compared after every update."""

    def __init__(self, run: Run, config: dict[str, Any]) -> None:
        self.run = run
        self.references = [Reference(config, run, learner) for learner in range(len(run.config.seeds))]
        self.gradients = {
            "policy": record_gradients(run.agent.optimizer),
            "baseline": record_gradients(run.agent.baseline.optimizer),
        }
        self.updates = 0

    def learn(self, rollout: Rollout, active: np.ndarray) -> Update:
        """`Run.learn`, followed by the comparison."""
        learned = Run.learn(self.run, rollout, active)
        metrics = {name: values for name, values in learned.metrics.items() if name != "explained_variance"}
        for r, learner in enumerate(active.tolist()):
            self.compare(learner, episodes_of(rollout, r), {name: float(v[r]) for name, v in metrics.items()})
        self.updates += 1
        if self.updates == UPDATES:
            self.run.accounts.max_steps = 1  # the run ends
        return learned

    def compare(self, learner: int, batch: list[Episode], columns: dict[str, float]) -> None:
        reference, where = self.references[learner], f"update {self.updates}, learner {learner}"
        reference.update(batch)
        networks = {
            "policy": (self.run.agent.policy, reference.policy),
            "baseline": (self.run.agent.baseline, reference.value),
        }
        for part, (ours, theirs) in networks.items():
            if theirs is not None:
                gradient = {name: tensor[learner] for name, tensor in self.gradients[part].items()}
                after = {name: parameter.detach()[learner] for name, parameter in ours.named_parameters()}
                assert_same(gradient, reference.gradients[part], f"{where}: gradient of {part}")
                assert_same(after, stacked_form(theirs, "data"), f"{where}: parameter of {part}")
        loss = columns.pop("policy_loss")  # a small difference of large sums
        assert loss == pytest.approx(reference.columns.pop("policy_loss"), rel=1e-4, abs=1e-3), where
        assert columns == pytest.approx(reference.columns, rel=1e-4), where


@pytest.mark.parametrize("num_seeds", [1, 3])
@pytest.mark.parametrize("overrides", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_twelve_updates_are_those_of_a_naive_loop(tmp_path, overrides, num_seeds):
    overrides = (*overrides, f"num_seeds={num_seeds}", "env.threshold=inf")
    run = make_run(*overrides)
    comparison = Comparison(run, composed(*overrides))
    run.learn = comparison.learn
    run.execute(track(run, tmp_path / "run"))
    assert comparison.updates == UPDATES


def batch_of_points(generator: torch.Generator, R: int) -> Rollout:
    """Columns in which returns end, some with the last step. Of four, one is terminated and three are truncated."""
    T, E = 9, 4
    lengths = torch.tensor([9, 6, 8, 9])
    mask = (torch.arange(T)[:, None] < lengths).unsqueeze(1).expand(T, R, E).contiguous()
    rewards = torch.randn(T, R, E, generator=generator) * (torch.rand(T, R, E, generator=generator) < 0.3)
    rewards[5, :, 1] = -1.0  # the second column is truncated where a return ends
    observations = torch.randn(T, R, E, 4, generator=generator)
    actions = torch.randint(0, 2, (T, R, E), generator=generator)
    rollout = rollout_of(observations, actions, rewards * mask, mask)
    terminated = torch.tensor([True, False, False, False])
    return dataclasses.replace(
        rollout,
        terminated=rollout.terminated & terminated,
        truncated=rollout.terminated & ~terminated,
        return_ends=rewards * mask != 0,
        finals=rollout.finals._replace(observations=torch.randn(R, E, 4, generator=generator)),
    )


@pytest.mark.parametrize("returns", ["reward_to_go", "trajectory"])
def test_returns_that_end_inside_columns_are_those_of_a_naive_loop(returns):
    overrides = (
        *("num_seeds=3", "policy.dropout=0", "policy.hidden=8", "policy.initialisation=torch", "baseline=value"),
        *("baseline.bootstrap=true", "baseline.hidden=8", "baseline.initialisation=torch", "normalization=none"),
        *(f"returns={returns}", "returns.exact_discount=true", "algorithm.discount=0.8", "optimizer=sgd"),
        "collect.episodes=4",
    )
    run = make_run(*overrides)
    comparison, generator = Comparison(run, composed(*overrides)), torch.Generator().manual_seed(0)
    for _ in range(3):
        comparison.learn(batch_of_points(generator, R=3), np.arange(3))
