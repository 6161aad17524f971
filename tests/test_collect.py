"""What a batch of episodes is made of: its random numbers, its environments, and whoever else takes part."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import torch

from pg_experiments.collect.noise import CHUNK, Noise
from pg_experiments.policy import MLP
from pg_experiments.policy.policy import Policy
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.streams import Purpose, numpy_stream
from tests.conftest import make_run, spaces

CPU = torch.device("cpu")
STEPS = CHUNK + 6  # more than are drawn at once
# the same batches are played by a compiled loop, and step by step where the graph of the outputs is kept
PLAYS = {"compiled": (), "step_by_step": ("algorithm.log_probs=stored",)}
OF_BOTH = pytest.mark.parametrize("plays", PLAYS.values(), ids=PLAYS)


def policy(dropout: float = 0.3, learners: Learners | None = None) -> Policy:
    option = MLP("categorical", 8, 1, "relu", dropout=dropout, bias=True, initialisation="torch")
    return option.build(*spaces(4, 3), learners or Learners([0, 1]))


def drawn(noise: Noise) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Of each step: noise [T, R, E, K] and masks [T, R, E, L, H]."""
    steps = [step for step, _ in zip(noise, range(STEPS), strict=False)]
    masks = None if steps[0][1] is None else torch.stack([mask for _, mask in steps])
    return torch.stack([of_actions for of_actions, _ in steps]), masks


def test_actions_and_dropout_have_each_seeds_own_stream_of_the_update_from_its_first_number_on():
    seeds, envs, update = [5, 6], 3, 4
    noise = Noise(policy(), dict(enumerate(seeds)), envs, update, CPU)
    of_actions, masks = drawn(noise)
    for r, seed in enumerate(seeds):
        uniform = numpy_stream(seed, Purpose.ACTIONS, update).random((STEPS, envs, 3), dtype=np.float32)
        expected = policy().head.noise(torch.from_numpy(uniform))
        assert torch.equal(of_actions[:, r], expected)
        kept = policy().network.draw_noise(r, numpy_stream(seed, Purpose.DROPOUT, update), STEPS * envs)
        assert torch.equal(masks[:, r], torch.from_numpy(kept).float().view(STEPS, envs, 1, 8))
    assert torch.equal(noise.of_network(STEPS), masks.bool()), "what is remembered is what acted"


def test_dropout_changes_none_of_the_numbers_that_actions_are_drawn_from():
    with_masks, _ = drawn(Noise(policy(0.3), {0: 5, 1: 6}, 3, 4, CPU))
    without, masks = drawn(Noise(policy(0.0), {0: 5, 1: 6}, 3, 4, CPU))
    assert masks is None
    assert torch.equal(with_masks, without)


def test_each_learner_drops_units_as_often_as_its_own_probability_says_whoever_takes_part():
    learners = Learners([5, 6], {"policy.dropout": (0.1, 0.9)})
    _, masks = drawn(Noise(policy(learners=learners), {1: 6}, 3, 4, CPU))
    assert 0 < masks.mean() < 0.2


@OF_BOTH
@pytest.mark.parametrize("purpose", [Purpose.ACTIONS, Purpose.DROPOUT, Purpose.ENVIRONMENT])
def test_every_update_draws_other_numbers(purpose, plays):
    """Each batch of a run has episodes, action noise and masks that no other batch has."""
    run = make_run("policy.hidden=8", "collect.episodes=2", *plays)
    of = []
    for update in (0, 1, 0):
        rollout = run.collector.collect(update, np.arange(1))
        noise, _ = drawn(Noise(run.agent.policy, {0: 0}, 2, update, CPU))
        of.append(
            {
                Purpose.ACTIONS: noise[:10],
                Purpose.DROPOUT: rollout.dropout_masks[:8],
                Purpose.ENVIRONMENT: rollout.observations[0],
            }[purpose]
        )
    first, second, again = of
    assert not torch.equal(first, second)
    assert torch.equal(first, again)


@OF_BOTH
def test_seeds_that_have_stopped_change_nothing_of_the_others_batch(plays):
    overrides = ("num_seeds=3", "policy.hidden=8", "collect.episodes=2", *plays)
    whole = make_run(*overrides).collector.collect(2, np.arange(3))
    for active in (np.array([0, 2]), np.array([1])):
        some = make_run(*overrides).collector.collect(2, active)
        assert some.learners.tolist() == active.tolist()
        T = len(some.mask)
        assert not whole.mask[T:, active].any()
        for name in ("mask", "actions", "rewards", "terminated", "truncated", "dropout_masks"):
            ours, theirs = getattr(some, name), getattr(whole, name)[:T, active]
            shown = some.mask.view(*some.mask.shape, *[1] * (ours.ndim - 3))
            assert torch.equal(ours * shown, theirs * shown), name
        torch.testing.assert_close(some.finals.observations, whole.finals.observations[active])


@OF_BOTH
def test_a_batch_plays_every_episode_to_its_end(plays):
    """And not only until the first is over, which would favour short ones."""
    rollout = make_run("collect.episodes=8", "policy.hidden=8", *plays).collector.collect(0, np.arange(1))
    assert ((rollout.terminated ^ rollout.truncated).sum(0) == 1).all()
    assert len(set(rollout.lengths.flatten().tolist())) > 1
    assert int(rollout.lengths.max()) == len(rollout.mask)
    assert torch.equal(rollout.episodic_returns, rollout.lengths.float()), "CartPole pays 1 for each step"


class FromOne(gymnasium.Env):
    """Takes the actions 1 and 2, of which 2 is paid; three steps long."""

    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2, start=1)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.left = 3
        return np.zeros(2, np.float32), {}

    def step(self, action):
        assert self.action_space.contains(int(action))
        self.left -= 1
        return np.zeros(2, np.float32), float(action == 2), self.left == 0, False, {}


def test_actions_that_do_not_begin_at_zero_are_sent_as_the_environment_counts_them():
    gymnasium.register("TestFromOne-v0", entry_point=FromOne, max_episode_steps=10)
    try:
        run = make_run("env=gymnasium", "env.id=TestFromOne-v0", "policy.hidden=8", "collect.episodes=8")
        rollout = run.collector.collect(0, np.arange(1))
    finally:
        del gymnasium.registry["TestFromOne-v0"]
    assert set(rollout.actions.flatten().tolist()) == {0, 1}
    assert torch.equal(rollout.rewards, rollout.actions.float())
