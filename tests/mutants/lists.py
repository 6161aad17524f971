"""All mutants, group by group."""

from __future__ import annotations

from tests.mutants import (
    actor_critics,
    baselines,
    batch_norm,
    calling,
    collecting,
    comparing,
    compiling,
    crediting,
    explaining,
    fragments,
    gaussians,
    images,
    learning,
    masking,
    networks,
    normalizing,
    norms,
    recording,
    recurrence,
    sharing,
    soft,
    stepping,
)
from tests.mutants.mutant import Mutant

MUTANTS: list[Mutant] = [
    *crediting.MUTANTS,
    *learning.MUTANTS,
    *baselines.MUTANTS,
    *actor_critics.MUTANTS,
    *fragments.MUTANTS,
    *sharing.MUTANTS,
    *soft.MUTANTS,
    *stepping.MUTANTS,
    *masking.MUTANTS,
    *gaussians.MUTANTS,
    *networks.MUTANTS,
    *norms.MUTANTS,
    *batch_norm.MUTANTS,
    *recurrence.MUTANTS,
    *normalizing.MUTANTS,
    *images.MUTANTS,
    *collecting.MUTANTS,
    *compiling.MUTANTS,
    *recording.MUTANTS,
    *comparing.MUTANTS,
    *calling.MUTANTS,
    *explaining.MUTANTS,
]
