"""Normalised hidden layers: those of torch for each learner, in stacked perceptrons and in runs."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

import pg_experiments
from pg_experiments.collect.compiled_player import compiled_parts
from pg_experiments.run.memory import Sizes, parameters_of
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.networks import with_pullback
from pg_experiments.tensors.normed_mlp import NormedMLP
from pg_experiments.tensors.sparse import SparseRows
from pg_experiments.tensors.stacked import StackedMLP
from pg_experiments.tensors.streams import Purpose
from tests.conftest import dense_of, make_run, one_update
from tests.saved_runs import save_run

R, N, D, H, K = 3, 7, 4, 6, 2
ACTIVATIONS = {"relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "tanh": nn.Tanh}
SMALL = ("num_seeds=2", "policy.hidden=8", "policy.layers=2", "policy.norm=layer", "collect.episodes=4")


def network(activation: str = "tanh", dropout: torch.Tensor | None = None) -> NormedMLP:
    """Perceptrons in float64 with two normalised layers, whose gains and offsets are not those of the beginning."""
    perceptrons = StackedMLP(R, D, K, hidden=H, layers=2, activation=activation, bias=True, dropout=dropout)
    perceptrons.initialise(Learners(range(R)), Purpose.POLICY_PARAMETERS, "torch", 1.0)
    made, generator = NormedMLP(perceptrons).double(), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in (made.gain, made.offset):
            parameter.add_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return made


def of_torch(made: NormedMLP, learner: int, activation: str) -> nn.ModuleList:
    """A learner's layers as modules of torch: linear map, norm, linear map, norm, linear map."""
    modules = nn.ModuleList()
    weights, biases = made.network.weights, made.network.biases
    for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        linear = nn.Linear(*weight.shape[1:], dtype=torch.float64)
        linear.weight.data, linear.bias.data = weight[learner].T.detach(), bias[learner, 0].detach()
        modules.append(linear)
        if layer < len(weights) - 1:
            norm = nn.LayerNorm(H, dtype=torch.float64)
            norm.weight.data, norm.bias.data = made.gain[learner, layer].detach(), made.offset[learner, layer].detach()
            modules.append(norm)
    return modules


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh"])
@pytest.mark.parametrize("drops", [False, True])
def test_layer_norm_of_each_learner_is_torchs_and_so_are_the_gradients_of_all_parameters(activation, drops):
    """In the order linear map, norm, dropout, activation; each learner drops units by a probability of its own."""
    rates = torch.tensor([0.5, 0.0, 0.25]) if drops else None
    made = network(activation, rates)
    generator = torch.Generator().manual_seed(1)
    x, to = (torch.randn(R, N, size, generator=generator, dtype=torch.float64) for size in (D, K))
    noise = torch.rand(R, N, 2, H, generator=generator) < 0.5 if drops else None
    outputs, pull_back = with_pullback(made.bind(), x, noise)
    pull_back(to)
    weights, biases = made.network.weights, made.network.biases
    for learner in range(R):
        modules = of_torch(made, learner, activation)
        units = x[learner]
        for layer in range(2):
            units = modules[2 * layer + 1](modules[2 * layer](units))
            if noise is not None:
                units = units * noise[learner, :, layer] / (1 - rates[learner].double())
            units = ACTIVATIONS[activation]()(units)
        theirs = modules[-1](units)
        close = partial(torch.testing.assert_close, rtol=1e-10, atol=1e-12)
        close(outputs[learner], theirs.detach())
        theirs.backward(to[learner])
        for layer in range(3):
            close(weights[layer].grad[learner], modules[2 * layer].weight.grad.T)
            close(biases[layer].grad[learner, 0], modules[2 * layer].bias.grad)
        for layer in range(2):
            close(made.gain.grad[learner, layer], modules[2 * layer + 1].weight.grad)
            close(made.offset.grad[learner, layer], modules[2 * layer + 1].bias.grad)


