"""The gradient of each episode by itself equals what autograd gives for one episode after another."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from pg_experiments.algorithm import scores
from pg_experiments.algorithm.scores import episode_gradients
from pg_experiments.policy import GRU, MLP, Linear, ModulePolicy
from pg_experiments.policy.policy import Policy
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.rollout import Rollout
from pg_experiments.tensors.sequences import Sequences, sequence_steps
from pg_experiments.tensors.sparse import SparseSteps, StepsByRow
from tests.conftest import rollout_of, spaces

SIZE = 4  # of an observation


@dataclasses.dataclass(frozen=True)
class TanhModule(ModulePolicy):
    """A module of PyTorch's, which is stacked."""

    def module(self, observation_shape: tuple[int, ...], outputs: int) -> nn.Module:
        return nn.Sequential(nn.Linear(observation_shape[0], 5), nn.Tanh(), nn.Linear(5, outputs))


def perceptron(**changes) -> MLP:
    values = {"head": "categorical", "hidden": 6, "layers": 2, "activation": "tanh", "dropout": 0.0, "bias": True}
    return MLP(**{**values, "initialisation": "torch", **changes})


POLICIES = {
    "mlp": perceptron(),
    "dropout": perceptron(dropout=0.5, activation="relu"),
    "bernoulli": perceptron(head="bernoulli", bias=False, layers=1, activation="leaky_relu"),
    "linear": Linear(head="categorical", bias=True, initialisation="torch"),
    "module": TanhModule(),
    "layer norm": perceptron(dropout=0.5, norm="layer"),
}


def policy_of(option, learners: int, dtype: torch.dtype = torch.float64) -> Policy:
    own = {"policy.dropout": [0.5, 0.25, 0.75, 0.5][:learners]} if getattr(option, "dropout", 0.0) else {}
    return option.build(*spaces(SIZE, 2), Learners(range(learners), own)).to(dtype)


def batch(policy: Policy, learners: list[int], lengths: list[list[int]]) -> Rollout:
    """Random steps of episodes of these lengths, [R][E]; what is behind their ends is not a number."""
    generator = torch.Generator().manual_seed(5)
    counts = torch.tensor(lengths)
    T = int(counts.max())
    mask = torch.arange(T).view(-1, 1, 1) < counts
    dtype = next(policy.parameters()).dtype
    observations = torch.randn(*mask.shape, SIZE, generator=generator, dtype=dtype)
    observations[~mask] = torch.nan
    actions = torch.randint(2, mask.shape, generator=generator)
    noise = torch.rand(*mask.shape, *policy.network.noise_shape, generator=generator) < 0.5
    rollout = rollout_of(observations, actions, torch.zeros(mask.shape), mask)
    masks = noise if policy.has_noise else None
    return dataclasses.replace(rollout, learners=torch.tensor(learners), dropout_masks=masks)


def weights_of(rollout: Rollout) -> torch.Tensor:
    generator = torch.Generator().manual_seed(6)
    weights = torch.randn(rollout.mask.shape, generator=generator, dtype=torch.float64)
    return torch.where(rollout.mask, weights, torch.nan)


def one_by_one(policy: Policy, rollout: Rollout, weights: torch.Tensor) -> torch.Tensor:
    """[R, E, P], with a call of autograd for each."""
    found = []
    for r, learner in enumerate(rollout.learners.tolist()):
        bound = policy.bind(torch.tensor([learner]))
        for e in range(rollout.mask.shape[2]):
            T = int(rollout.mask[:, r, e].sum())
            noise = None if rollout.dropout_masks is None else rollout.dropout_masks[:T, r, e][None]
            outputs = bound(rollout.observations[:T, r, e][None], noise)
            log_probs = policy.head.at(outputs).log_prob(rollout.actions[:T, r, e][None])
            total = (weights[:T, r, e] * log_probs[0]).sum()
            gradients = torch.autograd.grad(total, list(policy.parameters()), retain_graph=True)
            found.append(torch.cat([g[learner].flatten() for g in gradients]))
    return torch.stack(found).view(len(rollout.learners), -1, found[0].numel())


@pytest.mark.parametrize(
    ("learners", "lengths"),
    [([0], [[3, 1, 140]]), ([0, 1, 2], [[2, 7], [130, 1], [4, 4]]), ([2, 0], [[5, 2], [1, 3]])],
    ids=["one learner", "three learners", "two of three learners"],
)
@pytest.mark.parametrize("option", POLICIES.values(), ids=POLICIES)
def test_each_episodes_gradient_equals_that_of_autograd_for_it_alone(option, learners, lengths):
    policy = policy_of(option, max(learners) + 1)
    rollout = batch(policy, learners, lengths)
    weights = weights_of(rollout)
    found = episode_gradients(policy, rollout, weights)
    torch.testing.assert_close(found, one_by_one(policy, rollout, weights), rtol=1e-10, atol=1e-12)


