"""Forked processes, each of which runs one command while its time and memory are watched."""

from __future__ import annotations

import gc
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

SECONDS = 60.0  # after which a command counts as hanging
MEMORY = 2 * 1024**3  # bytes of resident memory
FILE = 4 * 1024**3  # bytes that a child may write to one file, so that a defect does not fill the disk


@dataclass(frozen=True)
class Outcome:
    """What a child did."""

    code: int  # its exit code; negative: the signal that ended it
    seconds: float
    memory: int  # bytes, peak of its resident memory
    hung: bool
    out: bytes
    err: bytes


class Child:
    """A forked process that calls a function in a directory of its own, as `python -m` would call a command."""

    def __init__(
        self,
        function: Callable[[], object],
        directory: Path,
        output: Path,
        *,
        environment: Mapping[str, str] | None = None,
        user: int | None = None,
        seconds: float = SECONDS,
    ) -> None:
        """Fork.

        Args:
            function: what the child calls; it may raise SystemExit.
            directory: the child's working directory.
            output: a directory outside `directory`, for what the child prints.
            environment: variables that are set in the child; an empty value removes one.
            user: the user and group id that the child changes to.
            seconds: after which it is killed.
        """
        self._files = (output / "stdout", output / "stderr")
        self._limit = seconds
        self._memory = 0
        self._hung = False
        self._began = time.monotonic()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self._prepare(directory, environment or {}, user)
            except BaseException:
                traceback.print_exc()
                os._exit(99)
            _call(function)

    def poll(self) -> Outcome | None:
        """Its outcome, once it has ended. Kills it where it has used up its time or memory."""
        done, status, usage = os.wait4(self.pid, os.WNOHANG)
        if not done:
            self._memory = max(self._memory, _resident(self.pid))
            self._hung |= time.monotonic() - self._began > self._limit
            if not self._hung and self._memory <= MEMORY:
                return None
            self._kill()
            _, status, usage = os.wait4(self.pid, 0)
        self._kill()  # what it has started and left
        return Outcome(
            code=os.waitstatus_to_exitcode(status),
            seconds=time.monotonic() - self._began,
            memory=max(self._memory, usage.ru_maxrss * 1024),
            hung=self._hung,
            out=_beginning(self._files[0]),
            err=_beginning(self._files[1]),
        )

    def wait(self) -> Outcome:
        """Its outcome, waited for."""
        while (outcome := self.poll()) is None:
            time.sleep(0.005)
        return outcome

    def _kill(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def _prepare(self, directory: Path, environment: Mapping[str, str], user: int | None) -> None:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE, FILE))
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, file in enumerate(self._files, start=1):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), number)
        # as a process in a UTF-8 locale has them, whatever the parent's are
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        for name, value in environment.items():
            os.environ[name] = value
            if not value:
                del os.environ[name]
        if user is not None:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
        os.chdir(directory)


def share_memory() -> None:
    """Let children share the parent's objects: the collector of garbage would otherwise write to each page of them."""
    gc.collect()
    gc.freeze()


def _call(function: Callable[[], object]) -> NoReturn:
    code = 0
    try:
        function()
    except SystemExit as exit:
        code = exit.code if isinstance(exit.code, int) else int(exit.code is not None)
        if exit.code is not None and not isinstance(exit.code, int):
            print(exit.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 1
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        os.write(2, traceback.format_exc().encode(errors="backslashreplace"))
        code = 120
    os._exit(code & 0xFF)


def _resident(pid: int) -> int:
    """The peak of a process's resident memory, in bytes."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    peak = next((line for line in status.splitlines() if line.startswith("VmHWM")), "VmHWM: 0 kB")
    return int(peak.split()[1]) * 1024


def _beginning(file: Path, size: int = 4_000_000) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(size)
    except FileNotFoundError:
        return b""
