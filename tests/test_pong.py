"""Pong from pixels: what is seen, what a batch holds, and that UP is up, all on the real emulator."""

from __future__ import annotations

import csv
import time

import numpy as np
import pytest
import torch
from ale_py.vector_env import AtariVectorEnv
from gymnasium.spaces import Discrete
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pg_experiments.env.screens import Look
from pg_experiments.policy.heads import Bernoulli
from pg_experiments.tensors.streams import emulator_seeds
from tests.conftest import dense_of, make_run, track, train_in

PIXELS = 6400
SMALL = ("env=pong", "policy.hidden=16")


def emulator(seed: int, run, **changes) -> AtariVectorEnv:
    """One emulator of its own, with the settings of a run."""
    of = run.config.env
    settings = {
        "frameskip": of.frame_skip,
        "repeat_action_probability": of.repeat_action_probability,
        "max_num_frames_per_episode": of.max_frames,
        "noop_max": 30,
        "maxpool": False,
        "reward_clipping": False,
        "use_fire_reset": False,
        "img_height": 210,
        "img_width": 160,
        "stack_num": 1,
        "autoreset_mode": "SameStep",
    }
    single = AtariVectorEnv("pong", 1, **settings | changes)
    single.first_screen, _ = single.reset(seed=np.array([seed]))
    return single


def slow_foreground(screen: np.ndarray) -> np.ndarray:
    """The text's sources, pixel by pixel, from the red channel of a colour screen [210, 160, 3]."""
    seen = np.zeros((80, 80))
    for row in range(80):
        for column in range(80):
            red = screen[35 + 2 * row, 2 * column, 0]
            seen[row, column] = red not in (144, 109, 0)
    return seen


@pytest.mark.parametrize("observation", ["differences", "frames"])
def test_what_a_policy_sees_is_what_a_slow_reference_makes_of_the_same_game_in_colour(observation):
    shown = f"env.observation={observation}"
    run = make_run(*SMALL, "env.num_envs=2", "collect.points=4", "env.max_frames=560", shown)
    half, observer = run.env.halves[0], run.collector.halves[0].observer
    look, send = observer.look, half.send
    looked: list[Look] = []
    seen_and_done: list[tuple[Look, int]] = []
    observer.look = lambda *arguments: (looked.append(look(*arguments)), looked[-1])[1]
    half.send = lambda actions, playing: (
        seen_and_done.append((looked[-1], int(actions[0, 0]))),
        send(actions, playing),
    )
    for update in range(3):
        run.collector.collect(update, np.arange(1))

    colour = emulator(emulator_seeds(0, 2)[0], run, grayscale=False)
    screen, before = colour.first_screen, slow_foreground(colour.first_screen[0, 0])
    assert len(seen_and_done) > 200
    assert sum(len(seen.columns) for seen, _ in seen_and_done) > 2000
    for seen, action in seen_and_done:
        now = slow_foreground(screen[0, 0])
        expected = now - before if observation == "differences" else np.stack([now, before])
        ours = np.zeros(expected.size)
        ours[seen.columns] = seen.values
        assert np.array_equal(ours.reshape(expected.shape), expected)
        screen, _, terminated, truncated, _ = colour.step(np.array([action]))
        before = slow_foreground(screen[0, 0]) if terminated[0] or truncated[0] else now


BATCHES = {
    "points, nobody waits": ("collect.points=7",),
    "points, strictly on-policy": ("collect.points=7", "collect.unfinished=wait"),
    "episodes, nobody waits": ("collect=episodes", "collect.episodes=5"),
    "episodes, strictly on-policy": (
        "collect=episodes",
        "collect.episodes=5",
        "collect.unfinished=wait",
    ),
}


