"""The network and the baseline do what they are for, for several learners at once."""

import torch
from torch.func import functional_call, stack_module_state, vmap

from pg_suggestions.baseline import BinnedMean
from pg_suggestions.network import Residual


def test_the_network_starts_even_and_learns():
    torch.manual_seed(0)
    network = Residual(2, 1, width=16, blocks=2)
    inputs = torch.rand(256, 2) * 2 - 1
    assert not network(inputs).any()
    targets = inputs.prod(1, keepdim=True).sign()  # exclusive or: no linear function fits it
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(150):
        optimizer.zero_grad()
        (network(inputs) - targets).square().mean().backward()
        optimizer.step()
    assert (network(inputs).sign() == targets).float().mean() > 0.95


def test_stacked_networks_compute_what_each_computes_by_itself():
    torch.manual_seed(0)
    networks = [Residual(3, 2, width=8, blocks=1) for _ in range(4)]
    for network in networks:
        torch.nn.init.normal_(network.last.weight)
    inputs = torch.randn(4, 5, 3)

    def call(parameters, buffers, x):
        return functional_call(networks[0], (parameters, buffers), (x,))

    stacked = vmap(call)(*stack_module_state(networks), inputs)
    torch.testing.assert_close(stacked, torch.stack([network(x) for network, x in zip(networks, inputs, strict=True)]))


def test_a_bin_is_the_decayed_mean_of_its_returns():
    baseline = BinnedMean(learners=1, bins=2, decay=0.5)
    numbers = torch.tensor([0.1, 0.2, 0.9]).view(3, 1, 1)
    mask = torch.ones(3, 1, 1, dtype=torch.bool)
    assert baseline.values(numbers).flatten().tolist() == [0, 0, 0]
    baseline.update(numbers, torch.tensor([1.0, 3.0, 7.0]).view(3, 1, 1), mask)
    assert baseline.values(numbers).flatten().tolist() == [2, 2, 7]
    baseline.update(numbers[:1], torch.tensor([6.0]).view(1, 1, 1), mask[:1])
    assert baseline.values(numbers).flatten().tolist() == [(4 / 2 + 6) / (2 / 2 + 1)] * 2 + [7]


def test_learners_are_apart_and_masked_steps_do_not_count():
    baseline = BinnedMean(learners=2, bins=4, decay=0.9)
    numbers = torch.rand(6, 2, 3, generator=torch.Generator().manual_seed(0))
    returns = torch.arange(36.0).view(6, 2, 3)
    mask = torch.ones(6, 2, 3, dtype=torch.bool)
    mask[3:, 1] = False
    returns[3:, 1] = torch.nan
    baseline.update(numbers, returns, mask)
    for learner, steps in ((0, 6), (1, 3)):
        alone = BinnedMean(learners=1, bins=4, decay=0.9)
        own = slice(learner, learner + 1)
        alone.update(numbers[:steps, own], returns[:steps, own], mask[:steps, own])
        assert torch.equal(baseline.values(numbers)[:, own], alone.values(numbers[:, own]))


def test_numbers_at_the_ends_are_in_the_first_and_the_last_bin():
    baseline = BinnedMean(learners=1, bins=10, decay=0.9)
    ends = torch.tensor([0.0, 1.0]).view(2, 1, 1)
    baseline.update(ends, torch.tensor([1.0, 2.0]).view(2, 1, 1), torch.ones(2, 1, 1, dtype=torch.bool))
    assert baseline.values(ends).flatten().tolist() == [1, 2]


def test_the_baseline_explains_most_of_what_can_be_known_of_the_return():
    """Of the return of showing everything: half of its variance is noise that no state tells."""
    from pg_suggestions.proposals import proposals

    made = proposals("training")
    returns = torch.from_numpy(made.accepted).float().view(-1, 1, 1) - 0.25
    numbers = torch.from_numpy(made.features[:, 0]).view(-1, 1, 1)
    baseline = BinnedMean(learners=1, bins=20, decay=0.9)
    baseline.update(numbers, returns, torch.ones_like(returns, dtype=torch.bool))
    assert 1 - (returns - baseline.values(numbers)).var() / returns.var() > 0.4
