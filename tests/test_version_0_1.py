"""Runs that version 0.1 left (tests/data/version_0_1) are compared, evaluated and loaded; resuming one is refused.

They were made by version 0.1 with `env.max_episodes=30 num_seeds=2 normalization=none policy.hidden=8` and
`baseline=none` or `baseline=value baseline.hidden=8`; and with `env=pong env.num_envs=2 env.stride=8 policy.hidden=4
algorithm.points_per_update=2 env.max_steps=100`.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

import pg_experiments
from pg_experiments import evaluate
from pg_experiments.compare import __main__ as compare
from pg_experiments.run.config import GROUPS
from pg_experiments.support.legacy import upgraded
from tests.conftest import REPOSITORY

# what version 0.1 itself chose for the observations below, with the last parameters of seed 1 (of Pong's only seed)
GREEDY = {
    "none": "111011001111000011010111",
    "value": "111011001111000011010111",
    "pong": "000000011000000010000000",
}


@pytest.fixture
def runs(tmp_path) -> Path:
    shutil.copytree(REPOSITORY / "tests" / "data" / "version_0_1", tmp_path / "runs")
    return tmp_path / "runs"


@pytest.mark.parametrize("name", ["none", "value", "pong"])
def test_a_loaded_run_acts_as_it_did_with_version_0_1(runs, name):
    run = pg_experiments.load_run(runs / name, checkpoint="last", seed=None if name == "pong" else 1)
    stream = np.random.default_rng(0)
    shape = run.make_env().observation_space.shape
    images = name == "pong"
    observations = stream.integers(-1, 2, (24, *shape)) if images else stream.normal(size=(24, *shape))
    assert "".join(map(str, run.policy(observations.astype(np.float32)))) == GREEDY[name]


@pytest.mark.parametrize("name", ["none", "value", "pong"])
def test_its_config_gets_every_key_that_its_options_have_today(runs, name):
    old = yaml.safe_load((runs / name / ".hydra" / "config.yaml").read_text())
    former = ({"name": "advantages"}, {"name": "returns", "over": "batch"}, {"name": "advantages", "over": "minibatch"})
    for normalization in (old["normalization"], *former):
        config = upgraded({**old, "normalization": normalization})
        for group, options in GROUPS.items():
            keys = {field.name for field in dataclasses.fields(options[config[group]["name"]])}
            assert set(config[group]) - {"name"} == keys, group


@pytest.mark.parametrize(
    ("former", "returns", "advantages"),
    [
        ({"name": "none"}, "none", "none"),
        ({"name": "returns"}, "episode", "none"),
        ({"name": "returns", "over": "batch"}, "batch", "none"),
        ({"name": "advantages"}, "none", "batch"),
        ({"name": "advantages", "over": "minibatch"}, "none", "minibatch"),
    ],
)
def test_what_a_run_normalised_over_is_read_from_the_former_key(former, returns, advantages):
    """Version 0.1 and the first runs of 0.2 had one quantity, and the key `over`."""
    found = upgraded({"collect": {}, "normalization": former})["normalization"]
    chosen = {"name": former["name"], "returns": returns, "advantages": advantages}
    others = {"observations": "none", "observation_clip": 10.0, "rewards": "none", "reward_clip": None}
    assert found == chosen | others


def test_they_are_evaluated(runs):
    evaluate.evaluate(evaluate.parse([f"run={runs / 'value'}", "episodes=3"]))
    found = json.loads((runs / "value" / "evaluation.json").read_text())
    assert [seed["seed"] for seed in found["ways"]["greedy"]["seeds"]] == [0, 1]


def test_they_are_compared_and_are_the_same_configuration_as_runs_of_today(runs, capsys, command):
    done = command(
        *("num_seeds=2", "seed=2", "normalization=none", "policy.hidden=8", "env.max_episodes=30", "device=cpu"),
        f"hydra.run.dir={runs / 'today'}",
    )
    assert done.returncode == 0, done.stderr
    shutil.rmtree(runs / "pong")
    compare.compare(compare.parse([f"sweep={runs}"]))
    rows = list(csv.DictReader((runs / "comparison.csv").open(newline="")))
    seeds = [(row["baseline"], row["seeds"]) for row in rows]
    assert seeds == [("none", "4"), ("value", "2")], "two old seeds and two new ones"


def test_resuming_one_is_refused_in_one_line_and_changes_nothing(runs, command):
    before = {file: file.read_bytes() for file in runs.rglob("*") if file.is_file()}
    done = command(f"resume={runs / 'none'}", "env.max_episodes=60")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "version 0.1 made this run, and only version 0.1 can resume it" in done.stderr
    assert before == {file: file.read_bytes() for file in runs.rglob("*") if file.is_file() and file.name != ".lock"}
