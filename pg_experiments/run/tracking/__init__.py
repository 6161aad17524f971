"""Tracking of a run: metrics.csv, TensorBoard, result.json, the log and the console."""

from pg_experiments.run.tracking.composition import Composition
from pg_experiments.run.tracking.metrics import UpdateRecord, Views
from pg_experiments.run.tracking.tracker import Tracker

__all__ = ["Composition", "Tracker", "UpdateRecord", "Views"]
