"""The commands within the tests' own process: a mistake then costs milliseconds instead of a second."""

from __future__ import annotations

import io
import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import gymnasium
import pytest
from hydra.core.plugins import Plugins

from pg_experiments.app.composing import restored
from pg_experiments.support import plugins


class Ended(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The line that says what is wrong."""
        assert self.code == 1, self
        *before, line = self.err.strip().splitlines()
        assert line.startswith("error: "), self
        assert len(before) < 6
        assert "Traceback" not in self.err
        return line


Train = Callable[..., Ended]


def main_of(command: str) -> Callable[[], None]:
    """The function that `python -m pg_experiments.COMMAND` calls."""
    package = "" if command == "evaluate" else ".__main__"
    main: Callable[[], None] = import_module(f"pg_experiments.{command}{package}").main
    return main


def run_command(command: str, *arguments: str) -> Ended:
    """`python -m pg_experiments.COMMAND …` in the current directory, without a process of its own."""
    main = main_of(command)
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with _as_a_process([command, *arguments]), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as exit:
            code = exit.code
    if isinstance(code, str):  # as the interpreter does at its end
        return Ended(1, out.getvalue(), f"{err.getvalue()}{code}\n")
    return Ended(int(str(code or 0)), out.getvalue(), err.getvalue())


@pytest.fixture
def run_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Train:
    """`python -m pg_experiments.COMMAND …` in a directory of its own, without a process of its own."""
    monkeypatch.chdir(tmp_path)
    return run_command


@pytest.fixture
def train_here(run_here: Train) -> Train:
    """`python -m pg_experiments.train …` in a directory of its own, without a process of its own."""
    return partial(run_here, "train")


@contextmanager
def plugins_of(folder: Path) -> Iterator[None]:
    """Plugins from files in this folder, which are loaded within the context, are unknown after it."""
    Plugins.instance()  # those of Hydra put their configs into its store once in a process, not to be unknown after it
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
def _as_a_process(arguments: list[str]) -> Iterator[None]:
    """The arguments and environment of a command. What it sets up for a process that ends with it is left as it was.

    Hydra sets up logging, and a sweep what happens at a signal. The former would close every handler that is known, and
    absl's, which rliable imports, would close the stderr of pytest: so none is known.
    """
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        with pytest.MonkeyPatch.context() as changed:
            changed.setattr(sys, "argv", arguments)
            changed.setenv("HYDRA_FULL_ERROR", "0")
            changed.setattr(logging, "_handlerList", [])
            yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        for number in numbers:
            signal.signal(number, before[number])
