"""Console output of a run: a progress bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import logging
import shlex
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from pg_experiments.run.tracking.sweep_job import SweepJob
from pg_experiments.support.errors import as_yaml
from pg_experiments.support.plugins import flags
from pg_experiments.support.shell import from_here
from pg_experiments.support.terminal import Terminal

BAR_EVERY_SECONDS = 0.1
log = logging.getLogger("pg_experiments")


class _Screen(Terminal):
    """A terminal that ignores broken pipes, such as a `tee` that Ctrl-C has ended, so that the run can finish."""

    def on_broken_pipe(self) -> None:
        with suppress(SystemExit):
            super().on_broken_pipe()


class Console:
    """Prints header, progress, warnings and closing block. All but the progress is also logged.

    A job of a sweep prints one line at its end, and its number before progress and warnings. Only the first job prints
    the header. All jobs log header and closing block.
    """

    def __init__(self, plain_every_seconds: float, job: SweepJob | None = None, *, quiet: bool = False) -> None:
        # in a notebook too, lines are plain text, and not a block of HTML for each
        self.rich = _Screen(highlight=False, soft_wrap=True, quiet=quiet, force_jupyter=False)
        self.every = plain_every_seconds
        self.job = job
        self._shown_at = time.monotonic()
        self._bar: Progress | None = None

    def header(self, choices: Mapping[str, tuple[str, Mapping[str, Any]]], facts: Mapping[str, str]) -> None:
        """Print the chosen option and the keys of each group, and a line for each fact."""
        shown = self.job is None or self.job.shows_settings
        choices = {**choices, **{name: (fact, {}) for name, fact in facts.items()}}
        width = max(len(group) for group in choices)
        wide = max(len(option) for option, _ in choices.values())
        table = Table.grid(padding=(0, 2))
        for group, (option, keys) in choices.items():
            values = " ".join(f"{key}={as_yaml(value)}" for key, value in keys.items())
            table.add_row(Text(group, "bold"), Text(option, "cyan"), Text(values, "dim"))
            log.info(line := f"{group:<{width}}  {option:<{wide}}  {values}")
            if shown and not self.rich.is_terminal:
                self.rich.print(line, markup=False)
        if shown and self.rich.is_terminal:
            self.rich.print(table, soft_wrap=False)

    def start(self) -> None:
        """Show the progress bar if the output is a terminal that no other job of a sweep uses at the same time."""
        if not self.rich.is_terminal or self.rich.quiet or (self.job is not None and self.job.total is None):
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
            label = f"{self.job.label}  " if self.job else ""
            self._bar.update(self._task, completed=share, status=label + status)
        else:
            self.rich.print(self._of_job(status), markup=False)

    def say(self, text: str) -> None:
        """Print and log a line."""
        self.rich.print(text, markup=False)
        log.info(text)

    def warn(self, text: str) -> None:
        """Print and log a warning."""
        self.rich.print(Text(self._of_job(f"warning: {text}"), "yellow"))
        log.warning(text)

    def stop(self) -> None:
        """Remove the progress bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def closing(self, headline: str, lines: Mapping[str, str]) -> None:
        """Print and log the closing block: a headline, and named lines."""
        self.stop()
        self.rich.print(f"\n[bold]{headline}[/bold]")
        for name, text in lines.items():
            self.rich.print(f"  {name:<10}{text}", markup=False)
        self._log_closing(headline, lines)

    def job_done(self, line: str, headline: str, lines: Mapping[str, str]) -> None:
        """Print one line on a job of a sweep, and log the closing block."""
        self.stop()
        self.rich.print(self._of_job(line), markup=False)
        self._log_closing(headline, lines)

    def _of_job(self, text: str) -> str:
        """The text after the number of the job of a sweep, and what differs in it."""
        return text if self.job is None else f"{self.job.label}  {self.job.differs}  {text}"

    def _log_closing(self, headline: str, lines: Mapping[str, str]) -> None:
        log.info(headline)
        for name, text in lines.items():
            log.info("%s: %s", name, text)


def resume_command(directory: Path) -> str:
    """The command that resumes a run."""
    return f"{shlex.join(['python', '-m', 'pg_experiments.train', *flags()])} resume={from_here(directory)}"
