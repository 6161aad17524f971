"""Pathwise gradients are derivatives of returns through the environment, and are used, saved and refused as such."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor

import pg_experiments
from pg_experiments.algorithm.pathwise import PathwiseAgent
from pg_experiments.algorithm.pathwise_gradients import returns_in_graph
from pg_experiments.run.config import check
from pg_experiments.run.run import Run
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.graph import Graph
from pg_experiments.tensors.rollout import Rollout
from tests.conftest import composed, make_run, one_update, rewarded

EPISODES = ("algorithm=pathwise", "collect=episodes", "returns=reward_to_go", "baseline=none")
WINDOWS = ("algorithm=pathwise", "collect.num_envs=3", "collect.num_steps=7", "baseline.hidden=8", "baseline.layers=1")
SMALL = ("policy.hidden=6", "policy.layers=1", "device=cpu")


def in_float64(*overrides: str) -> Run:
    """A run whose policy, baseline and environments have float64 numbers."""
    run = make_run(*SMALL, *overrides)
    run.agent.policy.double()
    run.agent.baseline.double()
    run.env.states = run.env.states.double()
    return run


def agent_of(run: Run) -> PathwiseAgent:
    assert isinstance(run.agent, PathwiseAgent)
    return run.agent


def batch(run: Run, update: int = 0) -> Rollout:
    return run.collector.collect(update, np.arange(len(run.accounts.seeds)))


def gradients(run: Run, rollout: Rollout) -> Tensor:
    """[R, E, P]."""
    return torch.cat(list(agent_of(run).sample_gradients(rollout)), 1)


def returns(run: Run, rollout: Rollout) -> Tensor:
    agent = agent_of(run)
    return returns_in_graph(rollout, agent.discount[rollout.learners], agent.values_in_graph(rollout)).detach()


def finite_differences(make, direction: list[Tensor], step: float) -> Tensor:
    """[R, E]: derivatives of the returns of the first window along a direction in the space of parameters."""
    found = []
    for sign in (1, -1):
        run = make()
        with torch.no_grad():
            for parameter, change in zip(run.agent.policy.parameters(), direction, strict=True):
                parameter += sign * step * change
        found.append(returns(run, batch(run)))
    return (found[0] - found[1]) / (2 * step)


SETTINGS = {
    "cartpole": ("env=cartpole_swing_up", "policy.head=squashed_gaussian", *WINDOWS, "collect.num_steps=30"),
    "pushing": ("env=pushing", "env.stiffness=50", *EPISODES),
    "double_pendulum": ("env=double_pendulum", "env.horizon=40", *EPISODES),
    "clipped": ("env=pendulum_swing_up", *WINDOWS),
    "state_dependent": ("env=double_pendulum", "env.horizon=20", "policy.std=state_dependent", *EPISODES),
    "dropout": ("env=double_pendulum", "env.horizon=20", "policy.dropout=0.5", *EPISODES),
    "layer_norm": ("env=double_pendulum", "env.horizon=20", "policy.norm=layer", *EPISODES),
    "pendulum": ("env=pendulum_swing_up", "policy.head=squashed_gaussian", *WINDOWS, "collect.num_steps=30"),
    "windows_over_ends": ("env=double_pendulum", "env.horizon=3", *WINDOWS),
}  # fmt: skip


@pytest.mark.parametrize("name", SETTINGS)
def test_the_gradient_of_each_column_is_that_of_finite_differences(name):
    overrides = [*SETTINGS[name], "num_seeds=2", "algorithm.discount=0.97"]
    overrides += ["collect.episodes=3"] if "collect=episodes" in overrides else []

    def make() -> Run:
        return in_float64(*overrides)

    run = make()
    generator = torch.Generator().manual_seed(2)
    direction = [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in run.agent.policy.parameters()]
    along = torch.cat([d.flatten(1) for d in direction], 1)
    found = (gradients(run, batch(run)) * along[:, None]).sum(2)
    torch.testing.assert_close(found, finite_differences(make, direction, 1e-6), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("overrides", [SETTINGS["pushing"], SETTINGS["pendulum"]], ids=["episodes", "windows"])
def test_the_gradient_that_is_learned_from_is_the_mean_over_columns(overrides):
    run = in_float64(*overrides, "num_seeds=2")
    agent, rollout = agent_of(run), batch(run)
    expected = gradients(run, rollout).mean(1)
    losses = [part.loss for part in agent.losses(rollout, torch.zeros_like(rollout.rewards))]
    found = torch.autograd.grad(sum(losses).sum(), list(agent.policy.parameters()))
    torch.testing.assert_close(torch.cat([-g.flatten(1) for g in found], 1), expected)
    torch.testing.assert_close(sum(losses).detach(), -returns(run, rollout).mean(1))


def test_a_window_is_discounted_from_its_start_and_from_each_reset_and_continued_with_v():
    rewards = torch.tensor([1.0, 2.0, 4.0, 8.0]).view(4, 1, 1)
    ends = torch.tensor([False, True, False, False]).view(4, 1, 1)
    graph = Graph((), rewards, torch.zeros(0))
    rollout = dataclasses.replace(rewarded(rewards), truncated=ends, terminated=ends & False, graph=graph)
    values = torch.tensor([0.0, 10.0, 0.0, 100.0]).view(4, 1, 1)
    found = returns_in_graph(rollout, torch.tensor([0.5]), values)
    assert found.item() == (1 + 0.5 * 2 + 0.25 * 10) + (4 + 0.5 * 8 + 0.25 * 100)


def test_nothing_but_the_graph_itself_has_a_graph_and_a_window_begins_without():
    run = make_run(*SMALL, "env=pendulum_swing_up", *WINDOWS)
    first, second = batch(run, 0), batch(run, 1)
    for rollout in (first, second):
        tensors = [value for value in vars(rollout).values() if isinstance(value, Tensor)]
        assert not any(tensor.requires_grad for tensor in [*tensors, rollout.finals.observations])
    assert torch.equal(first.graph.following[-1], second.observations[0])
    assert torch.autograd.grad(second.graph.rewards.sum(), first.graph.outputs, allow_unused=True)[0] is None


@pytest.mark.parametrize("overrides", [EPISODES, WINDOWS], ids=["episodes", "windows"])
def test_it_collects_what_the_other_collectors_do(overrides):
    graph = make_run(*SMALL, "env=double_pendulum", "env.horizon=5", "num_seeds=2", *overrides)
    plain_option = graph.config.collect
    plain = plain_option.build(
        plain_option.make(graph.config.env, graph.learners),
        *(graph.agent.policy, graph.learners),
        env=graph.config.env,
        device=graph.device,
        keep_graph=False,
    )
    for update in range(2):
        ours, theirs = batch(graph, update), plain.collect(update, np.arange(2))
        for name in ("observations", "actions", "rewards", "mask", "terminated", "truncated"):
            torch.testing.assert_close(getattr(ours, name), getattr(theirs, name), msg=name)
        torch.testing.assert_close(ours.finals.observations, theirs.finals.observations)
        assert torch.equal(ours.finals.positions, theirs.finals.positions)
        for a, b in zip(ours.episodes, theirs.episodes, strict=True):
            torch.testing.assert_close(a.returns, b.returns)
            assert torch.equal(a.lengths, b.lengths)


@pytest.mark.parametrize("overrides", [EPISODES, WINDOWS], ids=["episodes", "windows"])
def test_a_learner_does_not_depend_on_its_neighbours(overrides):
    settings = (*SMALL, "env=double_pendulum", "env.horizon=9", *overrides)
    stacked, alone = make_run(*settings, "seed=4", "num_seeds=3"), make_run(*settings, "seed=5")
    for update in range(3):
        together = one_update(stacked, update)
        by_itself = one_update(alone, update)
        for name, values in by_itself.items():
            torch.testing.assert_close(together[name][1:2], values, rtol=2e-3, atol=1e-4, equal_nan=True, msg=name)


def test_a_learner_that_has_stopped_changes_no_bit_of_the_others():
    settings = (*SMALL, "env=pendulum_swing_up", "num_seeds=3", *WINDOWS)
    whole, part = make_run(*settings), make_run(*settings)
    for update in range(3):
        whole.learn(whole.collector.collect(update, np.arange(3)), np.arange(3))
        active = np.arange(3) if update == 0 else np.array([0, 2])
        part.learn(part.collector.collect(update, active), active)
    for ours, theirs in zip(whole.agent.policy.parameters(), part.agent.policy.parameters(), strict=True):
        assert torch.equal(ours[[0, 2]], theirs[[0, 2]])
        assert not torch.equal(ours[1], theirs[1])


@pytest.mark.parametrize("overrides", [EPISODES, ("algorithm=mixed",)], ids=["pathwise", "mixed"])
def test_five_updates_push_the_box_nearer_to_its_goal(overrides):
    settings = ("collect.episodes=16", "optimizer.learning_rate=0.05", "policy.initial_std=0.3")
    run = make_run(*SMALL, "env=pushing", *settings, *overrides)
    means = []
    for update in range(6):
        rollout = batch(run, update)
        means.append(rollout.episodic_returns.mean().item())
        run.learn(rollout, np.arange(1))
    assert means[-1] > 0.7 * means[0], means


REFUSED = {
    "cartpole": (
        ("algorithm=pathwise", "env=cartpole"),
        "algorithm=pathwise: backpropagates through the environment, and CartPole-v1 is not differentiable; "
        "expected env=cartpole_swing_up, or one of ball_wall, ",
    ),
    "pong": (("algorithm=mixed", "env=pong"), "algorithm=mixed: backpropagates through the environment, and pong is"),
    "mean": (
        ("algorithm=pathwise", "env=pushing", "baseline=mean"),
        "algorithm=pathwise: differentiates rewards, from which no baseline is subtracted; use baseline=none",
    ),
    "no value": (("algorithm=pathwise", "env=pushing", "returns=reward_to_go"), "collect=steps: a batch has pieces of"),
    "normalisation": (
        ("algorithm=pathwise", "env=pushing", "normalization.rewards=running"),
        "normalization.rewards=running: algorithm=pathwise differentiates rewards as they are; the nearest is none",
    ),
    "batch norm": (("algorithm=pathwise", "env=pushing", "policy.norm=batch"), "the nearest is policy.norm=layer"),
    "gru": ((*EPISODES, "env=pushing", "policy=gru"), "algorithm=pathwise: has no recurrent policies; the"),
    "one episode": (
        ("algorithm=mixed", "env=pushing", "collect.episodes=1"),
        "collect.episodes=1: algorithm=mixed estimates the variance over episodes; the nearest is 2",
    ),
    "fragments": (
        ("algorithm=mixed", "env=pushing", "collect=steps", "baseline=value", "baseline.bootstrap=true"),
        "algorithm=mixed: compares gradients of whole episodes; the nearest is collect=episodes",
    ),
    "values": (("algorithm=mixed", "env=pushing", "returns=td", "baseline=value"), "nearest is returns=reward_to_go"),
    "discount": (
        ("algorithm=mixed", "env=pushing", "algorithm.discount=0.9"),
        "algorithm.discount=0.9: without the factor γ^t both gradients are of different objectives; use returns.exact",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_in_one_line(name):
    overrides, message = REFUSED[name]
    with pytest.raises(UserError) as refused:
        Run(check(composed("device=cpu", *overrides)))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_head_without_reparametrised_actions_is_refused():
    run = make_run("device=cpu", "env=pushing")
    policy = run.agent.policy
    policy.head = object()
    config = check(composed("env=pushing", *EPISODES))
    choices = dataclasses.replace(config, policy=_Given(policy))
    with pytest.raises(UserError, match=r"policy.head: algorithm=pathwise differentiates actions.*head=gaussian"):
        config.algorithm.build(choices, *config.env.spaces(), run.learners, run.device)


class _Given:
    """An option whose policy is made by hand."""

    def __init__(self, policy) -> None:
        self.policy = policy

    def build(self, *_):
        return self.policy


def test_a_run_is_loaded_from_its_directory_and_acts_in_its_environment(tmp_path):
    settings = ("env=double_pendulum", "env.horizon=4", *WINDOWS, "policy.hidden=6", "env.max_steps=40", "device=cpu")
    pg_experiments.train(*settings, "diagnostics=gradients", directory=tmp_path / "run", progress=False)
    run = pg_experiments.load_run(tmp_path / "run")
    env = run.make_env()
    observation, _ = env.reset(seed=0)
    ends = [env.step(run.policy(observation))[2] for _ in range(4)]
    assert ends == [False, False, False, True]
