"""Observations as networks are given them: the running statistics, who shares them, and when they change."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import pg_experiments
from pg_experiments.collect.compiled_steps import CompiledStepsCollector
from pg_experiments.evaluation.episodes import play
from pg_experiments.normalization.moments import Moments
from pg_experiments.normalization.observations import BoundNormalized, RepeatableNormalized
from pg_experiments.run.checkpoint import newest
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.networks import with_pullback
from tests.conftest import make_run, one_update
from tests.saved_runs import save_run

RUNNING = ("normalization=observations", "policy.hidden=8", "num_seeds=2")
PPO = ("algorithm=ppo", "normalization=running", "collect.num_envs=3", "collect.num_steps=20", "num_seeds=2")
SMALL = ("algorithm.num_minibatches=3", "policy.hidden=8", "baseline.hidden=8")


def test_merged_batches_have_the_mean_and_variance_of_all_values_at_once():
    """Far from 0, where a sum of squares would lose every digit; padding is NaN, and takes part in nothing."""
    stream = np.random.default_rng(0)
    moments, every = Moments(3, (2,)), [[], [], []]
    for _ in range(6):
        active = np.sort(stream.choice(3, size=2, replace=False))
        values = stream.normal(1e6, [1.0, 1e-2], size=(5, 2, 4, 2))
        mask = stream.random((5, 2, 4)) < 0.7
        for place, learner in enumerate(active):
            every[learner].append(values[:, place][mask[:, place]])
        values[~mask] = math.nan
        moments.add(torch.from_numpy(values), torch.from_numpy(mask), torch.from_numpy(active))
    for learner, parts in enumerate(every):
        together = np.concatenate(parts)
        assert moments.count[learner] == len(together)
        np.testing.assert_allclose(moments.mean[learner], together.mean(0), rtol=1e-14)
        np.testing.assert_allclose(moments.variance[learner], together.var(0), rtol=1e-8)


def test_a_batch_that_is_added_in_parts_has_the_same_moments(monkeypatch):
    values, mask = torch.randn(10, 2, 3, 4, dtype=torch.float64), torch.rand(10, 2, 3) < 0.5
    whole, parts = Moments(2, (4,)), Moments(2, (4,))
    whole.add(values, mask, torch.arange(2))
    monkeypatch.setattr("pg_experiments.normalization.moments.PART", 30)
    parts.add(values, mask, torch.arange(2))
    torch.testing.assert_close(parts.variance, whole.variance, rtol=1e-12, atol=0)


def standardized(observations: np.ndarray, before: list[np.ndarray], clip: float) -> np.ndarray:
    """Observations of a learner by the two-pass formula over those of all earlier batches."""
    if before:
        seen = np.concatenate(before).astype(np.float64)
        observations = (observations - seen.mean(0)) / np.sqrt(seen.var(0) + 1e-8)
    return np.clip(observations, -clip, clip)


@pytest.mark.parametrize("clip", [10.0, 0.5])
def test_policy_and_critic_see_all_earlier_batches_and_not_their_own(clip):
    run = make_run(*PPO, *SMALL, f"normalization.observation_clip={clip}")
    assert isinstance(run.collector, CompiledStepsCollector)
    networks = (run.agent.policy.network, run.agent.critic.network)
    before: list[list[np.ndarray]] = [[], []]
    for update in range(3):
        rollout = run.collector.collect(update, np.arange(2))
        seen = rollout.observations.transpose(0, 1).flatten(1, 2)  # as the environment gave them
        expected = np.stack([standardized(seen[r].numpy(), before[r], clip) for r in range(2)]).astype(np.float32)
        for network in networks:
            inner = network.network.bind()(torch.from_numpy(expected))
            torch.testing.assert_close(network.bind()(seen), inner, rtol=1e-4, atol=1e-5)
        run.learn(rollout, np.arange(2))
        for r in range(2):
            before[r].append(seen[r].numpy())


def test_statistics_do_not_change_while_a_batch_is_learned_from(monkeypatch):
    run = make_run(*PPO, *SMALL)
    one_update(run)
    scale, found = run.agent.policy.network.scale, []
    step = run.agent.optimizer.step
    monkeypatch.setattr(run.agent.optimizer, "step", lambda *a: found.append(scale.affine.shift.clone()) or step(*a))
    one_update(run, 1)
    assert len(found) == 12  # epochs × mini-batches
    assert all(torch.equal(shift, found[0]) for shift in found)
    assert not torch.equal(scale.affine.shift, found[0])


def test_the_statistics_of_a_learner_that_is_stopped_or_breaks_do_not_change():
    run = make_run(*RUNNING, "num_seeds=3")
    moments = run.agent.policy.network.scale.moments
    one_update(run)
    before = moments.mean.clone()
    rollout = run.collector.collect(1, np.array([0, 2]))
    rollout.rewards[:, 1] = math.nan
    assert list(run.learn(rollout, np.array([0, 2])).broken) == [2]
    assert [torch.equal(new, old) for new, old in zip(moments.mean, before, strict=True)] == [False, True, True]


def test_a_learners_statistics_are_its_own():
    together, alone = make_run(*RUNNING, "num_seeds=3"), make_run(*RUNNING, "num_seeds=1", "seed=1")
    for run in (together, alone):
        one_update(run)
    ours, theirs = (run.agent.policy.network.scale.affine for run in (together, alone))
    for of_three, of_one in zip(ours[:2], theirs[:2], strict=True):
        torch.testing.assert_close(of_three[1:2], of_one, rtol=1e-6, atol=0)


@pytest.mark.parametrize("overrides", [(), ("policy.dropout=0.5",), ("policy=linear",)], ids=str)
def test_the_gradient_in_closed_form_is_that_of_automatic_differentiation(overrides):
    chosen = [o for o in SMALL if not (overrides == ("policy=linear",) and o == "policy.hidden=8")]
    run = make_run(*PPO, *chosen, *overrides)
    one_update(run)
    policy, x = run.agent.policy, torch.randn(2, 7, 4)
    noise = None if not policy.has_noise else (torch.rand(2, 7, *policy.network.noise_shape) < 0.5).float()
    slopes = torch.randn(2, 7, 2)
    outputs = policy.bind()(x, noise)
    expected = torch.autograd.grad(outputs, list(policy.parameters()), slopes)
    policy.zero_grad()
    ours, pull_back = with_pullback(policy.bind(), x, noise)
    pull_back(slopes)
    torch.testing.assert_close(ours, outputs.detach())
    for parameter, gradient in zip(policy.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


def test_blocks_that_are_evaluated_at_once_have_the_same_bits():
    run = make_run(*RUNNING)
    one_update(run)
    bound = run.agent.policy.bind()
    assert isinstance(bound, RepeatableNormalized)
    x = torch.randn(6, 5, 4)
    one_by_one = [bound(block) for block in x.view(2, 3, 5, 4).unbind(1)]
    assert torch.equal(bound.repeated(3)(x).view(2, 3, 5, -1), torch.stack(one_by_one, 1))


def test_shared_layers_are_given_normalised_observations_once():
    run = make_run(*PPO, "policy.hidden=8", "algorithm.num_minibatches=3", "baseline=shared_value")
    one_update(run)
    x = torch.randn(2, 5, 4)
    policy, critic = run.agent.policy.network, run.agent.critic.network
    trunk, output = policy.network.bind(), critic.output.bind()
    torch.testing.assert_close(critic.bind()(x), output(trunk.features(policy.scale.affine(x))))
    assert isinstance(policy.bind(), BoundNormalized)
    assert len(list(policy.bind().hidden(x))) == 2


def test_observations_are_scaled_by_the_bounds_of_their_space():
    run = make_run("env=acrobot", "normalization.observations=bounds", "policy.hidden=8", "num_seeds=2")
    space = run.env.single_observation_space
    edges = torch.from_numpy(np.stack([space.low, (space.low + space.high) / 2, space.high])).expand(2, 3, 6)
    scaled = run.agent.policy.network.scale.affine(edges)
    torch.testing.assert_close(scaled, torch.tensor([0.0, 0.5, 1.0])[:, None].expand(2, 3, 6))


def test_bounds_that_are_not_finite_are_refused_in_one_line():
    with pytest.raises(UserError, match=r"observations=bounds: .* not finite; the nearest is running$"):
        make_run("normalization.observations=bounds")


def test_a_loaded_policy_normalises_as_the_one_that_was_trained(tmp_path):
    overrides = (*PPO, *SMALL, "env.max_steps=180", "env.max_episodes=null", "env.threshold=inf")
    path = save_run(tmp_path / "run", *overrides)
    run, saved = make_run(*overrides), newest(path)
    assert saved is not None
    run.restore(saved)
    loaded = pg_experiments.load_run(path, checkpoint="last", seed=1)
    moments = loaded.learner(greedy=True).network.scale.moments
    assert moments.count.tolist() == [180]
    x = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    theirs = run.agent.policy.bind()(torch.from_numpy(x).expand(2, 50, 4))[1].softmax(-1)
    torch.testing.assert_close(torch.from_numpy(loaded.probabilities(x)), theirs)
    before = moments.mean.clone()
    assert len(play(loaded, 3, greedy=True).returns) == 3
    assert torch.equal(moments.mean, before)
