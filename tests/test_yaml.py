"""Every YAML file composes and is explained; a wrong value is named with the nearest that is right."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from pg_experiments.run.config import GROUPS, check, every_key
from pg_experiments.support.errors import UserError
from tests.conftest import REPOSITORY, composed
from tests.sweeps import needs

EXPERIMENTS = sorted((REPOSITORY / "conf" / "experiment").glob("*.yaml"))
assert EXPERIMENTS
NEEDS_OPTUNA = needs("hydra_plugins.hydra_optuna_sweeper", "optuna")  # of the experiments, those named search_… do


@pytest.mark.parametrize("file", EXPERIMENTS, ids=lambda file: file.stem)
def test_every_experiment_opens_with_its_own_command(file):
    assert re.search(rf"python -m pg_experiments\.train .*experiment={file.stem}\b", file.read_text())


@pytest.mark.parametrize(
    "experiment",
    [pytest.param(file.stem, marks=NEEDS_OPTUNA if file.stem.startswith("search") else ()) for file in EXPERIMENTS],
)
def test_every_experiment_composes(experiment):
    check(composed(f"experiment={experiment}"))


def test_values_tuned_for_an_environment_are_picked_and_the_command_line_wins():
    assert composed("env=acrobot")["policy"]["dropout"] == 0.0
    assert composed("env=acrobot", "policy.dropout=0.2")["policy"]["dropout"] == 0.2
    assert composed("env=acrobot", "policy=linear")["policy"]["name"] == "linear"
    assert composed()["policy"]["dropout"] == 0.5


def yaml_files() -> list[Path]:
    return sorted(REPOSITORY.glob("conf/**/*.yaml"))


@pytest.mark.parametrize("file", yaml_files(), ids=lambda file: f"{file.parent.name}/{file.name}")
def test_every_key_of_every_yaml_has_a_comment_or_its_option_says_it(file):
    lines = file.read_text().splitlines()
    assert lines[0].startswith("#"), "a file opens by saying what it is"
    for line in lines:
        if re.match(r"\w+: \S", line) and not line.startswith(("name:", "#")) and file.parent.parent.name == "conf":
            inherits = "defaults:" in lines
            assert "#" in line or inherits, line


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_the_yaml_of_an_option_has_the_keys_of_its_class(group):
    for file in sorted((REPOSITORY / "conf" / group).glob("*.yaml")):
        games = ("env=pong",) if file.stem == "points" else ()
        keys = composed(f"{group}={file.stem}", *games)[group]
        option = GROUPS[group][keys["name"]]
        assert set(keys) - {"name"} == {field.name for field in dataclasses.fields(option)}, file
        assert {f"{group}.{key}" for key in keys} - {f"{group}.name"} <= set(every_key())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"policy": {"hidden": "abc"}}, "policy.hidden=abc: expected a whole number at least 1"),
        ({"policy": {"hidden": -4}}, "policy.hidden=-4: expected a whole number at least 1; the nearest is 1"),
        ({"policy": {"hidden": 1.5}}, "policy.hidden=1.5: expected a whole number at least 1; the nearest is 2"),
        ({"policy": {"hidden": True}}, "policy.hidden=true: expected a whole number at least 1"),
        ({"policy": {"hidden": None}}, "policy.hidden=null: expected a whole number at least 1"),
        ({"policy": {"dropout": 1.5}}, "expected a number at least 0 and below 1; the nearest is just below 1"),
        ({"policy": {"dropout": float("nan")}}, "policy.dropout=nan: expected a number"),
        ({"policy": {"head": "bernouli"}}, "squashed_gaussian; the nearest is bernoulli"),
        ({"policy": {"hiden": 3}}, "policy.hiden: no such key; did you mean policy.hidden?"),
        ({"policy": {"name": "mpl"}}, "policy.name=mpl: expected one of mlp, cnn, gru, linear"),
        ({"policy": 3}, "policy=3: expected a group of keys"),
        ({"policy": {"name": ["mlp"]}}, "policy.name=['mlp']: expected one of"),
        ({"env": {"max_steps": 0}}, "env.max_steps=0: expected a whole number at least 1 or null; the nearest is 1"),
        ({"env": {"max_episodes": None}}, "a run needs at least one limit"),
        ({"num_seeds": 0}, "num_seeds=0: expected a whole number at least 1; the nearest is 1"),
        ({"num_seds": 2}, "num_seds: no such key; did you mean num_seeds?"),
        ({"returns": {"name": "trajectory"}}, "returns=trajectory with normalization.returns=episode"),
        (
            {
                "returns": {"name": "trajectory"},
                "normalization": {"returns": "batch"},
                "collect": {"episodes": 1},
            },
            "returns=trajectory with normalization.returns=batch and collect.episodes=1",
        ),
        (
            {
                "returns": {"name": "trajectory"},
                "normalization": {"returns": "none", "advantages": "batch"},
                "collect": {"episodes": 1},
            },
            "returns=trajectory with normalization.advantages=batch and collect.episodes=1",
        ),
        ({"optimizer": {"learning_rate": float("inf")}}, "optimizer.learning_rate=inf: expected a number above 0"),
        ({"optimizer": {"learning_rate": float("inf")}}, "at most 1e+30; the nearest is 1e+30"),
        ({"policy": {"hidden": -(10**400)}}, "expected a whole number at least 1; the nearest is 1"),
        ({"policy": {"dropout": 10**5000}}, "policy.dropout=a value of type int with more than 4,300 digits: expected"),
        ({"policy": {"head": "x" * 9999}}, f"policy.head={'x' * 99}…: expected one of auto, categorical, bernoulli"),
        ({"policy": {"y" * 9999: 1}}, f"policy.{'y' * 99}…: no such key"),
        ({"device": "gpu"}, "device=gpu: expected one of auto, cpu, cuda"),
        ({"collect": {"episodes": 501}}, "expected at most env.max_episodes=500; the nearest is 500"),
        (
            {"optimizer": {"learning_rate": 0}},
            "expected a number above 0 and at most 1e+30; the nearest is just above 0",
        ),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected_and_the_nearest_that_is_right(changes, message):
    config = composed()
    for key, change in changes.items():
        config[key] = {**config[key], **change} if isinstance(change, dict) else change
    with pytest.raises(UserError) as caught:
        check(config)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_of_a_number_that_is_none_only_what_is_expected_is_said():
    config = composed()
    config["optimizer"]["learning_rate"] = float("nan")
    with pytest.raises(UserError) as caught:
        check(config)
    assert str(caught.value) == "optimizer.learning_rate=nan: expected a number above 0 and at most 1e+30"


def test_a_missing_key_is_named():
    config = composed()
    del config["policy"]["hidden"]
    with pytest.raises(UserError, match=r"policy\.hidden: missing; expected a whole number at least 1"):
        check(config)


def test_a_strangers_config_executes_nothing():
    config = composed()
    config["policy"] = {"_target_": "os.system", "name": "mlp", **config["policy"], "_args_": ["echo owned"]}
    with pytest.raises(UserError, match="no such key"):
        check(config)
