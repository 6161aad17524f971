"""Signal and noise of gradients, against sums written out, and against all pairs of episodes of an enumerated MDP."""

from __future__ import annotations

import pytest
import torch

from pg_experiments.algorithm import gradient_statistics as gradient_statistics_module
from pg_experiments.algorithm.gradient_statistics import GradientStatistics, gradient_statistics
from tests.test_exact_baselines import agent_of, batch, exact_gradient, mask_of
from tests.test_exact_gradient import ALL, F64, mean_and_variance, probabilities

R, N, P = 3, 7, 5


def gradients(offset: float = 0.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return offset + torch.randn(R, N, P, generator=generator, dtype=F64)


def two_pass(g: torch.Tensor) -> tuple[torch.Tensor, float]:
    """ḡ and S of gradients [n, P], with loops."""
    n = len(g)
    mean = sum(g) / n
    return mean, sum(float((each - mean).square().sum()) for each in g) / (n - 1)


@pytest.mark.parametrize("sizes", [[7], [1, 6], [1, 1, 1, 1, 1, 1, 1], [3, 4]], ids=str)
def test_mean_and_variance_are_those_of_two_passes_however_the_gradients_are_divided(sizes):
    g = gradients(offset=1e4)
    found = gradient_statistics(g.split(sizes, 1))
    assert found.count == N
    for r in range(R):
        mean, variance = two_pass(g[r])
        torch.testing.assert_close(found.mean[r], mean, rtol=1e-12, atol=0)
        assert float(found.variance[r]) == pytest.approx(variance, rel=1e-8)
        assert float(found.variance[r]) == pytest.approx(float(torch.cov(g[r].T).trace()), rel=1e-8)


def test_parameters_are_added_in_pieces_that_change_nothing(monkeypatch):
    whole = gradient_statistics([gradients()])
    monkeypatch.setattr(gradient_statistics_module, "AT_ONCE", 2 * R * N)
    in_pieces = gradient_statistics([gradients()])
    torch.testing.assert_close(in_pieces.mean, whole.mean, rtol=1e-14, atol=0)
    torch.testing.assert_close(in_pieces.variance, whole.variance, rtol=1e-14, atol=0)


def test_numbers_of_single_precision_are_added_in_double_precision():
    g = gradients(offset=1e4).float()
    found = gradient_statistics([g])
    assert found.mean.dtype == found.variance.dtype == F64
    for r in range(R):
        assert float(found.variance[r]) == pytest.approx(two_pass(g[r].double())[1], rel=1e-8)


def test_signal_noise_scale_and_snr_are_their_formulas():
    """Two gradients (3, 4) ± (1, 0): ḡ = (3, 4), S = 2, ‖G‖² = 25 − 1, noise scale 2 / 24, SNR √(24 / 1)."""
    found = gradient_statistics([torch.tensor([[[4.0, 4.0], [2.0, 4.0]]])])
    values = [float(x) for x in (found.norm, found.variance, found.signal, found.noise_scale, found.snr)]
    assert values == pytest.approx([5, 2, 24, 2 / 24, 24**0.5])
    assert float(found.snr**2) == pytest.approx(found.count / float(found.noise_scale))


def test_the_signal_is_that_of_batches_of_one_and_of_all_as_mccandlish_et_al_estimate_it():
    g = gradients(offset=0.7)
    small, big = g.square().sum(2).mean(1), g.mean(1).square().sum(1)
    torch.testing.assert_close(gradient_statistics([g]).signal, (N * big - small) / (N - 1))
    torch.testing.assert_close(gradient_statistics([g]).variance, (small - big) / (1 - 1 / N))


def test_where_noise_hides_the_signal_there_is_no_noise_scale_and_the_snr_is_zero():
    found = gradient_statistics([torch.tensor([[[1.0], [-1.0]]])])
    assert float(found.signal) == -1
    assert found.noise_scale.isnan().all()
    assert float(found.snr) == 0


def test_equal_gradients_have_a_noise_scale_of_zero_and_no_snr():
    found = gradient_statistics([torch.ones(1, 3, 2)])
    assert float(found.variance) == float(found.noise_scale) == 0
    assert found.snr.isnan().all()


@pytest.mark.parametrize("parts", [[], [torch.ones(1, 1, 4)]], ids=["none", "one"])
def test_fewer_than_two_gradients_have_no_variance(parts):
    with pytest.raises(ValueError, match="a variance needs at least 2"):
        gradient_statistics(parts)


def statistics_of_all_pairs(ends_early: bool, returns: str, discount: float) -> tuple[torch.Tensor, GradientStatistics]:
    """The probability of each pair of episodes of the enumerated MDP, and the statistics of each."""
    agent, M = agent_of(returns, "none", discount), ALL.states.shape[1]
    first, second = torch.meshgrid(torch.arange(M), torch.arange(M), indexing="ij")
    rollout = batch(torch.stack([first.flatten(), second.flatten()], 1), mask_of(ends_early))
    p = probabilities().detach()
    return (p[:, None] * p).flatten(), gradient_statistics(agent.sample_gradients(rollout))


@pytest.mark.parametrize("ends_early", [False, True], ids=["of equal length", "of random length"])
@pytest.mark.parametrize(("returns", "discount"), [("trajectory", 1.0), ("reward_to_go", 0.9)])
def test_the_expected_variance_of_two_episodes_is_the_exact_one_and_the_expected_signal_that_of_the_exact_gradient(
    returns, discount, ends_early
):
    agent, mask = agent_of(returns, "none", discount), mask_of(ends_early)
    every = torch.arange(ALL.states.shape[1])[:, None]
    (each,) = agent.sample_gradients(batch(every, mask))  # of one episode at a time
    mean, variance = mean_and_variance(each[:, 0])
    exact = exact_gradient(discount, mask)
    torch.testing.assert_close(mean, exact, rtol=0, atol=1e-10)
    p, found = statistics_of_all_pairs(ends_early, returns, discount)
    torch.testing.assert_close(p @ found.mean, exact, rtol=0, atol=1e-10)
    assert float(p @ found.variance) == pytest.approx(variance, rel=1e-10)
    assert float(p @ found.signal) == pytest.approx(float(exact.square().sum()), rel=1e-10)
