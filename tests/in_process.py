"""The commands within the tests' own process: a mistake then costs milliseconds instead of a second."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import gymnasium
import pytest

from pg_experiments.app.composing import restored
from pg_experiments.support import plugins


class Ended(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


Train = Callable[..., Ended]


def main_of(command: str) -> Callable[[], None]:
    """The function that `python -m pg_experiments.COMMAND` calls."""
    package = "" if command == "evaluate" else ".__main__"
    main: Callable[[], None] = import_module(f"pg_experiments.{command}{package}").main
    return main


def leave_handlers_open(patch: pytest.MonkeyPatch) -> None:
    """Hydra's set-up of logging closes every handler that is known; with this it knows none.

    absl's, which rliable imports, would close the stderr of pytest, as it is not that of the command.
    """
    patch.setattr(logging, "_handlerList", [])


@pytest.fixture
def run_here(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Train:
    """`python -m pg_experiments.COMMAND …` in a directory of its own, without a process of its own."""
    monkeypatch.chdir(tmp_path)

    def run(command: str, *arguments: str) -> Ended:
        main = main_of(command)
        capsys.readouterr()
        code: object = 0
        with monkeypatch.context() as changed, _left_as_it_was():
            changed.setattr(sys, "argv", [command, *arguments])
            changed.setenv("HYDRA_FULL_ERROR", "0")
            leave_handlers_open(changed)
            try:
                main()
            except SystemExit as exit:
                code = exit.code
        out, err = capsys.readouterr()
        if isinstance(code, str):  # as the interpreter does at its end
            return Ended(1, out, f"{err}{code}\n")
        return Ended(int(str(code or 0)), out, err)

    return run


@pytest.fixture
def train_here(run_here: Train) -> Train:
    """`python -m pg_experiments.train …` in a directory of its own, without a process of its own."""
    return partial(run_here, "train")


@contextmanager
def plugins_of(folder: Path) -> Iterator[None]:
    """Plugins from files in this folder, which are loaded within the context, are unknown after it."""
    registries = (plugins._loaded, plugins._options, gymnasium.registry)
    with ExitStack() as stack:
        stack.enter_context(patch.object(sys, "path", list(sys.path)))
        stack.enter_context(restored())
        for registry in registries:
            stack.enter_context(patch.dict(registry))
        yield
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(str(folder)):
            del sys.modules[name]


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