@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.parametrize("batches", BATCHES.values(), ids=BATCHES.keys())
def test_a_batch_holds_whole_returns_and_each_step_is_the_one_that_an_emulator_of_its_own_makes(batches, seeds):
    """Three environments a seed, three batches; each environment is played again by itself, action by action."""
    run = make_run(*SMALL, f"num_seeds={seeds}", "env.num_envs=3", "env.max_frames=700", *batches)
    collector = run.collector
    slots: dict[int, tuple[int, int]] = {}  # of each unit: the seed and the environment
    ids: list[list[int]] = []
    begin, take = collector._begin_unit, collector._take_batch
    collector._begin_unit = lambda r, e: (begin(r, e), slots.update({int(collector.unit[r, e]): (r, e)}))
    collector._take_batch = lambda r: (batch := take(r), ids.append([unit.id for unit in batch]))[0]
    columns: dict[int, tuple] = {}
    in_games = batches[0] == "collect=episodes"
    for update in range(3):
        ids.clear()
        rollout = collector.collect(update, np.arange(seeds))
        assert rollout.mask.shape[1:] == (seeds, collector.quota)
        dense = [dense_of(rollout.observations.take(*place)) for place in positions(rollout)]
        final = dense_of(rollout.finals.observations)
        for r in range(seeds):
            for e, unit in enumerate(ids[r]):
                assert slots[unit][0] == r
                played = slice(0, int(rollout.lengths[r, e]))
                assert rollout.mask[played, r, e].all()
                assert unit not in columns, "each is used once"
                rewards = rollout.rewards[played, r, e]
                last = played.stop - 1
                ended = (bool(rollout.terminated[last, r, e]), bool(rollout.truncated[last, r, e]))
                assert not (rollout.terminated | rollout.truncated)[:last, r, e].any()
                assert sum(ended) == 1
                if in_games:
                    assert torch.equal(rollout.return_ends[played, r, e], rewards != 0), "every point ends the return"
                else:
                    assert not rewards[:-1].any()
                    assert bool(rewards[-1]) == ended[0], "a point, or cut off before it"
                seen = torch.cat([dense[r * collector.quota + e][0], final[r, e][None]])
                columns[unit] = (seen, rollout.actions[played, r, e], rewards, ended)
    check_against_emulators(run, columns, slots)


def positions(rollout):
    """For each column: its places in the flattened [T, R, E], as [R = 1, N]."""
    _, R, E = rollout.mask.shape
    for r in range(R):
        for e in range(E):
            steps = torch.arange(int(rollout.lengths[r, e]))
            yield (steps * R * E + r * E + e)[None], torch.ones(1, len(steps), dtype=torch.bool)


def foreground(screen: np.ndarray) -> np.ndarray:
    """Of a grey screen [1, 1, 210, 160]."""
    return np.isin(screen[0, 0, 35:195:2, ::2], (87, 107), invert=True).astype(int).ravel()


def check_against_emulators(run, columns, slots) -> None:
    for seed in range(run.config.num_seeds):
        for env, emulator_seed in enumerate(emulator_seeds(seed, 3)):
            single = emulator(emulator_seed, run)
            screen, before, fresh = single.first_screen, None, True
            of_slot = [unit for unit in sorted(slots) if unit >= 0 and slots[unit] == (seed, env)]
            played = [unit for unit in of_slot if unit in columns]
            assert played == of_slot[: len(played)], "an environment's points are used in their order"
            for unit in played:
                observations, actions, rewards, ended = columns[unit]
                for t, action in enumerate(actions):
                    now = foreground(screen)
                    expected = np.zeros(PIXELS) if fresh else now - before
                    assert np.array_equal(observations[t].numpy(), expected)
                    before = now
                    screen, reward, terminated, truncated, info = single.step(np.array([[3, 2][int(action)]]))
                    fresh = bool(terminated[0] | truncated[0])
                    assert float(reward[0]) == float(rewards[t])
                assert ended[1] == (bool(truncated[0]) and not (reward[0] and "points" in run_unit(run)))
                after = foreground(info["final_obs"]) - before if ended[1] else np.zeros(PIXELS)
                assert np.array_equal(observations[-1].numpy(), after), "what a cut-off return is continued from"


def run_unit(run) -> str:
    return "points" if run.config.collect.episodes_per_batch is None else "episodes"


def test_what_is_shown_stays_until_it_is_asked_what_followed_though_the_emulators_are_under_way_already():
    half = make_run(*SMALL, "env.num_envs=4").env.halves[0]
    everyone = np.ones(half.shape, dtype=np.bool_)
    changes = 0
    for _ in range(40):
        shown, before = half.screens, half.screens.copy()
        half.send(np.full(half.shape, 2), everyone)
        time.sleep(0.005)  # two emulators need some 0.5 ms
        assert np.array_equal(half.screens, before)
        half.receive(everyone)
        assert np.array_equal(shown, before), "nor are frames played into that someone may still hold"
        changes += not np.array_equal(half.screens, before)
    assert changes > 20


def test_nothing_that_was_played_is_lost_when_nobody_waits():
    run = make_run(*SMALL, "env.num_envs=4", "collect.points=6")
    received = 0
    for half in run.env.halves:
        receive = half.receive

        def counting(playing, receive=receive):
            nonlocal received
            received += int(playing.sum())
            return receive(playing)

        half.receive = counting
    learned = sum(int(run.collector.collect(update, np.arange(1)).mask.sum()) for update in range(5))
    assert learned + run.collector.tape.length - int(run.collector.in_flight.sum()) == received


