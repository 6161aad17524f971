"""What a run credits each action with, and how far each seed steps: small batches, with values worked out by hand."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from pg_experiments.run.config import check
from pg_experiments.run.run import Run
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.rollout import Rollout
from tests.conftest import composed, make_run, rollout_of, unused

PLAIN = ("normalization=none", "baseline=none", "policy.hidden=4", "algorithm.discount=0.5")


def batch(rewards: list[list[float]], learner: int = 0) -> Rollout:
    """Of one learner: its episodes, [E][T], one as long as the other."""
    paid = torch.tensor(rewards).T[:, None]
    zeros = torch.zeros(paid.shape, dtype=torch.int64)
    rollout = rollout_of(torch.zeros(*paid.shape, 4), zeros, paid, torch.ones(paid.shape, dtype=torch.bool))
    return dataclasses.replace(rollout, learners=torch.tensor([learner]))


def with_values(run: Run, value: float) -> Run:
    """The run, whose baseline says the same of every state."""
    run.agent.baseline.values = lambda rollout, returns, gradients: torch.full_like(returns, value)
    return run


def values_of(run: Run, rollout: Rollout, returns: torch.Tensor) -> torch.Tensor:
    """What the run's baseline says, which needs no gradients of the policy."""
    return run.agent.baseline.values(rollout, returns, unused)


def test_exact_discount_reaches_the_advantages_of_a_run():
    rollout = batch([[1, 1, 4]])
    for exact, expected in ((False, [2.5, 3, 4]), (True, [2.5, 1.5, 1])):
        _, _, advantages = make_run(*PLAIN, f"returns.exact_discount={str(exact).lower()}").agent.credit(rollout)
        assert advantages.flatten().tolist() == expected


def test_where_a_return_ends_inside_a_column_credit_and_its_weights_begin_anew():
    ends = torch.tensor([False, True, False]).view(3, 1, 1)
    rollout = dataclasses.replace(batch([[1, 1, 4]]), return_ends=ends)
    returns, _, advantages = make_run(*PLAIN, "returns.exact_discount=true").agent.credit(rollout)
    assert returns.flatten().tolist() == [1.5, 1, 4]
    assert advantages.flatten().tolist() == [1.5, 0.5, 4]


def test_a_learner_that_plays_alone_is_credited_and_learns_by_its_own_values():
    """The second of two, and not by those of the learner in its place."""
    own = {
        "algorithm.discount": (0.9, 0.5),
        "algorithm.entropy_bonus": (0, 0.25),
        "optimizer.learning_rate": (0.1, 0.02),
    }
    config = check(composed("device=cpu", "normalization=none", "baseline=none", "policy=linear"))
    run = Run(config, Learners([0, 0], own))
    for parameter in run.agent.policy.parameters():
        parameter.data.zero_()
    rollout = batch([[1, 1, 4]], learner=1)
    assert run.agent.credit(rollout).advantages.flatten().tolist() == [2.5, 3, 4]
    metrics = run.learn(rollout, np.array([1])).metrics
    assert metrics["learning_rate"].tolist() == pytest.approx([0.02])
    assert metrics["policy_loss"].tolist() == pytest.approx([(2.5 + 3 + 4 - 0.25 * 3) * math.log(2)])


def test_a_learner_that_plays_alone_has_gradients_of_its_own_discount():
    """The second of two: with equal scores at each step, the weights are γ^t."""
    config = check(composed("device=cpu", "policy=linear", "policy.bias=true", "returns.exact_discount=true"))
    agent = Run(config, Learners([0, 0], {"algorithm.discount": (0.9, 0.5)})).agent
    for parameter in agent.policy.parameters():
        parameter.data.zero_()
    gradients = agent.episode_gradients(batch([[1, 1, 4]], learner=1), torch.ones(3, 1, 1))
    score = torch.tensor([0.5, -0.5])  # of action 0 by the biases; all observations are 0
    torch.testing.assert_close(gradients[0, 0], torch.cat([torch.zeros(8), (1 + 0.5 + 0.25) * score]))


def test_the_baseline_is_subtracted_before_advantages_are_normalised_and_after_returns_are():
    rollout = batch([[1.0], [3.0], [5.0]])
    run = make_run(*PLAIN[1:], "normalization=advantages")
    run.agent.baseline.values = lambda rollout, returns, gradients: (
        returns * torch.tensor([1.0, 0.0, 1.0])
    )  # leaves 0, 3, 0
    _, _, advantages = run.agent.credit(rollout)
    torch.testing.assert_close(advantages.flatten(), torch.tensor([-1, 2, -1]) / 3**0.5)
    run = with_values(make_run(*PLAIN[1:], "normalization=returns", "normalization.returns=batch"), 0.5)
    returns, values, advantages = run.agent.credit(rollout)
    assert returns.flatten().tolist() == [-1, 0, 1]
    assert values.flatten().tolist() == [0.5] * 3
    assert advantages.flatten().tolist() == [-1.5, -0.5, 0.5]


