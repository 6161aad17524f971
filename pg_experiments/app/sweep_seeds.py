"""Configurations of a sweep, and how many seeds each has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

SEEDS = ("seed", "num_seeds")
LAUNCHING = ("hydra.", "hydra/")
# the figures are those of python -m benchmarks.seeds
NOTE = (
    "1 seed per configuration: a difference between two of them may be chance, and compare cannot tell. num_seeds=16 "
    "costs about 3 to 6 times the processor time on CartPole, and 14 times on Pong"
)


def configuration_of(overrides: Sequence[str]) -> frozenset[str]:
    """The overrides of a job without those of seeds and of Hydra."""
    kept = (override for override in overrides if not override.lstrip("+~").startswith(LAUNCHING))
    return frozenset(override for override in kept if _key(override) not in SEEDS)


def single_seed_note(jobs: Sequence[Sequence[str]], num_seeds: int) -> str | None:
    """A note on a sweep in which a configuration has a single seed; None for other sweeps.

    Args:
        jobs: the overrides of each job.
        num_seeds: the number of seeds of a job whose overrides do not set it.
    """
    totals: Counter[frozenset[str]] = Counter()
    for overrides in jobs:
        totals[configuration_of(overrides)] += _seeds_of(overrides, num_seeds)
    experiments = {override for overrides in jobs for override in overrides if _key(override) == "experiment"}
    if len(totals) < 2 or min(totals.values()) != 1 or len(experiments) > 1:  # each experiment may have its own number
        return None
    return NOTE


def _seeds_of(overrides: Sequence[str], num_seeds: int) -> int:
    given = [override.partition("=")[2] for override in overrides if _key(override) == "num_seeds"]
    return int(given[-1]) if given and given[-1].isdecimal() else num_seeds


def _key(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")