def test_a_recurrent_policys_are_those_of_autograd_through_time_within_each_column():
    option = GRU(head="categorical", hidden=5, initialisation="torch")
    policy = policy_of(option, 3)
    rollout = batch(policy, [2, 0], [[3, 70, 1], [5, 2, 70]])
    generator = torch.Generator().manual_seed(7)
    states = torch.randn(2, 3, 5, generator=generator, dtype=torch.float64)
    over = torch.rand(rollout.mask.shape, generator=generator) < 0.2
    observations = torch.where(rollout.mask[..., None], rollout.observations, 0.0)
    rollout = dataclasses.replace(rollout, observations=sequence_steps(observations, states, over))
    weights = weights_of(rollout)
    found = episode_gradients(policy, rollout, weights)
    for r, learner in enumerate([2, 0]):
        bound = policy.bind(torch.tensor([learner]))
        for e in range(3):
            T = int(rollout.mask[:, r, e].sum())
            fresh = rollout.observations.fresh[:T, r, e].view(1, T, 1)
            outputs = bound(Sequences(observations[:T, r, e][None], states[r, e].view(1, 1, 5), fresh))
            log_probs = policy.head.at(outputs).log_prob(rollout.actions[:T, r, e][None])[0]
            total = (weights[:T, r, e] * log_probs).sum()
            gradients = torch.autograd.grad(total, list(policy.parameters()), retain_graph=True)
            expected = torch.cat([g[learner].flatten() for g in gradients])
            torch.testing.assert_close(found[r, e], expected, rtol=1e-10, atol=1e-12)


def test_those_of_sparse_observations_are_those_of_the_same_numbers_in_dense_form():
    policy = policy_of(perceptron(dropout=0.5), 2, torch.float32)
    rollout = batch(policy, [0, 1], [[3, 140, 1], [5, 2, 9]])
    generator = torch.Generator().manual_seed(8)
    dense = torch.randint(-1, 2, (*rollout.mask.shape, SIZE), generator=generator)
    rows, columns = dense.flatten(0, 2).nonzero(as_tuple=True)
    starts = torch.searchsorted(rows, torch.arange(rollout.mask.numel() + 1))
    row_of = torch.arange(rollout.mask.numel()).view(rollout.mask.shape)
    values = dense.flatten(0, 2)[rows, columns].to(torch.int8)
    sparse = dataclasses.replace(
        rollout,
        observations=SparseSteps(columns.int(), values, starts, row_of, SIZE),
        dropout_masks=StepsByRow(rollout.dropout_masks.flatten(0, 2), row_of),
    )
    weights = weights_of(rollout).float()
    expected = episode_gradients(policy, dataclasses.replace(rollout, observations=dense.float()), weights)
    torch.testing.assert_close(episode_gradients(policy, sparse, weights), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_parts_are_those_of_consecutive_episodes_and_change_nothing(size, monkeypatch):
    policy = policy_of(perceptron(dropout=0.5), 2)
    rollout = batch(policy, [0, 1], [[3, 4, 1], [5, 2, 9]])
    weights = weights_of(rollout)
    whole = episode_gradients(policy, rollout, weights)
    monkeypatch.setattr(scores, "PART", size * 2 * whole.shape[2])
    parts = list(scores.gradients_in_parts(policy, rollout, weights))
    assert [part.shape[1] for part in parts] == {1: [1, 1, 1], 2: [2, 1], 3: [3]}[size]
    torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=1e-12, atol=1e-14)


def test_in_single_precision_too():
    policy = policy_of(perceptron(), 2, torch.float32)
    rollout = batch(policy, [0, 1], [[2, 7], [130, 1]])
    weights = weights_of(rollout).float()
    found = episode_gradients(policy, rollout, weights)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, one_by_one(policy, rollout, weights), rtol=1e-4, atol=1e-5)


def test_they_leave_the_policys_gradients_alone_and_have_no_graph():
    policy = policy_of(perceptron(), 1)
    rollout = batch(policy, [0], [[2, 3]])
    assert not episode_gradients(policy, rollout, weights_of(rollout)).requires_grad
    assert all(parameter.grad is None for parameter in policy.parameters())


@pytest.mark.parametrize("other", [5, 50, 127, 300])
def test_a_neighbours_steps_change_no_bit_of_a_learners_gradients(other):
    policy = policy_of(perceptron(hidden=64), 2, torch.float32)
    alike = batch(policy, [0, 1], [[3, 2], [3, 3]])
    longer = batch(policy, [0, 1], [[3, 2], [other, other]])
    for name in ("observations", "actions"):
        getattr(longer, name)[:3, 0] = getattr(alike, name)[:, 0]
    found = [episode_gradients(policy, rollout, rollout.mask.float())[0] for rollout in (alike, longer)]
    assert torch.equal(*found)
