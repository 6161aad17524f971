"""What the tests of untrusted directories share: a run, a sweep, and a limit of time."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.in_process import run_command
from tests.untrusted import SWEEP, TINY, Outside, change_result


@pytest.fixture(autouse=True)
def _no_hang() -> Iterator[None]:
    """A command that waits for a FIFO fails its test."""

    def give_up(*_: object) -> None:
        raise TimeoutError("the command hangs")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run `run` that was interrupted, as it says, and a sweep `sweep` of one job that is done."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run_command("train", *TINY, "num_seeds=2", "hydra.run.dir=run").code == 0
        assert run_command("train", *SWEEP).code == 0
    change_result(folder / "run", status="interrupted")
    return folder


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with copies of both."""
    shutil.copytree(made, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    return Outside(tmp_path / "outside")
