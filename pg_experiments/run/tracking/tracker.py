"""The tracker of a run, which writes all of its records."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from pg_experiments.run.accounts import Accounts
from pg_experiments.run.made_with import START, Record, checked_history, continued, differences
from pg_experiments.run.tracking.board import Board
from pg_experiments.run.tracking.composition import Composition
from pg_experiments.run.tracking.console import Console, resume_command
from pg_experiments.run.tracking.final import FINAL_METRICS, final_metrics
from pg_experiments.run.tracking.metrics import MetricsFile, UpdateRecord, Views
from pg_experiments.run.tracking.rows import Rows
from pg_experiments.run.tracking.sentences import headline, job_line, status_line
from pg_experiments.run.tracking.sweep_job import SweepJob
from pg_experiments.support.feedback import COMMAND, Feedback, Stopped
from pg_experiments.support.interruption import Preempted
from pg_experiments.support.metric import Metric
from pg_experiments.support.run_directory import RunDirectory
from pg_experiments.support.shell import browse_command

log = logging.getLogger("pg_experiments")
RESULT_EVERY_SECONDS = 5.0


class Tracker:
    """Writes `metrics.csv`, `result.json`, `train.log`, TensorBoard's event files, and the console."""

    def __init__(
        self,
        directory: RunDirectory,
        accounts: Accounts,
        metrics: Sequence[Metric],
        *,
        composition: Composition,
        made_with: Record,
        browse: Path,
        every_steps: int,
        plain_every_seconds: float,
        histograms_every: int,
        facts: Mapping[str, str] | None = None,
        job: SweepJob | None = None,
        feedback: Feedback = COMMAND,
    ) -> None:
        """`metrics` are those of every update; `facts` are additional lines for the header; `job` is one of a sweep.

        `made_with` are versions, processor and device of the updates from now on.
        """
        self.directory = directory
        self.accounts = accounts
        self.declared = metrics
        self.composition = composition
        self.made_with = continued([], made_with, 0)  # a record for each part of the run
        self.browse = browse
        self.histograms_every = histograms_every
        self.facts = dict(facts or {})
        self.job = job
        self.feedback = feedback
        self.stopped = False  # whether the caller has stopped the run
        self.console = Console(plain_every_seconds, job, quiet=feedback.quiet)
        self.rows = Rows(len(accounts.seeds), every_steps)
        self.updates = 0
        self._started = time.monotonic()
        self._result_at = -math.inf
        self._restored: Mapping[str, Any] | None = None

    @property
    def seconds(self) -> float:
        """Wall time since the start of the run."""
        return time.monotonic() - self._started

    @contextmanager
    def paused(self) -> Iterator[None]:
        """A context whose time does not count as that of the run."""
        begun = time.monotonic()
        yield
        self._started += time.monotonic() - begun

    def state(self) -> dict[str, Any]:
        """The state that a checkpoint stores: lengths of the record files, and the state of TensorBoard's files."""
        board = self.board.state()
        positions = self.directory.force_record()
        return {
            "updates": self.updates,
            "seconds": self.seconds,
            "positions": positions,
            "board": board,
            "rows": self.rows.state(),
            "made_with": self.made_with,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Truncate the record files to those of a checkpoint. The other state is restored by `running`.

        Raises:
            ValueError: the history of what the run was made with is none.
        """
        before = checked_history(state.get("made_with", []))  # earlier checkpoints have none
        self.made_with = continued(before, self.made_with[-1], state["updates"])
        self.directory.rewind(state["positions"])
        self._restored = state

    @contextmanager
    def running(self) -> Iterator[None]:
        """Context of a run: opens all files, and records the final status."""
        seeds = [account.seed for account in self.accounts.seeds]
        handler = self.directory.open_log()
        self._started = time.monotonic()
        try:
            self._open(seeds)
            self._write_result("running")
            self._announce()
            self._warn_of_other_versions()
            yield
            self._finish("done")
        except (KeyboardInterrupt, Preempted, Stopped):
            self._finish("interrupted")
            raise
        except Exception as error:
            log.exception("the run failed")
            with suppress(OSError):  # the run may have failed because files cannot be written
                self._finish("failed", error=f"{type(error).__name__}: {error}")
            raise
        finally:
            self.directory.close_log(handler)

    def _open(self, seeds: list[int]) -> None:
        """Open the files, new or at the positions of the restored checkpoint."""
        before = self._restored
        if before is not None:
            self.updates, self._started = before["updates"], self._started - before["seconds"]
            log.info("resumes after update %d", self.updates)
        self.metrics = MetricsFile(self.directory.files, seeds, self.declared, goes_on=before is not None)
        self.board = Board(self.directory.files, seeds, self.declared)
        if before is None:
            self.board.describe(self.composition, FINAL_METRICS)
        else:
            self.board.restore(before["board"])
            self.rows.restore(before["rows"])

    def write(
        self, record: UpdateRecord, modules: Mapping[str, nn.Module], views: Callable[[], Views] | None = None
    ) -> None:
        """Record one update. `views` is called only when histograms are due, as views are slow to compute."""
        self.updates = record.update + 1
        for row in self.rows.add(record, len(self.accounts.active)):
            self._write_row(row)
        if self.histograms_every and record.update % self.histograms_every == 0:
            for name, module in modules.items():
                self.board.histograms(module, name)
            if views is not None:
                self.board.views(views())
        if self.console.is_due:
            self._show()
        if self.seconds - self._result_at >= RESULT_EVERY_SECONDS:
            self._write_result("running")
        self._last = record

    def notify(self) -> None:
        """Hand the last update to the caller, who may stop the run."""
        if self.feedback.on_update is not None:
            seeds = [account.seed for account in self.accounts.seeds]
            self.stopped = self.feedback.on_update(self.directory.path, seeds, self._last)

    def stop_if_asked(self) -> None:
        """Raises Stopped if the caller has stopped the run."""
        if self.stopped:
            raise Stopped(f"stopped by its caller after {self.updates} updates")

    def _write_row(self, row: UpdateRecord) -> None:
        self.metrics.write(row)
        self.board.write(row, self._speed)

    @property
    def _speed(self) -> float:
        """Environment steps of all seeds per second of the run."""
        return sum(account.env_steps for account in self.accounts.seeds) / max(self.seconds, 1e-9)

    def say(self, text: str) -> None:
        """Write a line to the console and the log."""
        self.console.say(text)

    def warn(self, kind: str, text: str) -> None:
        """Write a warning to the console, the log, and TensorBoard's text tab."""
        self.console.warn(text)
        self.board.text(f"warnings/{kind}", text)

    def _announce(self) -> None:
        lines = self.composition.lines()
        self.console.header(lines, self.facts)
        self.console.start()

    def _warn_of_other_versions(self) -> None:
        """Warn where a resumed run continues with something else than it was made with before."""
        if len(self.made_with) > 1 and self.made_with[-1][START] == self.updates:
            changed = ", ".join(differences(*self.made_with[-2:]))
            self.warn("made_with", f"resumed with {changed}; results need not be the same to the last bit")

    def _show(self) -> None:
        accounts = self.accounts
        progress, active = accounts.progress, accounts.active.tolist()
        share = float(np.mean([p if learner in active else 1.0 for learner, p in enumerate(progress)]))
        slowest = min((progress[learner] for learner in active), default=1.0)
        left_s = self.seconds * (1 - slowest) / slowest if slowest > 0 else None
        of_sweep = self.job.seconds_left(self.seconds) if self.job else None
        status = status_line(
            episodes=max(account.episodes for account in accounts.seeds),
            limit=accounts.max_episodes,
            mean_return=accounts.objective(),
            speed=None if self.job else self._speed,
            left_s=left_s if of_sweep is None else of_sweep,
        )
        if self.job is not None:
            status += " in this job" if of_sweep is None else " in the sweep"
        if len(accounts.seeds) > 1:
            status += f"  solved {sum(account.solved for account in accounts.seeds)}/{len(accounts.seeds)}"
        self.console.progress(share, status)

    def _finish(self, status: str, error: str | None = None) -> None:
        self.console.stop()
        result = self._write_result(status, error)
        if hasattr(self, "board"):
            if status == "done":
                for row in self.rows.take():
                    self._write_row(row)
                self.board.finish(final_metrics(result))
            self.board.close()
        if hasattr(self, "metrics"):
            self.metrics.close()
        if status != "failed":
            self._say_closing(status, result)

    def _say_closing(self, status: str, result: Mapping[str, Any]) -> None:
        head = headline(result, self.accounts.solved_at, self.accounts.window)
        wall = max(result["wall_time_s"], 1e-9)
        failed = {} if result["error"] is None else {"failed": result["error"]}
        lines = {
            **failed,
            "work": f"{result['env_steps']:,} environment steps and {result['updates']:,} updates "
            f"in {wall:.1f} s ({result['env_steps'] / wall:,.0f} steps/s)",
            "run": str(self.directory.path),
            "curves": browse_command(self.browse),
        }
        if status == "interrupted":
            lines["resume"] = resume_command(self.directory.path)
            self.console.closing(f"Interrupted. {head}", lines)
        elif self.job is not None:
            self.console.job_done(job_line(result), head, lines)
        else:
            self.console.closing(head, lines)

    def _write_result(self, status: str, error: str | None = None) -> dict[str, Any]:
        self._result_at = self.seconds
        accounts = self.accounts.seeds
        finals = self.accounts.final_returns()
        result = {
            "status": status,
            "objective": _number(self.accounts.objective()),
            "objective_std": _number(float(np.std(finals, ddof=1))) if len(finals) > 1 else None,
            "num_seeds": len(accounts),
            "env_steps": sum(account.env_steps for account in accounts),
            "episodes": sum(account.episodes for account in accounts),
            "updates": self.updates,
            "wall_time_s": round(self.seconds, 3),
            "error": error or self.accounts.failure,
            "made_with": self.made_with,
            "seeds": [
                {
                    "seed": account.seed,
                    "solved": account.solved,
                    "episodes_to_solve": account.episodes_to_solve,
                    "env_steps": account.env_steps,
                    "episodes": account.episodes,
                    "final_return": _number(account.mean_return(self.accounts.window)),
                    "error": account.error,
                }
                for account in accounts
            ],
        }
        self.directory.write_result(result)
        return result


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
