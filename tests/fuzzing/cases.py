"""A case: damage to a copy of the base directories, and a command. Both follow from a seed and the case's number."""

from __future__ import annotations

import os
import random
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzzing import bases, command_lines, damage, values
from tests.fuzzing.canaries import HOME, Canaries
from tests.fuzzing.children import Child, Outcome
from tests.fuzzing.commands import Command
from tests.fuzzing.verdict import faults

KINDS = ("train", "compare", "run", "train", "evaluate", "sweep")  # of command lines, and of what is damaged
NOBODY = 65534  # the user that a child becomes where root would be allowed everything


@dataclass
class Case:
    """One case."""

    seed: int
    number: int
    pong: bool = False
    kind: str = ""
    command: Command = field(default_factory=lambda: Command("", []))
    damaged: list[str] = field(default_factory=list)
    _child: Child | None = None
    _canaries: Canaries | None = None
    _record: dict[Path, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.kind = self.kind_of(self.number)
        self._rng = random.Random(f"{self.seed} {self.number}")

    @staticmethod
    def kind_of(number: int) -> str:
        """The kind of a case, by its number."""
        return KINDS[number % len(KINDS)]

    def begin(self, base: Path, directory: Path, seconds: float) -> None:
        """Copy the base, damage it, and start the command.

        Args:
            base: as `bases.make` made it.
            directory: of the case; it is made.
            seconds: that the command may take.
        """
        shutil.copytree(base, directory, symlinks=True)
        work, output = directory / "work", directory.with_name(f"{directory.name}_output")
        output.mkdir()
        allowed: frozenset[str] | None = command_lines.MAKES
        if self.kind in ("run", "sweep"):
            root, self.command = self._damaged_run(work) if self.kind == "run" else self._damaged_sweep(work)
            self.damaged = damage.damage(self._rng, root, sweep=self.kind == "sweep")
        else:
            line = getattr(command_lines, self.kind)(self._rng)
            self.command, allowed = Command(self.kind, line.arguments), line.allowed
        as_nobody = os.geteuid() == 0 and any("has mode" in what for what in self.damaged)
        if as_nobody:
            _give_away(directory)
        jobs = [f"{bases.SWEEP}/{job}" for job in bases.JOBS]
        runs = [work / name for name in (*bases.RUNS, bases.STOPPED, bases.SWEEP, *jobs)]
        self._canaries = Canaries(directory, work, runs, allowed)
        if any("has mode" in what for what in self.damaged):
            self._record = {run / "metrics.csv": _rows(run / "metrics.csv") for run in runs}
        environment = values.SECRET_OF | {"HOME": str(directory / HOME), "HYDRA_FULL_ERROR": "", "COLUMNS": ""}
        user = NOBODY if as_nobody else None
        self._child = Child(self.command.call, work, output, environment=environment, user=user, seconds=seconds)

    def poll(self) -> Outcome | None:
        """How the command ended, once it has."""
        assert self._child is not None
        return self._child.poll()

    def faults(self, outcome: Outcome) -> Iterator[str]:
        """What is bad about how it ended, and about what it left."""
        assert self._canaries is not None
        yield from faults(outcome, secret=self.kind in ("run", "sweep"))
        yield from self._canaries.faults()
        for file, rows in self._record.items():
            if rows and not _rows(file).startswith(rows[: rows.find(b"\n", rows.find(b"\n") + 1)]):
                yield f"a record that could not be read whole was begun anew: {file.name} of {file.parent.name}"

    def _damaged_run(self, work: Path) -> tuple[Path, Command]:
        rng = self._rng
        name = rng.choice((*bases.RUNS, bases.STOPPED, bases.STOPPED, *([bases.PONG] if self.pong else [])))
        return work / name, self._use_of(name)

    def _use_of(self, run: str) -> Command:
        """One of the commands that read a run."""
        limit = self._rng.choice(([], ["env.max_episodes=6"], ["env.max_episodes=6"], ["device=cpu"]))
        choices = (
            (30, Command("train", [f"resume={run}", *limit])),
            (5, Command("train", ["resume=latest", *limit])),
            (5, Command("train", [*bases.TINY, f"hydra.run.dir={run}"])),
            (20, Command("compare", [f"sweep={self._rng.choice((run, 'outputs', 'outputs', '.'))}"])),
            (18, Command("evaluate", [f"run={run}", "episodes=2", f"checkpoint={self._rng.choice(('best', 'last'))}"])),
            (2, Command("evaluate", [f"run={run}", "episodes=1", "video=true", "video.seconds=1"])),
            (20, Command("load_run", [run])),
        )
        return self._rng.choices([command for _, command in choices], [weight for weight, _ in choices])[0]

    def _damaged_sweep(self, work: Path) -> tuple[Path, Command]:
        rng, sweep = self._rng, work / bases.SWEEP
        for job in bases.JOBS:
            if rng.random() < 0.35:
                bases.interrupt(sweep / job)
        choices = (
            (40, Command("train", bases.SWEPT)),
            (8, Command("train", [*bases.SWEPT, "preview=true"])),
            (
                7,
                Command(
                    "train", [*bases.SWEPT, rng.choice(("seed=0,1", "policy.hidden=5", "discount=0.5", "seed=nan"))]
                ),
            ),
            (30, Command("compare", [f"sweep={bases.SWEEP}", *rng.choice(([], ["by=baseline"], ["metric=entropy"]))])),
            (15, self._use_of(f"{bases.SWEEP}/{rng.choice(bases.JOBS)}")),
        )
        return sweep, rng.choices([command for _, command in choices], [weight for weight, _ in choices])[0]


def _rows(file: Path) -> bytes:
    """The beginning of a record; nothing where there is no regular file."""
    try:
        if not stat.S_ISREG(file.lstat().st_mode):
            return b""
        with file.open("rb") as opened:
            return opened.read(100_000)
    except OSError:
        return b""


def _give_away(directory: Path) -> None:
    for folder, folders, files in os.walk(directory):
        for name in [".", *folders, *files]:
            os.chown(os.path.join(folder, name), NOBODY, NOBODY, follow_symlinks=False)
