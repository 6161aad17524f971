"""collect=steps of Atari: each column is what one emulator gives, game after game, under the same actions."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from ale_py.vector_env import AtariVectorEnv

from pg_experiments.env.arcade import Outcome
from pg_experiments.run.run import Run
from pg_experiments.tensors.rollout import Rollout
from pg_experiments.tensors.streams import emulator_seeds
from tests.conftest import dense_of, make_run
from tests.reference_loop import ACTIVATIONS
from tests.test_pong import PIXELS, emulator, foreground

E, T = 3, 11
PONG = ("env=pong", "policy.hidden=8", "env.max_episodes=null", "env.max_steps=100000")
COMMON = (*PONG, "algorithm=ppo", f"collect.num_envs={E}", f"collect.num_steps={T}", "algorithm.num_minibatches=3")
FRAMES = 128  # 32 steps: games are truncated inside the third fragment, after idle frames of random number
SHORT = f"env.max_frames={FRAMES}"
Place = tuple[int, int, int]  # t, r, e


def fragments(run: Run, count: int) -> list[Rollout]:
    return [run.collector.collect(update, np.arange(run.config.num_seeds)) for update in range(count)]


def dense(rollout: Rollout) -> np.ndarray:
    """Observations [T, R, E, D]."""
    index = rollout.flat
    rows = dense_of(index.gather(rollout.observations)).numpy()
    found = np.zeros((rollout.mask.numel(), PIXELS))
    found[index.positions[index.valid].numpy()] = rows[index.valid.numpy()]
    return found.reshape(*rollout.mask.shape, PIXELS)


def finals_of(rollout: Rollout) -> dict[Place, np.ndarray]:
    """Final observations by the step that they followed."""
    finals, found = rollout.finals, dict[Place, np.ndarray]()
    rows = dense_of(finals.observations).numpy()
    assert finals.positions.shape[1] % rollout.mask.shape[2] == 0
    for row, column in finals.valid.nonzero().tolist():
        t, r, e = (int(i) for i in np.unravel_index(int(finals.positions[row, column]), rollout.mask.shape))
        assert r == row
        assert (t, r, e) not in found
        found[t, r, e] = rows[row, column]
    return found


@dataclasses.dataclass
class Column:
    """One environment of one learner, played by an emulator of its own."""

    emulator: AtariVectorEnv
    screen: np.ndarray
    before: np.ndarray | None = None  # foreground of the screen before; None for the first screen of a game
    total: float = 0.0
    length: int = 0

    def observation(self) -> np.ndarray:
        now = foreground(self.screen)
        return np.zeros(PIXELS) if self.before is None else now - self.before

    def step(self, action: int) -> tuple[float, bool, bool, np.ndarray]:
        """Reward, ends, and the difference of the screen that followed, before a new game."""
        before = foreground(self.screen)
        self.screen, reward, terminated, truncated, info = self.emulator.step(np.array([[3, 2][action]]))
        is_over = bool(terminated[0] or truncated[0])
        after = foreground(info["final_obs"] if is_over else self.screen) - before
        self.before = None if is_over else before
        self.total, self.length = self.total + float(reward[0]), self.length + 1
        return float(reward[0]), bool(terminated[0]), bool(truncated[0]), after


def columns_of(run: Run) -> dict[tuple[int, int], Column]:
    made = {}
    for r in range(run.config.num_seeds):
        for e, seed in enumerate(emulator_seeds(r, E)):
            single = emulator(seed, run)
            made[r, e] = Column(single, single.first_screen)
    return made


@pytest.mark.parametrize("num_seeds", [1, 2])
def test_fragments_are_what_emulators_of_their_own_give_under_the_same_actions(num_seeds):
    """Games that are truncated inside fragments and at their ends, and that begin anew in the next step."""
    run = make_run(*COMMON, SHORT, f"num_seeds={num_seeds}", "policy.dropout=0.5")
    columns, games = columns_of(run), 0
    for rollout in fragments(run, 15):
        assert rollout.full
        assert rollout.mask.all()
        assert rollout.mask.shape == (T, num_seeds, E)
        observations, finals = dense(rollout), finals_of(rollout)
        finished: list[list[tuple[float, int]]] = [[] for _ in range(num_seeds)]
        for t in range(T):
            for (r, e), column in columns.items():
                here = (t, r, e)
                assert np.array_equal(observations[here], column.observation())
                reward, terminated, truncated, after = column.step(int(rollout.actions[here]))
                assert float(rollout.rewards[here]) == reward
                assert (bool(rollout.terminated[here]), bool(rollout.truncated[here])) == (terminated, truncated)
                assert bool(rollout.return_ends[here]) == (reward != 0), "a point ends the return"
                is_over = terminated or truncated
                assert (here in finals) == (truncated or (t == T - 1 and not is_over))
                if here in finals:
                    assert np.array_equal(finals[here], after)
                if is_over:
                    finished[r].append((column.total, column.length))
                    column.total, column.length, games = 0.0, 0, games + 1
        assert [list(zip(g.returns.tolist(), g.lengths.tolist(), strict=True)) for g in rollout.games] == finished
    assert games >= 4 * num_seeds * E, "games ended, by the limit of frames"


def test_the_observation_after_a_fragment_is_the_first_of_the_next_one():
    run = make_run(*COMMON, "num_seeds=2")
    first, second, third = fragments(run, 3)
    changes = 0
    for ours, theirs in ((first, second), (second, third)):
        finals, next_ones = finals_of(ours), dense(theirs)[0]
        assert set(finals) == {(T - 1, r, e) for r in range(2) for e in range(E)}
        for (_, r, e), observation in finals.items():
            assert np.array_equal(observation, next_ones[r, e])
            changes += int(np.abs(observation).sum())
    assert changes > 20


@pytest.mark.parametrize("last", [1, 3])
def test_a_truncated_game_is_cut_with_the_screen_that_followed_and_the_next_one_begins_with_zeros(last):
    """The outcomes of a fragment of four steps by hand: in the final screen, everything is foreground."""
    run = make_run(*PONG, "algorithm=ppo", "collect.num_envs=1", "collect.num_steps=4", "algorithm.num_minibatches=1")
    (half,), shown, steps = run.env.halves, [run.env.halves[0].screens.copy()], 0

    def receive(playing: np.ndarray, take: Any = half.receive) -> Outcome:
        nonlocal steps
        outcome = take(playing)
        shown.append(half.screens.copy())
        half.final_screens, steps = np.full_like(half.screens, 255), steps + 1
        return outcome._replace(truncated=np.array([[steps == last + 1]]))

    half.receive = receive
    first, second = fragments(run, 2)
    finals, observations = finals_of(first), np.concatenate([dense(first), dense(second)])
    assert set(finals) == {(last, 0, 0), (3, 0, 0)}
    assert np.array_equal(finals[last, 0, 0], 1 - foreground(shown[last][0][None]))
    for t in range(1, 8):
        changed = foreground(shown[t][0][None]) - foreground(shown[t - 1][0][None])
        expected = np.zeros(PIXELS) if t == last + 1 else changed
        assert np.array_equal(observations[t, 0, 0], expected), t


def test_values_of_final_observations_are_where_the_data_is_cut():
    run = make_run(*COMMON, SHORT, "num_seeds=2")
    for rollout in fragments(run, 4):
        values = torch.zeros_like(rollout.rewards)
        values = run.agent.critic.next_values(rollout, values)
        assert torch.equal(values != 0, rollout.cuts)


def test_each_environment_has_noise_of_its_own_of_the_update_whoever_takes_part():
    """The actions of a learner are those that its neighbour's absence gives, from the same screens."""
    both, one = (
        make_run(*COMMON, "num_seeds=2", "policy.dropout=0.5"),
        make_run(*COMMON, "num_seeds=2", "policy.dropout=0.5"),
    )
    whole, alone = both.collector.collect(3, np.arange(2)), one.collector.collect(3, np.array([1]))
    assert alone.learners.tolist() == [1]
    assert np.array_equal(dense(alone)[:, 0], dense(whole)[:, 1])
    for name in ("actions", "rewards", "dropout_masks"):
        assert torch.equal(getattr(alone, name)[:, 0], getattr(whole, name)[:, 1]), name


