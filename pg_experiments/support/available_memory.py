"""The memory available to a process: that of the machine, or of its control groups if lower."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def available_memory(root: Path = Path("/")) -> int | None:
    """Available memory in bytes, including free swap and reclaimable caches; None where it cannot be determined.

    Args:
        root: the directory that contains `proc` and `sys`.
    """
    machine = _numbers(root / "proc" / "meminfo")
    if "MemAvailable" not in machine:
        return None
    swap = machine.get("SwapFree", 0) * 1024
    groups = [left + swap for left in _left_in_groups(root)]
    return min([machine["MemAvailable"] * 1024 + swap, *groups])


def _left_in_groups(root: Path) -> Iterator[int]:
    """The available bytes of each control group of this process and its ancestors, where there is a limit."""
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
    """Parse the lines `name: number kB` or `name number` of a kernel file."""
    words = [line.replace(":", " ").split() for line in _lines(file)]
    return {name: int(number) for name, number, *_ in filter(lambda each: len(each) > 1, words) if number.isdigit()}


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []
