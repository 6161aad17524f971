"""collect=steps: each column is what one Gymnasium environment gives, episode after episode, without resets in it."""

from __future__ import annotations

import dataclasses

import gymnasium
import numpy as np
import pytest
import torch

from pg_experiments.collect.ongoing import Ongoing
from pg_experiments.collect.steps import StepsCollector
from pg_experiments.run.run import Run
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.rollout import Rollout
from pg_experiments.tensors.streams import episode_seeds
from tests.conftest import make_run

R, E, T = 2, 3, 9
COMMON = (
    *(
        "collect=steps",
        f"collect.num_envs={E}",
        f"collect.num_steps={T}",
        f"num_seeds={R}",
        "policy.hidden=8",
        "policy.dropout=0.3",
    ),
    *("baseline=value", "baseline.bootstrap=true", "baseline.hidden=8", "normalization=none"),
)
ENVIRONMENTS = {
    "cartpole": ("env.max_episode_steps=500",),
    "cartpole_short": ("env.max_episode_steps=11",),  # truncated mid-fragment, and terminated
    "acrobot": ("env=acrobot", "env.max_episode_steps=7"),
    "mountain_car": ("env=gymnasium", "env.id=MountainCar-v0", "env.max_episode_steps=13"),
}


@pytest.fixture(autouse=True)
def without_compiled_form(monkeypatch):
    """What is played in a compiled loop is compared with this way of playing in test_compiled_steps.py."""
    monkeypatch.setattr("pg_experiments.collect.compiled_parts", lambda *_: None)


def fragments(run: Run, count: int) -> list[Rollout]:
    active = np.arange(run.config.num_seeds)
    return [run.collector.collect(update, active) for update in range(count)]


@dataclasses.dataclass
class Column:
    """One environment of one learner, as Gymnasium plays it: it is reset where its episode has ended."""

    env: gymnasium.Env
    seed: int
    place: int  # among the learner's environments
    episode: int = -1
    total: float = 0.0
    length: int = 0

    def reset(self) -> np.ndarray:
        self.episode, self.total, self.length = self.episode + 1, 0.0, 0
        observation, _ = self.env.reset(seed=episode_seeds(self.seed, self.episode, E)[self.place])
        return observation