def test_what_is_learned_from_is_what_acted_dropout_included():
    """The outputs of the learner's pass equal, to 1e-5, those of the compiled one that acted."""
    run = make_run(*COMMON, "num_seeds=2", "policy.dropout=0.5")
    policy, acted = run.agent.policy, []
    acting = policy.acting()
    policy.acting = lambda: lambda *arguments: (acted.append(acting(*arguments).copy()), acted[-1])[1]
    (rollout,) = fragments(run, 1)
    index = rollout.flat
    masks = index.gather(rollout.dropout_masks)
    assert 0.4 < float(masks.float().mean()) < 0.6
    outputs = policy.bind(rollout.learners)(index.gather(rollout.observations), masks).detach()
    ours = index.scatter(outputs.squeeze(-1)).numpy()
    halves = [np.concatenate(acted[t * 2 : t * 2 + 2], 1)[..., 0] for t in range(T)]
    np.testing.assert_allclose(ours, np.array(halves), rtol=0, atol=1e-5)


def test_the_games_of_a_stopped_learner_stand_still_and_continue_after_a_restore_where_they_were():
    """Learner 0 stops after one fragment; its second one, three updates later, is the one of the next update."""
    run, expected = make_run(*COMMON, SHORT, "num_seeds=2"), make_run(*COMMON, SHORT, "num_seeds=2")
    fragments(run, 1), fragments(expected, 1)
    stands, screens = run.collector.state(), [half.screens[0].copy() for half in run.env.halves]
    for update in (1, 2, 3):
        run.collector.collect(update, np.array([1]))
    later = run.collector.state()
    for half, before in zip(run.env.halves, screens, strict=True):
        assert np.array_equal(half.screens[0], before)
    assert torch.equal(later["lengths"][0], stands["lengths"][0])
    assert [len(told) for told in later["told"]] == [T, 4 * T] * 2
    resumed = make_run(*COMMON, SHORT, "num_seeds=2")
    resumed.collector.restore(later)
    ours, theirs = (each.collector.collect(4, np.arange(2)) for each in (resumed, expected))
    assert np.array_equal(dense(ours)[:, 0], dense(theirs)[:, 0])
    assert torch.equal(ours.actions[:, 0], theirs.actions[:, 0])


