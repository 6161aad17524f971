"""What a ladder is: configurations on one environment, each of which changes one choice of the one below it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rung:
    """A configuration, and the text about it on the page."""

    name: str
    title: str
    overrides: tuple[str, ...]  # beside the ladder's settings
    words: str
    learning_rates: tuple[float, ...] = ()  # where they are not those of the ladder


@dataclass(frozen=True)
class Ladder:
    """The rungs on one environment."""

    name: str
    title: str
    experiment: str  # empty for none
    threshold: float
    window: int  # episodes in the mean return
    returns: tuple[float, float]  # limits of the axis
    learning_rates: tuple[float, ...]  # of which each rung has its best
    trial_seeds: range  # with which a learning rate is chosen; others than those that are shown
    shown_seeds: range
    rungs: tuple[Rung, ...]
    introduction: str
    findings: tuple[str, ...]
    common: tuple[str, ...] = ()  # overrides of all rungs

    @property
    def settings(self) -> tuple[str, ...]:
        """What all rungs have in common."""
        preset = (f"experiment={self.experiment}",) if self.experiment else ()
        return (*preset, *self.common)
