"""All mutants, group by group."""

from __future__ import annotations

from tests.mutants import baselines, collecting, comparing, crediting, learning, networks, recording, stepping
from tests.mutants.mutant import Mutant

MUTANTS: list[Mutant] = [
    *crediting.MUTANTS,
    *learning.MUTANTS,
    *baselines.MUTANTS,
    *stepping.MUTANTS,
    *networks.MUTANTS,
    *collecting.MUTANTS,
    *recording.MUTANTS,
    *comparing.MUTANTS,
]
