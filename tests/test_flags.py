"""A flag that does not exist is answered with the nearest one, or with the key that was meant; nothing is guessed."""

from __future__ import annotations

import platform

import pytest

from pg_experiments import __version__, evaluate
from pg_experiments.app.arguments import nearest_key
from pg_experiments.app.flags import split
from pg_experiments.compare import __main__ as compare
from pg_experiments.support.errors import UserError

KEYS = ["num_seeds", "policy.hidden", "env", "seed", "preview", "resume"]
WRONG = [
    (["-policy.hidden=3"], "-policy.hidden=3: no such flag; did you mean policy.hidden=3?"),
    (["--policy.hiden=3"], "--policy.hiden=3: no such flag; did you mean policy.hidden=3?"),
    (["--num_seeds=4"], "--num_seeds=4: no such flag; did you mean num_seeds=4?"),
    (["--num-seeds=4"], "--num-seeds=4: no such flag; did you mean num_seeds=4?"),
    (["--num-seeds", "4"], "--num-seeds: no such flag; did you mean num_seeds=4?"),
    (["--seed", "seed=3"], "--seed: no such flag; did you mean seed=VALUE?"),
    (["--resume", "latest"], "--resume: no such flag; did you mean resume=latest?"),
    (["-m=3"], "-m=3: no such flag; did you mean -m?"),
    (["--multi"], "--multi: no such flag; did you mean --multirun?"),
    (["--config-d=mine"], "--config-d=mine: no such flag; did you mean --config-dir?"),
    (["-cdmine"], "-cdmine: no such flag; did you mean -cd?"),
    (["-cpath"], "-cpath: no such flag; did you mean -c?"),
    (["-3"], "-3: no such flag; --help lists flags and keys"),
    (["--"], "--: no such flag; --help lists flags and keys"),
    (["-cp", "conf"], "-cp: not supported; the configs of the project are always there; --config-dir DIR adds"),
    (["--experimental-rerun", "x"], "--experimental-rerun: not supported; a pickled config could execute anything"),
    (["--config-dir"], "--config-dir: expected a directory"),
    (["--config-dir", "-m"], "--config-dir: expected a directory"),
    (["--config-name="], "--config-name: expected the name of a primary config"),
    (["--cfg", "jobs"], "--cfg=jobs: expected one of job, hydra, all"),
    (["-m", "--cfg", "job"], "--multirun --cfg: each asks for something else; expected one of them"),
    (["--resolve"], "--resolve: expected with --cfg"),
    (["--info=everything"], "--info=everything: expected one of all, config, defaults,"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=lambda value: str(value)[:40])
def test_a_wrong_flag_is_answered_with_what_was_meant(arguments, message):
    with pytest.raises(UserError) as wrong:
        split(arguments, nearest_key(KEYS))
    assert str(wrong.value).startswith(message)


def test_flags_and_overrides_may_stand_in_any_order_and_a_flag_takes_its_value_from_either_side_of_an_equals_sign():
    flags, overrides = split(["seed=1", "-cd", "mine", "--config-name=other", "-m", "env=pong"], nearest_key(KEYS))
    assert overrides == ["seed=1", "env=pong"]
    assert flags.arguments() == ["--config-dir=mine", "--config-name=other", "--multirun"]
    assert flags.sweeping
    assert flags.config_name == "other"
    assert [path.name for path in flags.config_directories] == ["mine"]


@pytest.mark.parametrize(
    ("arguments", "info"), [(["--info", "seed=1"], "all"), (["-i", "defaults", "seed=1"], "defaults")]
)
def test_info_takes_no_override_for_its_value(arguments, info):
    flags, overrides = split(arguments, nearest_key(KEYS))
    assert overrides == ["seed=1"]
    assert flags.arguments() == [f"--info={info}"]


def test_the_training_command_ends_with_1_and_one_line(train_here, tmp_path):
    for argument in ("-policy.hidden=3", "--num_seeds=4"):
        done = train_here(argument)
        assert done.code == 1
        assert done.err == f"error: {argument}: no such flag; did you mean {argument.lstrip('-')}?\n"
        assert not done.out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("parse", "arguments", "message"),
    [
        (compare.parse, ["--sweep=x"], "--sweep=x: no such flag; did you mean sweep=x?"),
        (compare.parse, ["sweep=x", "-by=policy.hidden"], "-by=policy.hidden: no such flag; did you mean by=policy"),
        (compare.parse, ["--hlep"], "--hlep: no such flag; did you mean --help?"),
        (evaluate.parse, ["--run", "outputs/x"], "--run: no such flag; did you mean run=outputs/x?"),
        (evaluate.parse, ["run=x", "--video.seconds=3"], "--video.seconds=3: no such flag; did you mean video.seconds"),
    ],
)
def test_the_commands_without_hydra_answer_in_the_same_way(parse, arguments, message):
    with pytest.raises(UserError) as wrong:
        parse(arguments)
    assert str(wrong.value).startswith(message)


@pytest.mark.parametrize("command", ["compare", "evaluate", "train"])
def test_every_command_tells_the_versions(command, run_here):
    said = run_here(command, "--version").out
    assert said.startswith(f"pg-experiments {__version__}, Python {platform.python_version()}, torch ")
