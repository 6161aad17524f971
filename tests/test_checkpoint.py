"""Checkpoints hold everything that the next update depends on, survive what happens to files, and execute nothing."""

from __future__ import annotations

import logging
import os
import pickle
import shutil
from pathlib import Path

import pytest
import torch

from pg_experiments.run.checkpoint import Checkpointing, Checkpoints, newest, read
from pg_experiments.support.errors import UserError
from pg_experiments.support.run_directory import FILES, FOLDERS, RunDirectory
from tests.conftest import make_run, track
from tests.masked_env import ID as MASKED_ID
from tests.saved_runs import Malice
from tests.torture import Result

SETTINGS = Checkpointing(every_updates=1, every_seconds=None, keep=100)
CARTPOLE = ("env.max_episodes=24", "env.threshold=inf", "policy.hidden=8", "num_seeds=2")
GAMES = ("env=pong", "env.num_envs=3", "policy.hidden=8", "env.max_steps=3500", "env.max_frames=1200")
PONG = (*GAMES, "collect.points=6")
FRAGMENTS = ("num_seeds=2", "env.max_episodes=null", "env.max_steps=240", "env.threshold=inf", "policy.hidden=8")
STEPS = ("collect.num_envs=3", "collect.num_steps=10", "baseline.hidden=8")
RUNS = {
    "linear": ("env.max_episodes=24", "env.threshold=inf", "num_seeds=2", "policy=linear"),
    "value": (*CARTPOLE, "baseline=value", "normalization=advantages"),
    "moving_average": (*CARTPOLE, "baseline=moving_average", "optimizer=rmsprop", "optimizer.momentum=0.9"),
    "diagnostics": (*CARTPOLE, "diagnostics=gradients", "diagnostics.every=3", "collect.episodes=3"),
    "schedule": (*CARTPOLE, "optimizer=sgd", "optimizer.momentum=0.9", "optimizer.schedule=cosine"),
    "adamw": (*CARTPOLE, "optimizer=adamw", "optimizer.weight_decay=0.1", "env.threshold=24"),
    "steps": (
        *(*FRAGMENTS, "collect=steps", *STEPS, "baseline=value", "baseline.bootstrap=true", "normalization=none"),
        "env.max_episode_steps=17",
    ),
    "a2c": (
        *(*FRAGMENTS, "algorithm=a2c", *STEPS, "policy.dropout=0.5", "env.max_episode_steps=17"),
        "tracking.every_steps=80",  # rows of three updates: all but every third checkpoint is between rows
    ),
    "ppo": (
        *(*FRAGMENTS, "algorithm=ppo", *STEPS, "algorithm.num_minibatches=3", "algorithm.target_kl=0.001"),
        *("optimizer.learning_rate=0.01", "env.max_episode_steps=17", "baseline.learning_rate=0.01"),
    ),
    "a3c": (
        *(*FRAGMENTS, "algorithm=a3c", *STEPS, "collect.num_envs=4", "algorithm.workers=2", "algorithm.staleness=3"),
        *("env.max_steps=320", "env.max_episode_steps=17", "policy.dropout=0.5"),
    ),
    "shared_value": (
        *(*FRAGMENTS, "algorithm=ppo", "baseline=shared_value", "collect.num_envs=3", "collect.num_steps=10"),
        *("algorithm.num_minibatches=3", "policy.dropout=0.5", "env.max_episode_steps=17"),
    ),
    "ppo_gymnasium": (
        *("env=acrobot", "env.max_episode_steps=35", "env.max_episodes=null", "env.max_steps=240", "num_seeds=2"),
        *("algorithm=ppo", *STEPS, "policy.hidden=8", "algorithm.num_minibatches=3"),
    ),
    "sac": (
        *("algorithm=sac", "env=gymnasium", "env.id=Pendulum-v1", "env.max_episodes=null", "env.max_steps=160"),
        *("env.threshold=inf", "env.max_episode_steps=17", "num_seeds=2", "policy.hidden=8", "collect.num_steps=8"),
        *("algorithm.critic_hidden=8", "algorithm.batch_size=16", "algorithm.learning_starts=30"),
        *("algorithm.buffer_size=50", "tracking.every_steps=24"),
    ),
    "sac_discrete": (
        *("algorithm=sac", *FRAGMENTS, "policy.head=categorical", "collect.num_steps=8", "algorithm.critic_hidden=8"),
        *("algorithm.learning_starts=30", "algorithm.batch_size=16", "env.max_episode_steps=17"),
    ),
    "running": (
        *(*FRAGMENTS, "algorithm=ppo", *STEPS, "algorithm.num_minibatches=3", "normalization=running"),
        "env.max_episode_steps=17",
    ),
    "gaussian": (
        *("env=pendulum", *FRAGMENTS, "collect=steps", *STEPS, "baseline=value"),
        *("baseline.bootstrap=true", "normalization=none", "env.max_episode_steps=17"),
    ),
    "gaussian_ppo": (
        *("env=pendulum", *FRAGMENTS, "algorithm=ppo", *STEPS, "algorithm.num_minibatches=3", "policy.dropout=0.5"),
        *("env.max_episode_steps=17", "policy.std=state_dependent"),
    ),
    "action_masks": (
        *("env=gymnasium", f"env.id={MASKED_ID}", *FRAGMENTS, "algorithm=a2c", *STEPS),
        "tracking.every_steps=80",
    ),
    "gru": (
        *(*FRAGMENTS, "algorithm=a2c", "policy=gru", "baseline=shared_value", "collect.num_envs=3"),
        *("collect.num_steps=10", "env.max_episode_steps=17"),
    ),
    "pathwise": (
        *("env=double_pendulum", "env.horizon=17", *FRAGMENTS, "algorithm=pathwise", *STEPS, "policy.dropout=0.5"),
        "tracking.every_steps=80",
    ),
    "mixed": (
        "env=pushing",
        "env.max_steps=2400",
        "num_seeds=2",
        "algorithm=mixed",
        "collect.episodes=4",
        "policy.hidden=8",
    ),
    "gymnasium": ("env=acrobot", "env.max_episodes=4", "policy.hidden=8"),
    "pong": PONG,
    "pong_seeds_dropout": (*PONG, "num_seeds=2", "policy.dropout=0.5", "env.repeat_action_probability=0.25"),
    "pong_wait": (*PONG, "collect.unfinished=wait"),
    "pong_ppo": (
        *("env=pong", "env.max_frames=200", "env.max_steps=120", "env.max_episodes=null", "policy.hidden=8"),
        *("algorithm=ppo", "collect.num_envs=3", "collect.num_steps=10", "baseline.hidden=8", "num_seeds=2"),
        *("algorithm.num_minibatches=3", "policy.dropout=0.5", "env.repeat_action_probability=0.25"),
    ),
    "pong_games": (*GAMES, "collect=episodes", "collect.episodes=4"),
}


