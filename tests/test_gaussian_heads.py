"""Gaussian heads: densities, entropies, samples and noise against torch.distributions, SciPy and integrals."""

from __future__ import annotations

import math

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete
from scipy.integrate import quad
from scipy.stats import kstest, norm
from torch.distributions import Normal, TanhTransform, TransformedDistribution

from pg_experiments.policy import MLP, Linear
from pg_experiments.policy.compiled_heads import bound, choose_vector
from pg_experiments.policy.gaussian_heads import GaussianHead, Spread, SquashedGaussianHead
from pg_experiments.policy.gaussians import LogStd
from pg_experiments.policy.heads import Greedy, Head, head_of
from pg_experiments.policy.normal_noise import normal_noise, normal_number
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.learners import Learners

PLANE = Box(np.float32([-2, -1]), np.float32([4, 1]))
SPREAD = Spread(initial_std=0.7, max_std=3.0)
GAUSSIAN, SQUASHED = GaussianHead(PLANE, SPREAD), SquashedGaussianHead(PLANE, SPREAD)
HEADS = {"gaussian": GAUSSIAN, "squashed": SQUASHED}
MIXED = {
    "multi_discrete": head_of("auto", MultiDiscrete([2, 3]), SPREAD),
    "multi_binary": head_of("auto", MultiBinary(3), SPREAD),
}


def random_outputs(head: Head, count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, head.num_outputs, generator=generator, dtype=torch.float64)


