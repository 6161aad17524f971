"""`load_run` and `evaluate` of a run whose files are damaged end in a documented error that names the file."""

from __future__ import annotations

import os
import random
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import pg_experiments
from pg_experiments import evaluate
from pg_experiments.run import checkpoint
from pg_experiments.run.checkpoint import Checkpointing, Checkpoints
from pg_experiments.support.errors import FileError, NoSuchFile, UserError
from pg_experiments.support.files import Directory
from tests.saved_runs import change_checkpoint, checkpoint_of, save_run

NAN = float("nan")
CONFIG = ".hydra/config.yaml"


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    """A run of two seeds; a view of its parameters is below."""
    return save_run(tmp_path_factory.mktemp("saved") / "run", "num_seeds=2", "policy.hidden=4", "env.max_episodes=4")


@pytest.fixture
def run(saved, tmp_path) -> Path:
    return shutil.copytree(saved, tmp_path / "run")


def refused(run: Path, error: type[UserError] = FileError, **arguments: Any) -> str:
    """What is said where a run is not loaded, by `load_run` and by `evaluate` alike."""
    with pytest.raises(error) as caught:
        pg_experiments.load_run(run, **arguments)
    told = str(caught.value)
    given = {key: str(value) for key, value in arguments.items()}
    with pytest.raises(error) as again:
        evaluate.evaluate(evaluate.parse([f"run={run}", "episodes=1", *(f"{k}={v}" for k, v in given.items())]))
    assert str(again.value).partition(": ")[0] == told.partition(": ")[0]
    assert len(told) < 1000
    assert told.isprintable()
    return told


def changed_config(run: Path, change: Callable[[dict[str, Any]], object]) -> None:
    values = yaml.safe_load((run / CONFIG).read_text())
    change(values)
    (run / CONFIG).write_text(yaml.safe_dump(values))


def first_weight(run: Path, change: Callable[[torch.Tensor], torch.Tensor]) -> dict[str, Any]:
    """The best parameters of a run with another first weight."""
    best = torch.load(checkpoint_of(run), weights_only=True)["best"]
    policy = best["policy"] | {"network.weights.0": change(best["policy"]["network.weights.0"])}
    return {"best": best | {"policy": policy}}


def without(values: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != key}


def best_of(run: Path) -> dict[str, Any]:
    return torch.load(checkpoint_of(run), weights_only=True)["best"]


CONTENT: dict[str, tuple[Callable[[Path], dict[str, Any]], str]] = {
    "no best": (lambda run: {"best": None}, "best: expected a group of keys"),
    "best without parameters": (lambda run: {"best": without(best_of(run), "policy")}, "policy: expected a group"),
    "best without returns": (
        lambda run: {"best": without(best_of(run), "mean_return")},
        "best.mean_return: expected a tensor",
    ),
    "returns that are NaN": (
        lambda run: {"best": best_of(run) | {"mean_return": torch.tensor([1.0, NAN], dtype=torch.float64)}},
        "best.mean_return: is not a number",
    ),
    "returns of three seeds": (
        lambda run: {"best": best_of(run) | {"mean_return": torch.zeros(3, dtype=torch.float64)}},
        "best.mean_return: expected torch.float64 of 2 learners, not torch.float64 of shape (3,)",
    ),
    "updates that are text": (lambda run: {"best": best_of(run) | {"update": "2"}}, "best.update: expected a tensor"),
    "updates before the first": (
        lambda run: {"best": best_of(run) | {"update": torch.tensor([-1, -1])}},
        "best.update: expected 0 to 2",
    ),
    "no update": (lambda run: {"update": None}, "update: expected a whole number at least 0"),
    "an update that is true": (lambda run: {"update": True}, "update: expected a whole number at least 0"),
    "a parameter that is NaN": (
        lambda run: first_weight(run, lambda weight: weight * NAN),
        "best.policy.network.weights.0: has a value that is not a finite number",
    ),
    "a parameter that is infinite": (
        lambda run: first_weight(run, lambda weight: weight / 0),
        "best.policy.network.weights.0: has a value that is not a finite number",
    ),
    "a parameter of float64": (
        lambda run: first_weight(run, lambda weight: weight.double()),
        "network.weights.0: expected torch.float32, not torch.float64",
    ),
    "a parameter of one seed": (
        lambda run: first_weight(run, lambda weight: weight[:1]),
        "network.weights.0: expected torch.float32 of 2 learners, not torch.float32 of shape (1, 4, 4)",
    ),
    "a parameter of another shape": (
        lambda run: first_weight(run, lambda weight: weight[:, :3]),
        "26 parameters, not 30",
    ),
    "a parameter that is sparse": (
        lambda run: first_weight(run, lambda weight: weight.to_sparse()),
        "network.weights.0: expected a tensor",
    ),
    "a parameter that is a number": (lambda run: first_weight(run, lambda weight: 3), "weights.0: expected a tensor"),
    "a parameter without numbers": (
        lambda run: first_weight(run, lambda weight: torch.zeros(2, 4, 0)),
        "network.weights.0: has not the numbers that its shape (2, 4, 0) says",
    ),
    "a parameter of another name": (
        lambda run: {"best": best_of(run) | {"policy": without(best_of(run)["policy"], "network.weights.0")}},
        "3 tensors of parameters, not 4",
    ),
    "no configuration": (lambda run: {"config": None}, "does not say of which configuration it is"),
    "a configuration of tensors": (
        lambda run: {"config": {"env.window": torch.zeros(3)}},
        "does not say of which configuration it is",
    ),
    "another configuration": (lambda run: {"config": {}}, "of another configuration ("),
    "another format": (lambda run: {"format": 2}, "is no checkpoint of format 1"),
    "a format of tensors": (lambda run: {"format": torch.ones(3)}, "is no checkpoint of format 1"),
    "101 levels": (lambda run: {"config": {"a": nested(101)}}, "more than 64 levels within each other"),
}


