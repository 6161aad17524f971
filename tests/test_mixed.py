"""Where the pathwise gradient is wrong, a mixture with the score function's is not.

Tests with random numbers have a fixed seed. |z| > 4.5 comes by chance once in 150,000 comparisons.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from pg_experiments.algorithm.mixed import MixedAgent, mixture, pathwise_weight
from pg_experiments.algorithm.scores import episode_gradients
from pg_experiments.env.differentiable import ball_wall
from tests.conftest import make_run

LARGEST_Z = 4.5

SAMPLES = 4000
CONSTANT = ("policy=linear", "policy.bias=true", "collect=episodes", f"collect.episodes={SAMPLES}", "baseline=none")


def both_gradients(name: str, mean: float, std: float) -> tuple[Tensor, Tensor]:
    """[E] each: the pathwise and the score-function gradient by μ, of one step with the action a ~ N(μ, σ²)."""
    settings = ("algorithm=mixed", f"env={name}", *CONSTANT, f"policy.initial_std={std}", "policy.max_std=100")
    run = make_run("device=cpu", *settings)
    with torch.no_grad():
        policy = run.agent.policy.network.network
        policy.weights[0].zero_()
        policy.biases[0].fill_(mean)
    rollout, agent = run.collector.collect(0, np.arange(1)), run.agent
    assert isinstance(agent, MixedAgent)
    places = [n for n, _ in agent.policy.named_parameters()]
    sizes = [p[0].numel() for p in agent.policy.parameters()]
    place = sum(sizes[: places.index("network.network.biases.0")])
    score = episode_gradients(agent.policy, rollout, agent.credit(rollout).advantages)
    return agent.pathwise_gradients(rollout)[0, :, place].double(), score[0, :, place].double()


def z_of(samples: Tensor, expected: float) -> float:
    return abs((samples.mean() - expected) / (samples.std() / math.sqrt(len(samples)))).item()


def test_at_a_step_the_pathwise_gradient_is_zero_without_variance_and_the_score_function_has_no_bias():
    mean, std = 0.8, 0.5
    pathwise, score = both_gradients("heaviside", mean, std)
    x = (mean - 1) / std
    exact = math.exp(-0.5 * x * x) / math.sqrt(2 * math.pi) / std
    assert exact > 0.7
    assert not pathwise.any()
    assert z_of(score, exact) < LARGEST_Z


def integrated(mean: float, std: float) -> tuple[float, float]:
    """The derivative of E[distance] by μ, and E[derivative of the distance], by the trapezoidal rule."""
    angles = torch.linspace(mean - 8 * std, mean + 8 * std, 200_001, dtype=torch.float64).requires_grad_()
    _, distances = ball_wall.BallWall().step(torch.ones(len(angles), 1), angles[:, None])
    (slopes,) = torch.autograd.grad(distances.sum(), angles)
    z = (angles.detach() - mean) / std
    density = torch.exp(-0.5 * z.square()) / math.sqrt(2 * math.pi) / std
    exact = torch.trapezoid(distances.detach() * density * z / std, angles.detach())
    return exact.item(), torch.trapezoid(slopes * density, angles.detach()).item()


def test_at_a_wall_the_pathwise_gradient_has_the_bias_of_the_jump_and_the_score_function_has_none():
    mean, std = math.radians(47), 0.1
    pathwise, score = both_gradients("ball_wall", mean, std)
    exact, biased = integrated(mean, std)
    assert exact > 5 > 0 > biased, "it points away from clearing the wall"
    assert z_of(pathwise, biased) < LARGEST_Z
    assert z_of(score, exact) < LARGEST_Z
    assert z_of(pathwise, exact) > 50


def smooth(*overrides: str) -> tuple[Tensor, Tensor]:
    """[R, E, P] each, of a short smooth problem."""
    settings = ("algorithm=mixed", "env=double_pendulum", "env.horizon=5", "collect.episodes=500")
    run = make_run("device=cpu", "policy.hidden=6", "policy.layers=1", *settings, *overrides)
    rollout, agent = run.collector.collect(0, np.arange(1)), run.agent
    assert isinstance(agent, MixedAgent)
    score = episode_gradients(agent.policy, rollout, agent.credit(rollout).advantages)
    return agent.pathwise_gradients(rollout), score


def test_on_a_smooth_problem_both_are_the_same_in_the_mean_and_the_pathwise_one_has_far_less_variance():
    pathwise, score = smooth()
    along = torch.randn(pathwise.shape[2], generator=torch.Generator().manual_seed(0))
    assert z_of(((pathwise - score) @ along)[0].double(), 0.0) < LARGEST_Z
    assert pathwise.mean(1).norm() > 0
    assert score.var(1).sum() > 100 * pathwise.var(1).sum()


def test_a_mixture_is_the_pathwise_gradient_where_that_is_right_and_the_score_function_where_it_is_not():
    assert pathwise_weight(*smooth(), confidence=2.0).item() > 0.99
    for name, mean in (("heaviside", 0.8), ("ball_wall", math.radians(47))):
        pathwise, score = (g[None, :, None] for g in both_gradients(name, mean, 0.1 if name == "ball_wall" else 0.5))
        weight = pathwise_weight(pathwise, score, confidence=2.0)
        assert weight.item() < 0.2
        error = (mixture(pathwise, score, weight).mean(1) - score.mean(1)).norm()
        assert error.item() == pytest.approx(2 * (score.std() / math.sqrt(SAMPLES)).item(), rel=1e-4)


def test_the_weight_is_that_of_the_inverse_variances_and_is_lowered_by_the_distance():
    score = torch.tensor([[[3.0, 0.0], [-3.0, 0.0]]])  # the variance of one is 18, and of the mean of two 9
    pathwise = torch.tensor([[[0.0, 1.0], [0.0, -1.0]]])  # 2 and 1
    assert pathwise_weight(pathwise, score, confidence=2.0).item() == pytest.approx(0.9)
    assert pathwise_weight(pathwise + 12, score, confidence=2.0).item() == pytest.approx(6 / math.hypot(12, 12))
    nowhere = torch.full_like(pathwise, torch.nan)
    assert pathwise_weight(nowhere, score, confidence=2.0).item() == 0
    assert torch.equal(mixture(nowhere, score, torch.zeros(1)), score)
