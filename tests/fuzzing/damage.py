"""Damage to the files of a run or a sweep: what they hold, and what stands in their place."""

from __future__ import annotations

import os
import random
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

from tests.fuzzing import contents
from tests.fuzzing.canaries import HOME, INSIDE
from tests.fuzzing.values import words

FINAL = words("""
    result.json metrics.csv train.log evaluation.json report.html comparison.csv comparison_pairs.csv comparison.md
    curves.png performance_profile.png to_threshold.png multirun.yaml videos .jobs .lock .hydra checkpoints seed_0
    seed_5 events.out.tfevents.1.x optimization_results.yaml
""")  # what commands write, at the top of a run or a sweep
FOLDERS = {  # what they write in folders
    ".hydra": ("config.yaml", "overrides.yaml", "hydra.yaml"),
    "checkpoints": ("update_00000002.pt", "update_00000003.pt", "update_00000099.pt"),
    "videos": ("seed_0_greedy.mp4",),
}
SUFFIXES = (".yaml", ".json", ".csv", ".pt")  # of files that are damaged as often as all others together
NOTED = [
    *("", "\x1b[31m"),
    *words("../../../home/run ../../../home/empty ../../../home .. . / ~ nope ../../../new ../../outputs/done"),
    *words("1_baseline=value 0_baseline=none/checkpoints"),
]  # what an index of jobs may say
ODD_NAMES = [
    *words("é =1+1 ' \" <script> ${seed} -x ~ $(id) update_1.pt 0_baseline=none [red] a,b %s update_\u0663.pt"),
    *("\x1b[31mred", "a\nb", "\udcff", "a b", "a" * 200, "\u202eabc", "\t", "update_" + "9" * 60 + ".pt"),
]


def _outside(path: Path) -> Path:
    """The directory with a user's other files."""
    return next(parent for parent in path.parents if parent.name == "work").parent / HOME


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _link_to(target: str | Path) -> Callable[[random.Random, Path], str]:
    def link(rng: random.Random, path: Path) -> str:
        leads = _outside(path) / target if not str(target).startswith("/") else Path(target)
        _remove(path)
        path.symlink_to(os.path.relpath(leads, path.parent) if rng.random() < 0.5 else leads)
        return f"a link to {target}"

    return link


def link_inside(rng: random.Random, path: Path) -> str:
    """A link to something in the same directory, or to itself."""
    other = rng.choice([entry.name for entry in path.parent.iterdir()] or [path.name])
    _remove(path)
    path.symlink_to(rng.choice((other, path.name, ".", "..")))
    return f"a link to {os.readlink(path)!r}"


def link_like(rng: random.Random, path: Path) -> str:
    """A link to the file of the same name in a run outside: what a defect writes or removes first."""
    name = path.name if not path.name.startswith("events") else "metrics.csv"
    within = path.parent.name if path.parent.name in FOLDERS else ""
    return _link_to(Path("run", within, name))(rng, path)


def fifo(rng: random.Random, path: Path) -> str:
    _remove(path)
    os.mkfifo(path)
    return "a FIFO"


def unix_socket(rng: random.Random, path: Path) -> str:
    _remove(path)
    with socket.socket(socket.AF_UNIX) as made:
        before = os.getcwd()
        os.chdir(path.parent)  # the address of a socket may be no longer than 108 bytes
        try:
            made.bind(path.name)
        finally:
            os.chdir(before)
    return "a socket"


def directory(rng: random.Random, path: Path) -> str:
    _remove(path)
    path.mkdir()
    if rng.random() < 0.3:
        (path / "file").write_text("x")
    return "a directory"


def file(rng: random.Random, path: Path) -> str:
    _remove(path)
    path.write_text(rng.choice(("", "x", "\x1b[31m")))
    return "a small file"


def missing(rng: random.Random, path: Path) -> str:
    _remove(path)
    return "gone"


TARGETS = words("""
    .bashrc .bashrc precious.pt run empty nope .ssh/authorized_keys /dev/zero /dev/full /dev/urandom /proc/self/mem
    /dev/stdin /dev/tty
""")
PLACED: list[Callable[[random.Random, Path], str]] = [
    *(_link_to(target) for target in TARGETS),
    *(link_inside, link_like, link_like, link_like, fifo, fifo, unix_socket),
    *(directory, directory, file, missing, missing, missing),
]


def place(rng: random.Random, path: Path) -> str:
    """Put something else in a path's place."""
    return rng.choice(PLACED)(rng, path)


def plant(rng: random.Random, root: Path) -> str:
    """Put something where commands will write: at the names of files, or at those of their temporary ones."""
    names = [Path(name) for name in FINAL] + [Path(f, name) for f, names in FOLDERS.items() for name in names]
    if rng.random() < 0.6:
        names = [name.with_name(f".{name.name}.tmp") for name in names]
    kind, done = rng.choice(PLACED), []
    for name in rng.sample(names, min(len(names), rng.choice((1, 1, 2, 5, len(names))))):
        if (root / name).parent.is_dir():
            done.append(f"{name}: {kind(rng, root / name)}")
    return "; ".join(done) or "nothing"