def nested(levels: int) -> list[Any]:
    inner: list[Any] = []
    for _ in range(levels):
        inner = [inner]
    return inner


@pytest.mark.parametrize("kind", CONTENT)
def test_a_checkpoint_whose_content_is_not_a_runs_is_named_with_the_reason(run, kind):
    changes, reason = CONTENT[kind]
    change_checkpoint(run, **changes(run))
    with pytest.raises(FileError) as caught:
        pg_experiments.load_run(run)
    told = str(caught.value)
    assert told.startswith(f"{checkpoint_of(run)}: ")
    assert reason in told
    if "best.mean_return" not in reason:  # which chooses between seeds, and an evaluation takes all of them
        assert refused(run).startswith(f"{checkpoint_of(run)}: ")


def flip(file: Path, bits: int) -> None:
    content = bytearray(file.read_bytes())
    random_bits = random.Random(0).sample(range(8 * len(content)), bits)
    for bit in random_bits:
        content[bit // 8] ^= 1 << bit % 8
    file.write_bytes(bytes(content))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_checkpoint_that_is_cut_off_is_named(run, share):
    file = checkpoint_of(run)
    os.truncate(file, int(share * file.stat().st_size))
    assert refused(run).startswith(f"{file}: is damaged (")


@pytest.mark.parametrize("bits", [50, 2000])
def test_a_checkpoint_with_changed_bits_is_named(run, bits):
    flip(checkpoint_of(run), bits)
    assert refused(run).startswith(f"{checkpoint_of(run)}: is damaged (")


INSTEAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "a FIFO": (os.mkfifo, "is a FIFO, socket or device; expected a regular file"),
    "a link": (lambda path: path.symlink_to("/dev/zero"), "is a link"),
    "a folder": (Path.mkdir, "is a folder; expected a regular file"),
}


@pytest.mark.parametrize("name", ["result.json", CONFIG, "checkpoints/update_00000002.pt"])
@pytest.mark.parametrize("kind", INSTEAD)
def test_what_is_no_regular_file_is_named(run, name, kind):
    put, reason = INSTEAD[kind]
    (run / name).unlink()
    put(run / name)
    told = refused(run)
    assert told.startswith(f"{run / name}: ")
    assert reason in told


def huge(config: dict[str, Any]) -> None:
    config["policy"] |= {"hidden": 10**11, "layers": 10**9}
    config["num_seeds"] = 10**9


