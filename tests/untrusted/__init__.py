"""What the tests of untrusted directories share: a user's other files, and the commands that read a stranger's."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from tests.in_process import Ended, run_command

TINY = ("env.max_episodes=4", "policy.hidden=8", "device=cpu", "tracking.histograms_every=0")
SWEEP = ("-m", "seed=choice(0)", *TINY, "hydra.sweep.dir=sweep")
JOB = "0_seed=0"


class Outside:
    """A directory with files of a user's, none of which may change."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path / "metrics.csv"
        (path / "empty").mkdir(parents=True)
        for name in ("metrics.csv", "result.json", "events.out.tfevents.1", "canary.txt"):
            (path / name).write_text("canary")
        self._before = self._now()

    def _now(self) -> dict[str, tuple[int, str]]:
        every = [self.path, *sorted(self.path.rglob("*"))]
        return {str(path): (path.stat().st_mtime_ns, path.read_text() if path.is_file() else "") for path in every}

    @property
    def unchanged(self) -> bool:
        """Whether each name, content and time is as it was."""
        return self._now() == self._before


def contents(directory: Path) -> dict[str, bytes | str | None]:
    """Every file below a directory with its content, and every link with what it leads to."""
    found: dict[str, bytes | str | None] = {}
    for path in directory.rglob("*"):
        name = str(path.relative_to(directory))
        found[name] = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
    return found


def change_result(run: Path, **values: object) -> None:
    result = json.loads((run / "result.json").read_text())
    (run / "result.json").write_text(json.dumps(result | values))


def resume() -> Ended:
    return run_command("train", "resume=run")


def sweep(*more: str) -> Ended:
    return run_command("train", *SWEEP, *more)


def put_link(path: Path, to: Path) -> None:
    """Put a link in the place of a file or folder."""
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
    path.symlink_to(to)


def note_of(here: Path) -> Path:
    """The file in which a sweep's note of its one job is."""
    (note,) = (here / "sweep" / ".jobs").iterdir()
    return note
