"""The record floor: everything that a run leaves behind it, and what a person sees of it."""

from pg_experiments.run.tracking.composition import Composition
from pg_experiments.run.tracking.metrics import UpdateRecord, Views
from pg_experiments.run.tracking.tracker import Tracker

__all__ = ["Composition", "Tracker", "UpdateRecord", "Views"]