def test_each_seed_has_the_learning_rate_of_its_own_progress():
    """Plain gradient descent on a schedule: one seed at its start, one half through, one nearly at its end."""
    overrides = ("num_seeds=3", "optimizer=sgd", "optimizer.schedule=linear", "env.max_episodes=100", "policy.hidden=4")
    run, started = make_run(*overrides), make_run(*overrides, "optimizer.schedule=constant")
    for learner, played in enumerate((0, 50, 90)):
        run.accounts.seeds[learner].returns.extend([0.0] * played)
    before = [p.detach().clone() for p in run.agent.policy.parameters()]
    for active in (np.arange(3), np.array([1, 2])):
        rollout = run.collector.collect(0, active)
        learned = [one.learn(rollout, active).metrics for one in (run, started)]
        factors = learned[0]["learning_rate"] / learned[1]["learning_rate"]
        expected = torch.tensor([1.0, 0.55, 0.19])[torch.from_numpy(active)]
        torch.testing.assert_close(factors, expected)
        for old, ours, whole in zip(
            before, run.agent.policy.parameters(), started.agent.policy.parameters(), strict=True
        ):
            for learner, factor in zip(active, expected, strict=True):
                torch.testing.assert_close(ours[learner] - old[learner], factor * (whole[learner] - old[learner]))
        for one in (run, started):
            for parameter, old in zip(one.agent.policy.parameters(), before, strict=True):
                parameter.data.copy_(old)


def test_the_entropy_that_is_recorded_is_the_mean_over_each_seeds_own_steps():
    """A new policy whose logits are all zero: log 2 nats at every step, however many a seed has played."""
    run = make_run("num_seeds=2", "policy=linear")
    for parameter in run.agent.policy.parameters():
        parameter.data.zero_()
    rollout = run.collector.collect(0, np.arange(2))
    assert len(set(rollout.mask.sum((0, 2)).tolist())) == 2, "one has played longer than the other"
    entropy = run.learn(rollout, np.arange(2)).metrics["entropy"]
    torch.testing.assert_close(entropy, torch.full((2,), float(np.log(2))))


@pytest.mark.parametrize("steps", [1, 3])
def test_the_baseline_takes_its_own_number_of_steps_after_the_advantages_were_taken(steps):
    run = make_run("baseline=value", f"baseline.steps={steps}", "policy.hidden=4", "baseline.hidden=4")
    rollout = run.collector.collect(0, np.arange(1))
    returns, values, _ = run.agent.credit(rollout)
    torch.testing.assert_close(values[rollout.mask], values_of(run, rollout, returns)[rollout.mask])
    taken = []
    step = run.agent.baseline.optimizer.step
    run.agent.baseline.optimizer.step = lambda *arguments: taken.append(step(*arguments)) or taken[-1]
    run.learn(rollout, np.arange(1))
    assert len(taken) == steps
    assert not torch.equal(values_of(run, rollout, returns), values)


def test_a_baseline_that_follows_is_shown_every_batch_and_only_after_it():
    run = make_run("baseline=moving_average", "baseline.decay=0", "policy.hidden=4", "normalization=none")
    rollout = batch([[2.0], [4.0]])
    _, values, _ = run.agent.credit(rollout)
    assert values.flatten().tolist() == [0, 0]
    run.learn(rollout, np.arange(1))
    assert run.agent.credit(rollout)[1].flatten().tolist() == [3, 3]


def parameters_of_baseline(run: Run, learner: int) -> list[torch.Tensor]:
    return [parameter.detach()[learner].clone() for parameter in run.agent.baseline.parameters()]


def test_the_baseline_of_a_seed_whose_policy_broke_takes_no_step(monkeypatch):
    run = make_run("num_seeds=2", "baseline=value", "policy.hidden=4", "baseline.hidden=4")
    before = [parameters_of_baseline(run, learner) for learner in range(2)]
    rollout = run.collector.collect(0, np.arange(2))
    credit = run.agent.credit(rollout)
    credit.advantages[:, 1] = math.nan
    monkeypatch.setattr(run.agent, "credit", lambda _: credit)
    broken = run.learn(rollout, np.arange(2)).broken
    assert {learner: told.what for learner, told in broken.items()} == {1: "policy_loss"}
    for learner, stays in enumerate((False, True)):
        after = parameters_of_baseline(run, learner)
        assert all(torch.equal(old, new) for old, new in zip(before[learner], after, strict=True)) == stays


def test_a_baseline_that_broke_takes_no_more_of_its_steps():
    run = make_run("num_seeds=2", "baseline=value", "baseline.steps=3", "policy.hidden=4", "baseline.hidden=4")
    before, steps = parameters_of_baseline(run, 1), 0

    def broken_once(gradient: torch.Tensor) -> torch.Tensor:
        nonlocal steps
        steps += 1
        return gradient * torch.tensor([1.0, math.nan if steps == 1 else 1.0]).view(2, 1, 1)

    run.agent.baseline.network.biases[1].register_hook(broken_once)
    rollout = run.collector.collect(0, np.arange(2))
    broken = run.learn(rollout, np.arange(2)).broken
    assert broken[1].what == "gradient of baseline.network.biases.1"
    assert steps >= 3
    assert all(torch.equal(old, new) for old, new in zip(before, parameters_of_baseline(run, 1), strict=True))
