"""The command: every mutant, one at a time in a copy of the repository, must be caught by a test that it names."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.mutants.lists import MUTANTS
from tests.mutants.mutant import Mutant
from tests.mutants.trials import Outcome, Trial, copy_repository, import_once, outcomes

LIMIT_S = 60.0  # of the tests of one mutant; what hangs longer is noticed
UNMUTATED_LIMIT_S = 600.0  # of all named tests of one file


def main(arguments: Sequence[str] | None = None, mutants: Sequence[Mutant] = MUTANTS, limit_s: float = LIMIT_S) -> int:
    """Try the mutants, each for so many seconds at most.

    Returns the exit code: 1 if a mutant survived without a reason, 2 if a test fails without any mutant.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--only", metavar="PATTERN", default="", help="those whose line of --list has this text")
    parser.add_argument("--list", action="store_true", help="name the mutants and their tests, and run nothing")
    chosen = parser.parse_args(arguments)
    mutants = [mutant for mutant in mutants if chosen.only in str(mutant)]
    if chosen.list:
        for mutant in mutants:
            print(mutant, *mutant.tests, sep="\n    ")
        return 0
    import_once()
    with tempfile.TemporaryDirectory(prefix="mutants_") as directory:
        return _try_all(mutants, Path(directory), limit_s)


def _try_all(mutants: Sequence[Mutant], scratch: Path, limit_s: float) -> int:
    started = time.monotonic()
    at_a_time = os.cpu_count() or 1
    tree = copy_repository(scratch / "tree")
    if not _pass_unmutated(mutants, tree, scratch, at_a_time):
        return 2
    of_label = {str(number): mutant for number, mutant in enumerate(mutants)}
    trials = [Trial(label, m.tests, m.file, m.mutated(tree)) for label, m in of_label.items()]
    (mutated := scratch / "mutated").mkdir()
    killed, unexplained, width = 0, 0, len(str(len(mutants)))
    for number, outcome in enumerate(outcomes(trials, tree, mutated, at_a_time=at_a_time, limit_s=limit_s), 1):
        mutant = of_label[outcome.trial.label]
        killed += outcome.noticed
        unexplained += not outcome.noticed and mutant.equivalent is None
        print(f"{number:{width}} {outcome.seconds:5.1f} s  {mutant}: {_verdict(mutant, outcome)}", flush=True)
    print(f"{time.monotonic() - started:.0f} s, {at_a_time} at a time")
    print(f"killed {killed} of {len(mutants)}")
    return int(unexplained > 0)


def _pass_unmutated(mutants: Sequence[Mutant], tree: Path, scratch: Path, at_a_time: int) -> bool:
    """Whether all named tests pass as they are; else says which does not."""
    tests = sorted({test for mutant in mutants for test in mutant.tests})
    files = sorted({test.partition("::")[0] for test in tests})
    trials = [Trial(file, tuple(test for test in tests if test.startswith(f"{file}::"))) for file in files]
    (unmutated := scratch / "unmutated").mkdir()
    fine = True
    for outcome in outcomes(trials, tree, unmutated, at_a_time=at_a_time, limit_s=UNMUTATED_LIMIT_S, share=True):
        fine &= outcome.passed
        said = "pass" if outcome.passed else f"FAILED: {', '.join(outcome.failed) or outcome.why}\n{outcome.output}"
        print(f"{outcome.seconds:5.1f} s  unmutated {outcome.trial.label}: {said}", flush=True)
    if not fine:
        print("a named test fails without any mistake, so nothing was tried")
    return fine


def _verdict(mutant: Mutant, outcome: Outcome) -> str:
    if outcome.noticed:
        return f"killed by {outcome.failed[0] if outcome.failed else outcome.why}"
    if mutant.equivalent is not None:
        return f"survived, as is right: {mutant.equivalent}"
    return "SURVIVED" + (f" ({outcome.why})\n{outcome.output}" if outcome.why else "")


if __name__ == "__main__":
    sys.exit(main())
