"""Trains a new or resumed run from a composed config. Shared by `job.py` and `resume.py`."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pg_experiments.support.errors import UserError
from pg_experiments.support.feedback import COMMAND, Feedback, Stopped
from pg_experiments.support.identity import RESUMABLE, differences, identity, in_words
from pg_experiments.support.interruption import deferred
from pg_experiments.support.run_directory import LOG, RunDirectory, read_result

if TYPE_CHECKING:
    from pg_experiments.run.run import Run
    from pg_experiments.run.tracking import Tracker
    from pg_experiments.run.tracking.sweep_job import SweepJob

CANNOT_WRITE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EFBIG}


def run_training(
    composed: Mapping[str, Any],
    claim: Callable[[], RunDirectory],
    note: Callable[[], object],
    *,
    choices: Mapping[str, str],
    overridden: frozenset[str],
    browse: Path,
    job: SweepJob | None = None,
    feedback: Feedback = COMMAND,
) -> float:
    """Train a run, from its newest checkpoint if its directory has one. Returns the mean final return over seeds.

    Args:
        composed: the config as plain data.
        claim: claims the run's directory; called after the config has been validated.
        note: saves the config; called after a checkpoint, if there is one, has been restored.
        choices: the chosen option of each group, by config name.
        overridden: the keys that were set by hand, which TensorBoard shows first.
        browse: the directory in the printed TensorBoard command.
        job: the run's place in a sweep; None for a run by itself.
        feedback: what the caller sees.

    Raises:
        Stopped: the caller has stopped the run.
    """
    with deferred() as interruption:
        # deferred imports: these need torch, and `--help` must be fast
        from pg_experiments.run.checkpoint import Checkpoints
        from pg_experiments.run.config import check, every_key
        from pg_experiments.run.made_with import made_with
        from pg_experiments.run.needs import write_needs
        from pg_experiments.run.run import Run
        from pg_experiments.run.tracking import Composition, Tracker

        interruption.stop_if_asked()
        checked = check(composed, overridden)
        run = Run(checked)
    directory = claim()
    try:
        tracker = Tracker(
            directory,
            run.accounts,
            run.metrics,
            composition=Composition(composed, every_key(), choices, overridden),
            made_with=made_with(run.device),
            browse=browse,
            job=job,
            every_steps=checked.tracking.every_steps,
            plain_every_seconds=checked.tracking.plain_every_seconds,
            histograms_every=checked.tracking.histograms_every,
            facts=run.env.facts,
            feedback=feedback,
        )
        _take_up(run, tracker, directory, identity(composed))
        note()
        write_needs(checked, directory.files)
        return run.execute(tracker, Checkpoints(directory.path, checked.checkpoint, identity(composed)))
    except (UserError, Stopped):
        raise
    except OSError as error:
        if error.errno not in CANNOT_WRITE:
            raise
        where = os.path.relpath(directory.path)
        raise UserError(
            f"{where}: the run has failed, because its files cannot be written ({error.strerror}); its checkpoints are "
            f"complete: resume={where} continues it once they can"
        ) from error
    except Exception as error:
        error.add_note(f"traceback in {directory.path / LOG}")
        raise
    finally:
        directory.release()


def _take_up(run: Run, tracker: Tracker, directory: RunDirectory, config: Mapping[str, Any]) -> None:
    """Restore the run from its newest checkpoint, or start it anew where there is none.

    Raises:
        UserError: no checkpoint can be used, or it belongs to another configuration or has passed a new limit.
    """
    from pg_experiments.run.checkpoint import newest

    where = os.path.relpath(directory.path)
    state, result = newest(directory.path), read_result(directory.path)
    if state is None:
        if result is not None and result["status"] == "done":
            raise UserError(f"{where}: is done, and its checkpoints are gone; what it has recorded stays as it is")
        if result is not None:
            tracker.feedback.say(f"no checkpoint, starts from the beginning: {where}")
        directory.begin_anew()
        run.keep_in(directory.files)
        return
    try:
        differ = {k: v for k, v in differences(state["config"], config).items() if k not in RESUMABLE}
        if differ:
            raise UserError(f"{where}: its checkpoint is of another configuration ({in_words(differ)})")
        tracker.feedback.say(f"resumes after update {state['update']}: {where}{run.resume_note(state)}")
        run.restore(state)
        _refuse_shorter(run, state["config"])
        tracker.restore(state["record"])
        run.keep_in(directory.files)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError) as error:
        raise UserError(f"{where}: its checkpoint does not fit the run ({type(error).__name__}: {error})") from None


def _refuse_shorter(run: Run, before: Mapping[str, Any]) -> None:
    """Raises UserError where a new limit is below what a restored seed has already used."""
    accounts = run.accounts.seeds
    used = {
        "env.max_episodes": (run.config.env.max_episodes, max(account.episodes for account in accounts)),
        "env.max_steps": (run.config.env.max_steps, max(account.env_steps for account in accounts)),
    }
    for key, (limit, so_far) in used.items():
        if limit is not None and limit < so_far and limit != before[key]:
            raise UserError(f"{key}={limit}: the run has come to {so_far} already; the nearest is {so_far}")