CONFIGS: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda run: (run / CONFIG).write_text(""), "expected a group of keys"),
    "a list": (lambda run: (run / CONFIG).write_text("[1]"), "expected a group of keys"),
    "broken": (lambda run: (run / CONFIG).write_text("a: ["), "is no plain YAML"),
    "not UTF-8": (lambda run: (run / CONFIG).write_bytes(b"\xff"), "is not UTF-8 text"),
    "50,000 levels": (lambda run: (run / CONFIG).write_text("[" * 50_000), "is no plain YAML"),
    "sparse": (lambda run: os.truncate(run / CONFIG, 2**40), "is larger than 1 MiB"),
    "cut off": (lambda run: os.truncate(run / CONFIG, 30), ": "),
    "a wrong type": (lambda run: changed_config(run, lambda c: c.update(seed="x")), "seed=x: expected a whole number"),
    "a missing group": (lambda run: changed_config(run, lambda c: c.pop("env")), "env=null: expected a group of keys"),
    "a missing key": (lambda run: changed_config(run, lambda c: c["policy"].pop("hidden")), "policy.hidden: missing"),
    "a number out of range": (
        lambda run: changed_config(run, lambda c: c["optimizer"].update(learning_rate=NAN)),
        "optimizer.learning_rate=nan: expected a number above 0",
    ),
}


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_config_that_is_damaged_is_named_with_the_reason(run, kind):
    damage, reason = CONFIGS[kind]
    damage(run)
    told = refused(run)
    assert told.startswith(f"{run / CONFIG}: ")
    assert reason in told


def test_a_config_of_another_run_is_refused_with_what_differs(run):
    changed_config(run, huge)
    told = refused(run)
    assert told.startswith(f"{checkpoint_of(run)}: the checkpoint is of another configuration (")
    assert "policy.hidden is 4, not 100000000000" in told


SIZES = {"num_seeds": 10**12, "policy.hidden": 10**13, "policy.layers": 10**12}


@pytest.mark.parametrize("key", SIZES)
def test_sizes_that_the_parameters_do_not_have_allocate_nothing(run, key):
    """Config and checkpoint agree with each other, and the parameters are those of a small network."""
    group, _, leaf = key.rpartition(".")
    changed_config(run, lambda config: (config[group] if group else config).update({leaf: SIZES[key]}))
    told = torch.load(checkpoint_of(run), weights_only=True)["config"]
    change_checkpoint(run, config=told | {key: SIZES[key]})
    for which in ("best", "last"):
        assert refused(run, checkpoint=which).startswith(f"{checkpoint_of(run)}: ")


def test_what_is_not_there_is_told_from_what_is_damaged(run):
    assert refused(run / "nowhere", NoSuchFile) == f"{run / 'nowhere'}: no such directory"
    assert refused(run.parent, NoSuchFile).startswith(f"{run.parent}: is no run itself, but holds 1")
    assert refused(run, NoSuchFile, checkpoint=run / "none.pt") == f"{run / 'none.pt'}: no such checkpoint"
    shutil.rmtree(run / "checkpoints")
    assert refused(run, NoSuchFile) == f"{run}: the run has no checkpoint"


def test_a_checkpoint_that_is_removed_between_its_listing_and_its_reading_is_listed_again(run, monkeypatch):
    listed, glob = [], Directory.glob

    def gone_first(self: Directory, pattern: str) -> list[str]:
        listed.append(glob(self, pattern))
        gone = f"checkpoints/update_{100 - len(listed):08d}.pt"  # as if a newer one had been written meanwhile
        return [*listed[-1], gone] if len(listed) < 4 else listed[-1]

    monkeypatch.setattr(Directory, "glob", gone_first)
    assert pg_experiments.load_run(run).update == 2
    assert len(listed) == 4


def test_checkpoints_that_are_always_gone_are_given_up(run, monkeypatch):
    monkeypatch.setattr(Directory, "glob", lambda self, pattern: ["checkpoints/update_00000009.pt"])
    assert "its checkpoints were removed while they were read" in refused(run)


def test_a_run_is_loaded_at_any_moment_while_it_keeps_a_single_checkpoint(run):
    state = torch.load(checkpoint_of(run), weights_only=True)
    checkpoints = Checkpoints(run, Checkpointing(None, None, 1), state["config"])
    stop = threading.Event()

    def train() -> None:
        while not stop.is_set():
            state["update"] += 1
            checkpoints.save(state)

    thread = threading.Thread(target=train)
    thread.start()
    try:
        for _ in range(100):
            found = checkpoint.newest_file(run)
            assert found is not None
            assert found[1]["agent"].keys() == state["agent"].keys()
    finally:
        stop.set()
        thread.join()
    assert state["update"] > 10