@pytest.mark.parametrize("overrides", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_fragments_are_what_one_gymnasium_environment_per_column_gives_under_the_same_actions(overrides):
    run = make_run(*COMMON, *overrides)
    config = run.config.env
    columns = {
        (r, e): Column(gymnasium.make(config.id, max_episode_steps=config.max_episode_steps), r, e)
        for r in range(R)
        for e in range(E)
    }
    shown = {place: column.reset() for place, column in columns.items()}
    ends = 0
    for rollout in fragments(run, 5):
        assert rollout.full
        assert rollout.mask.all()
        assert rollout.mask.shape == (T, R, E)
        finals = finals_by_place(rollout)
        episodes: list[list[tuple[float, int]]] = [[] for _ in range(R)]
        for t in range(T):
            for (r, e), column in columns.items():
                here = (t, r, e)
                np.testing.assert_allclose(rollout.observations[here], shown[r, e], rtol=1e-4, atol=1e-5)
                after, reward, terminated, truncated, _ = column.env.step(int(rollout.actions[here]))
                assert float(rollout.rewards[here]) == pytest.approx(float(reward))
                assert bool(rollout.terminated[here]) == terminated
                assert bool(rollout.truncated[here]) == truncated
                column.total, column.length = column.total + float(reward), column.length + 1
                is_over = terminated or truncated
                assert (here in finals) == (truncated or (t == T - 1 and not is_over))
                if here in finals:
                    np.testing.assert_allclose(finals[here], after, rtol=1e-4, atol=1e-5)
                if is_over:
                    ends += 1
                    episodes[r].append((column.total, column.length))
                shown[r, e] = column.reset() if is_over else after
        for r, expected in enumerate(episodes):
            found = list(zip(rollout.episodes[r].returns.tolist(), rollout.episodes[r].lengths.tolist(), strict=True))
            assert found == [(pytest.approx(total), length) for total, length in expected]
    assert ends >= 2 * R * E, "environments were reset within fragments"


def finals_by_place(rollout: Rollout) -> dict[tuple[int, int, int], np.ndarray]:
    """Final observations by the step (t, r, e) that they followed."""
    finals = rollout.finals
    assert finals.positions.shape[1] % E == 0
    found = {}
    for row, column in finals.valid.nonzero().tolist():
        place = np.unravel_index(int(finals.positions[row, column]), rollout.mask.shape)
        t, r, e = (int(index) for index in place)
        assert r == row
        assert (t, r, e) not in found
        found[t, r, e] = finals.observations[row, column].numpy()
    return found


def test_values_of_final_observations_are_where_the_data_is_cut():
    run = make_run(*COMMON, "env.max_episode_steps=11")
    for rollout in fragments(run, 3):
        ours = run.agent.baseline.final_values(rollout)
        assert torch.equal(ours != 0, rollout.cuts)


TENSORS = ("observations", "actions", "rewards", "terminated", "truncated", "dropout_masks")


def same_bits(ours: Rollout, theirs: Rollout, r: int, other: int) -> None:
    """Learner r of one rollout and the other learner of the other have the same fragments and finished episodes."""
    for name in TENSORS:
        assert torch.equal(getattr(ours, name)[:, r], getattr(theirs, name)[:, other]), name
    a, b = (x.finals.observations[i][x.finals.valid[i]] for x, i in ((ours, r), (theirs, other)))
    assert torch.equal(a, b)
    for one, two in zip(ours.episodes[r], theirs.episodes[other], strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize("overrides", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_a_learners_fragments_are_the_same_with_other_neighbours(overrides):
    """The learners of seeds 3 and 4; seed 4 again beside seed 5, in another place."""
    first, second = (make_run(*COMMON, *overrides, f"seed={seed}") for seed in (3, 4))
    for ours, theirs in zip(fragments(first, 3), fragments(second, 3), strict=True):
        same_bits(ours, theirs, 1, 0)


@pytest.mark.parametrize("overrides", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_after_a_restore_the_next_fragments_have_the_same_bits(overrides):
    run = make_run(*COMMON, *overrides)
    states = []
    whole = []
    for update in range(5):
        states.append(run.collector.state())
        whole.append(run.collector.collect(update, np.arange(R)))
    for begin in range(5):
        again = make_run(*COMMON, *overrides)
        again.collector.restore(states[begin])
        for update in range(begin, 5):
            rollout = again.collector.collect(update, np.arange(R))
            for r in range(R):
                same_bits(rollout, whole[update], r, r)


@pytest.mark.parametrize("overrides", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_the_environments_of_a_stopped_learner_stand_still_and_continue_after_a_restore_where_they_were(overrides):
    """Learner 0 stops after one fragment. Its second one is the same three updates later, with the same numbers."""
    run, expected = make_run(*COMMON, *overrides), make_run(*COMMON, *overrides)
    run.collector.collect(0, np.arange(R))
    expected.collector.collect(0, np.arange(R))
    stands = run.collector.state()
    for update in (1, 2, 3):
        alone = run.collector.collect(update, np.array([1]))
        assert alone.learners.tolist() == [1]
    later = run.collector.state()
    assert torch.equal(later["observations"][:E], stands["observations"][:E])
    for name in ("numbers", "lengths", "returns"):
        assert torch.equal(later[name][:E], stands[name][:E]), name
    resumed = make_run(*COMMON, *overrides)
    resumed.collector.restore(later)
    same_bits(resumed.collector.collect(4, np.arange(R)), expected.collector.collect(4, np.arange(R)), 0, 0)


def test_an_environment_that_changed_since_the_checkpoint_is_refused_in_one_line():
    run = make_run(*COMMON)
    fragments(run, 1)
    state = run.collector.state()
    state["observations"][0, 0] += 1e-6
    with pytest.raises(UserError, match="environments are not where they were") as caught:
        make_run(*COMMON).collector.restore(state)
    assert "\n" not in str(caught.value)


def test_a_fragment_in_which_all_episodes_end_with_the_last_step_leaves_no_action_to_repeat():
    run = make_run(*COMMON, "env=acrobot", f"env.max_episode_steps={T}")
    for update in range(3):
        rollout = run.collector.collect(update, np.arange(R))
        assert rollout.truncated[-1].all()
        state = run.collector.state()
        assert state["actions"] == [None, None]
        assert (state["numbers"] == update + 1).all()
    again = make_run(*COMMON, "env=acrobot", f"env.max_episode_steps={T}")
    again.collector.restore(state)
    same_bits(again.collector.collect(3, np.arange(R)), run.collector.collect(3, np.arange(R)), 1, 1)


def test_the_log_holds_the_fragments_of_unfinished_episodes_only():
    """A hundred fragments of 9 steps, of episodes of at most 20: never more than 20 and two fragments' steps."""
    run = make_run(*COMMON, "env.max_episode_steps=20")
    sizes = []
    for update in range(100):
        run.collector.collect(update, np.arange(R))
        state = run.collector.state()
        sizes += [0 if log is None else len(log) for log in state["actions"]]
        for log, lengths in zip(state["actions"], state["lengths"].view(R, E), strict=True):
            assert (0 if log is None else len(log)) >= int(lengths.max())
    assert max(sizes) < 20 + T


def test_returns_and_lengths_of_episodes_are_sums_over_fragments():
    """One learner with two environments, by hand: fragments of 3 steps, with the rewards 1, 2, 3, …"""
    ongoing = Ongoing([0], 2)
    ongoing.begin(np.arange(2))
    rewards = np.arange(1, 19, dtype=np.float32).reshape(3, 3, 1, 2)  # [fragment, T, R, E]
    ended = np.zeros((3, 3, 1, 2), dtype=np.bool_)
    ended[0, 1, 0, 0], ended[1, 2, 0, 1], ended[2, 0, 0, 0], ended[2, 0, 0, 1], ended[2, 1, 0, 0] = (True,) * 5
    actions = np.zeros((3, 3, 1, 2), dtype=np.int64)
    found = [ongoing.add(np.arange(1), actions[k], rewards[k], ended[k])[0] for k in range(3)]
    assert [(x.returns.tolist(), x.lengths.tolist()) for x in found] == [
        ([1 + 3], [2]),
        ([2 + 4 + 6 + 8 + 10 + 12], [6]),
        ([5 + 7 + 9 + 11 + 13, 14, 15], [5, 1, 1]),
    ]
    assert ongoing.returns.tolist() == [17, 16 + 18]
    assert ongoing.lengths.tolist() == [1, 2]


def test_learning_again_with_stored_outputs_has_the_gradient_of_recomputed_ones():
    """reinforce on fragments, with dropout."""
    norms = []
    for log_probs in ("recomputed", "stored"):
        run = make_run(*COMMON, f"algorithm.log_probs={log_probs}")
        rollout = fragments(run, 1)[0]
        norms.append(run.learn(rollout, np.arange(R)).metrics["policy_gradient_norm"])
    torch.testing.assert_close(norms[0], norms[1], rtol=1e-4, atol=1e-6)


def test_the_collector_refuses_an_environment_that_resets_itself():
    run = make_run(*COMMON)
    with pytest.raises(ValueError, match="AutoresetMode"):
        StepsCollector(
            gymnasium.make_vec("CartPole-v1", num_envs=2),
            run.agent.policy,
            seeds=[0],
            num_envs=2,
            num_steps=3,
            device=torch.device("cpu"),
            keep_graph=False,
        )
