"""The house stands as it is drawn: no import goes up a floor, and the README's examples work."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY
from tests.saved_runs import save_run

PACKAGE = REPOSITORY / "pg_experiments"
FLOORS = [
    (
        "shapes",
        {"rollout", "sparse", "stacked", "masked", "streams", "threads", "errors", "typed", "interruption"}
        | {"available_memory", "compiled", "descriptors", "files", "plain_data"},
    ),
    (
        "mathematics",
        {"returns", "baseline", "normalization", "objective", "optimizer"} | {"stacked_optimizer", "update_rules"},
    ),
    ("act", {"env", "policy", "collector", "algorithm"}),
    ("record", {"accounts", "best", "checkpoint", "identity", "run_directory", "terminal", "tracking"}),
    ("run", {"config", "health", "memory", "run", "views", "loaded_run", "saved_parameters"}),
    (
        "commands",
        {
            "combinations",
            "command_line",
            "composing",
            "flags",
            "help",
            "job",
            "mistakes",
            "option_files",
            "preview",
            "train",
        }
        | {"launchers", "places", "sweep", "sweep_jobs", "sweep_report", "compare", "comparison", "resume", "training"}
        | {"evaluate", "evaluation", "arguments", "train"},
    ),
]
FLOOR = {room: height for height, (_, rooms) in enumerate(FLOORS) for room in rooms}
FILES = [file for file in sorted(PACKAGE.rglob("*.py")) if file != PACKAGE / "__init__.py"]


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def imports(file) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_no_import_goes_up_a_floor(file):
    own = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for module in imports(file):
        if module.startswith("pg_experiments."):
            assert FLOOR[room(module)] <= FLOOR[own], f"{own} imports {module}"
    tops = {module.split(".")[0] for module in imports(file)}
    if FLOOR[own] < FLOOR["train"]:
        assert not tops & {"hydra", "omegaconf"}, "only commands know Hydra"
    if FLOOR[own] <= FLOOR["returns"]:
        assert not tops & {"gymnasium", "logging", "rich", "tensorboard"}
    for library, owner in {"tensorboard": "tracking", "ale_py": "env", "numba": "compiled"}.items():
        assert own == owner or library not in tops
    if own in ("arguments", "evaluate", "evaluation"):
        assert not tops & {"hydra", "omegaconf"}, "what was learned can be looked at without Hydra"
    if own in ("compare", "comparison"):
        rooms = {room(module) for module in imports(file) if module.startswith("pg_experiments.")}
        allowed = {"arguments", "comparison", "descriptors", "errors", "files", "interruption", "plain_data"}
        allowed |= {"terminal", "typed"}
        assert rooms <= allowed, "a comparison reads files, and knows no run"
        assert not tops & {"hydra", "omegaconf", "torch"}


def test_an_environment_knows_no_policy_and_a_policy_no_environment():
    for own, other in (("env", "policy"), ("policy", "env")):
        for file in (PACKAGE / own).glob("*.py"):
            assert not any(room(module) == other for module in imports(file))


def test_a_file_is_one_idea():
    for file in FILES:
        assert len(file.read_text().splitlines()) <= 300, file


def readme_block(language: str, holding: str) -> str:
    """The one block of the README in that language that holds something."""
    blocks = re.findall(rf"```{language}\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)
    (found,) = [block for block in blocks if holding in block]
    return found


def test_the_readmes_lines_on_a_loaded_run_work_as_they_are_written(tmp_path):
    python = readme_block("python", "load_run")
    assert len([line for line in python.splitlines() if line]) == 5
    run = save_run(tmp_path / "outputs" / "DATE" / "TIME", "env.max_episodes=4")
    done = subprocess.run(
        [sys.executable, "-c", f"{python}\nassert env.observation_space.contains(observation)\nassert reward == 1"],
        cwd=run.parent.parent.parent,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_readmes_option_of_ones_own_works_as_it_is_written(tmp_path):
    python, yaml = readme_block("python", "OPTIONS"), readme_block("yaml", "clipped")
    for folder in ("pg_experiments", "conf"):
        shutil.copytree(REPOSITORY / folder, tmp_path / folder)
    with (tmp_path / "pg_experiments" / "normalization.py").open("a") as module:
        module.write("\n\n" + python)
    (tmp_path / "conf" / "normalization" / "clipped.yaml").write_text(yaml)

    def train(*overrides: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pg_experiments.train", "env.max_episodes=4", "normalization=clipped", *overrides],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    done = train()
    assert done.returncode == 0, done.stderr
    assert "clipped" in done.stdout
    assert "limit=10.0" in done.stdout
    assert "normalization.limit=abc: expected a number" in train("normalization.limit=abc").stderr
