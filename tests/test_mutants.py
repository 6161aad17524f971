"""The tests hold the mathematics: each deliberate mistake of tests/mutants is noticed by a test that it names."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY
from tests.mutants.lists import MUTANTS

OF_MASKS = [mutant for mutant in MUTANTS if mutant.group == "masks"]
SOME = """
from tests.mutants.__main__ import main
from tests.mutants.mutant import Mutant

file = "pg_experiments/tensors/masked.py"
test = "tests/test_normalization.py::test_sums_lose_nothing_beside_a_large_number"
comment = Mutant("none", file, "a comment", "are taken in float64", "are made in float64", test)
loop = Mutant("none", file, "a loop", "    counted =", "    while True: pass\\n    counted =", test)
print("exit code", main(["--only", "masks:"], limit_s=600))
print("exit code", main([], [comment], limit_s=600))
print("exit code", main([], [loop], limit_s=3))
"""


def script(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Python on the repository."""
    return subprocess.run([sys.executable, *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False)


def test_every_mutant_changes_one_place_and_has_a_name_of_its_own():
    assert len({(mutant.group, mutant.name) for mutant in MUTANTS}) == len(MUTANTS) >= 60
    for mutant in MUTANTS:
        assert mutant.mutated(REPOSITORY) != (REPOSITORY / mutant.file).read_text(encoding="utf-8")
        compile(mutant.mutated(REPOSITORY), mutant.file, "exec")


def test_every_test_that_a_mutant_names_is_there():
    named = {test for mutant in MUTANTS for test in mutant.tests}
    files = sorted({test.partition("::")[0] for test in named})
    collected = script("-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files).stdout.splitlines()
    there = {*collected, *(line.partition("[")[0] for line in collected)}
    assert named <= there


def test_the_script_tells_mutants_that_are_killed_and_one_that_hangs_from_one_that_changes_nothing():
    done = script("-c", SOME)
    for mutant in OF_MASKS:
        assert f"{mutant}: killed by {mutant.tests[0]}" in done.stdout
    assert f"killed {len(OF_MASKS)} of {len(OF_MASKS)}\nexit code 0\n" in done.stdout
    assert "none: a comment (pg_experiments/tensors/masked.py): SURVIVED" in done.stdout
    assert "killed 0 of 1\nexit code 1\n" in done.stdout
    assert "none: a loop (pg_experiments/tensors/masked.py): killed by time-out of 3 s" in done.stdout
    assert done.stdout.endswith("killed 1 of 1\nexit code 0\n")


@pytest.mark.by_hand
def test_no_mutant_survives():
    done = script("-m", "tests.mutants")
    assert done.returncode == 0, done.stdout[-5000:]
    assert done.stdout.splitlines()[-1] == f"killed {len(MUTANTS)} of {len(MUTANTS)}"
