"""A mapping given for a key replaces the one in the file: from the shell, from Python, and in each job of a sweep."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hydra._internal import hydra as hydra_main
from hydra._internal.config_loader_impl import ConfigLoaderImpl

import pg_experiments
from pg_experiments import UserError, load_run

THREE = {"NOOP": "NOOP", "DOWN": "LEFT", "UP": "RIGHT"}
TWO = {"A": "NOOP", "B": "FIRE"}
AS_TEXT = "env.actions={NOOP:NOOP,DOWN:LEFT,UP:RIGHT}"
CATEGORICAL = ("env=pong_v5", "policy.head=categorical")
TINY = ("policy.hidden=4", "collect.points=1", "env.num_envs=1", "env.max_steps=100", "device=cpu")

GIVEN = {
    "one": ([AS_TEXT], THREE),
    "of other names": (["env.actions={STAY:NOOP,FIRE:FIRE}"], {"STAY": "NOOP", "FIRE": "FIRE"}),
    "with fewer": (["env.actions={UP:RIGHT}"], {"UP": "RIGHT"}),
    "the last of two": (["env.actions={STAY:NOOP}", AS_TEXT], THREE),
    "after one of its keys": (["env.actions.UP=NOOP", AS_TEXT], THREE),
    "before one of its keys": (["env.actions={UP:RIGHT}", "env.actions.UP=NOOP"], {"UP": "NOOP"}),
    "after null": (["env.actions=null", AS_TEXT], THREE),
    "before null": ([AS_TEXT, "env.actions=null"], None),
    "only a key of it": (["env.actions.UP=NOOP"], {"DOWN": "LEFT", "UP": "NOOP"}),
    "a key more": (["+env.actions.NOOP=NOOP"], {"DOWN": "LEFT", "UP": "RIGHT", "NOOP": "NOOP"}),
    "a key less": (["~env.actions.DOWN"], {"UP": "RIGHT"}),
}


@pytest.mark.parametrize("name", GIVEN)
def test_a_given_mapping_replaces_that_of_the_file(name):
    overrides, expected = GIVEN[name]
    actions = pg_experiments.compose(*CATEGORICAL, *overrides)["env.actions"]
    assert actions == expected
    assert list(actions or ()) == list(expected or ())  # the order is that of the policy's actions


def test_the_command_shows_it(train_here):
    shown = train_here(*CATEGORICAL, AS_TEXT, "--cfg", "job")
    assert yaml.safe_load(shown.out)["env"]["actions"] == THREE
    assert hydra_main.ConfigLoaderImpl is ConfigLoaderImpl


@pytest.mark.parametrize("given", [{"env.actions": THREE}, {"env": {"actions": THREE}}])
def test_a_mapping_from_python_is_a_value_as_well(given):
    assert pg_experiments.compose(*CATEGORICAL, given)["env.actions"] == THREE


def test_sections_and_mappings_of_hydra_are_merged(train_here):
    assert pg_experiments.compose("checkpoint={keep:3}").values["checkpoint"] == {
        **pg_experiments.compose().values["checkpoint"],
        "keep": 3,
    }
    shown = train_here("hydra.job.config={override_dirname:{kv_sep:_}}", "--cfg", "hydra", "-p", "hydra.job.config")
    assert {"kv_sep": "_", "item_sep": ","}.items() <= yaml.safe_load(shown.out)["override_dirname"].items()


def test_each_job_of_a_sweep_has_its_own_and_the_same_command_finds_it_done(train_here):
    command = ("-m", *CATEGORICAL, f"{AS_TEXT},{{A:NOOP,B:FIRE}}", *TINY, "hydra.sweep.dir=sweep")
    assert train_here(*command).code == 0
    jobs = [Path("sweep", f"0_{AS_TEXT}"), Path("sweep", "1_env.actions={A:NOOP,B:FIRE}")]
    for job, actions in zip(jobs, (THREE, TWO), strict=True):
        assert yaml.safe_load((job / ".hydra/config.yaml").read_text())["env"]["actions"] == actions
        assert json.loads((job / "result.json").read_text())["status"] == "done"
    assert train_here(*command).out.count("done before") == 2
    resumed = train_here(f"resume={jobs[0]}", "env.max_steps=200")
    assert resumed.code == 0, resumed.err
    assert load_run(jobs[0]).config.env.actions == THREE


def test_a_sweep_from_python_takes_mappings(tmp_path):
    actions = [THREE, TWO]
    runs = pg_experiments.sweep({"env.actions": actions}, *CATEGORICAL, *TINY, directory=tmp_path, progress=False)
    assert [run.config.env.actions for run in runs] == actions


MISTAKES = {
    ("env.actions={A:B}",): "env.actions: no such key with env=cartpole; choose env=atari or env=pong or env=pong_v5",
    ("env=pong", "env.actions.NOOP=NOOP"): (
        "env.actions.NOOP: no such key; +env.actions.NOOP=NOOP adds it, and env.actions={…} replaces all of env.actions"
    ),
    ("env=pong", "env.actions={}"): "env.actions={}: expected two actions or more; null: the game's own",
    ("env=pong", "env.actions={A:3}"): "env.actions={'A': 3}: expected a group of names and texts or null",
    ("checkpoint={keeep:3}",): "checkpoint.keeep: no such key; did you mean checkpoint.keep?",
    ("env={max_stepz:3}",): "env.max_stepz: no such key; did you mean env.max_steps?",
}


@pytest.mark.parametrize("overrides", MISTAKES)
def test_a_mistake_names_the_way_that_works(overrides):
    with pytest.raises(UserError) as caught:
        pg_experiments.compose(*overrides).run.env.spaces()
    assert MISTAKES[overrides] in str(caught.value)
