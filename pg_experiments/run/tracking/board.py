"""TensorBoard event files of a run. The x axis is always environment steps.

The run's directory has the mean over seeds. With several seeds, each has a sub-run `seed_N` in it, whose tags begin
with `seeds/`, so that TensorBoard shows means and seeds in different charts. A seed that has stopped counts in the mean
with its last values.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import numpy as np
import torch
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from torch.utils.tensorboard.summary import histogram, hparams, image, text

from pg_experiments.run.tracking.composition import Composition
from pg_experiments.run.tracking.event_file import EventFile
from pg_experiments.run.tracking.metrics import UpdateRecord, Views
from pg_experiments.support.files import Directory
from pg_experiments.support.metric import Metric

FLUSH_SECONDS = 1.0  # between two times at which events are written to the files
BINS = 64  # of a histogram
# TensorBoard has seven colours, which it gives to runs in order of their earliest records. Means have an early one, so
# that they come before all seeds, and have colours of their own.
EARLY = 0.0  # seconds since 1970
LAST_BIN = 1e20  # limit of TensorBoard's histograms, which fail for larger values and for NaN


class Board:
    """The event files of one run."""

    def __init__(self, files: Directory, seeds: list[int], metrics: Sequence[Metric]) -> None:
        self.main = EventFile(files, started=EARLY)
        self.per_seed = [_of_seed(files, seed) for seed in seeds] if len(seeds) > 1 else []
        self._tags = {metric.name: metric.tag for metric in metrics}
        self._last = {column: np.full(len(seeds), np.nan) for column in self._tags}
        self._env_steps = np.zeros(len(seeds))
        self._step = 0
        self._flush()

    def describe(self, composition: Composition, metrics: list[str]) -> None:
        """Start the HParams session of this run.

        Every run lists all keys that any run can have, because TensorBoard takes the columns from the first run that it
        finds, and the runs of a sweep over options have different keys. Keys set on the command line come first.
        """
        columns = {key: _example(hint) for key, hint in composition.key_types.items()}
        experiment, _, _ = hparams(columns, dict.fromkeys(metrics, 0.0))
        self._add(_marked(experiment, composition.overridden))
        values = {key: v for key, v in composition.hyperparameters().items() if v is not None and key in columns}
        _, start, _ = hparams({key: _as(columns[key], value) for key, value in values.items()}, {})
        self._add(start)

    def write(self, record: UpdateRecord, steps_per_second: float) -> None:
        """Write the scalars of one update: the mean over seeds, and those of each seed that took part."""
        means = {self._tags[column]: self._mean(column, record.learners, of) for column, of in record.values.items()}
        self._env_steps[record.learners] = record.env_steps
        self._step = round(float(self._env_steps.mean()))
        self._scalars(self.main, means | {"time/SPS": steps_per_second}, self._step)
        for r, learner in enumerate(record.learners if self.per_seed else ()):
            scalars = {f"seeds/{self._tags[column]}": float(values[r]) for column, values in record.values.items()}
            self._scalars(self.per_seed[learner], scalars, int(record.env_steps[r]))
        if time.monotonic() - self._flushed_at >= FLUSH_SECONDS:
            self._flush()

    def _mean(self, column: str, learners: np.ndarray, values: np.ndarray) -> float:
        """The mean over the new values [R'] of some seeds and the last ones of the others; NaN without a new value."""
        known = np.isfinite(values)
        if not known.any():
            return math.nan
        last = self._last[column]
        last[learners[known]] = values[known]
        counts = np.isfinite(last)
        counts[learners] = known
        return float(last[counts].mean())

    def histograms(self, module: torch.nn.Module, prefix: str) -> None:
        """Write histograms of weights and gradients, pooled over seeds."""
        for name, parameter in module.named_parameters():
            for kind, values in (("weights", parameter.detach()), ("gradients", parameter.grad)):
                if values is not None and values.abs().max() < LAST_BIN:
                    self._histogram(f"{kind}/{prefix}.{name}", values)

    def views(self, views: Views) -> None:
        """Write images, each scaled symmetrically so that 0 is mid-grey, and histograms of distributions."""
        for name, numbers in views.images.items():
            tiles = numbers.reshape(-1, 1, *numbers.shape[-2:])
            largest = np.maximum(np.abs(tiles).max((2, 3), keepdims=True), np.finfo(np.float32).tiny)
            self._add(image(name, 0.5 + 0.5 * tiles / largest))
        for name, samples in views.distributions.items():
            if np.isfinite(samples).all():
                self._histogram(name, samples)

    def _histogram(self, tag: str, values: torch.Tensor | np.ndarray) -> None:
        # equal-width bins: torch's default bins take three times as long, and TensorBoard shows some thirty bins
        self._add(histogram(tag, values, bins=BINS))

    def text(self, tag: str, line: str) -> None:
        """Write to TensorBoard's text tab."""
        self._add(text(tag, line))

    def finish(self, metrics: Mapping[str, float]) -> None:
        """Write the final metrics, and end the HParams session."""
        self._scalars(self.main, metrics, self._step)
        _, _, end = hparams({}, {})
        self._add(end)

    def state(self) -> dict[str, Any]:
        """The state that a checkpoint stores. Flushes all event files first."""
        self._flush()
        last = {column: torch.from_numpy(values.copy()) for column, values in self._last.items()}
        return {"last": last, "env_steps": torch.from_numpy(self._env_steps.copy()), "step": self._step}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore a state."""
        for column, values in state["last"].items():
            self._last[column][:] = values.numpy()
        self._env_steps[:] = state["env_steps"].numpy()
        self._step = state["step"]

    def close(self) -> None:
        """Write what is left to the event files."""
        self._flush()

    def _add(self, summary: Summary) -> None:
        self.main.add(summary, self._step)

    def _scalars(self, file: EventFile, scalars: Mapping[str, float], step: int) -> None:
        # one event for all tags: a tenth of the cost of an event per tag
        finite = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items() if math.isfinite(value)]
        file.add(Summary(value=finite), step)

    def _flush(self) -> None:
        self._flushed_at = time.monotonic()
        for file in [self.main, *self.per_seed]:
            file.flush()


def _of_seed(files: Directory, seed: int) -> EventFile:
    folder = f"seed_{seed}"
    files.make_folder(folder)
    return EventFile(files, folder)


def _marked(experiment: Summary, differs: Collection[str]) -> Summary:
    """Mark columns of a summary as different between runs; TensorBoard shows these first."""
    plugin_data = experiment.value[0].metadata.plugin_data
    data = HParamsPluginData.FromString(plugin_data.content)
    for info in data.experiment.hparam_infos:
        info.differs = info.name in differs
    plugin_data.content = data.SerializeToString()
    return experiment


def _example(hint: Any) -> Any:
    """An example value, which determines the column's type in TensorBoard."""
    base = get_args(hint)[0] if get_origin(hint) in (Annotated, Union, UnionType) else hint
    return _example(base) if base is not hint else 0.0 if base in (int, float) else ""


def _as(example: Any, value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else str(value) if isinstance(example, str) else value
