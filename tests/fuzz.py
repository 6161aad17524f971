"""Run random command lines, and commands on damaged runs and sweeps, and report each that ends badly.

    python -m tests.fuzz --cases 2000
    python -m tests.fuzz --seed 3 --case 17

A case follows from the seed and its number alone, so that `--case` repeats one. Bad is a traceback, death by a signal,
more than six lines of error, a hang, more than 2 GB of memory, a control character in the output, an executed payload,
and any change of a file that the command must leave alone. Prints `bad B of N` last; the exit code is 1 unless B is 0.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import stat
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import tests.fuzzing.one_thread  # noqa: F401
from tests.fuzzing import bases, cases, children, commands, verdict

SHOWN = 2000  # characters of each output of a bad case


def fuzz(
    numbers: Sequence[int],
    seed: int,
    *,
    at_once: int = 2,
    pong: bool = False,
    verbose: bool = False,
    seconds: float = 60,
) -> int:
    """Run cases, print the bad ones, and return how many they are.

    Args:
        numbers: of the cases.
        seed: of all random choices.
        at_once: how many processes run side by side.
        pong: whether runs of Pong are damaged, too.
        verbose: whether good cases are printed, too.
        seconds: that a command may take.
    """
    began, bad, unexplained = time.monotonic(), 0, 0
    kinds: Counter[str] = Counter()
    codes: Counter[int] = Counter()
    folder = Path(tempfile.mkdtemp(prefix="fuzz_"))
    folder.chmod(0o755)  # some cases run as another user
    os.environ["MPLCONFIGDIR"] = os.environ["NUMBA_CACHE_DIR"] = str(folder)
    try:
        commands.import_everything()
        (folder / "base").mkdir()
        bases.make(folder / "base", pong=pong)
        children.share_memory()
        for case, directory, outcome in _run(numbers, seed, folder, at_once, pong, seconds):
            wrong = [*case.faults(outcome)]
            kinds[case.kind] += 1
            codes[outcome.code] += 1
            if verdict.unexplained(outcome):
                unexplained += 1
                print(
                    f"case {case.number} ({case.kind}), not bad: {ascii(outcome.err.decode(errors='replace'))[-300:]}"
                )
            bad += bool(wrong)
            if wrong or verbose:
                _show(case, outcome, wrong)
            _remove(directory)
    finally:
        _remove(folder)
    _summarise(time.monotonic() - began, kinds, codes, unexplained)
    print(f"bad {bad} of {len(numbers)}")
    return bad


def _summarise(seconds: float, kinds: Counter[str], codes: Counter[int], unexplained: int) -> None:
    of_kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    of_codes = ", ".join(f"{count} with {code}" for code, count in sorted(codes.items()))
    print(
        f"{seconds:.0f} s: {of_kinds}; ended {of_codes}; {unexplained} with no more than an exception's name and text"
    )


def _run(
    numbers: Sequence[int], seed: int, folder: Path, at_once: int, pong: bool, seconds: float
) -> Iterator[tuple[cases.Case, Path, children.Outcome]]:
    """Each case with its directory and how its command ended, as they end."""
    waiting = list(reversed(numbers))
    running: list[tuple[cases.Case, Path]] = []
    while waiting or running:
        while waiting and len(running) < at_once:
            number = waiting.pop()
            case, directory = cases.Case(seed, number, pong), folder / f"case_{number}"
            case.begin(folder / "base", directory, seconds)
            running.append((case, directory))
        for case, directory in running:
            outcome = case.poll()
            if outcome is not None:
                running.remove((case, directory))
                yield case, directory, outcome
                break
        else:
            time.sleep(0.01)


def _show(case: cases.Case, outcome: children.Outcome, wrong: Sequence[str]) -> None:
    print(f"case {case.number} ({case.kind}): {'; '.join(wrong) or 'good'}")
    for what in case.damaged:
        print(f"  damage   {ascii(what)[1:-1]}")
    print(f"  command  {case.command}")
    print(f"  again    python -m tests.fuzz --seed {case.seed} --case {case.number}")
    print(f"  exit code {outcome.code} after {outcome.seconds:.1f} s, {outcome.memory / 1e9:.2f} GB")
    for name, written in (("stdout", outcome.out), ("stderr", outcome.err)):
        for line in written.decode(errors="backslashreplace")[-SHOWN:].splitlines():
            print(f"  {name}   {ascii(line)[1:-1] if not line.isprintable() else line}")
    sys.stdout.flush()


def _remove(directory: Path) -> None:
    """Remove a directory, whatever its permissions, and what lies beside it for it."""
    for folder, folders, _ in os.walk(directory):
        for name in folders:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                os.chmod(path, stat.S_IRWXU)
    shutil.rmtree(directory)
    shutil.rmtree(directory.with_name(f"{directory.name}_output"), ignore_errors=True)


def _of_kind(kind: str | None, count: int) -> list[int]:
    """The numbers of the first cases of a kind; None: of any."""
    of_kind = (number for number in itertools.count() if kind in (None, cases.Case.kind_of(number)))
    return list(itertools.islice(of_kind, count))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=200, help="how many")
    parser.add_argument("--seed", type=int, default=0, help="of all random choices")
    parser.add_argument("--case", type=int, help="this one alone, whatever became of it")
    parser.add_argument("--only", choices=sorted(set(cases.KINDS)), help="cases of this kind")
    parser.add_argument("--at-once", type=int, default=2, help="processes side by side")
    parser.add_argument("--pong", action="store_true", help="damage a run of Pong, too")
    parser.add_argument("--verbose", action="store_true", help="print good cases, too")
    arguments = parser.parse_args()
    verbose = arguments.verbose or arguments.case is not None
    numbers = [arguments.case] if arguments.case is not None else _of_kind(arguments.only, arguments.cases)
    bad = fuzz(numbers, arguments.seed, at_once=arguments.at_once, pong=arguments.pong, verbose=verbose)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