def train(directory: Path, *overrides: str, settings: Checkpointing = SETTINGS, go_on: bool = False) -> Result:
    """A run to its end, with checkpoints; from the newest one of its directory, if it is to go on."""
    run = make_run(*overrides)
    tracker = track(run, directory, *overrides, again=go_on)
    if go_on:
        state = newest(directory)
        assert state is not None
        run.restore(state)
        tracker.restore(state["record"])
    run.keep_in(tracker.directory.files)
    run.execute(tracker, Checkpoints(directory, settings, {}))
    tracker.directory.release()
    return Result(directory)


def some_checkpoints(directory: Path, count: int = 3) -> list[Path]:
    """Small ones, oldest first."""
    checkpoints = Checkpoints(directory, SETTINGS, {})
    for update in range(1, count + 1):
        checkpoints.save({"update": update, "policy": {"weights": torch.arange(1000) * update}})
    return sorted((directory / "checkpoints").iterdir())


@pytest.mark.parametrize("overrides", RUNS.values(), ids=RUNS)
def test_a_run_that_goes_on_from_any_of_its_checkpoints_ends_in_the_same_bits(tmp_path, overrides):
    whole = train(tmp_path / "whole", *overrides)
    saved = sorted((tmp_path / "whole" / "checkpoints").iterdir())
    assert len(saved) >= 2
    for index in {0, len(saved) // 2, len(saved) - 1}:
        shutil.copytree(tmp_path / "whole", again := tmp_path / f"from_{index}")
        for later in saved[index + 1 :]:
            (again / "checkpoints" / later.name).unlink()
        assert train(again, *overrides, go_on=True).differs_from(whole) == []


def test_the_newest_stay_and_each_holds_every_seeds_policy_at_its_best(tmp_path):
    settings = Checkpointing(every_updates=3, every_seconds=None, keep=2)
    train(tmp_path, *CARTPOLE, "env.window=2", settings=settings)
    kept = sorted((tmp_path / "checkpoints").iterdir())
    assert [file.name for file in kept] == ["update_00000009.pt", "update_00000012.pt"]
    best = read(kept[-1])["best"]
    rows = Result(tmp_path).rows
    for seed in (0, 1):
        means = {int(row["update"]): float(row["mean_return"]) for row in rows if row["seed"] == str(seed)}
        assert best["mean_return"][seed] == max(means.values())
        assert means[int(best["update"][seed])] == max(means.values())


def test_the_best_policy_is_the_one_of_that_update_for_each_seed_by_itself(tmp_path):
    train(tmp_path, *CARTPOLE, "env.window=2")
    last = newest(tmp_path)
    assert last is not None
    assert len(set(last["best"]["update"].tolist())) == 2, "the seeds are best at different times"
    for seed, update in enumerate(last["best"]["update"].tolist()):
        then = read(tmp_path / "checkpoints" / f"update_{update:08d}.pt")
        for name, values in last["best"]["policy"].items():
            assert torch.equal(values[seed], then["agent"]["policy"][name][seed])


def test_saving_is_due_by_updates_and_by_seconds_and_never_without_either(tmp_path):
    assert [u for u in range(1, 9) if Checkpoints(tmp_path, Checkpointing(4, None, 1), {}).due(u)] == [4, 8]
    assert Checkpoints(tmp_path, Checkpointing(None, 1e-9, 1), {}).due(1)
    assert not Checkpoints(tmp_path, Checkpointing(None, 1e9, 1), {}).due(1)
    assert not Checkpoints(tmp_path, Checkpointing(None, None, 1), {}).due(1)


def test_a_run_that_goes_on_from_the_one_before_a_damaged_checkpoint_never_keeps_that_instead_of_its_own(tmp_path):
    *_, damaged = some_checkpoints(tmp_path)
    halve(damaged)
    (tmp_path / "checkpoints" / ".update_00000009.pt.tmp").write_text("a write that was killed")
    assert (newest(tmp_path) or {})["update"] == 2
    state = {"update": 2, "policy": {}}  # saved again at once, as by a signal
    Checkpoints(tmp_path, Checkpointing(every_updates=1, every_seconds=None, keep=1), {}).save(state)
    assert [file.name for file in (tmp_path / "checkpoints").iterdir()] == ["update_00000002.pt"]


def halve(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def empty(file: Path) -> None:
    os.truncate(file, 0)


def flip_a_bit(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def put_something_else(file: Path) -> None:
    torch.save([1, 2, 3], file)


DAMAGES = [halve, empty, flip_a_bit, put_something_else]


@pytest.mark.parametrize("damage", DAMAGES)
def test_of_a_damaged_newest_checkpoint_one_is_warned_and_the_one_before_is_used(tmp_path, caplog, damage):
    *_, newest_file = some_checkpoints(tmp_path)
    damage(newest_file)
    with caplog.at_level(logging.WARNING, logger="pg_experiments"):
        state = newest(tmp_path)
    assert state is not None
    assert state["update"] == 2
    (warning,) = caplog.messages
    assert newest_file.name in warning
    assert "using the one before, update_00000002.pt" in warning


@pytest.mark.parametrize("damage", DAMAGES)
def test_where_no_checkpoint_can_be_used_one_line_says_why_of_each(tmp_path, damage):
    for file in some_checkpoints(tmp_path):
        damage(file)
    with pytest.raises(UserError, match=r"00000003\.pt.*00000002\.pt.*00000001\.pt.*no other checkpoint") as told:
        newest(tmp_path)
    assert "\n" not in str(told.value)


def test_a_flipped_bit_anywhere_is_noticed_or_changes_nothing(tmp_path):
    (file,) = some_checkpoints(tmp_path, 1)
    data = file.read_bytes()
    for place in range(0, len(data), 97):
        file.write_bytes(data[:place] + bytes([data[place] ^ 16]) + data[place + 1 :])
        try:
            state = read(file)
        except UserError:
            continue
        assert torch.equal(state["policy"]["weights"], torch.arange(1000))


def test_a_malicious_checkpoint_executes_nothing_and_is_refused(tmp_path):
    proof, file = tmp_path / "proof", some_checkpoints(tmp_path, 1)[0]
    malice = Malice(proof)
    torch.save({"format": 1, "update": 1, "policy": malice}, file)
    with pytest.raises(UserError, match="more than tensors and numbers"):
        newest(tmp_path)
    file.write_bytes(pickle.dumps(malice))
    with pytest.raises(UserError, match="is damaged"):
        newest(tmp_path)
    assert not proof.exists()
    pickle.loads(file.read_bytes())
    assert proof.exists(), "it would have worked"


def test_a_record_is_rewound_within_its_directory_alone(tmp_path):
    (tmp_path / "other.txt").write_text("0123456789")
    directory = RunDirectory.claim(tmp_path / "run")
    (tmp_path / "run" / "seed_1").mkdir()
    for name in ("metrics.csv", "events.out.tfevents.1", "seed_1/events.out.tfevents.2"):
        (tmp_path / "run" / name).write_text("0123456789")
    (tmp_path / "run" / "events.out.tfevents.3").symlink_to(tmp_path / "other.txt")
    directory.rewind({"metrics.csv": 4, "seed_1/events.out.tfevents.2": 10})
    assert directory.positions() == {"metrics.csv": 4, "seed_1/events.out.tfevents.2": 10}
    with pytest.raises(UserError, match="expected at least 5 bytes"):
        directory.rewind({"metrics.csv": 5})
    with pytest.raises(UserError, match="expected at least 3 bytes"):
        directory.rewind({"metrics.csv": 4, "../other.txt": 3})
    assert (tmp_path / "other.txt").read_text() == "0123456789"


def test_a_directory_with_files_of_the_users_own_is_no_place_for_a_run_and_keeps_them(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "model.pt").write_text("precious")
    RunDirectory.claim(tmp_path, again=True).begin_anew()
    assert (tmp_path / "checkpoints" / "model.pt").read_text() == "precious"
    for name in ("metrics.csv", "checkpoints/update_00000001.pt"):
        (directory := tmp_path / name.replace("/", "_") / "checkpoints").mkdir(parents=True)
        (directory.parent / name).write_text("precious")
        with pytest.raises(UserError, match="a run is never overwritten"):
            RunDirectory.claim(directory.parent)
        assert (directory.parent / name).read_text() == "precious"


@pytest.mark.parametrize("name", [*FILES, *FOLDERS, "seed_1"])
def test_a_strangers_link_in_a_run_directory_is_written_through_by_nothing(tmp_path, name):
    (run := tmp_path / "run").mkdir()
    (run / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=f"run/{name}: is a link"):
        RunDirectory.claim(run, again=True)
    (run / name).unlink()
    directory = RunDirectory.claim(run, again=True)
    (run / ".result.json.tmp").symlink_to(tmp_path / "elsewhere")
    directory.write_result({"status": "running"})
    assert not (tmp_path / "elsewhere").exists()