def random_actions(head: Head, outputs: torch.Tensor, seed: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    uniform = torch.rand(*outputs.shape[:-1], head.num_noise, generator=generator)
    return head.sample(outputs, head.noise(uniform).to(outputs))


def theirs(outputs: torch.Tensor) -> Normal:
    """The normal distribution that the outputs stand for, with log σ computed from its definition."""
    mean, scale = outputs.chunk(2, -1)
    return Normal(mean, GAUSSIAN.log_std(scale)[0].exp())


@pytest.mark.parametrize("name", HEADS)
def test_tensors_and_arrays_are_brought_within_the_same_bounds(name):
    head, actions = HEADS[name], 3 * torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(head.within_bounds(actions).numpy(), head.for_environment(actions.numpy()), atol=1e-6)
    assert torch.autograd.gradcheck(head.within_bounds, (actions.double().requires_grad_(),))


def test_gaussian_log_probabilities_and_entropies_are_those_of_torch():
    outputs = random_outputs(GAUSSIAN, 50)
    actions, ours = random_actions(GAUSSIAN, outputs), GAUSSIAN.at(outputs)
    torch.testing.assert_close(ours.log_prob(actions), theirs(outputs).log_prob(actions).sum(-1))
    torch.testing.assert_close(ours.entropy, theirs(outputs).entropy().sum(-1))


def test_squashed_log_probabilities_are_those_of_torch_for_the_tanh_of_the_action():
    outputs = random_outputs(SQUASHED, 50)
    actions = random_actions(SQUASHED, outputs)
    squashed = TransformedDistribution(theirs(outputs), TanhTransform(cache_size=1))
    torch.testing.assert_close(SQUASHED.at(outputs).log_prob(actions), squashed.log_prob(actions.tanh()).sum(-1))


@pytest.mark.parametrize("scale", [-2.0, 0.0, 1.0])
@pytest.mark.parametrize("mean", [-1.5, 0.0, 0.8])
def test_the_squashed_density_integrates_to_1_and_gives_the_entropy(mean, scale):
    """By SciPy's quadrature over tanh u. σ is 0.1, 0.7 and 1.6; the entropy's own quadrature is off by up to 0.002."""
    head = SquashedGaussianHead(Box(-1, 1, (1,)), SPREAD)
    at = head.at(torch.tensor([mean, scale], dtype=torch.float64))

    def density(y: float) -> float:
        return float(at.log_prob(torch.tensor([math.atanh(y)], dtype=torch.float64)).exp())

    def surprise(y: float) -> float:
        return -density(y) * math.log(max(density(y), 1e-300))

    middle, edge = math.tanh(mean), 1 - 1e-12
    assert quad(density, -edge, edge, points=[middle], limit=200)[0] == pytest.approx(1, abs=1e-6)
    assert quad(surprise, -edge, edge, points=[middle], limit=200)[0] == pytest.approx(float(at.entropy), abs=2e-3)


def test_the_squashed_entropy_is_the_mean_surprise_of_samples():
    """10^6 samples, within 4.5 standard errors: a false alarm in 10^5 for the fixed seed."""
    outputs = torch.tensor([[0.6, -0.2, 0.1, -1.0]], dtype=torch.float64)
    actions = random_actions(SQUASHED, outputs.expand(1_000_000, -1))
    surprise = -SQUASHED.at(outputs).log_prob(actions)
    assert abs(surprise.mean() - SQUASHED.at(outputs).entropy) < 4.5 * surprise.std() / 1000


@pytest.mark.parametrize("head", [*HEADS.values(), *MIXED.values()], ids=[*HEADS, *MIXED])
@pytest.mark.parametrize("scale", [0.1, 1.0, 6.0])
def test_the_gradients_are_those_of_automatic_differentiation(head, scale):
    outputs = scale * random_outputs(head, 40)
    actions = random_actions(head, outputs)
    outputs.requires_grad_()
    distribution = head.at(outputs)
    (of_log_prob,) = torch.autograd.grad(distribution.log_prob(actions).sum(), outputs, retain_graph=True)
    (of_entropy,) = torch.autograd.grad(distribution.entropy.sum(), outputs)
    torch.testing.assert_close(distribution.log_prob_gradient(actions), of_log_prob, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(distribution.entropy_gradient(), of_entropy, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_the_gradients_are_finite_differences_in_float64(head):
    outputs = random_outputs(head, 5)
    actions = random_actions(head, outputs)
    step = 1e-6
    for k in range(head.num_outputs):
        more, less = outputs.clone(), outputs.clone()
        more[:, k] += step
        less[:, k] -= step
        of_log_prob = (head.at(more).log_prob(actions) - head.at(less).log_prob(actions)) / (2 * step)
        of_entropy = (head.at(more).entropy - head.at(less).entropy) / (2 * step)
        torch.testing.assert_close(head.at(outputs).log_prob_gradient(actions)[:, k], of_log_prob, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(head.at(outputs).entropy_gradient()[:, k], of_entropy, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_a_sample_is_differentiable_with_respect_to_the_outputs(head):
    """∂ (μ + σ ε) / ∂ μ = 1 and ∂ / ∂ log σ = σ ε."""
    outputs = random_outputs(head, 7).requires_grad_()
    noise = torch.randn(7, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    (gradient,) = torch.autograd.grad(head.sample(outputs, noise).sum(), outputs)
    distribution = head.at(outputs.detach())
    by_scale = distribution.log_std.exp() * noise * distribution.slope
    torch.testing.assert_close(gradient, torch.cat([torch.ones(7, 2, dtype=torch.float64), by_scale], -1))


def test_samples_have_the_distribution_that_they_say():
    """Kolmogorov-Smirnov of 10^5 samples at p = 10^-5, in each of two dimensions."""
    outputs = torch.tensor([[0.6, -3.0, 0.1, -1.0]], dtype=torch.float64)
    actions, of = random_actions(GAUSSIAN, outputs.expand(100_000, -1)), theirs(outputs)
    for i in range(2):
        assert kstest(actions[:, i], norm(float(of.mean[0, i]), float(of.stddev[0, i])).cdf).pvalue > 1e-5


def test_extreme_actions_and_outputs_have_finite_log_probabilities_and_gradients():
    for head in HEADS.values():
        outputs = torch.tensor([[1e3, -1e3, 1e3, -1e3], [0.0, 0.0, 0.0, 0.0]])
        actions = torch.tensor([[1e3, -1e3], [50.0, -50.0]])
        distribution = head.at(outputs)
        for numbers in (distribution.log_prob(actions), distribution.log_prob_gradient(actions)):
            assert numbers.isfinite().all()
        assert distribution.entropy.isfinite().all()
        assert distribution.entropy_gradient().isfinite().all()


def test_normal_noise_is_scipys_inverse_at_the_centre_of_every_cell():
    """Cells of float32 numbers, of which every 101st, and the outermost; to 4·10⁻⁷, as Giles says."""
    uniform = torch.cat([torch.arange(0, 2**24, 101), torch.tensor([2**24 - 1])]).float() / 2**24
    noise, expected = normal_noise(uniform).double().numpy(), norm.ppf(uniform.double().numpy() + 2.0**-25)
    assert np.abs(noise / expected - 1).max() < 4e-7
    assert (noise.min(), noise.max()) == (-noise.max(), pytest.approx(5.42, abs=0.001))


def test_compiled_noise_is_that_of_tensors():
    uniform = np.random.default_rng(0).random(2000, dtype=np.float32)
    uniform[:3] = 0.0, 1 - 2.0**-24, 0.5
    ours = np.array([normal_number(u) for u in uniform])
    np.testing.assert_allclose(ours, normal_noise(torch.from_numpy(uniform)).numpy(), rtol=1.2e-7)


@pytest.mark.parametrize("is_greedy", [False, True])
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_the_compiled_choice_is_that_of_the_head(head, is_greedy):
    """Compared without a compiler."""
    rng, of = np.random.default_rng(0), Greedy(head) if is_greedy else head
    for _ in range(200):
        outputs, uniform = 3 * rng.normal(size=4).astype(np.float32), rng.random(2, dtype=np.float32)
        action, taken = np.empty((2, 2), dtype=np.float32)
        choose_vector(is_greedy, of.limits, outputs, uniform, action)
        expected = of.sample(torch.from_numpy(outputs), of.noise(torch.from_numpy(uniform))).numpy()
        np.testing.assert_allclose(action, expected, rtol=1e-5, atol=1e-6)
        bound(of.rule, of.bounds, action, taken)
        np.testing.assert_allclose(taken, of.for_environment(action[None])[0], rtol=1e-5, atol=1e-6)


def test_an_output_of_0_stands_for_the_initial_standard_deviation_and_none_passes_the_limits():
    log_std = LogStd(math.log(0.7), math.log(0.01), math.log(3.0))
    outputs = torch.tensor([-1e4, -20.0, 0.0, 20.0, 1e4], dtype=torch.float64)
    std = log_std(outputs)[0].exp()
    assert std[2] == pytest.approx(0.7, rel=1e-12)
    assert (std.diff() >= 0).all()
    assert std[0] == pytest.approx(0.01, rel=1e-6)
    assert std[-1] == pytest.approx(3.0 * (1 + 0.01 / 3), rel=1e-3)


def test_a_gaussian_is_clipped_to_the_bounds_and_a_squashed_one_scaled_to_them():
    actions = np.float32([[0, 0], [9, -9], [-9, 0.5]])
    assert GAUSSIAN.for_environment(actions).tolist() == [[0, 0], [4, -1], [-2, 0.5]]
    squashed = SQUASHED.for_environment(actions)
    assert squashed[0].tolist() == [1, 0], "the middle of the bounds"
    assert squashed[1:, 0].tolist() == pytest.approx([4, -2], abs=1e-5)
    assert squashed[2, 1] == pytest.approx(math.tanh(0.5))
    assert all(PLANE.contains(action) for action in squashed)


@pytest.mark.parametrize(
    "space",
    [
        *(Box(-1, 1, ()), Box(-np.inf, np.inf, (2, 3)), Box(-1, 1, (2,), np.float64), Discrete(3, start=4)),
        *(MultiDiscrete([[2, 3], [4, 5]]), MultiDiscrete([3, 2], start=[5, -1]), MultiBinary((2, 2)), MultiBinary(3)),
    ],
    ids=str,
)
def test_actions_for_the_environment_are_elements_of_its_space(space):
    head = head_of("auto", space, SPREAD)
    outputs = random_outputs(head, 40).float()
    for of in (head, Greedy(head)):
        sampled = of.sample(outputs, of.noise(torch.rand(40, head.num_noise)))
        assert sampled.shape == (40, *head.action_shape)
        for action in of.for_environment(sampled.numpy()):
            assert space.contains(np.asarray(action, dtype=space.dtype)), action
    assert head.at(outputs).log_prob(sampled).shape == (40,)


@pytest.mark.parametrize("head", MIXED.values(), ids=MIXED)
def test_vectors_of_choices_are_sampled_with_their_probabilities(head):
    """10^5 samples; each vector's frequency within 4.5 standard errors of exp(log π), and these sum to 1."""
    outputs = random_outputs(head, 1)
    actions = random_actions(head, outputs.expand(100_000, -1))
    vectors, counts = actions.unique(dim=0, return_counts=True)
    probability = head.at(outputs.expand(len(vectors), -1)).log_prob(vectors).exp()
    assert probability.sum() == pytest.approx(1)
    error = (probability * (1 - probability) / 100_000).sqrt()
    assert ((counts / 100_000 - probability).abs() < 4.5 * error).all()
    assert head.at(outputs).entropy.item() == pytest.approx(-(probability * probability.log()).sum().item())
    assert head.at(0 * outputs).entropy.item() == pytest.approx(head.max_entropy)


@pytest.mark.parametrize(
    ("name", "space", "message"),
    [
        (
            "categorical",
            PLANE,
            r"actions are continuous, of shape \(2,\); expected auto, gaussian or squashed_gaussian",
        ),
        ("gaussian", Discrete(2), "actions are Discrete; expected auto, categorical or bernoulli"),
        ("multi_binary", MultiDiscrete([2]), "actions are MultiDiscrete; expected auto, multi_discrete"),
        ("auto", Dict(), "actions are Dict; supported are Box of real numbers, Discrete, MultiDiscrete and"),
        ("auto", Box(0, 3, (2,), np.int64), "actions are Box; supported"),
        ("squashed_gaussian", Box(-1, np.inf, (2,)), "actions have none; use policy.head=gaussian"),
    ],
)
def test_a_head_that_does_not_fit_says_which_does(name, space, message):
    with pytest.raises(UserError, match=message):
        head_of(name, space, SPREAD)


def test_an_initial_standard_deviation_outside_of_the_limits_is_refused():
    with pytest.raises(UserError, match=r"policy\.initial_std=5: expected a number above policy\.min_std=0\.001 and"):
        head_of("gaussian", PLANE, Spread(initial_std=5, max_std=5))


@pytest.mark.parametrize("std", ["state_independent", "state_dependent"])
@pytest.mark.parametrize("option", [Linear("auto", True, "torch"), MLP("auto", 5, 1, "tanh", 0.5, True, "torch")])
def test_the_standard_deviation_is_a_parameter_or_an_output(option, std):
    """With the gradient of `with_pullback`, the compiled form and the learner's own parameters."""
    spaces = Box(-1, 1, (3,)), PLANE
    policy = type(option)(**{**vars(option), "std": std}).build(*spaces, Learners([0, 1]))
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(3)))
    x = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(4))
    outputs = policy.bind()(x, None)
    stds = policy.head.at(outputs).log_std
    assert outputs.shape == (2, 6, 4)
    assert bool((stds == stds[:, :1]).all()) == (std == "state_independent")
    assert not torch.equal(stds[0], stds[1])
    assert torch.equal(policy.bind(torch.tensor([1]))(x[1:], None), outputs[1:])
    form = policy.network.dense_form(torch.tensor([1, 0]))
    assert form.widths[-1] == 4
    gradient = torch.randn(outputs.shape, generator=torch.Generator().manual_seed(5))
    expected = torch.autograd.grad((outputs * gradient).sum(), list(policy.parameters()))
    found, pull_back = policy.bind().with_pullback(x, None)
    pull_back(gradient)
    torch.testing.assert_close(found, outputs)
    for parameter, theirs_of in zip(policy.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, theirs_of)


def test_gymnasium_calls_no_action_invalid():
    """Its environment checker is on, and stays silent."""
    env = gymnasium.make("Pendulum-v1")
    env.reset(seed=0)
    for action in GaussianHead(env.action_space, SPREAD).for_environment(np.float32([[9], [-9], [0.1]])):
        env.step(action)
