"""Training from Python leaves no trace in Hydra, in signal handlers or in logging of the process, and bears threads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import REPOSITORY


def run_script(folder: Path, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A script as a clean process in a folder of its own."""
    (folder / "script.py").write_text(script)
    paths = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "script.py", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )


PLUGIN = """
from dataclasses import dataclass
import pg_experiments
from pg_experiments.baseline import MovingAverageOption

@pg_experiments.option("baseline", "mine")
@dataclass(frozen=True)
class Mine(MovingAverageOption):
    decay: float = 0.5
"""
APPLICATION = """
import logging, signal, sys
import hydra
from hydra import version
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf
import pg_experiments

SMALL = {"env.max_episodes": 4, "policy.hidden": 4, "device": "cpu"}

def state():
    config = HydraConfig.get()
    root = logging.getLogger()
    return {
        "hydra": (id(GlobalHydra.instance()), id(GlobalHydra.instance().hydra)),
        "config": (id(config), OmegaConf.to_yaml(config)),
        "base": version.getbase(),
        "options": {group: sorted(options) for group, options in ConfigStore.instance().repo.items()
                    if isinstance(options, dict)},
        "logging": (list(root.handlers), root.level),
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
        "argv": list(sys.argv),
    }

@hydra.main(version_base="1.2", config_path="conf", config_name="theirs")
def main(config):
    pg_experiments.load_plugin("./plugin.py")
    before = state()
    run = pg_experiments.train(SMALL, {"baseline": config.baseline}, directory=config.where, progress=False)
    assert type(run.config.baseline).__name__ == "Mine" and run.config.baseline.decay == 0.5
    pg_experiments.sweep({"seed": [0, 1]}, SMALL, directory=config.where + "_sweep", progress=False)
    pg_experiments.resume(config.where, {"env.max_episodes": 8}, progress=False)
    try:
        pg_experiments.compose("baseline=theirs")
    except pg_experiments.UserError as error:
        assert "no such option; expected one of" in str(error), error
    assert state() == before
    assert hydra.compose("theirs").where == "first"
    assert HydraConfig.get().job.name == "script"
    print("done", HydraConfig.get().job.num, config.where)

main()
"""


def test_another_application_of_hydra_is_not_disturbed_in_a_run_or_a_sweep(tmp_path):
    """Its group `baseline` has the name of one of ours, and its version base is another one."""
    (tmp_path / "conf" / "baseline").mkdir(parents=True)
    (tmp_path / "conf" / "theirs.yaml").write_text("where: first\nbaseline: mine\n")
    (tmp_path / "plugin.py").write_text(PLUGIN)
    done = run_script(tmp_path, APPLICATION, "-m", "where=first,second")
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith("done")] == ["done 0 first", "done 1 second"]


THREADS = """
import threading
import pg_experiments

SMALL = {"env.max_episodes": 10, "policy.hidden": 4, "device": "cpu", "num_seeds": 3}
errors, configs = [], {}
start = threading.Barrier(4)

def work(number):
    try:
        start.wait()
        configs[number] = pg_experiments.compose({"seed": number}, "env=acrobot" if number % 2 else "env=pong")
        pg_experiments.train(SMALL, {"seed": number}, directory=f"thread_{number}", progress=False)
    except BaseException as error:
        errors.append(error)

threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert not errors, errors
for number in range(4):
    assert configs[number]["seed"] == number
    assert configs[number].choices["env"] == ("acrobot" if number % 2 else "pong")
    pg_experiments.train(SMALL, {"seed": number}, directory=f"alone_{number}", progress=False)
from hydra.core.global_hydra import GlobalHydra
assert not GlobalHydra.instance().is_initialized()
"""


def test_threads_compose_and_train_at_once_as_each_alone(tmp_path):
    done = run_script(tmp_path, THREADS)
    assert done.returncode == 0, done.stderr
    for number in range(4):
        alone, thread = (tmp_path / f"{name}_{number}" for name in ("alone", "thread"))
        rows = [[line.rpartition(",")[0] for line in (d / "metrics.csv").open()] for d in (alone, thread)]
        assert rows[0] == rows[1]
        log = (thread / "train.log").read_text()
        assert f"thread_{number}" in log
        assert not any(f"thread_{other}" in log for other in range(4) if other != number)


INTERRUPTED = """
import os, signal
import pg_experiments

LONG = {"env.threshold": float("inf"), "env.max_episodes": 1_000_000, "policy.hidden": 4, "device": "cpu"}

def interrupt(update):
    if update.update == 3:
        os.kill(os.getpid(), signal.SIGINT)

handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
try:
    pg_experiments.train(LONG, directory="run", progress=False, callback=interrupt)
except KeyboardInterrupt:
    print("interrupted")
assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
run = pg_experiments.load_run("run", checkpoint="last")
assert run.update == 4, run
count = []
pg_experiments.resume("run", progress=False, callback=lambda update: count.append(update.update) or len(count) == 2)
assert count == [4, 5], count
"""


def test_ctrl_c_saves_raises_keyboard_interrupt_and_leaves_the_handlers(tmp_path):
    done = run_script(tmp_path, INTERRUPTED)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "interrupted\n"
    assert "interrupted: finishing this update and saving" in done.stderr


def test_options_of_the_process_itself_can_be_used(tmp_path):
    """As in a notebook, which defines an option in a cell."""
    script = (
        PLUGIN
        + """
run = pg_experiments.train("baseline=mine", "env.max_episodes=4", "device=cpu", directory="run", progress=False)
assert isinstance(run.config.baseline, Mine)
assert isinstance(pg_experiments.load_run("run").config.baseline, Mine)
"""
    )
    done = run_script(tmp_path, script)
    assert done.returncode == 0, done.stderr


def test_functions_stay_functions_and_light_whatever_is_imported_before():
    """`train` and `compare` are also packages, whose import must not replace the functions of these names."""
    script = """
import sys, pg_experiments.train, pg_experiments.compare.__main__, pg_experiments.train.__main__
import pg_experiments.variance.__main__
import pg_experiments
for name in ("compose", "train", "resume", "sweep", "compare", "variance", "load_run", "load_plugin"):
    assert callable(getattr(pg_experiments, name)), name
assert not {'torch', 'numpy', 'hydra', 'gymnasium', 'pydantic', 'rich'} & set(sys.modules), set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
