"""A TensorBoard event file: records of `Event` protocol buffers, appended in blocks.

TensorBoard's own writer computes checksums in Python, in a thread per file that holds the interpreter's lock. A library
takes less than a hundredth of the time, so that events can be written in the calling thread.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from itertools import count

import google_crc32c
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary

from pg_experiments.support.files import Directory

VERSION = "brain.Event:2"  # of the file format, in the first record
_numbers = count()  # of the files of this process, so that two of them never have one name


class EventFile:
    """A new event file, which is created with its first `flush`."""

    def __init__(self, files: Directory, folder: str = ".", *, started: float | None = None) -> None:
        """`started` is the time of the first record, in seconds since 1970; None: now."""
        now = time.time()
        name = f"events.out.tfevents.{int(now):010d}.{socket.gethostname()}.{os.getpid()}.{next(_numbers)}"
        self._files = files
        self._name = f"{folder}/{name}"
        self._unwritten = bytearray()
        self._append(Event(wall_time=now if started is None else started, file_version=VERSION))

    def add(self, summary: Summary, step: int) -> None:
        """Append an event. It is kept in memory until `flush`."""
        self._append(Event(wall_time=time.time(), step=step, summary=summary))

    def flush(self) -> None:
        """Write the events to the file. It is open only meanwhile, so that a run may have any number of files.

        Raises:
            OSError: it cannot be written.
        """
        if self._unwritten:
            with self._files.append(self._name) as file:
                file.write(self._unwritten)
            self._unwritten.clear()

    def _append(self, event: Event) -> None:
        self._unwritten += record_of(event.SerializeToString())


def record_of(data: bytes) -> bytes:
    """A record of the TFRecord format: length, its checksum, data, their checksum.

    https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/lib/io/record_writer.h
    """
    length = struct.pack("<Q", len(data))
    return length + _checksum(length) + data + _checksum(data)


def _checksum(data: bytes) -> bytes:
    """The masked CRC32C, 4 bytes, little-endian."""
    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
