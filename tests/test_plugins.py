"""Other people's environments and options, from a file or a module of theirs, are used like the project's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest

from tests.conftest import a_process
from tests.in_process import Ended, Train, plugins_of, run_command
from tests.pages import block

ENVIRONMENT = '''
"""Count to the goal: action 1 pays 1, the other nothing."""
import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete


class Mine(gymnasium.Env):
    observation_space = Box(-1, 1, (3,))
    action_space = Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.observation_space.low * 0, {}

    def step(self, action):
        return np.array([action, 0, 0], np.float32), float(action), False, False, {}


gymnasium.register("Mine-v0", entry_point=Mine, max_episode_steps=20)
'''
NETWORK = block("docs/extending.md", "ModulePolicy")
SHORT = ("env.max_episodes=8", "device=cpu")


def write_plugins(folder: Path) -> None:
    (folder / "my_env.py").write_text(ENVIRONMENT)
    (folder / "my_net.py").write_text(NETWORK)


class Place:
    """A directory of a user's own, with plugins in it, and commands that are run from it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        write_plugins(path)

    def run(self, *arguments: str, module: str = "train", ok: bool = True) -> str:
        """A command's output; what it says on stderr, where it must fail. It leaves no plugin in this process."""
        with plugins_of(self.path), chdir(self.path):
            return _said(run_command(module, *arguments), ok)

    def python(self, *arguments: str, ok: bool = True) -> str:
        """The same of Python as a process of its own."""
        return _said(a_process(*arguments, cwd=self.path), ok)


def _said(ended: Ended, ok: bool) -> str:
    assert (ended.code == 0) is ok, ended
    return ended.out if ok else ended.err


