"""Remakes numbers, tables and pictures of the pages from raw data in docs/results/, and the raw data by training."""

from __future__ import annotations

from docs.remake import (
    actor_critics,
    comparing,
    costs,
    differentiable,
    figures,
    intervals,
    normalization,
    pictures,
    pong,
    pong_batches,
    ppo_breakout,
    short_corridor,
    speed,
    tricks,
    variance,
)
from docs.remake.artefact import Artefact

_SINGLE = (
    normalization.ARTEFACT,
    pong.ARTEFACT,
    ppo_breakout.ARTEFACT,
    comparing.ARTEFACT,
    actor_critics.ARTEFACT,
    intervals.ARTEFACT,
    short_corridor.ARTEFACT,
    tricks.ARTEFACT,
    differentiable.ARTEFACT,
    variance.ARTEFACT,
    figures.ARTEFACT,
)
ARTEFACTS: dict[str, Artefact] = {
    artefact.name: artefact
    for artefact in (*_SINGLE, *speed.ARTEFACTS, *costs.ARTEFACTS, *pong_batches.ARTEFACTS, *pictures.ARTEFACTS)
}


def every_value() -> dict[str, str]:
    """The values of all artefacts, from the raw data."""
    return {name: value for artefact in ARTEFACTS.values() for name, value in artefact.values().items()}
