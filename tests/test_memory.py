"""The estimate of memory is a lower bound of what a run takes, and what cannot fit is refused before it is built."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pg_experiments import load_run
from pg_experiments.collect import Episodes
from pg_experiments.env import AtariEnv
from pg_experiments.run import memory
from pg_experiments.run.config import check
from pg_experiments.run.memory import least_memory, refuse_what_cannot_fit, sizes_of
from pg_experiments.run.run import Run
from pg_experiments.support.available_memory import available_memory
from pg_experiments.support.errors import UserError
from pg_experiments.support.identity import identity
from tests.conftest import REPOSITORY, composed, make_run
from tests.saved_runs import change_checkpoint, save_run

GiB = 2**30
SMALL_PONG = ("env=pong", "collect.points=4", "env.num_envs=4", "env.max_frames=400")
ORDINARY = [("baseline=value", "num_seeds=32"), SMALL_PONG]
LARGE = ("num_seeds=300", "policy.hidden=256")
TOO_LARGE = [
    (["num_seeds=100000000"], "num_seeds=100000000"),
    (["policy.hidden=99999999999"], "policy.hidden=99999999999"),
    (["policy.layers=1000000000"], "policy.layers=1000000000"),
    (["baseline=value", "baseline.hidden=9999999999"], "baseline.hidden=9999999999"),
    (["baseline=value", "baseline.layers=9999999999"], "baseline.layers=9999999999"),
    (
        ["collect.episodes=1000000000", "env.max_episodes=null", "env.max_steps=1"],
        "collect.episodes=1000000000",
    ),
    (["baseline=optimal", "policy.hidden=999999", "collect.episodes=400"], "policy.hidden=999999"),
    (["env=pong", "collect.points=10000000", "env.num_envs=1000000"], "env.num_envs=1000000"),
    (["env=pong", "collect.points=9999999999"], "collect.points=9999999999"),
    (["env=acrobot", "num_seeds=100000000"], "num_seeds=100000000"),
    (["policy=linear", f"num_seeds={10**40}"], f"num_seeds={10**40}"),
]


def measured(*overrides: str) -> tuple[int, int]:
    """The peak of a run in bytes, and its estimate."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.memory_of_a_run", *overrides],
        cwd=REPOSITORY,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    peak, estimate = map(int, done.stdout.split())
    return peak, estimate


@pytest.mark.parametrize("overrides", ORDINARY, ids=lambda overrides: overrides[0])
def test_an_ordinary_run_takes_more_than_the_estimate(overrides):
    peak, estimate = measured(*overrides)
    assert 0 < estimate < peak


def test_the_estimate_of_a_large_run_is_of_the_order_of_what_it_takes():
    peak, estimate = measured(*LARGE)
    assert estimate > 50e6
    assert estimate < peak < 10 * estimate


@pytest.mark.parametrize(("overrides", "blamed"), TOO_LARGE, ids=lambda value: str(value)[:50])
def test_what_cannot_fit_is_refused_with_the_key_that_needs_most_and_a_value_that_could_fit(
    monkeypatch, overrides, blamed
):
    available = 8 * GiB
    monkeypatch.setattr(memory, "available_memory", lambda: available)
    with pytest.raises(UserError) as refused:
        make_run(*overrides)
    text = str(refused.value)
    assert text.startswith(f"{blamed}")
    assert "of memory, and 8 GiB are available; the nearest that could fit is " in text
    fits = int(text.rpartition(" ")[2])
    key = blamed.partition("=")[0] if "=" in blamed else "collect.episodes"
    for value, is_too_large in ((fits, False), (fits + 1, True)):
        config = check(composed("device=cpu", *overrides, f"{key}={value}"))
        assert (least_memory(config, sizes_of(config)) > available) == is_too_large


def test_nothing_is_built_before_the_check(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 1000)
    monkeypatch.setattr(Episodes, "make", lambda *_: pytest.fail("built"))
    with pytest.raises(UserError, match="the run needs at least"):
        Run(check(composed("device=cpu")))
    monkeypatch.setattr(memory, "available_memory", lambda: None)
    with pytest.raises(pytest.fail.Exception, match="built"):
        Run(check(composed("device=cpu")))


