"""All mutants, group by group."""

from __future__ import annotations

from tests.mutants import collecting, comparing, crediting, learning, networks, recording, scores, stepping
from tests.mutants.mutant import Mutant

MUTANTS: list[Mutant] = [
    *crediting.MUTANTS,
    *learning.MUTANTS,
    *stepping.MUTANTS,
    *scores.MUTANTS,
    *networks.MUTANTS,
    *collecting.MUTANTS,
    *recording.MUTANTS,
    *comparing.MUTANTS,
]
