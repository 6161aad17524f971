"""From a composed config to a trained run, begun or gone on with: what `job.py` and `resume.py` share."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pg_experiments.support.errors import UserError, printable
from pg_experiments.support.identity import RESUMABLE, differences, identity, in_words
from pg_experiments.support.interruption import deferred
from pg_experiments.support.run_directory import LOG, RunDirectory, read_result

if TYPE_CHECKING:
    from pg_experiments.run.run import Run
    from pg_experiments.run.tracking import Tracker

CANNOT_WRITE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EFBIG}


def run_training(
    composed: Mapping[str, Any],
    claim: Callable[[], RunDirectory],
    note: Callable[[], object],
    *,
    choices: Mapping[str, str],
    overridden: frozenset[str],
    browse: Path,
) -> float:
    """Train a run, from its newest checkpoint if its directory has one. Returns the mean final return over seeds.

    Args:
        composed: the config, plain data.
        claim: takes the run's directory, once the config is known to be good.
        note: writes the config down, once it is known that the directory can be gone on with.
        choices: the option of each group, by the name that it was chosen with.
        overridden: the keys that are shown first.
        browse: what TensorBoard is told to show.
    """
    with deferred() as interruption:
        # here and not above: what needs torch waits until a command really runs, so that `--help` answers at once
        from pg_experiments.run.checkpoint import Checkpoints
        from pg_experiments.run.config import check, every_key
        from pg_experiments.run.needs import write_needs
        from pg_experiments.run.run import Run
        from pg_experiments.run.tracking import Composition, Tracker

        interruption.stop_if_asked()
        checked = check(composed)
        run = Run(checked)
    directory = claim()
    try:
        tracker = Tracker(
            directory,
            run.accounts,
            run.metrics,
            composition=Composition(composed, every_key(), choices, overridden),
            browse=browse,
            plain_every_seconds=checked.tracking.plain_every_seconds,
            histograms_every=checked.tracking.histograms_every,
            facts=run.env.facts,
        )
        _take_up(run, tracker, directory, identity(composed))
        note()
        write_needs(checked, directory.files)
        return run.execute(tracker, Checkpoints(directory.path, checked.checkpoint, identity(composed)))
    except UserError:
        raise
    except OSError as error:
        if error.errno not in CANNOT_WRITE:
            raise
        where = os.path.relpath(directory.path)
        raise UserError(
            f"{where}: the run has failed, for its files cannot be written ({error.strerror}); its checkpoints are "
            f"whole: when that is mended, resume={where} goes on"
        ) from error
    except Exception as error:
        error.add_note(f"traceback in {directory.path / LOG}")
        raise
    finally:
        directory.release()


def _take_up(run: Run, tracker: Tracker, directory: RunDirectory, config: Mapping[str, Any]) -> None:
    """Put the run where its newest checkpoint says, or begin it anew where there is none.

    Raises:
        UserError: no checkpoint can be used, it belongs to another configuration, or has passed a new limit.
    """
    from pg_experiments.run.checkpoint import newest

    where = os.path.relpath(directory.path)
    state, result = newest(directory.path), read_result(directory.path)
    if state is None:
        if result is not None and result["status"] == "done":
            raise UserError(f"{where}: is done, and its checkpoints are gone; what it has recorded stays as it is")
        if result is not None:
            print(printable(f"has no checkpoint, and begins anew: {where}"), flush=True)
        directory.begin_anew()
        return
    try:
        differ = {k: v for k, v in differences(state["config"], config).items() if k not in RESUMABLE}
        if differ:
            raise UserError(f"{where}: its checkpoint is of another configuration ({in_words(differ)})")
        print(printable(f"goes on after update {state['update']}: {where}{run.resume_note(state)}"), flush=True)
        run.restore(state)
        _refuse_shorter(run, state["config"])
        tracker.restore(state["record"])
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError) as error:
        raise UserError(f"{where}: its checkpoint does not fit the run ({type(error).__name__}: {error})") from None


def _refuse_shorter(run: Run, before: Mapping[str, Any]) -> None:
    """A limit that was passed long ago would make a config say what is not so."""
    accounts = run.accounts.seeds
    played = {
        "env.max_episodes": (run.config.env.max_episodes, max(account.episodes for account in accounts)),
        "env.max_steps": (run.config.env.max_steps, max(account.env_steps for account in accounts)),
    }
    for key, (limit, so_far) in played.items():
        if limit is not None and limit < so_far and limit != before[key]:
            raise UserError(f"{key}={limit}: the run has come to {so_far} already; the nearest is {so_far}")
