"""What the tests share: runs made from overrides, rollouts made by hand, and commands run for real."""

from __future__ import annotations

import copy
import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from gymnasium.spaces import Box, Discrete
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from playwright.sync_api import Browser

from docs import browser
from pg_experiments.algorithm.reinforce import ReinforceAgent
from pg_experiments.app.command_line import config_directory
from pg_experiments.policy.policy import Policy
from pg_experiments.run.config import check, every_key
from pg_experiments.run.made_with import made_with
from pg_experiments.run.run import Run
from pg_experiments.run.tracking import Composition, Tracker
from pg_experiments.support.run_directory import RunDirectory
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.rollout import Finals, Rollout
from pg_experiments.tensors.sparse import SparseRows
from tests.in_process import Ended, run_here, train_here  # noqa: F401  (fixtures)

REPOSITORY = Path(__file__).parent.parent

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a shell has its background jobs ignore Ctrl-C, and so would every process that the tests begin
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that at the end no worker waits for the one that has them."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def composed(*overrides: str) -> dict[str, Any]:
    """The config that these overrides compose, as plain data."""
    return copy.deepcopy(_composed(overrides))


@cache
def _composed(overrides: tuple[str, ...]) -> dict[str, Any]:
    """Kept, as Hydra takes a fifth of a second for it and many tests have the same overrides."""
    with initialize_config_dir(config_directory(), version_base="1.3"):
        config = OmegaConf.to_container(compose("config", [*overrides]), resolve=True)
    assert isinstance(config, dict)
    return config


def make_run(*overrides: str) -> Run:
    """A run on the CPU, built and not yet begun."""
    return Run(check(composed("device=cpu", *overrides)))


def track(run: Run, directory: Path, *overrides: str, again: bool = False) -> Tracker:
    """A tracker that writes to a directory of its own, or to one where a run has been before."""
    return Tracker(
        RunDirectory.claim(directory, again=again),
        run.accounts,
        run.metrics,
        composition=Composition(composed("device=cpu", *overrides), every_key()),
        made_with=made_with(run.device),
        browse=directory,
        every_steps=run.config.tracking.every_steps,
        plain_every_seconds=1e9,
        histograms_every=0,
    )


def train_in(directory: Path, *overrides: str) -> Run:
    """A run trained to its end, recorded in `directory`."""
    run = make_run(*overrides)
    tracker = track(run, directory, *overrides)
    run.execute(tracker)
    tracker.directory.release()
    return run


def one_update(run: Run, update: int = 0) -> dict[str, torch.Tensor]:
    """Collects and learns once, with every learner."""
    active = run.accounts.active
    return run.learn(run.collector.collect(update, active), active).metrics


def rollout_of(observations: torch.Tensor, actions: torch.Tensor, rewards: torch.Tensor, mask: torch.Tensor) -> Rollout:
    """A rollout of terminated episodes from [T, R, E] tensors, without dropout."""
    _, R, E = mask.shape
    last = (mask.sum(0) - 1).clamp(min=0)
    return Rollout(
        learners=torch.arange(R),
        observations=observations,
        actions=actions,
        rewards=rewards,
        mask=mask,
        terminated=mask & (torch.arange(len(mask)).view(-1, 1, 1) == last),
        truncated=torch.zeros_like(mask),
        finals=Finals(observations[-1], last * (R * E) + torch.arange(R * E).view(R, E), mask.any(0)),
        dropout_masks=None,
    )


def rewarded(rewards: torch.Tensor, mask: torch.Tensor | None = None, **changes: torch.Tensor) -> Rollout:
    """A rollout [T, R, E] of terminated episodes of which only the rewards matter."""
    mask = torch.ones(rewards.shape, dtype=torch.bool) if mask is None else mask
    nothing = torch.zeros(*rewards.shape, 1)
    return dataclasses.replace(rollout_of(nothing, nothing[..., 0].long(), rewards, mask), **changes)


def spaces(observation_size: int, num_actions: int) -> tuple[Box, Discrete]:
    """The spaces of an environment with that many numbers in an observation and that many actions."""
    return Box(-1, 1, (observation_size,)), Discrete(num_actions)


def dense_of(rows: SparseRows) -> torch.Tensor:
    """The same numbers as a tensor [R, N, D]."""
    R, N, D = rows.shape
    counts = torch.diff(rows.starts, append=torch.tensor([len(rows.columns)]))
    full = torch.zeros(R * N, D)
    full[torch.arange(R * N).repeat_interleave(counts), rows.columns % D] = rows.values
    return full.view(R, N, D)


def reinforce(policy: Policy, *overrides: str) -> ReinforceAgent:
    """The agent of these overrides, with a policy that was made by hand."""
    config = check(composed(*overrides))
    choices = SimpleNamespace(**vars(config) | {"policy": SimpleNamespace(build=lambda *_: policy)})
    learners = Learners(range(policy.learners))
    return config.algorithm.build(choices, *spaces(1, 2), learners, torch.device("cpu"))


def unused(advantages: torch.Tensor) -> torch.Tensor:
    """In place of the policy's gradients, for a baseline that needs none."""
    raise AssertionError("computes the policy's gradients")


def total_loss(agent: ReinforceAgent, rollout: Rollout, advantages: torch.Tensor) -> torch.Tensor:
    """[R]: the whole loss of a batch."""
    return sum((part.loss for part in agent.losses(rollout, advantages)), torch.zeros(()))


def a_process(*arguments: str, cwd: Path = REPOSITORY) -> Ended:
    """Python with these arguments as a process of its own."""
    paths = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": paths}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`python -m pg_experiments.train …` in a directory of its own, as a process of its own."""

    def run(*arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pg_experiments.train", *arguments],
            cwd=tmp_path,
            env={key: value for key, value in os.environ.items() if key != "HYDRA_FULL_ERROR"},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


def require_chromium() -> None:
    """Skip the tests where there is no browser, unless it is known that there is one."""
    try:
        browser.executable()
    except FileNotFoundError as missing:
        (pytest.fail if os.environ.get("PG_NEEDS_BROWSER") else pytest.skip)(str(missing))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A real browser, without a window."""
    require_chromium()
    with browser.chromium() as started:
        yield started
