"""On an enumerated MDP, what is reported of each estimator is what is true of it, within the intervals.

The MDP is that of test_exact_gradient.py. A batch has two episodes, so there are 64² batches: each estimator's gradient
is computed for all of them by the project's own code, its exact mean and variance are sums over them, and a repetition
of an experiment is a draw of batches with their probabilities.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from scipy.stats import binom

from pg_experiments.algorithm.gradient_statistics import gradient_statistics
from pg_experiments.estimators.statistics import Products, SideBySide, squared_mean, trace_of_covariance
from tests.test_exact_baselines import M, agent_of, batch, mask_of
from tests.test_exact_gradient import F64, THETA, probabilities

SIZE = 2  # episodes of a batch
BATCHES = 60
REPETITIONS = 120
COVERAGE = 0.95
FALSE_ALARM = 1e-4  # of each claim, if intervals cover with the probability that they state
KINDS = {  # returns, baseline, discount; whether the gradient is that of the undiscounted return; divided by its length
    "trajectory": ("trajectory", "none", 1.0, True, False),
    "reward-to-go": ("reward_to_go", "none", 1.0, True, False),
    "reward-to-go, leave_one_out": ("reward_to_go", "leave_one_out", 1.0, True, False),
    "reward-to-go, time_dependent": ("reward_to_go", "time_dependent", 1.0, True, False),
    "reward-to-go, mean": ("reward_to_go", "mean", 1.0, False, False),
    "reward-to-go γ=0.5": ("reward_to_go", "none", 0.5, False, False),
    "discounted, divided by its length": ("reward_to_go", "none", 0.5, False, True),
}


@functools.cache
def gradients(name: str) -> np.ndarray:
    """The gradient of every batch, [64², 4]: the mean over its episodes of Σ_t A_t ∇ log π(a_t | s_t)."""
    returns, baseline, discount, *_ = KINDS[name]
    first, second = torch.meshgrid(torch.arange(M), torch.arange(M), indexing="ij")
    rollout = batch(torch.stack([first.flatten(), second.flatten()], 1), mask_of(True))
    advantages = agent_of(returns, baseline, discount).credit(rollout).advantages
    states, actions = rollout.observations, torch.nn.functional.one_hot(rollout.actions, 2).to(F64)
    scores = states[..., :, None] * (actions - (states @ THETA.detach()[0]).softmax(-1))[..., None, :]
    weighted = torch.where(rollout.mask[..., None], advantages[..., None] * scores.flatten(-2), 0.0)
    return weighted.sum(0).mean(1).numpy()


@functools.cache
def weights() -> np.ndarray:
    p = probabilities().detach()
    return (p[:, None] * p).flatten().numpy()


def moments(name: str) -> tuple[np.ndarray, float]:
    """The exact mean, and the trace of the covariance for one episode."""
    mean = weights() @ gradients(name)
    return mean, SIZE * float(weights() @ ((gradients(name) - mean) ** 2).sum(1))


def truth(name: str) -> dict[str, float]:
    (mean, variance), (_, of_reinforce) = moments(name), moments("trajectory")
    true = moments("reward-to-go, leave_one_out")[0]
    length = float(mean @ true / (true @ true))
    factor = 1 / length if KINDS[name][4] else 1.0
    return {
        "variance": factor**2 * variance / of_reinforce,
        "bias": float(np.linalg.norm(factor * mean - true) / np.linalg.norm(true)),
        "snr": float(np.linalg.norm(mean)) / variance**0.5,
        "episodes": (variance / (mean @ mean)) / (of_reinforce / (true @ true)),
    }


@functools.cache
def covered() -> dict[tuple[str, str], int]:
    """How often each interval has the truth in it."""
    generator = np.random.default_rng(5)
    truths, found = (
        {name: truth(name) for name in KINDS},
        dict.fromkeys(((name, number) for name in KINDS for number in ("variance", "bias", "snr", "episodes")), 0),
    )
    for _ in range(REPETITIONS):
        drawn = generator.choice(M * M, size=BATCHES, p=weights() / weights().sum())
        sample = {name: gradients(name)[drawn] for name in KINDS}
        unbiased, reinforce = sample["reward-to-go, leave_one_out"], sample["trajectory"]
        side_by_side = SideBySide(reinforce @ reinforce.T, unbiased @ unbiased.T, SIZE)
        for name, own in sample.items():
            products = Products(own @ own.T, own @ unbiased.T)
            measured = side_by_side.measure(products, is_unbiased=KINDS[name][3], normalises=KINDS[name][4])
            for number, true in truths[name].items():
                estimate = getattr(measured, number)
                found[name, number] += estimate.low - 1e-9 <= true <= estimate.high + 1e-9
    return found


@pytest.mark.parametrize("number", ["variance", "bias", "snr", "episodes"])
@pytest.mark.parametrize("name", KINDS)
def test_the_truth_is_in_the_interval_in_95_of_100_repetitions(name, number):
    least = binom.ppf(FALSE_ALARM, REPETITIONS, COVERAGE)
    assert covered()[name, number] >= least


def test_intervals_of_the_variance_are_not_wider_than_they_need_to_be():
    """They cover in fewer than 98 of 100 repetitions."""
    numbers = [covered()[name, "variance"] for name in KINDS if name != "trajectory"]
    assert sum(numbers) < binom.ppf(1 - FALSE_ALARM, len(numbers) * REPETITIONS, 0.98)


def test_without_resampling_the_numbers_are_those_of_the_statistics_while_training():
    """`diagnostics=gradients` has other formulas for the same: means and deviations in place of inner products."""
    generator = torch.Generator().manual_seed(3)
    own = 0.5 + torch.randn(40, 6, generator=generator, dtype=F64)
    expected = gradient_statistics([own[None]])
    products = (own @ own.T).numpy()
    side_by_side = SideBySide(products, products, SIZE)
    everything = np.ones((1, 40))
    assert squared_mean(products, everything)[0] == pytest.approx(float(expected.signal))
    assert trace_of_covariance(products, everything, SIZE)[0] == pytest.approx(SIZE * float(expected.variance))
    measured = side_by_side.measure(Products(products, products), is_unbiased=True, normalises=False)
    assert measured.snr.value == pytest.approx(float(expected.snr) / (40 * SIZE) ** 0.5)
    assert measured.variance.value == measured.length == 1
    assert measured.bias_in_errors == 0


def test_a_constant_factor_is_neither_bias_nor_variance_of_an_estimator_that_normalises():
    generator = torch.Generator().manual_seed(3)
    unbiased, own = (0.5 + torch.randn(40, 6, generator=generator, dtype=F64) for _ in range(2))
    side_by_side = SideBySide((own @ own.T).numpy(), (unbiased @ unbiased.T).numpy(), SIZE)
    one, ten = (
        side_by_side.measure(Products((x @ x.T).numpy(), (x @ unbiased.T).numpy()), is_unbiased=False, normalises=True)
        for x in (own, 10 * own)
    )
    assert ten.length == pytest.approx(10 * one.length)
    for name in ("variance", "bias", "snr", "episodes"):
        assert getattr(ten, name) == pytest.approx(getattr(one, name))
    assert ten.bias_in_errors == pytest.approx(one.bias_in_errors)


def test_the_mdp_has_what_it_takes_to_tell_mistakes_apart():
    """Baselines and discounts change variance and bias by more than the width of an interval."""
    found = {name: truth(name) for name in KINDS}
    assert found["reward-to-go"]["variance"] < 0.7
    assert found["reward-to-go, leave_one_out"]["variance"] < 0.5
    assert found["reward-to-go, mean"]["bias"] > 0.15
    assert found["reward-to-go γ=0.5"]["bias"] > 0.01
    assert all(found[name]["bias"] < 1e-12 for name, kind in KINDS.items() if kind[3])
