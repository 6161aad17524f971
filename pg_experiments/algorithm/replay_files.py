"""Files with the transitions of a run, one for each seed, which are appended to and never rewritten.

`replay/seed_0.bin` begins with 16 bytes: the text `PGREPLAY`, and as little-endian 32-bit integers the version of the
format and the number of numbers in a row. Rows of little-endian float32 follow, one for each transition, in the order
in which they were collected. A checkpoint has the number of rows and their checksum.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from pg_experiments.support.errors import FileError
from pg_experiments.support.files import Directory, MiB
from pg_experiments.tensors.replay import Replay

FOLDER = "replay"
MAGIC, FORMAT = b"PGREPLAY", 1
HEADER = struct.Struct("<8sII")
FLOAT = np.dtype("<f4")
READ_AT_ONCE = 4 * MiB
UNSAVED = 65_536  # most rows of a learner that are in memory alone


class ReplayFiles:
    """Saves the rows of a `Replay`, and loads them. Without a directory they are part of the state."""

    def __init__(self, replay: Replay, seeds: Sequence[int]) -> None:
        """`seeds` are those of the learners."""
        self.replay = replay
        self.files: Directory | None = None  # the run's directory
        self.names = [f"{FOLDER}/seed_{seed}.bin" for seed in seeds]
        self.saved = [0] * len(self.names)  # number of rows in each file
        self.checksums = [0] * len(self.names)  # CRC-32 of these rows
        self._most = min(UNSAVED, replay.capacity)

    def keep_in(self, files: Directory) -> None:
        """Keeps the rows in a run's directory from now on, and loads those of a restored state.

        Files must have been truncated to their lengths at the time of the state.

        Raises:
            FileError: a file is missing or damaged, has another length, or is not of such transitions.
        """
        self.files = files
        for learner, count in enumerate(self.saved):
            if count:
                self._load(files, learner, count)

    def make_room(self, learners: Sequence[int], count: int) -> None:
        """Saves the rows of learners before `count` more of each would replace one that is not saved."""
        if self.files is None:
            return
        for learner in learners:
            if self.replay.counts[learner] + count - self.saved[learner] > self._most:
                self._save(self.files, learner)

    def state(self) -> dict[str, Any]:
        """The state that a checkpoint stores. All rows are saved before. Raises OSError where that fails."""
        learners = range(len(self.names))
        if self.files is None:
            sizes = self.replay.sizes(list(learners))
            return {
                "counts": list(self.replay.counts),
                "rows": [self.replay.newest(learner, size) for learner, size in zip(learners, sizes, strict=True)],
            }
        for learner in learners:
            self._save(self.files, learner)
        return {"counts": list(self.saved), "checksums": list(self.checksums)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores a state. Rows in files are loaded by `keep_in`."""
        self.replay.counts[:] = state["counts"]
        if "rows" in state:
            for learner, (count, rows) in enumerate(zip(state["counts"], state["rows"], strict=True)):
                self.replay.write([learner], count - len(rows), rows[None])
        else:
            self.saved, self.checksums = list(state["counts"]), list(state["checksums"])

    def _save(self, files: Directory, learner: int) -> None:
        """Appends the rows of a learner that are not saved."""
        name, before = self.names[learner], self.saved[learner]
        if not (count := self.replay.counts[learner] - before):
            return
        if not before:
            files.make_folder(FOLDER)
        content = self.replay.newest(learner, count).numpy().astype(FLOAT).tobytes()
        with files.append(name, fresh=not before) as file:
            if not before:
                file.write(HEADER.pack(MAGIC, FORMAT, self.replay.width))
            file.write(content)
        self.saved[learner] += count
        self.checksums[learner] = zlib.crc32(content, self.checksums[learner])

    def _load(self, files: Directory, learner: int, count: int) -> None:
        name, replay = self.names[learner], self.replay
        path, row = files.path / name, replay.width * FLOAT.itemsize
        size = HEADER.size + count * row
        if (found := files.status(name).st_size) != size:
            raise FileError(f"{path}: has {found:,} bytes, and the checkpoint continues {size:,}")
        at_once, checksum = max(1, READ_AT_ONCE // row), 0
        with files.open(name, size) as file:
            if file.read(HEADER.size) != HEADER.pack(MAGIC, FORMAT, replay.width):
                raise FileError(f"{path}: does not hold transitions of {replay.width} numbers each")
            for first in range(0, count, at_once):
                content = file.read(min(at_once, count - first) * row)
                checksum = zlib.crc32(content, checksum)
                rows = np.frombuffer(content, FLOAT).astype(np.float32).reshape(-1, replay.width)
                replay.write([learner], first, torch.from_numpy(rows)[None])
        if checksum != self.checksums[learner]:
            raise FileError(f"{path}: is damaged, as its checksum is not that of the checkpoint")
