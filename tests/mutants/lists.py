"""All mutants, group by group."""

from __future__ import annotations

from tests.mutants import collecting, comparing, compiling, crediting, learning, networks, recording, stepping
from tests.mutants.mutant import Mutant

MUTANTS: list[Mutant] = [
    *crediting.MUTANTS,
    *learning.MUTANTS,
    *stepping.MUTANTS,
    *networks.MUTANTS,
    *collecting.MUTANTS,
    *compiling.MUTANTS,
    *recording.MUTANTS,
    *comparing.MUTANTS,
]
