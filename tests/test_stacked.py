"""Stacked networks: how each learner's parameters are drawn, and whose are used."""

from __future__ import annotations

import math

import pytest
import torch

from pg_experiments.policy import FIRST_POLICY_GAIN, MLP
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.stacked import StackedMLP, perceptron
from pg_experiments.tensors.streams import Purpose
from tests.conftest import spaces

INPUTS, HIDDEN, OUTPUTS = 50, 200, 100


def network(how: str, output_gain: float = 1.0) -> StackedMLP:
    stack = StackedMLP(2, INPUTS, OUTPUTS, hidden=HIDDEN, layers=1, activation="relu", bias=True)
    stack.initialise(Learners([3, 4]), Purpose.POLICY_PARAMETERS, how, output_gain)
    return stack


def test_torchs_initialisation_is_uniform_within_one_over_the_root_of_the_inputs():
    """Of 5,000 and more numbers the largest is within 1 % of the bound."""
    stack = network("torch")
    for inputs, weight, bias in zip((INPUTS, HIDDEN), stack.weights, stack.biases, strict=True):
        bound = 1 / math.sqrt(inputs)
        for learner in range(2):
            assert 0.99 * bound < float(weight[learner].abs().max()) <= bound
            assert 0.9 * bound < float(bias[learner].abs().max()) <= bound
            assert float(weight[learner].std()) == pytest.approx(bound / math.sqrt(3), rel=0.05)


def test_xaviers_initialisation_is_uniform_within_its_bound_and_biases_start_at_zero():
    stack = network("xavier")
    for fans, weight in zip((INPUTS + HIDDEN, HIDDEN + OUTPUTS), stack.weights, strict=True):
        assert 0.99 * math.sqrt(6 / fans) < float(weight.abs().max()) <= math.sqrt(6 / fans)
    assert not any(bias.any() for bias in stack.biases)


def test_orthogonal_layers_keep_lengths_times_their_gain_and_the_last_has_a_gain_of_its_own():
    first, last = (weight.detach() for weight in network("orthogonal", output_gain=0.1).weights)
    for weight, gain in ((first, math.sqrt(2)), (last.mT, 0.1)):  # relu's gain; the fewer of inputs and outputs
        square = weight @ weight.mT
        torch.testing.assert_close(square, gain**2 * torch.eye(len(square[0])).expand_as(square), rtol=0, atol=1e-5)


def test_a_first_policy_is_close_to_uniform():
    option = MLP("categorical", 64, 2, "tanh", dropout=0.0, bias=True, initialisation="orthogonal")
    x = torch.randn(1, 100, 8, generator=torch.Generator().manual_seed(0))
    logits = option.build(*spaces(8, 3), Learners([0])).bind()(x, None)
    assert 0 < float(logits.abs().max()) < 10 * FIRST_POLICY_GAIN


def test_drawing_parameters_leaves_torchs_own_random_numbers_alone():
    state = torch.get_rng_state()
    for how in ("torch", "xavier", "orthogonal"):
        network(how)
    assert torch.equal(torch.get_rng_state(), state)


def test_some_learners_layers_are_their_own_in_the_order_asked_for():
    stack = StackedMLP(3, 4, 2, hidden=5, layers=1, activation="tanh", bias=True)
    stack.initialise(Learners([0, 1, 2]), Purpose.POLICY_PARAMETERS, "torch", 1.0)
    for learners in ([2, 0], [1], [2, 0, 1]):
        for (weight, bias), weights, biases in zip(
            stack.bind(torch.tensor(learners)).layers, stack.weights, stack.biases, strict=True
        ):
            assert torch.equal(weight, weights[learners])
            assert torch.equal(bias, biases[learners])


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_each_hidden_layer_has_masks_of_its_own_and_the_output_has_none(scale):
    stack = StackedMLP(2, 4, 3, hidden=6, layers=2, activation="tanh", bias=True)
    stack.initialise(Learners([0, 1]), Purpose.POLICY_PARAMETERS, "torch", 1.0)
    generator = torch.Generator().manual_seed(0)
    x, masks = torch.randn(2, 5, 4, generator=generator), torch.rand(2, 5, 2, 6, generator=generator) < 0.5
    (w0, b0), (w1, b1), (w2, b2) = stack.bind().layers
    first = torch.tanh((x @ w0 + b0) * scale * masks[:, :, 0])
    second = torch.tanh((first @ w1 + b1) * scale * masks[:, :, 1])
    ours = perceptron(x, stack.bind().layers, "tanh", masks, scale)
    torch.testing.assert_close(ours, second @ w2 + b2)
