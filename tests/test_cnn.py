"""policy=cnn: it computes torch's convolutions, learns from images, and says which observations it does not take."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from torch import Tensor, nn

import pg_experiments
from pg_experiments.policy import OPTIONS
from pg_experiments.policy.policy import Policy
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.networks import innermost
from pg_experiments.tensors.rollout import FULL_BLOCK
from pg_experiments.tensors.stacked_cnn import StackedCNN
from tests.conftest import make_run, one_update, rewarded
from tests.image_env import ID, STEPS
from tests.saved_runs import save_run

R, N, K = 3, 5, 4
IMAGES = ("env=gymnasium", f"env.id={ID}", "policy=cnn", "policy.network=small", "env.max_episodes=null")
PPO = (*IMAGES, "algorithm=ppo", "collect.num_envs=4", "collect.num_steps=16", "num_seeds=2", "env.max_steps=400")


def policy_of(space: Box, network: str = "nature", seeds: tuple[int, ...] = tuple(range(R))) -> Policy:
    return OPTIONS["cnn"](head="auto", network=network).build(space, Discrete(K), Learners(seeds))


def network_of(*arguments) -> StackedCNN:
    network = innermost(policy_of(*arguments).network.double())
    assert isinstance(network, StackedCNN)
    return network


def by_torch(network: StackedCNN, learner: int) -> nn.Sequential:
    """The same learner as modules of torch; they take [N, C, H, W], scaled."""
    layers: list[nn.Module] = []
    for weights, biases, stride in zip(network.weights, network.biases, network.strides, strict=True):
        outputs, inputs, size, _ = weights[learner].shape
        layers += [nn.Conv2d(inputs, outputs, size, stride), nn.ReLU()]
        nn.utils.vector_to_parameters(
            torch.cat([weights[learner].flatten(), biases[learner]]).detach(), layers[-2].parameters()
        )
    layers.append(nn.Flatten())
    for weights, biases in zip(network.dense.weights, network.dense.biases, strict=True):
        layers += [nn.Linear(*weights.shape[1:]), nn.ReLU()]
        nn.utils.vector_to_parameters(
            torch.cat([weights[learner].T.flatten(), biases[learner, 0]]).detach(), layers[-2].parameters()
        )
    return nn.Sequential(*layers[:-1]).double()


def gradients(module: nn.Sequential) -> Tensor:
    """As one row, in the order of the layers."""
    return torch.cat([parameter.grad.flatten() for parameter in module.parameters()])


@pytest.mark.parametrize(
    ("shape", "network", "to_torch"),
    [
        ((40, 36, 3), "nature", lambda x: x.permute(0, 3, 1, 2)),
        ((4, 20, 25), "small", lambda x: x),
        ((37, 36), "nature", lambda x: x[:, None]),
    ],
)
def test_learner_k_of_a_stack_is_torchs_convolutions_and_so_is_its_gradient(shape, network, to_torch):
    stacked, generator = network_of(Box(-1, 3, shape), network), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in stacked.parameters():  # all different from 0
            parameter.add_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64), alpha=0.02)
    x = torch.rand(R, N, *shape, generator=generator, dtype=torch.float64) * 4 - 1
    weights = torch.randn(R, N, K, generator=generator, dtype=torch.float64)
    outputs = stacked.bind()(x)
    (outputs * weights).sum().backward()
    for k in range(R):
        module = by_torch(stacked, k)
        expected = module(to_torch(x[k] / 4 + 0.25))
        torch.testing.assert_close(outputs[k], expected)
        torch.testing.assert_close(stacked.bind(torch.tensor([k]))(x[k : k + 1])[0], expected)
        (expected * weights[k]).sum().backward()
        found = [
            part[k].T if part.ndim == 3 else part[k]
            for weight, bias in (
                *zip(stacked.weights, stacked.biases, strict=True),
                *zip(stacked.dense.weights, stacked.dense.biases, strict=True),
            )
            for part in (weight.grad, bias.grad)
        ]
        torch.testing.assert_close(torch.cat([part.flatten() for part in found]), gradients(module))


def test_outputs_from_shared_features_are_the_outputs_and_have_their_gradient():
    network = innermost(policy_of(Box(0, 1, (20, 20, 3)), "small").network)
    x, bound = torch.rand(R, N, 20, 20, 3, generator=torch.Generator().manual_seed(0)), network.bind()
    found = []
    for outputs in (bound(x), bound.from_features(bound.features(x))):
        network.zero_grad()
        outputs.square().sum().backward()
        found.append([outputs.detach(), *(p.grad.clone() for p in network.parameters())])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_filters_are_orthogonal_as_cleanrls_and_a_seeds_do_not_depend_on_the_others():
    network = network_of(Box(0, 255, (36, 36, 4), np.uint8))
    for weights in (*network.weights, network.dense.weights[0].transpose(1, 2), network.dense.weights[1].mT):
        rows = weights[1].flatten(1)
        gain = 0.01 if len(rows) == K else 2**0.5
        product = rows @ rows.T if len(rows) <= rows.shape[1] else rows.T @ rows
        torch.testing.assert_close(product, gain**2 * torch.eye(len(product)).double(), atol=1e-5, rtol=0)
    assert not any(biases.any() for biases in (*network.biases, *network.dense.biases))
    alone = network_of(Box(0, 255, (36, 36, 4), np.uint8), "nature", (1,))
    for ours, theirs in zip(network.parameters(), alone.parameters(), strict=True):
        assert torch.equal(ours[1], theirs[0])
    assert not torch.equal(network.weights[0][0], network.weights[0][1])


def test_numbers_of_an_unbounded_space_are_taken_as_they_are():
    bounded, unbounded = (network_of(Box(low, high, (20, 20, 3)), "small") for low, high in ((0, 1), (0, np.inf)))
    x = torch.rand(R, N, 20, 20, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(bounded.bind()(x), unbounded.bind()(x))


def test_a_block_of_images_has_fewer_steps_and_all_steps_are_in_one_block():
    rollout = rewarded(torch.zeros(100, 1, 8), full=True)
    assert rollout.flat.block == 800 < FULL_BLOCK
    images = rewarded(torch.zeros(100, 1, 8), full=True, observations=torch.zeros(1).expand(100, 1, 8, 84, 84, 4))
    blocks = list(images.flat.blocks())
    assert 100 < images.flat.block < 200
    assert torch.equal(torch.cat([block.positions for block in blocks], 1), rollout.flat.positions)


@pytest.mark.parametrize("baseline", ["shared_value", "value"])
def test_every_seed_learns_which_half_of_an_image_is_bright_and_the_loaded_run_knows(baseline, tmp_path):
    settings = ("optimizer.learning_rate=2.5e-4", "collect.num_envs=8", "collect.num_steps=32", "env.threshold=inf")
    path = save_run(tmp_path / "run", *PPO, *settings, f"baseline={baseline}", "env.max_steps=5000")
    for seed in (0, 1):
        run = pg_experiments.load_run(path, seed=seed)
        env = run.make_env()
        observation, _ = env.reset(seed=5)
        paid = 0.0
        for _ in range(STEPS):
            observation, reward, *_ = env.step(run.policy(observation))
            paid += float(reward)
        assert paid == STEPS  # by chance in one of 256 episodes
        assert run.probabilities(observation).shape == (2,)


@pytest.mark.parametrize("overrides", [(), ("baseline=shared_value",), ("algorithm=reinforce", "collect=episodes")])
def test_a_learner_learns_the_same_bits_beside_any_other_learners(overrides):
    if "algorithm=reinforce" in overrides:
        overrides = ("baseline=none", "collect.episodes=3", "env.max_steps=400", "num_seeds=2")
        arguments = (*IMAGES, *overrides)
    else:
        arguments = (*PPO, *overrides)
    one, other = make_run(*arguments, "seed=3"), make_run(*arguments, "seed=4")  # seeds 3, 4 and 4, 5
    for update in range(2):
        one_update(one, update), one_update(other, update)
    for a, b in zip(one.agent.policy.parameters(), other.agent.policy.parameters(), strict=True):
        assert torch.equal(a[1], b[0])


def test_a_perceptron_takes_images_flattened():
    run = make_run("env=gymnasium", f"env.id={ID}", "policy.hidden=8", "collect.episodes=3")
    assert one_update(run)["policy_gradient_norm"].isfinite().all()


@pytest.mark.parametrize(
    ("shape", "network", "message"),
    [
        ((4,), "nature", r"observations of shape \(4,\) are not images; expected \[H, W, C\]"),
        ((4, 84, 84, 3), "nature", "are not images"),
        ((35, 80, 3), "nature", "policy.network=nature: .* 35 × 80 .* at least 36 × 36; .* policy.network=small"),
        ((3, 40, 19), "small", "policy.network=small: .* 40 × 19 .* at least 20 × 20; the nearest is policy=mlp"),
    ],
)
def test_what_is_no_image_or_a_too_small_one_is_said_in_one_line(shape, network, message):
    with pytest.raises(UserError, match=message) as error:
        policy_of(Box(0, 1, shape), network)
    assert "\n" not in str(error.value)


def test_the_smallest_images_are_those_of_the_messages():
    for network, size in (("nature", 36), ("small", 20)):
        assert network_of(Box(0, 1, (size, size, 1)), network).dense.inputs in (32, 64)


def test_observations_that_would_be_scaled_twice_are_refused():
    with pytest.raises(UserError, match=r"normalization.observations=running: .* the nearest is none"):
        make_run(*PPO, "normalization.observations=running")