@pytest.fixture
def train(train_here: Train, tmp_path: Path) -> Iterator[Train]:
    """The command within this process, in a directory with plugins, of which nothing stays behind."""
    write_plugins(tmp_path)
    with plugins_of(tmp_path):
        yield train_here


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place where a run with an environment and a network of its own is in `run`, and they are somewhere else."""
    place = Place(tmp_path_factory.mktemp("place"))
    (place.path / "elsewhere").mkdir()
    for file in ("my_env.py", "my_net.py"):
        (place.path / file).rename(place.path / "elsewhere" / file)
    place.run("--plugin", "elsewhere/my_env.py", "env=gymnasium", "env.id=Mine-v0", "--plugin=elsewhere/my_net.py",
              "policy=narrow", "policy.width=3", "hydra.run.dir=run", "num_seeds=2", *SHORT)  # fmt: skip
    return place


WITH_BOTH = ("--plugin", "elsewhere/my_env.py", "--plugin", "elsewhere/my_net.py")


def test_a_run_with_plugins_is_resumed_evaluated_and_loaded(trained):
    said = trained.run("resume=run", "env.max_episodes=10", *WITH_BOTH)
    assert "resumes after update 4" in said
    assert "sampling" in trained.run("run=run", "episodes=5", *WITH_BOTH, module="evaluate")
    said = trained.python(
        "-c",
        "import sys; sys.path.append('elsewhere'); import my_env, my_net\n"
        "from pg_experiments import load_run\n"
        "run = load_run('run'); env = run.make_env(); print(run.policy(env.reset(seed=0)[0]))",
    )
    assert said.strip() in ("0", "1")


@pytest.mark.parametrize(
    ("module", "arguments"), [("train", ["resume=run", "env.max_episodes=9"]), ("evaluate", ["run=run"])]
)
def test_a_run_names_the_plugins_that_it_misses_and_imports_none(trained, module, arguments):
    said = trained.run(*arguments, module=module, ok=False)
    assert len(said.splitlines()) == 1
    assert "needs policy=narrow of the plugin my_net; expected --plugin " in said
    said = trained.run(*arguments, *WITH_BOTH[2:], module=module, ok=False)
    assert "needs env.id=Mine-v0 of the plugin my_env; expected --plugin " in said


def test_load_run_names_them_too(trained):
    said = trained.python("-c", "from pg_experiments import load_run; load_run('run')", ok=False)
    assert "UserError: run: needs policy=narrow of the plugin my_net" in said


def test_a_damaged_list_of_plugins_is_one_line(trained):
    listed = trained.path / "run" / ".hydra" / "plugins.yaml"
    whole = listed.read_text()
    try:
        for damaged in ("a: 1", "a: {offers: 3}", "[1", "!!python/object/apply:os.system [true]"):
            listed.write_text(damaged)
            assert "plugins.yaml: " in trained.run("run=run", *WITH_BOTH, module="evaluate", ok=False)
    finally:
        listed.write_text(whole)


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_a_sweep_has_the_plugins_in_every_process(tmp_path, launcher):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    place = Place(tmp_path)
    said = place.python("-m", "pg_experiments.train", "-m", "--plugin", "./my_env.py", "--plugin", "my_net",
                        "env=gymnasium", "env.id=Mine-v0", "policy=narrow", "policy.width=2,3",
                        f"hydra/launcher={launcher}", "hydra.sweep.dir=sweep", *SHORT)  # fmt: skip
    assert "sweep of 2 jobs: 2 done" in said
    place.run("sweep=sweep", module="compare")
    report = (tmp_path / "sweep" / "comparison.md").read_text()
    assert f"train -m --plugin {tmp_path / 'my_env.py'} --plugin my_net env=gymnasium" in report
    assert "PG_EXPERIMENTS_PLUGINS" not in report


def test_a_preview_knows_the_plugins(train):
    ended = train("-m", "--plugin", "./my_net.py", "policy=narrow,mlp", "preview=true")
    assert (ended.code, ended.err) == (0, "")
    assert "2 new" in ended.out


def test_help_knows_the_options_of_a_plugin(train):
    ended = train("--help", "--plugin", "./my_net.py", "policy=narrow")
    (line,) = [line for line in ended.out.splitlines() if line.split()[:1] == ["narrow"]]
    assert line.endswith("A network with one narrow layer.")
    assert "width: 4" in ended.out


def test_help_explains_a_key_of_a_plugin(train):
    out = train("--plugin", "./my_net.py", "--help", "policy.width", "policy=narrow").out
    assert "  expected  a whole number at least 1\n  value     4\n  set by    the class of policy/narrow  4\n" in out


@pytest.mark.parametrize(
    ("overrides", "answer"),
    [
        (["policy=narow"], "policy=narow: no such option; expected one of narrow, "),
        (["policy=narrow", "policy.wdth=3"], "did you mean policy.width?"),
        (["policy=narrow", "policy.width=0"], "policy.width=0: expected a whole number at least 1; the nearest is 1"),
        (["policy=narrow", "policy.width=a"], "policy.width=a: expected a whole number at least 1"),
        (["--plugn", "my_net"], "--plugn: no such flag; did you mean --plugin?"),
    ],
)
def test_a_mistake_in_an_option_of_a_plugin_is_one_line(train, overrides, answer):
    ended = train("--plugin", "./my_net.py", *overrides)
    assert ended.code == 1
    assert len(ended.err.splitlines()) == 1
    assert answer in ended.err


@pytest.mark.parametrize(
    ("holding", "arguments", "told"),
    [
        ("class Corridor", ["env=gymnasium", "env.id=Corridor-v0"], "id=Corridor-v0"),
        ("class Narrow", ["policy=narrow"], "narrow"),
        ("class ClippedAdvantages", ["normalization=clipped"], "limit=10.0"),
    ],
)
def test_the_plugins_of_the_page_on_extending_work_as_they_are_written(train, tmp_path, holding, arguments, told):
    code = block("docs/extending.md", holding)
    file = code.splitlines()[0].removeprefix("# ")
    (tmp_path / file).write_text(code)
    ended = train("--plugin", file, *arguments, *SHORT)
    assert ended.code == 0, ended.err
    assert told in ended.out


def test_without_its_plugin_there_is_no_such_option(train):
    assert "policy=narrow: no such option" in train("policy=narrow").err
    assert "Gymnasium has no environment of this id" in train("env=gymnasium", "env.id=Mine-v0").err


def test_a_plugin_without_a_value_for_a_key_asks_for_one(train, tmp_path):
    (tmp_path / "my_net.py").write_text(NETWORK.replace(" = 4", ""))
    ended = train("--plugin", "./my_net.py", "policy=narrow")
    assert ended.err == "error: policy.width: missing; expected policy.width=VALUE\n"


def test_yaml_beside_a_plugin_replaces_its_defaults_and_brings_experiments(train, tmp_path):
    for name, text in {
        "policy/narrow.yaml": "# Narrow, as its author likes it.\nname: narrow\nhead: bernoulli\nwidth: 7\n",
        "experiment/mine.yaml": "# @package _global_\n# Mine.\ndefaults:\n  - override /policy: narrow\nnum_seeds: 3\n",
    }.items():
        file = tmp_path / "conf" / name
        file.parent.mkdir(parents=True)
        file.write_text(text)
    config = train("--plugin", "./my_net.py", "experiment=mine", "--cfg", "job").out
    assert "width: 7" in config
    assert "num_seeds: 3" in config
    assert "Narrow, as its author likes it." in train("--plugin", "./my_net.py", "--help").out


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["--plugin"], "--plugin: expected a module, or a file as ./my_env.py"),
        (["--plugin="], "--plugin=: expected a module"),
        (["--plugin", "./my_evn.py"], "plugin ./my_evn.py: not found; did you mean my_env.py?"),
        (["--plugin", "my_evn"], "plugin my_evn: no such module; did you mean ./my_env.py?"),
        (["--plugin", "bad/random.py"], "plugin bad/random.py: Python already has a module random ("),
        (["--plugin", "bad/broken.py"], "bad/broken.py: cannot be imported (ZeroDivisionError: division by zero; "),
        (["--plugin", "bad/unreadable.py"], "plugin bad/unreadable.py: cannot be imported (SyntaxError: "),
        (["--plugin", "bad/twice.py"], "twice: registers policy=mlp, which there is already"),
        (["--plugin", "bad/nowhere.py"], "nowhere: registers polic=x; expected a group, one of policy, "),
        (["--plugin", "bad/no_dataclass.py"], "(TypeError: policy=x: X is no dataclass; "),
    ],
)
def test_a_plugin_that_cannot_be_used_is_one_line(train, tmp_path, arguments, answer):
    register = "from dataclasses import dataclass\nfrom pg_experiments import option\n"
    (tmp_path / "bad").mkdir()
    for name, text in {
        "random": "",
        "broken": "def fail():\n    1 / 0\n\nfail()\n",
        "unreadable": "def f(:\n",
        "twice": f"{register}@option('policy', 'mlp')\n@dataclass\nclass X: pass\n",
        "nowhere": f"{register}@option('polic', 'x')\n@dataclass\nclass X: pass\n",
        "no_dataclass": f"{register}@option('policy', 'x')\nclass X: pass\n",
    }.items():
        (tmp_path / "bad" / f"{name}.py").write_text(text)
    ended = train(*SHORT, *arguments)
    assert ended.code == 1
    assert len(ended.err.splitlines()) == 1
    assert answer in ended.err
    assert not list(tmp_path.glob("outputs/*/*"))