def test_a_games_return_and_length_are_those_of_all_its_fragments():
    """Outcomes by hand, of one environment: rewards −1, −2, −3, …, and a game that ends in the third fragment."""
    run = make_run(*PONG, "algorithm=ppo", "collect.num_envs=1", "collect.num_steps=4", "algorithm.num_minibatches=1")
    (half,), step = run.env.halves, 0

    def receive(playing: np.ndarray, take: Any = half.receive) -> Outcome:
        nonlocal step
        take(playing)
        step += 1
        return Outcome(np.full((1, 1), -step, np.float32), np.array([[step in (10, 11)]]), np.zeros((1, 1), np.bool_))

    half.receive = receive
    rollouts = fragments(run, 3)
    assert torch.cat([rollout.rewards for rollout in rollouts]).flatten().tolist() == [-k for k in range(1, 13)]
    assert all(rollout.return_ends.all() for rollout in rollouts), "points that are lost end returns, too"
    games = [rollout.games[0] for rollout in rollouts]
    assert [(game.returns.tolist(), game.lengths.tolist()) for game in games] == [
        ([], []),
        ([], []),
        ([-sum(range(11)), -11], [10, 1]),
    ]
    assert run.collector.scores.tolist() == [[-12]]
    assert run.collector.lengths.tolist() == [[1]]


def test_after_a_restore_the_next_fragments_have_the_same_bits():
    overrides = (*COMMON, SHORT, "num_seeds=2", "policy.dropout=0.5", "env.repeat_action_probability=0.25")
    run, states, whole = make_run(*overrides), [], []
    for update in range(5):
        states.append(run.collector.state())
        whole += [run.collector.collect(update, np.arange(2))]
    for begin in (0, 1, 3):
        again = make_run(*overrides)
        again.collector.restore(states[begin])
        for update in range(begin, 5):
            rollout = again.collector.collect(update, np.arange(2))
            assert np.array_equal(dense(rollout), dense(whole[update]))
            for name in ("actions", "rewards", "terminated", "truncated", "dropout_masks"):
                assert torch.equal(getattr(rollout, name), getattr(whole[update], name)), name
            for ours, theirs in zip(rollout.games, whole[update].games, strict=True):
                assert [x.tolist() for x in ours] == [x.tolist() for x in theirs]


def test_a_value_on_the_layers_of_the_policy_learns_from_games_too():
    run = make_run(*COMMON, "baseline=shared_value", "num_seeds=2")
    (rollout,) = fragments(run, 1)
    hidden, _ = run.agent.policy.network.weights  # without biases
    output = run.agent.critic.network.output
    observations = torch.from_numpy(dense(rollout)).float().transpose(0, 1).flatten(1, 2)
    units = ACTIVATIONS[run.agent.policy.network.activation](observations @ hidden)
    expected = (units @ output.weights[0] + output.biases[0]).squeeze(-1).detach()
    values = run.agent.critic.state_values(rollout).transpose(0, 1).flatten(1)
    torch.testing.assert_close(values, expected, rtol=1e-4, atol=1e-5)
    assert run.learn(rollout, np.arange(2)).broken == {}
