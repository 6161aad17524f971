"""Any module of PyTorch's as a policy: stacked over learners, it computes and learns what each would alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from pg_experiments.policy import ModulePolicy
from pg_experiments.policy.policy import Policy
from pg_experiments.run.config import check
from pg_experiments.run.run import Run
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.sparse import SparseRows
from pg_experiments.tensors.stacked_module import StackedModule
from pg_experiments.tensors.streams import Purpose
from tests.conftest import composed, dense_of, spaces


@dataclass(frozen=True)
class Residual(ModulePolicy):
    """x + f(x), twice."""

    width: int = 12

    def module(self, observation_shape: tuple[int, ...], outputs: int) -> nn.Module:
        return ResidualModule(observation_shape[0], outputs, self.width)


class ResidualModule(nn.Module):
    def __init__(self, inputs: int, outputs: int, width: int) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(inputs, width), nn.Linear(width, outputs)
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(width, width), nn.Tanh()) for _ in range(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        for block in self.blocks:
            x = x + block(x)
        return self.last(x)


def residual(seeds: list[int]) -> Policy:
    return Residual(head="categorical").build(*spaces(4, 2), Learners(seeds))


def test_a_learner_in_a_stack_computes_what_its_module_computes_alone():
    together, alone = residual([7, 8, 9]), residual([8])
    module = ResidualModule(4, 2, 12)
    module.load_state_dict({name.replace("__", "."): p[0] for name, p in alone.network.named_parameters()})
    x = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0))
    outputs = together.bind(torch.arange(3))(x, None)
    torch.testing.assert_close(outputs[1], module(x[1]))
    torch.testing.assert_close(together.bind(torch.tensor([1]))(x[1:2], None)[0], module(x[1]))
    assert not torch.equal(together.network.first__weight[0], together.network.first__weight[1])


def test_the_global_generator_is_left_as_it_was():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    residual([0, 1])
    assert torch.equal(torch.rand(1), expected)


def test_a_run_with_a_module_learns_and_each_learner_learns_what_it_learns_alone():
    def parameters(*overrides: str) -> list[torch.Tensor]:
        config = check(composed("device=cpu", "policy=linear", "env.max_episodes=40", *overrides))
        run = Run(config.__class__(**vars(config) | {"policy": Residual(head="categorical")}))
        before = [p.detach().clone() for p in run.agent.policy.parameters()]
        for update in range(3):
            run.learn(run.collector.collect(update, run.accounts.active), run.accounts.active)
        assert all(not torch.equal(a, b) for a, b in zip(before, run.agent.policy.parameters(), strict=True))
        return [p.detach() for p in run.agent.policy.parameters()]

    for stacked, alone in zip(parameters("num_seeds=3"), parameters("seed=1"), strict=True):
        torch.testing.assert_close(stacked[1], alone[0], rtol=1e-4, atol=1e-5)


def test_a_module_sees_sparse_images_as_dense_ones_when_it_acts_and_when_it_learns():
    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(12, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            assert x.shape[1:] == (3, 4)
            return self.layer(x.flatten(1))

    learners = Learners([0, 1])
    network = StackedModule(Flat, learners, Purpose.POLICY_PARAMETERS, observation_shape=(3, 4), outputs=2)
    policy = Policy(network, residual([0]).head, observation_shape=(3, 4))
    rows = SparseRows(
        torch.tensor([3, 7, 12 + 7, 12 + 2]), torch.tensor([1.0, -1, 1, 1]), torch.tensor([0, 1, 2, 2]), (2, 2, 12)
    )
    expected = policy.bind()(dense_of(rows).view(2, 2, 3, 4), None)
    torch.testing.assert_close(policy.bind()(rows, None), expected)
    counts = np.array([1, 1, 0, 2])
    acted = policy.acting()(rows.columns.numpy().astype(np.int32), rows.values.numpy().astype(np.int8), counts, None)
    np.testing.assert_allclose(acted, expected.detach().numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 2)), "keeps buffers"),
        (lambda: nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 2)), "draws random numbers"),
        (lambda: nn.Linear(4, 3), r"gives outputs of shape \(2, 3\) for 2 observations; expected \(2, 2\)"),
        (lambda: nn.Linear(5, 2), "cannot be stacked"),
    ],
)
def test_a_module_that_cannot_be_stacked_is_refused_in_one_line(make, message):
    with pytest.raises(UserError, match=message) as caught:
        StackedModule(make, Learners([0, 1]), Purpose.POLICY_PARAMETERS, observation_shape=(4,), outputs=2)
    assert "\n" not in str(caught.value)