def test_some_learners_normalise_with_gains_and_offsets_of_their_own():
    made, x = network(), torch.randn(R, N, D, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    learners = torch.tensor([2, 0])
    torch.testing.assert_close(made.bind(learners)(x[learners]), made.bind()(x)[learners])


def test_features_are_the_last_layers_units_and_sparse_observations_have_the_same_outputs():
    made = network().float()
    dense = torch.from_numpy(np.random.default_rng(0).choice([-1.0, 0.0, 1.0], (R, N, D))).float()
    rows, columns = dense.view(R * N, D).nonzero(as_tuple=True)
    counts = torch.bincount(rows, minlength=R * N)
    sparse = SparseRows(
        columns + rows // N * D, dense.view(R * N, D)[rows, columns], counts.cumsum(0) - counts, (R, N, D)
    )
    assert torch.equal(dense_of(sparse), dense)
    bound = made.bind()
    torch.testing.assert_close(bound(sparse), bound(dense))
    (weight, bias), features = bound.network.layers[-1], bound.features(dense)
    torch.testing.assert_close(bound(dense), features @ weight + bias)
    *_, (before, after) = bound.hidden(dense)
    assert torch.equal(after, features)
    assert torch.equal(after, before.tanh())


@pytest.mark.parametrize("overrides", [(), ("policy.dropout=0", "baseline=shared_value", "algorithm=a2c")])
def test_a_run_with_layer_norm_learns_its_gains_and_a_restored_one_continues_with_the_same_bits(overrides):
    overrides = (*SMALL, *overrides) if not overrides else (*SMALL[:-1], *overrides, "collect.num_envs=2")
    run, again = make_run(*overrides), make_run(*overrides)
    assert compiled_parts(run.env, run.agent.policy, torch.device("cpu")) is None
    one_update(run, 0)
    gain = run.agent.policy.network.gain.detach()
    assert all((gain[learner] != 1).any() for learner in range(2))
    again.restore(run.state() | {"update": 1})
    one_update(run, 1), one_update(again, 1)
    for ours, theirs in zip(run.agent.policy.parameters(), again.agent.policy.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    "overrides",
    [
        ("env=pong", "env.num_envs=2", "collect.points=2", "policy.dropout=0.5"),
        ("env=pendulum",),
        ("algorithm=ppo", "normalization=running", "collect.num_envs=2", "collect.num_steps=16"),
        ("baseline=optimal", "normalization=none"),
        ("algorithm.log_probs=stored",),
    ],
    ids=lambda overrides: overrides[0],
)
def test_games_gaussian_heads_and_running_observations_learn_with_layer_norm(overrides):
    run = make_run("num_seeds=2", "policy.hidden=8", "policy.norm=layer", *overrides)
    assert one_update(run)["policy_gradient_norm"].isfinite().all()
    (gain,) = (p for name, p in run.agent.policy.named_parameters() if name.endswith("gain"))
    assert all((gain[learner] != 1).any() for learner in range(2))


def test_the_memory_of_gains_and_offsets_is_counted():
    run = make_run(*SMALL)
    counted = sum(p.numel() for p in run.agent.policy.parameters()) // 2
    assert parameters_of(run.config.policy, Sizes(4, 2)) == counted


def test_a_loaded_run_has_the_probabilities_of_the_run(tmp_path):
    path = save_run(tmp_path / "run", *SMALL, "policy.dropout=0", "env.max_episodes=8")
    loaded, x = pg_experiments.load_run(path), np.random.default_rng(0).normal(size=4).astype(np.float32)
    policy = loaded.learner(greedy=False)
    assert isinstance(policy.network, NormedMLP)
    assert (policy.network.gain != 1).any()
    with torch.no_grad():
        expected = policy.distribution(policy.bind()(torch.from_numpy(x)[None, None])).probs[0, 0]
    np.testing.assert_allclose(loaded.probabilities(x), expected, rtol=1e-6)
