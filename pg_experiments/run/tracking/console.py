"""Console output of a run: a progress bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import logging
import shlex
import statistics
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from pg_experiments.support.errors import as_yaml
from pg_experiments.support.plugins import flags
from pg_experiments.support.terminal import Terminal

BAR_EVERY_SECONDS = 0.1
log = logging.getLogger("pg_experiments")


class _Screen(Terminal):
    """A terminal that ignores broken pipes, such as a `tee` that Ctrl-C has ended, so that the run can finish."""

    def on_broken_pipe(self) -> None:
        with suppress(SystemExit):
            super().on_broken_pipe()


class Console:
    """Prints header, progress, warnings and closing block. All but the progress is also logged."""

    def __init__(self, plain_every_seconds: float) -> None:
        self.rich = _Screen(highlight=False, soft_wrap=True)
        self.every = plain_every_seconds
        self._shown_at = time.monotonic()
        self._bar: Progress | None = None

    def header(self, choices: Mapping[str, tuple[str, Mapping[str, Any]]], facts: Mapping[str, str]) -> None:
        """Print the chosen option and the keys of each group, and a line for each fact."""
        choices = {**choices, **{name: (fact, {}) for name, fact in facts.items()}}
        width = max(len(group) for group in choices)
        wide = max(len(option) for option, _ in choices.values())
        table = Table.grid(padding=(0, 2))
        for group, (option, keys) in choices.items():
            values = " ".join(f"{key}={as_yaml(value)}" for key, value in keys.items())
            table.add_row(Text(group, "bold"), Text(option, "cyan"), Text(values, "dim"))
            log.info(line := f"{group:<{width}}  {option:<{wide}}  {values}")
            if not self.rich.is_terminal:
                self.rich.print(line, markup=False)
        if self.rich.is_terminal:
            self.rich.print(table, soft_wrap=False)

    def start(self) -> None:
        """Show the progress bar if the output is a terminal."""
        if not self.rich.is_terminal:
            return
        self._bar = Progress(
            BarColumn(bar_width=None),
            TextColumn("{task.fields[status]}"),
            console=self.rich,
            transient=True,
            expand=True,
        )
        self._task = self._bar.add_task("", total=1.0, status="")
        self._bar.start()

    @property
    def is_due(self) -> bool:
        """Whether the progress is to be shown again: often in a terminal, else at intervals."""
        return time.monotonic() - self._shown_at >= (self.every if self._bar is None else BAR_EVERY_SECONDS)

    def progress(self, share: float, status: str) -> None:
        """Set the progress bar to a fraction, 0 to 1. Without a terminal, print a line."""
        self._shown_at = time.monotonic()
        if self._bar is not None:
            self._bar.update(self._task, completed=share, status=status)
        else:
            self.rich.print(status, markup=False)

    def say(self, text: str) -> None:
        """Print and log a line."""
        self.rich.print(text, markup=False)
        log.info(text)

    def warn(self, text: str) -> None:
        """Print and log a warning."""
        self.rich.print(Text(f"warning: {text}", "yellow"))
        log.warning(text)

    def stop(self) -> None:
        """Remove the progress bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def closing(self, headline: str, lines: Mapping[str, str]) -> None:
        """Print the closing block: a headline, and named lines."""
        self.stop()
        self.rich.print(f"\n[bold]{headline}[/bold]")
        log.info(headline)
        for name, text in lines.items():
            self.rich.print(f"  {name:<10}{text}", markup=False)
            log.info("%s: %s", name, text)


def status_line(*, episodes: int, limit: int | None, mean_return: float, speed: float, left_s: float | None) -> str:
    """Episodes, mean return of the window, environment steps per second and maximum time left, in 80 columns."""
    total = "" if limit is None else f"/{limit}"
    left = "?" if left_s is None else f"{int(left_s) // 60}:{int(left_s) % 60:02d}"
    return f"episodes {episodes}{total}  return {mean_return:.1f}  {speed:,.0f} steps/s  {left} left"


def headline(result: Mapping[str, Any], threshold: float, window: int) -> str:
    """A sentence on whether, and after how many episodes, the environment was solved."""
    seeds = result["seeds"]
    solved = sorted(seed["episodes_to_solve"] for seed in seeds if seed["solved"])
    goal = f"the mean of the last {window} returns reached {threshold:g}"
    if len(seeds) == 1:
        if solved:
            return f"Solved after {solved[0]} episodes: {goal}."
        return f"Not solved in {result['episodes']} episodes; mean of the last {window} returns: {_one(seeds[0])}."
    finals = [seed["final_return"] for seed in seeds if seed["final_return"] is not None]
    final = f"; final return {statistics.fmean(finals):.1f} ± {statistics.stdev(finals):.1f}" if len(finals) > 1 else ""
    spread = final and f"{final} (mean ± deviation over seeds)"
    median = statistics.median(solved) if solved else 0
    after = f", after {median:g} episodes in the median ({solved[0]} to {solved[-1]})" if solved else ""
    return f"Solved by {len(solved)} of {len(seeds)} seeds{after}{spread}."


def _one(seed: Mapping[str, Any]) -> str:
    return "none yet" if seed["final_return"] is None else f"{seed['final_return']:.1f}"


def browse_command(directory: Path) -> str:
    """The command that shows a directory in TensorBoard."""
    return f"tensorboard --logdir {from_here(directory)}"


def resume_command(directory: Path) -> str:
    """The command that resumes a run."""
    return f"{shlex.join(['python', '-m', 'pg_experiments.train', *flags()])} resume={from_here(directory)}"


def from_here(directory: Path) -> str:
    """A directory as a shell argument, relative to the current directory if it is below it."""
    cwd = Path.cwd()
    return shlex.quote(str(directory.relative_to(cwd) if directory.is_relative_to(cwd) else directory))
