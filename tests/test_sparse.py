"""A first layer that sums what is not zero is the product with all of it."""

from __future__ import annotations

import pytest
import torch

from pg_experiments.tensors.sparse import SparseRows
from pg_experiments.tensors.stacked import StackedMLP, perceptron
from pg_experiments.tensors.streams import Purpose
from tests.conftest import dense_of


def sparse_rows(dense: torch.Tensor) -> SparseRows:
    R, N, D = dense.shape
    rows, columns = dense.reshape(R * N, D).nonzero(as_tuple=True)
    starts = torch.searchsorted(rows, torch.arange(R * N))
    return SparseRows(columns + rows // N * D, dense.reshape(R * N, D)[rows, columns], starts, (R, N, D))


@pytest.mark.parametrize("R", [1, 3])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dropout", [True, False])
def test_sparse_and_dense_first_layers_agree_forward_and_backward(R, bias, dropout):
    generator = torch.Generator().manual_seed(R)
    network = StackedMLP(R, 500, 1, hidden=20, layers=1, activation="leaky_relu", bias=bias)
    network.initialise(range(R), Purpose.POLICY_PARAMETERS, "torch", 1.0)
    kept = torch.rand(R, 40, 500, generator=generator) < 0.03
    dense = torch.where(kept, torch.randint(0, 2, kept.shape, generator=generator) * 2.0 - 1, 0.0)
    dense[:, 7] = 0.0
    sparse = sparse_rows(dense)
    assert torch.equal(dense_of(sparse), dense)
    masks = (torch.rand(R, 40, 1, 20, generator=generator) < 0.5).float() if dropout else None
    weigh = torch.randn(R, 40, 1, generator=generator)
    results = []
    for x in (dense, sparse):
        network.zero_grad()
        out = perceptron(x, network.bind().layers, "leaky_relu", masks, 2.0)
        (out * weigh).sum().backward()
        results.append([out.detach(), *(p.grad.clone() for p in network.parameters())])
    for of_dense, of_sparse in zip(*results, strict=True):
        torch.testing.assert_close(of_sparse, of_dense, rtol=1e-5, atol=1e-5)
