"""Acting in one compiled call says what the network of torch says."""

import itertools

import numpy as np
import pytest
import torch

from pg_experiments.compiled import compiled
from pg_experiments.policy.acting import Acting
from pg_experiments.sparse import SparseRows
from pg_experiments.stacked import StackedMLP, perceptron
from pg_experiments.streams import Purpose

E, D, H, K = 5, 40, 7, 3


@pytest.mark.parametrize(
    ("R", "layers", "bias", "activation", "dropout"),
    list(itertools.product((1, 3), (0, 1, 2), (False, True), ("relu", "leaky_relu", "tanh"), (False, True))),
)
def test_compiled_logits_are_those_of_the_perceptron(R, layers, bias, activation, dropout):
    network = StackedMLP(R, D, K, hidden=H, layers=layers, activation=activation, bias=bias)
    network.initialise(range(R), Purpose.POLICY_PARAMETERS, "torch", 1.0)
    stream = np.random.default_rng(0)
    dense = stream.choice([-1, 0, 1], (R, E, D), p=[0.1, 0.8, 0.1]).astype(np.int8)
    dense[0, 2] = 0  # one that saw nothing
    masks = torch.from_numpy(stream.random((R, E, layers, H)) < 0.5).float() if dropout and layers else None
    scale = 1.0 if masks is None else 2.0

    rows, columns = dense.reshape(R * E, D).nonzero()
    counts = np.bincount(rows, minlength=R * E)
    numbers = (columns + rows // E * D).astype(np.int32)
    parameters = network.layers_of(torch.arange(R))
    ours = Acting(parameters, activation, scale)(
        numbers, dense.reshape(R * E, D)[rows, columns], counts, None if masks is None else masks.numpy()
    )

    starts = torch.from_numpy(counts.cumsum() - counts)
    values = torch.from_numpy(dense.reshape(R * E, D)[rows, columns]).float()
    sparse = SparseRows(torch.from_numpy(numbers).long(), values, starts, (R, E, D))
    for x in (sparse, torch.from_numpy(dense).float()):
        expected = perceptron(x, parameters, activation, masks, scale).detach().numpy()
        np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-6)


def test_where_what_was_compiled_cannot_be_kept_it_is_compiled_all_the_same():
    scope: dict = {}
    exec("def total(x):\n    s = 0\n    for i in range(len(x)):\n        s += x[i]\n    return s", scope)
    assert compiled(scope["total"])(np.arange(4)) == 6, "of a function without a file Numba can keep nothing"