def rename(rng: random.Random, root: Path) -> str:
    """Give one of the entries an odd name, or put a copy under one beside it."""
    entries = sorted(entry for entry in root.rglob("*") if os.fsencode(entry.name).isascii() and not _is_mine(entry))
    if not entries:
        return "nothing"
    entry, name = rng.choice(entries), rng.choice(ODD_NAMES)
    to = entry.with_name(name)
    if os.path.lexists(to):
        return "nothing"
    if rng.random() < 0.5 or entry.is_symlink():
        entry.rename(to)
        return f"{entry.relative_to(root)} is called {name!r}"
    _copy(entry, to)
    return f"{entry.relative_to(root)} has a copy {name!r}"


def _copy(entry: Path, to: Path) -> None:
    """Copy what can be copied: regular files that are no larger than usual, and directories of them."""
    if entry.is_dir() and not entry.is_symlink():
        within_it = sorted(entry.iterdir())  # before `to` is made, which may be within it
        to.mkdir()
        for within in within_it:
            _copy(within, to / within.name)
    elif entry.is_symlink():
        to.symlink_to(os.readlink(entry))
    elif entry.is_file() and entry.stat().st_size <= contents.LARGE:
        shutil.copy2(entry, to)


def forbid(rng: random.Random, root: Path) -> str:
    """Take permissions away."""
    entries = [root, *sorted(entry for entry in root.rglob("*") if not entry.is_symlink())]
    folders = [entry for entry in entries if entry.is_dir()]
    entry, mode = rng.choice(folders if rng.random() < 0.5 else entries), rng.choice((0, 0, 0o200, 0o400, 0o500, 0o300))
    entry.chmod(mode)
    return f"{os.path.relpath(entry, root)!r} has mode {mode:o}"


def index(rng: random.Random, sweep: Path) -> str:
    """Let the index of a sweep's jobs name something else."""
    notes = sorted(note for note in (sweep / ".jobs").glob("*") if note.is_file()) if (sweep / ".jobs").is_dir() else []
    if not notes:
        return "nothing"
    note, outside = rng.choice(notes), _outside(sweep)
    name = rng.choice((*NOTED, str(outside / "run"), "a\nb", "\0", "x" * 5000))
    note.write_text(name)
    return f".jobs/{note.name}: says {name[:60]!r}"


def job(rng: random.Random, sweep: Path) -> str:
    """Another job in a sweep: a link to a run outside, a copy, or a run within a run."""
    jobs = sorted(entry for entry in sweep.glob("[0-9]_*") if entry.is_dir() and not entry.is_symlink())
    outside = _outside(sweep)
    kind = rng.choice(("link", "replaced", "copy", "within", "empty"))
    name = rng.choice(("2_x", "0_copy", "9_\x1b[31m", "baseline=none"))
    to = sweep / name
    if not jobs or os.path.lexists(to):
        return "nothing"
    chosen = rng.choice(jobs)
    if kind == "link":
        to.symlink_to(outside / "run")
    elif kind == "replaced":
        shutil.rmtree(chosen)
        chosen.symlink_to(outside / "run")
        name = chosen.name
    elif kind == "copy":
        _copy(chosen, to)
    elif kind == "within":
        _copy(chosen, jobs[0] / "nested")
    else:
        to.mkdir()
    return f"job {name!r}: {kind}"


def _is_mine(path: Path) -> bool:
    return any(str(path).endswith(f"/{name}") for name in INSIDE)


def _one(rng: random.Random, root: Path) -> str:
    """Damage one entry of a run or a sweep."""
    entries = sorted(entry for entry in root.rglob("*") if not _is_mine(entry))
    files = [entry for entry in entries if entry.is_file() and not entry.is_symlink()]
    if files and rng.random() < 0.65:
        suffix = rng.choice(sorted({entry.suffix for entry in files if entry.suffix in SUFFIXES} | {""}))
        chosen = rng.choice([entry for entry in files if entry.suffix == suffix] or files)
        return f"{str(chosen.relative_to(root))!a}: {contents.damage(rng, chosen)}"
    if not entries:
        return "nothing"
    chosen = rng.choice(entries)
    return f"{str(chosen.relative_to(root))!a}: {place(rng, chosen)}"


def damage(rng: random.Random, root: Path, *, sweep: bool) -> list[str]:
    """Damage a run's or a sweep's directory. Returns what was done."""
    kinds = (_one, plant, rename, forbid, index, job)
    weights = (55, 18, 6, 7, 7, 7) if sweep else (65, 20, 7, 8, 0, 0)
    done = []
    for _ in range(rng.choice((1, 1, 1, 1, 2, 2, 3, 5))):
        try:
            done.append(rng.choices(kinds, weights)[0](rng, root))
        except OSError as error:  # of what was damaged before
            done.append(f"nothing ({error})")
    return done
