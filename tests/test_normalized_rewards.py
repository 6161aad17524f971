"""What learning sees in place of the rewards, and that nothing else does."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from pg_experiments.normalization.rewards import ScaledRewards
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.rollout import Rollout
from tests.conftest import make_run, rollout_of

DISCOUNT = (0.9, 0.5)


def batch(stream: np.random.Generator, lengths: np.ndarray, learners: list[int]) -> Rollout:
    """[T = 6, R, E = 3] random rewards, with NaN where there is no step, and ends within the columns."""
    shape = (6, *lengths.shape)
    mask = torch.from_numpy(np.arange(6)[:, None, None] < lengths)
    rewards = torch.from_numpy(stream.normal(size=shape).astype(np.float32) * 3)
    rollout = rollout_of(torch.zeros(*shape, 1), torch.zeros(shape), rewards, mask)
    ends = torch.from_numpy(stream.random((2, *shape)) < 0.2) & mask
    return replace(rollout, terminated=ends[0], truncated=ends[1], learners=torch.tensor(learners))


def sums_of(rollout: Rollout, r: int, discount: float, before: list[float]) -> list[list[float]]:
    """The discounted sums of each column of a learner, step by step."""
    found: list[list[float]] = []
    for e in range(3):
        total, column = before[e], []
        for t in range(6):
            if not rollout.mask[t, r, e]:
                break
            total = float(rollout.rewards[t, r, e]) + discount * total
            column.append(total)
            if rollout.terminated[t, r, e] or rollout.truncated[t, r, e]:
                total = 0.0
        found.append(column)
        before[e] = total
    return found


@pytest.mark.parametrize("goes_on", [True, False])
def test_rewards_are_divided_by_the_deviation_of_all_discounted_sums_so_far(goes_on):
    """Fragments continue the sums of the batch before; whole episodes begin with 0, and have padding."""
    stream = np.random.default_rng(1)
    scale = ScaledRewards(2, 3 if goes_on else None, torch.tensor(DISCOUNT, dtype=torch.float64), limit=1.0)
    before, every = [[0.0] * 3, [0.0] * 3], [[], []]
    for active in ([0, 1], [1], [0, 1]):
        lengths = np.full((len(active), 3), 6) if goes_on else stream.integers(1, 7, (len(active), 3))
        rollout = batch(stream, lengths, active)
        rollout.rewards[~rollout.mask] = math.nan
        scaled = scale.scaled(rollout)
        for place, learner in enumerate(active):
            if not goes_on:
                before[learner] = [0.0] * 3
            for column in sums_of(rollout, place, DISCOUNT[learner], before[learner]):
                every[learner] += column
            expected = (rollout.rewards[:, place] / np.std(every[learner])).clamp(-1, 1)
            mask = rollout.mask[:, place]
            torch.testing.assert_close(scaled.rewards[:, place][mask], expected[mask], rtol=1e-5, atol=0)


def test_rewards_whose_sums_are_all_equal_stay_as_they_are():
    scale = ScaledRewards(1, None, torch.ones(1, dtype=torch.float64), limit=10.0)
    one_step = rollout_of(
        torch.zeros(1, 1, 4, 1), torch.zeros(1, 1, 4), torch.full((1, 1, 4), 0.1), torch.ones(1, 1, 4) > 0
    )
    assert torch.equal(scale.scaled(one_step).rewards, one_step.rewards)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (("rewards=clip",), [-1.0, -0.5, 0.0, 1.0]),
        (("rewards=clip", "reward_clip=2"), [-2.0, -0.5, 0.0, 2.0]),
        (("rewards=sign",), [-1.0, -1.0, 0.0, 1.0]),
        (("rewards=none",), [-7.0, -0.5, 0.0, 3.0]),
    ],
)
def test_rewards_are_clipped_or_only_their_signs_stay(overrides, expected):
    run = make_run(*(f"normalization.{override}" for override in overrides), "policy.hidden=4")
    rewards = torch.tensor([-7.0, -0.5, 0.0, 3.0]).view(4, 1, 1)
    rollout = rollout_of(torch.zeros(4, 1, 1, 4), torch.zeros(4, 1, 1), rewards, torch.ones(4, 1, 1) > 0)
    assert run.rewards.scaled(rollout).rewards.flatten().tolist() == expected


@pytest.mark.parametrize(
    "overrides",
    [
        ("algorithm=reinforce", "normalization.returns=none"),
        ("algorithm=ppo", "collect.num_envs=2", "collect.num_steps=8", "baseline.hidden=4"),
        ("env=pong", "env.max_frames=240", "env.num_envs=2", "collect=points", "collect.points=2"),
        ("env=pong", "env.max_frames=240", "algorithm=a2c", "collect.num_envs=2", "collect.num_steps=8"),
    ],
    ids=["episodes", "steps", "points", "steps of games"],
)
def test_learning_sees_other_rewards_and_the_batch_stays_as_the_environment_gave_it(overrides, monkeypatch):
    run = make_run(*overrides, "policy.hidden=4", "normalization.rewards=running", "normalization.reward_clip=0.25")
    seen, learn = [], run.agent.learn
    monkeypatch.setattr(run.agent, "learn", lambda rollout, progress: seen.append(rollout) or learn(rollout, progress))
    rollout = run.collector.collect(0, np.arange(1))
    before = rollout.rewards.clone()
    run.learn(rollout, np.arange(1))
    assert torch.equal(rollout.rewards, before)
    assert seen[0].rewards.abs().max() <= 0.25
    played = rollout.mask & (rollout.rewards != 0)
    assert torch.equal(seen[0].rewards[played].sign(), rollout.rewards[played].sign())


def test_a_limit_without_anything_to_limit_is_refused():
    with pytest.raises(UserError, match=r"reward_clip=3.0: nothing is clipped with normalization.rewards=sign"):
        make_run("normalization.rewards=sign", "normalization.reward_clip=3")
