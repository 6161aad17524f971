"""How batches of points are put together from games that go on: chance, dropout masks, quotas and ends."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pg_experiments.collect.arcade import NONE
from pg_experiments.collect.assembly import Unit
from pg_experiments.collect.noise import Noise
from pg_experiments.env.arcade import Outcome
from pg_experiments.run.run import Run
from tests.conftest import make_run


def pong(*overrides: str) -> Run:
    """Three environments, two in the first half and one in the second."""
    batch = () if "collect=episodes" in overrides else ("collect.points=3",)
    return make_run("env=pong", "policy.hidden=8", "env.num_envs=3", *batch, *overrides)


def outcome(run: Run, rewards: list[float], terminated: list[bool], truncated: list[bool]) -> None:
    """Let this be what followed the last actions of the first half, of which there were none."""
    half = run.collector.halves[0]
    half.in_flight[:] = True
    numbers = Outcome(np.array([rewards], np.float32), np.array([terminated]), np.array([truncated]))
    half.emulators.receive = lambda playing: numbers
    run.collector._receive(half)


def begun(*overrides: str) -> Run:
    """A run whose batch has begun."""
    run = pong(*overrides)
    run.collector._begin(np.arange(1))
    return run


def test_each_environment_has_noise_of_its_own_of_the_update_step_by_step():
    run, drawn = pong("num_seeds=2"), []
    sample = run.agent.policy.head.sample
    run.agent.policy.head.sample = lambda logits, noise: (drawn.append(noise), sample(logits, noise))[1]
    run.collector.collect(5, np.arange(2))
    steps = zip(range(12), Noise(run.agent.policy, {0: 0, 1: 1}, 3, 5, torch.device("cpu")), strict=False)
    expected = [noise[:, span].numpy() for _, (noise, _) in steps for span in (slice(0, 2), slice(2, 3))]
    for ours, theirs in zip(drawn, expected, strict=False):
        assert np.array_equal(ours, theirs)


def test_what_is_learned_from_pong_is_what_acted_dropout_included():
    """The logits of the learner's pass equal, to 1e-5, those of the compiled one, step by step of every point."""
    run = pong("num_seeds=2", "policy.dropout=0.5", "env.max_frames=400")
    collector, acting = run.collector, run.agent.policy.acting()
    acted: dict[int, list[np.ndarray]] = {}
    ids: list[int] = []
    record, take = collector.tape.record, collector._take_batch
    logits_of_half: list[np.ndarray] = []
    run.agent.policy.acting = lambda: (
        lambda *arguments: (logits_of_half.append(acting(*arguments)), logits_of_half[-1])[1]
    )

    def spying(look, which, actions, units, masks):
        for r, e in np.argwhere(which):
            acted.setdefault(int(units[r, e]), []).append(logits_of_half[-1][r, e])
        return record(look, which, actions, units, masks)

    collector.tape.record = spying
    collector._take_batch = lambda r: (batch := take(r), ids.extend(unit.id for unit in batch))[0]
    rollout = collector.collect(0, np.arange(2))
    index = rollout.flat
    masks = index.gather(rollout.dropout_masks)
    logits = run.agent.policy.bind(rollout.learners)(index.gather(rollout.observations), masks).detach()
    assert 0.4 < float(masks[index.valid].float().mean()) < 0.6
    columns = index.scatter(logits.squeeze(-1))
    for column, unit in enumerate(ids):
        r, e = divmod(column, 3)
        length = int(rollout.lengths[r, e])
        ours = columns[:length, r, e].numpy()
        np.testing.assert_allclose(ours, np.array(acted[unit])[:length, 0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("unit", ["points", "episodes"])
def test_when_a_time_limit_and_a_point_come_at_once_the_point_has_ended_and_the_game_was_cut_off(unit):
    episodes = ("collect=episodes", "collect.episodes=3")
    run = begun(*episodes if unit == "episodes" else ())
    outcome(run, [-1.0, 0.0], [False, False], [True, True])
    rewarded, not_rewarded = run.collector.complete[0]
    assert (rewarded.terminated, rewarded.truncated) == ((True, False) if unit == "points" else (False, True))
    assert (not_rewarded.terminated, not_rewarded.truncated) == (False, True)
    outcome(run, [0.0, 0.0], [True, False], [True, False])
    both = run.collector.complete[0][2]
    assert (both.terminated, both.truncated) == (True, False), "what has ended by itself is not continued"


def test_a_point_ends_with_any_reward_and_an_episode_with_its_end():
    run = begun()
    outcome(run, [1.0, -1.0], [False, False], [False, False])
    assert len(run.collector.complete[0]) == 2
    outcome(run, [0.0, 0.0], [False, False], [False, False])
    assert len(run.collector.complete[0]) == 2
    run = begun("collect=episodes", "collect.episodes=3")
    outcome(run, [1.0, 0.0], [False, True], [False, False])
    assert len(run.collector.complete[0]) == 1


def test_a_games_return_and_length_are_of_all_its_steps_and_of_none_of_the_game_before():
    run = begun("collect.points=20")
    for rewards, over in (([1.0, 0.0], False), ([1.0, -1.0], False), ([0.0, 1.0], True), ([-1.0, 1.0], True)):
        outcome(run, rewards, [over, False], [False, False])
    games = run.collector._take_games(0)
    assert games.returns.tolist() == [2, -1]
    assert games.lengths.tolist() == [3, 1]
    assert run.collector._take_games(0).returns.tolist() == [], "each is entered once"
    assert run.collector.scores[0].tolist() == [0, 1, 0]
    assert run.collector.lengths[0].tolist() == [0, 4, 0]


def test_a_batch_is_what_was_begun_first_where_all_wait_and_what_ended_first_where_nobody_does():
    ended = [Unit(id, True, False) for id in (4, 1, 3, 2, 7)]
    for overrides, batch, left in (
        ("collect.unfinished=wait", [1, 2, 3], [4, 7]),
        ("collect.unfinished=carry_over", [4, 1, 3], [2, 7]),
    ):
        collector = pong(overrides).collector
        collector.complete[0] = list(ended)
        assert [unit.id for unit in collector._take_batch(0)] == batch
        assert [unit.id for unit in collector.complete[0]] == left


def test_where_all_wait_exactly_the_quota_is_begun_and_nothing_is_under_way_when_the_batch_is_learned_from():
    run = pong("collect.unfinished=wait", "collect.points=5", "num_seeds=2")
    for update in range(2):
        run.collector.collect(update, np.arange(2))
        assert run.collector.begun == [5, 5]
        assert (run.collector.unit == NONE).all()
        assert run.collector.complete == [[], []]
        assert run.collector.tape.length == 0


def test_where_nobody_waits_a_batch_is_complete_with_the_point_that_fills_its_quota():
    run = begun("collect.points=4")
    outcome(run, [1.0, 1.0], [False, False], [False, False])
    assert run.collector.playing[0].all()
    outcome(run, [1.0, 1.0], [False, False], [False, False])
    assert not run.collector.playing[0].any()
    assert len(set(run.collector.unit[0].tolist())) == 3, "and the next points are under way"


def test_what_is_under_way_between_batches_is_paid_to_the_last_step_of_its_own_point():
    collector = pong("num_seeds=2").collector
    for update in range(2):
        collector.collect(update, np.arange(2))
        units = collector.tape.rows().units
        assert collector.in_flight.any()
        for r, e in np.argwhere(collector.in_flight):
            of_point = np.flatnonzero(units == collector.unit[r, e])
            assert collector.pending[r, e] == of_point[-1]
