"""The training command within the tests' own process: a mistake then costs milliseconds instead of a second."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest

from pg_experiments import train


class Ended(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


Train = Callable[..., Ended]


@pytest.fixture
def train_here(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path) -> Train:
    """`python -m pg_experiments.train …` in a directory of its own, without a process of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Ended:
        capsys.readouterr()
        code: object = 0
        with monkeypatch.context() as patch, _left_as_it_was():
            patch.setattr(sys, "argv", ["train", *arguments])
            patch.setenv("HYDRA_FULL_ERROR", "0")
            # Hydra's set-up of logging closes every handler that is known, and absl's (imported by rliable) would
            # close the stderr of pytest, which is not that of the command here
            patch.setattr(logging, "_handlerList", [])
            try:
                train.main()
            except SystemExit as exit:
                code = exit.code
        out, err = capsys.readouterr()
        if isinstance(code, str):  # as the interpreter does at its end
            return Ended(1, out, f"{err}{code}\n")
        return Ended(int(str(code or 0)), out, err)

    return run


@contextmanager
def _left_as_it_was() -> Iterator[None]:
    """Hydra sets up logging, and a sweep what happens at a signal, for a process that ends with the command."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        for number in numbers:
            signal.signal(number, before[number])
