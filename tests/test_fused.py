"""The fused perceptron computes what automatic differentiation does."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from pg_experiments.optimizer.rules import SGD
from pg_experiments.optimizer.stacked import StackedOptimizer
from pg_experiments.tensors.compiled_perceptron import LARGEST
from pg_experiments.tensors.networks import with_input_pullback, with_pullback
from pg_experiments.tensors.perceptron_memory import is_for
from pg_experiments.tensors.stacked import StackedMLP, perceptron

BLOCK = LARGEST // 64**2  # steps in a block of the compiled loops, with at most 64 hidden units


def stack(R: int, widths: tuple[int, ...], *, bias: bool) -> list[tuple[torch.Tensor, torch.Tensor | None]]:
    layers = []
    for inputs, outputs in pairwise(widths):
        weight = (torch.randn(R, inputs, outputs) / inputs**0.5).requires_grad_()
        layers.append((weight, torch.randn(R, 1, outputs, requires_grad=True) if bias else None))
    return layers


def in_double(layers):
    return [tuple(None if t is None else t.detach().double().requires_grad_() for t in layer) for layer in layers]


def gradients(x, layers, *arguments) -> list[torch.Tensor]:
    """Outputs, and gradients of a weighted sum of them."""
    outputs = perceptron(x, layers, *arguments)
    weights = torch.linspace(-1, 1, outputs.numel(), dtype=x.dtype).view(outputs.shape).sin()
    tensors = [x, *(tensor for layer in layers for tensor in layer if tensor is not None)]
    return [outputs.detach(), *torch.autograd.grad((outputs * weights).sum(), tensors)]


@pytest.mark.parametrize("R", [1, 3])
@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dropout", ["none", "one scale", "a scale for each learner"])
@pytest.mark.parametrize("widths", [(5, 2), (4, 24, 2), (3, 24, 24, 24, 1), (2, 20, 20, 18), (2, 130, 130, 2)])
def test_outputs_and_gradients_are_those_of_automatic_differentiation(R, activation, bias, dropout, widths):
    torch.manual_seed(0)
    layers = stack(R, widths, bias=bias)
    x = torch.randn(R, 21, widths[0], requires_grad=True)
    masks, scale = None, 1.0
    if dropout != "none":
        masks = torch.rand(R, 21, len(widths) - 2, widths[1]) > 0.4
        scale = 1.5 if dropout == "one scale" else torch.linspace(1, 2, R).view(-1, 1, 1)
    exact_scale = scale if isinstance(scale, float) else scale.double()
    expected = gradients(x.detach().double().requires_grad_(), in_double(layers), activation, masks, exact_scale)
    found = gradients(x, layers, activation, masks, scale)
    for ours, exact in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, exact.float(), rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        assert torch.equal(perceptron(x, layers, activation, masks, scale), found[0])


@pytest.mark.parametrize("N", [1, BLOCK - 1, 2 * BLOCK + 5])
@pytest.mark.parametrize("threads", [1, 2])
def test_compiled_loops_add_up_the_gradients_of_all_blocks_on_any_number_of_threads(N, threads, monkeypatch):
    monkeypatch.setattr("pg_experiments.tensors.threads.LITTLE", 0)
    torch.manual_seed(0)
    layers, x = stack(3, (4, 16, 16, 2), bias=True), torch.randn(3, N, 4, requires_grad=True)
    assert is_for([weight for weight, _ in layers], [bias for _, bias in layers])
    expected = gradients(x.detach().double().requires_grad_(), in_double(layers), "tanh")
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    for ours, exact in zip(gradients(x, layers, "tanh"), expected, strict=True):
        torch.testing.assert_close(ours, exact.float(), rtol=1e-4, atol=1e-5)


def test_a_learners_gradient_has_the_same_bits_whatever_its_neighbours_are():
    torch.manual_seed(0)
    layers, x = stack(3, (4, 32, 32, 2), bias=True), torch.randn(3, 50, 4, requires_grad=True)
    others = [
        tuple(torch.cat([t[:1].detach(), t[1:].detach() + 1]).requires_grad_() for t in layer) for layer in layers
    ]
    moved = torch.cat([x[:1].detach(), x[1:].detach() - 1]).requires_grad_()
    for first, second in zip(gradients(x, layers, "tanh")[1:], gradients(moved, others, "tanh")[1:], strict=True):
        assert torch.equal(first[0], second[0])


def test_units_that_are_not_finite_reach_the_gradient():
    layers = stack(1, (2, 20, 1), bias=True)
    x = torch.full((1, 3, 2), torch.nan, requires_grad=True)
    assert all(found.isnan().any() for found in gradients(x, layers, "tanh")[:3])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("learners", [[0, 1, 2], [0, 2]], ids=["all", "some"])
@pytest.mark.parametrize("dropout", [None, torch.tensor([0.1, 0.3, 0.5])], ids=["no dropout", "dropout"])
@pytest.mark.parametrize("of_optimizer", [False, True], ids=["", "in an optimizer's memory"])
def test_a_pullback_adds_the_gradient_of_automatic_differentiation_to_what_is_there(
    dtype, learners, dropout, of_optimizer
):
    torch.manual_seed(0)
    settings = {"hidden": 16, "layers": 2, "activation": "tanh", "bias": True, "dropout": dropout}
    network = StackedMLP(3, 4, 2, **settings).to(dtype)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter)
    if of_optimizer:
        StackedOptimizer(network.named_parameters(), SGD(0.1, weight_decay=0.0, momentum=0.0))
        in_place = network.bind(torch.tensor(learners)).memory is not None
        assert in_place == (dtype == torch.float32 and len(learners) == 3)
    x = torch.randn(len(learners), 20, 4, dtype=dtype)
    noise = None if dropout is None else (torch.rand(len(learners), 20, 2, 16) > 0.3).to(dtype)
    weights = torch.randn(len(learners), 20, 2, dtype=dtype)
    bound = network.bind(torch.tensor(learners))
    expected = torch.autograd.grad((bound(x, noise) * weights).sum(), list(network.parameters()))
    for times in (1, 2):
        outputs, pull_back = with_pullback(network.bind(torch.tensor(learners)), x, noise)
        assert not outputs.requires_grad
        torch.testing.assert_close(outputs, bound(x, noise).detach())
        pull_back(weights)
        for parameter, gradient in zip(network.parameters(), expected, strict=True):
            torch.testing.assert_close(parameter.grad, times * gradient, rtol=1e-4, atol=1e-4)
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    with_pullback(network.bind(torch.tensor(learners)), x, noise)[1](weights)
    for parameter, gradient in zip(network.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, 1 + gradient, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("learners", [[0, 1, 2], [0, 2]], ids=["all", "some"])
@pytest.mark.parametrize("of_optimizer", [False, True], ids=["", "in an optimizer's memory"])
def test_a_pullback_to_the_input_is_that_of_automatic_differentiation_and_leaves_parameters_alone(
    dtype, layers, learners, of_optimizer
):
    torch.manual_seed(0)
    network = StackedMLP(3, 4, 2, hidden=16, layers=layers, activation="leaky_relu", bias=True).to(dtype)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter)
    if of_optimizer:
        StackedOptimizer(network.named_parameters(), SGD(0.1, weight_decay=0.0, momentum=0.0))
    bound = network.bind(torch.tensor(learners))
    x, weights = (torch.randn(len(learners), 20, n, dtype=dtype) for n in (4, 2))
    shown = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad((bound(shown) * weights).sum(), shown)
    outputs, pull_back = with_input_pullback(bound, x)
    assert not outputs.requires_grad
    torch.testing.assert_close(outputs, bound(x).detach())
    torch.testing.assert_close(pull_back(weights), expected, rtol=1e-4, atol=1e-4)
    assert all(parameter.grad is None for parameter in network.parameters())
