"""Unbiased where states look alike, and where actions are forbidden: an enumerated MDP as in test_exact_gradient.

Two states, three actions, three steps: (2 · 3)³ = 216 trajectories, less those with forbidden actions.
"""

from __future__ import annotations

import dataclasses
import itertools

import pytest
import torch

from pg_experiments.algorithm.scores import episode_gradients
from pg_experiments.policy import Linear
from pg_experiments.returns import RewardToGo
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.rollout import Rollout
from tests.conftest import reinforce, rollout_of, spaces, total_loss

F64 = torch.float64
START = torch.tensor([0.7, 0.3], dtype=F64)
GENERATOR = torch.Generator().manual_seed(4)
MOVE = torch.rand(2, 3, 2, generator=GENERATOR, dtype=F64)  # [s, a, s']
MOVE = MOVE / MOVE.sum(-1, keepdim=True)
REWARD = torch.randn(2, 3, generator=GENERATOR, dtype=F64)  # [s, a]
STEPS = 3
ALIKE = torch.ones(2, 1, dtype=F64)  # [s, D] observations
APART = torch.eye(2, dtype=F64)
SOME = torch.tensor([[True, True, False], [False, True, True]])  # [s, a] allowed actions
CASES = {"alike": (ALIKE, None), "masked": (APART, SOME), "alike and masked": (ALIKE, SOME)}


@dataclasses.dataclass
class Case:
    """All trajectories as episodes of one rollout; every probability has its graph to the parameters."""

    observations: torch.Tensor
    allowed: torch.Tensor | None

    def __post_init__(self) -> None:
        paths = list(itertools.product(range(2), repeat=STEPS))
        choices = list(itertools.product(range(3), repeat=STEPS))
        both = list(itertools.product(paths, choices))
        self.states = torch.tensor([path for path, _ in both]).T
        self.actions = torch.tensor([choice for _, choice in both]).T
        if self.allowed is not None:
            possible = self.allowed[self.states, self.actions].all(0)
            self.states, self.actions = self.states[:, possible], self.actions[:, possible]
        option = Linear(head="categorical", bias=False, initialisation="torch")
        self.policy = option.build(*spaces(self.observations.shape[1], 3), Learners([3])).double()
        (self.theta,) = self.policy.parameters()
        self.agent = reinforce(self.policy, "collect.episodes=1")

    def probabilities(self) -> torch.Tensor:
        logits = self.observations @ self.theta[0]
        if self.allowed is not None:
            logits = logits.masked_fill(~self.allowed, -torch.inf)
        chosen = logits.softmax(-1)[self.states, self.actions].prod(0)
        for t in range(STEPS - 1):
            chosen = chosen * MOVE[self.states[t], self.actions[t], self.states[t + 1]]
        return START[self.states[0]] * chosen

    def rollout(self, episodes: slice) -> Rollout:
        states, actions = self.states[:, None, episodes], self.actions[:, None, episodes]
        mask = torch.ones(states.shape, dtype=torch.bool)
        found = rollout_of(self.observations[states], actions, REWARD[states, actions], mask)
        masks = None if self.allowed is None else self.allowed[states]
        return dataclasses.replace(found, action_masks=masks)


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request) -> Case:
    return Case(*request.param)


def exact_gradient(case: Case) -> torch.Tensor:
    objective = (case.probabilities() * REWARD[case.states, case.actions].sum(0)).sum()
    return torch.autograd.grad(objective, case.theta)[0].flatten()


def test_the_trajectories_are_all_of_them(case):
    torch.testing.assert_close(case.probabilities().sum(), torch.tensor(1.0, dtype=F64))


@pytest.mark.parametrize("baseline", [0.0, 1.3])
def test_the_expected_estimate_is_the_gradient_of_the_objective(case, baseline):
    mean = torch.zeros(case.theta.numel(), dtype=F64)
    for m, p in enumerate(case.probabilities().detach()):
        rollout = case.rollout(slice(m, m + 1))
        returns = RewardToGo(exact_discount=False)(rollout, None, torch.ones(1, dtype=F64))
        loss = total_loss(case.agent, rollout, returns - baseline)
        mean += p * torch.autograd.grad(-loss.sum(), case.theta)[0].flatten()
    torch.testing.assert_close(mean, exact_gradient(case), rtol=0, atol=1e-10)


def test_the_gradients_of_single_episodes_are_unbiased(case):
    rollout = case.rollout(slice(None))
    returns = RewardToGo(exact_discount=False)(rollout, None, torch.ones(1, dtype=F64))
    found = episode_gradients(case.policy, rollout, returns)[0]
    mean = (case.probabilities().detach()[:, None] * found).sum(0)
    torch.testing.assert_close(mean, exact_gradient(case), rtol=0, atol=1e-10)


def test_without_masks_the_estimate_would_not_be_the_gradient():
    """The masks matter: probabilities over all actions are another policy's."""
    case = Case(*CASES["masked"])
    rollout = dataclasses.replace(case.rollout(slice(None)), action_masks=None)
    returns = RewardToGo(exact_discount=False)(rollout, None, torch.ones(1, dtype=F64))
    found = episode_gradients(case.policy, rollout, returns)[0]
    mean = (case.probabilities().detach()[:, None] * found).sum(0)
    assert (mean - exact_gradient(case)).norm() > 0.1 * exact_gradient(case).norm()