def test_on_another_device_only_what_passes_through_the_cpu_counts(monkeypatch):
    config = check(composed("num_seeds=1000", "policy.hidden=1000"))
    on_cpu, elsewhere = (least_memory(config, sizes_of(config), device) for device in ("cpu", "cuda"))
    monkeypatch.setattr(memory, "available_memory", lambda: (on_cpu + elsewhere) // 2)
    refuse_what_cannot_fit(config, "cuda")
    with pytest.raises(UserError, match="the run needs at least"):
        refuse_what_cannot_fit(config, "cpu")


@pytest.mark.parametrize(
    "overrides", [(), ("env=acrobot",), ("env=pong",), ("env=pong", "env.actions=null", "policy.head=categorical")]
)
def test_an_environment_knows_its_sizes_without_being_made(overrides):
    run = make_run(*overrides, *(SMALL_PONG[1:] if overrides[:1] == ("env=pong",) else ()))
    weights = run.agent.policy.network.weights
    assert sizes_of(run.config) == (weights[0].shape[1], weights[-1].shape[2])
    assert isinstance(run.config.env, AtariEnv) == ("env=pong" in overrides)


def kernel(root: Path, groups: str, **files: str) -> Path:
    """A folder with what a kernel shows in `proc` and `sys`: 8 GiB available, 1 GiB of swap free."""
    texts = {"proc/meminfo": "MemTotal: 9999999 kB\nMemAvailable: 8388608 kB\nSwapFree: 1048576 kB\n"}
    texts |= {"proc/self/cgroup": groups} | {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


GROUPS = {
    "no group": ("", {}, 9),
    "no limit": ("0::/\n", {"memory.max": "max\n"}, 9),
    "version 2": ("0::/a/b\n", {"a/b/memory.max": f"{3 * GiB}\n", "a/b/memory.current": f"{GiB}\n"}, 3),
    "a limit of a group above, with a cache": (
        "0::/a/b\n",
        {"a/memory.max": f"{4 * GiB}", "a/memory.current": f"{3 * GiB}", "a/memory.stat": f"anon 5\nfile {2 * GiB}\n"},
        4,
    ),
    "version 1": (
        "5:cpu,memory:/a\n1:name=systemd:/\n",
        {"memory/a/memory.limit_in_bytes": f"{2 * GiB}", "memory/a/memory.usage_in_bytes": f"{GiB}"},
        2,
    ),
    "a limit above what the machine has": ("0::/\n", {"memory.max": f"{99 * GiB}", "memory.current": "0"}, 9),
}


@pytest.mark.parametrize(("groups", "files", "gibibytes"), GROUPS.values(), ids=GROUPS.keys())
def test_available_is_what_the_machine_has_left_or_a_control_group_if_that_is_less(tmp_path, groups, files, gibibytes):
    assert available_memory(kernel(tmp_path, groups, **files)) == gibibytes * GiB


def test_where_the_kernel_tells_nothing_there_is_no_check(tmp_path):
    assert available_memory(tmp_path) is None


def test_a_saved_run_that_claims_another_size_than_its_parameters_have_is_refused_before_it_is_built(tmp_path):
    run = save_run(tmp_path / "run", "env.max_episodes=2", "policy.hidden=4")
    for claim, answer in (
        ({"policy": {"hidden": 10**12}}, "30 parameters, not 7000"),
        ({"num_seeds": 10**12}, "expected torch.float64 of 1000000000000 learners"),
    ):
        values = composed("device=cpu", "env.max_episodes=2", "policy.hidden=4")
        for key, value in claim.items():
            values[key] = {**values[key], **value} if isinstance(value, dict) else value
        (run / ".hydra" / "config.yaml").write_text(yaml.safe_dump(values))
        change_checkpoint(run, config=identity(values))
        with pytest.raises(UserError) as refused:
            load_run(run)
        assert answer in str(refused.value)
