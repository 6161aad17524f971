"""What is said of a launcher whose extra is not installed, and of one that does not exist."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from pg_experiments.app import launchers
from pg_experiments.app.command_line import config_directory, parse_overrides
from pg_experiments.app.hints import Hints
from pg_experiments.app.mistakes import no_such_option
from pg_experiments.support.errors import UserError
from tests.conftest import REPOSITORY


@pytest.mark.parametrize("launcher", ["joblib", "submitit_local", "submitit_slurm", "ray"])
def test_a_launcher_without_its_extra_says_what_to_install(monkeypatch, launcher):
    monkeypatch.setattr(launchers, "find_spec", lambda name: None)
    extra = launcher.partition("_")[0].replace("submitit", "slurm")
    with pytest.raises(UserError) as refused:
        launchers.launcher_settings(parse_overrides(["seed=0,1", f"hydra/launcher={launcher}"]))
    assert str(refused.value) == (
        f"hydra/launcher={launcher}: needs the extra [{extra}]: pip install 'pg-experiments[{extra}]', or in a clone "
        f"pip install -e '.[{extra}]'"
    )


def test_a_search_without_its_extra_says_what_to_install(monkeypatch):
    monkeypatch.setattr(launchers, "find_spec", lambda name: None)
    line = "hydra/sweeper=optuna: needs the extra [optuna]: pip install 'pg-experiments[optuna]', or in a clone"
    hints = Hints([Path(config_directory())], "config", [])
    assert no_such_option("hydra/sweeper", "optuna", ["basic"], hints).startswith(line)


def test_a_launcher_that_does_not_exist_is_answered_with_those_that_do(command):
    done = command("-m", "hydra/launcher=basik", "seed=0,1")
    assert done.returncode == 1
    assert "hydra/launcher=basik: no such option; expected one of basic" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_extras_and_locks_bring_one_package_for_the_module_pygame():
    """Of pygame and pygame-ce, which both install it, and overwrite each other."""
    extras = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = {re.split(r"[<>=~ ]", line)[0] for lines in extras.values() for line in lines}
    assert "pygame" in named
    brings_the_other = {
        "pygame-ce",
        *(f"gymnasium[{extra}]" for extra in ("all", "box2d", "classic-control", "toy-text")),
    }
    assert named.isdisjoint(brings_the_other)
    for lock in REPOSITORY.glob("requirements*.txt"):
        assert "pygame-ce" not in lock.read_text().lower(), lock.name