@pytest.mark.parametrize(
    ("observation", "images", "count"), [("differences", "mean_difference", 1), ("frames", "mean_frames", 2)]
)
def test_ten_updates_of_pong_leave_the_expected_counts_and_pictures(tmp_path, observation, images, count):
    shown = f"env.observation={observation}"
    overrides = (*SMALL, "env.num_envs=4", "collect.points=10", "env.max_frames=1200", "num_seeds=2", shown)
    run = make_run(*overrides)
    tracker = track(run, tmp_path / "run", *overrides)
    tracker.histograms_every = 5
    active, steps = np.arange(2), np.zeros(2)
    with tracker.running():
        for update in range(10):
            rollout = run.collector.collect(update, active)
            steps += rollout.mask.sum((0, 2)).numpy()
            run.record(tracker, active, rollout, run.learn(rollout, active).metrics)
    rows = list(csv.DictReader((tmp_path / "run" / "metrics.csv").open()))
    assert [(int(row["update"]), int(row["seed"])) for row in rows] == [(u, s) for u in range(10) for s in range(2)]
    assert [int(row["env_steps"]) for row in rows[-2:]] == steps.tolist()
    for seed in range(2):
        account = run.accounts.seeds[seed]
        assert account.episodes == int(rows[-2 + seed]["episodes"]) > 0
        assert all(-21 <= episode_return <= 21 for episode_return in account.returns)
    board = EventAccumulator(str(tmp_path / "run"), size_guidance={"images": 0, "histograms": 0}).Reload()
    sizes = {name: {(i.width, i.height) for i in board.Images(name)} for name in board.Tags()["images"]}
    assert sizes == {"policy/first_layer": {(8 * 80, 2 * count * 80)}, f"observations/{images}": {(count * 80, 80)}}
    assert len(board.Histograms("policy/probability_of_UP")) == 2


def test_the_same_seed_gives_the_same_bits_whoever_the_neighbour_is():
    overrides = (*SMALL, "env.num_envs=4", "collect.points=6")

    def parameters(*seeds: str) -> list[list[torch.Tensor]]:
        run = make_run(*overrides, *seeds)
        for update in range(3):
            rollout = run.collector.collect(update, np.arange(2))
            run.learn(rollout, np.arange(2))
        return [[p.detach()[r] for p in run.agent.policy.parameters()] for r in range(2)]

    first, again = parameters("num_seeds=2", "seed=4"), parameters("num_seeds=2", "seed=4")
    shifted = parameters("num_seeds=2", "seed=5")
    for one, other in ((first[0], again[0]), (first[1], again[1]), (first[1], shifted[0])):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert not torch.equal(first[0][0], first[1][0])


def test_a_run_of_pong_is_written_down_the_same_twice(tmp_path):
    overrides = (*SMALL, "env.num_envs=4", "collect.points=8", "env.max_steps=1500", "env=pong_v5")
    texts = []
    for name in ("one", "two"):
        train_in(tmp_path / name, *overrides)
        rows = list(csv.DictReader((tmp_path / name / "metrics.csv").open()))
        texts.append([{key: value for key, value in row.items() if key != "wall_time_s"} for row in rows])
    assert texts[0] == texts[1]


class Following:
    """Moves the paddle to where the ball is: it reads both from the screen that the collector's policy would see."""

    head, has_noise = Bernoulli(Discrete(2)), False

    def __init__(self, env, sign: int) -> None:
        self.halves = {half.shape[1]: half for half in env.halves}
        self.sign = sign

    def acting(self):
        def logits(columns, values, counts, masks) -> np.ndarray:
            E = len(counts)
            out = np.zeros((1, E, 1))
            for e, screen in enumerate(self.halves[E].screens[0, :, 35:195:2, ::2]):
                ball, paddle = np.argwhere(screen == 236), np.argwhere(screen[:, 70:] == 147)
                if len(ball) and len(paddle):
                    out[0, e] = 100.0 * self.sign * np.sign(paddle[:, 0].mean() - ball[:, 0].mean())
            return out

        return logits


def test_up_is_up_for_a_policy_that_follows_the_ball_wins_points_that_chance_and_its_mirror_image_lose():
    """150 points each: standard errors of about 0.04 by chance and 0.07 by following, so 0.2 is over two of both."""

    def points(sign: int | None) -> float:
        run = make_run(*SMALL, "env.num_envs=3", "collect.points=150", "seed=1")
        if sign is not None:
            run.collector.policy = Following(run.env, sign)
        return float(run.collector.collect(0, np.arange(1)).episodic_returns.mean())

    by_chance = points(None)
    assert by_chance < -0.8
    assert points(1) > by_chance + 0.2
    assert points(-1) < by_chance + 0.1
