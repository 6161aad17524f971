"""How much memory a process can still have: what the machine has left, or the limit of its control group if lower."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def available_memory(root: Path = Path("/")) -> int | None:
    """Bytes, with what is swapped out or cached and can be given up; None where this cannot be told.

    Args:
        root: the folder that has `proc` and `sys`.
    """
    machine = _numbers(root / "proc" / "meminfo")
    if "MemAvailable" not in machine:
        return None
    swap = machine.get("SwapFree", 0) * 1024
    groups = [left + swap for left in _left_in_groups(root)]
    return min([machine["MemAvailable"] * 1024 + swap, *groups])


def _left_in_groups(root: Path) -> Iterator[int]:
    """What each control group of this process, and each above it, has left, where it has a limit."""
    mounted = root / "sys" / "fs" / "cgroup"
    for line in _lines(root / "proc" / "self" / "cgroup"):
        _, controllers, path = line.split(":", 2)
        below = Path(path.lstrip("/"))
        for group in [below, *below.parents]:
            if not controllers:  # version 2
                yield from _left(mounted / group, "memory.max", "memory.current", "file")
            elif "memory" in controllers.split(","):
                yield from _left(mounted / "memory" / group, "memory.limit_in_bytes", "memory.usage_in_bytes", "cache")


def _left(group: Path, limit: str, usage: str, cache: str) -> Iterator[int]:
    with suppress(ValueError, OSError):  # no such file, or `max`: no limit
        most, used = int((group / limit).read_text()), int((group / usage).read_text())
        yield most - used + _numbers(group / "memory.stat").get(cache, 0)


def _numbers(file: Path) -> dict[str, int]:
    """The lines `name: number kB` or `name number` of a file of the kernel's."""
    words = [line.replace(":", " ").split() for line in _lines(file)]
    return {name: int(number) for name, number, *_ in filter(lambda each: len(each) > 1, words) if number.isdigit()}


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []
