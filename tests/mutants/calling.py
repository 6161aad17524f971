"""Mistakes in training from Python: callbacks, Hydra's state, values of overrides, and metrics as arrays."""

from __future__ import annotations

from functools import partial

from tests.mutants.mutant import Mutant

values = partial(Mutant, "from Python", "pg_experiments/app/python_values.py")
composing = partial(Mutant, "from Python", "pg_experiments/app/composing.py")
run = partial(Mutant, "from Python", "pg_experiments/run/run.py")
metrics = partial(Mutant, "from Python", "pg_experiments/evaluation/metrics.py")

FROM_PYTHON = "tests/test_from_python.py::"
VALUES = FROM_PYTHON + "test_a_value_arrives_as_it_was_given"
OTHER_APPLICATION = "tests/test_hydra_state.py::test_another_application_of_hydra_is_not_disturbed_in_a_run_or_a_sweep"

MUTANTS = [
    values("a text with the name of a value is that value", "and text.lower() not in WORDS", "and True", VALUES),
    values("backslashes before a quote are not doubled", "found[1] * 2", "found[1]", VALUES),
    composing(
        "the version base stays ours",
        "base.version_base, store.repo = before",
        "_, store.repo = before",
        OTHER_APPLICATION,
    ),
    composing("options of plugins stay in the store", "= before, options", "= before, store.repo", OTHER_APPLICATION),
    run(
        "a stopped run goes on",
        "and not interruption.asked and not tracker.stopped:",
        "and not interruption.asked:",
        FROM_PYTHON + "test_a_callback_stops_a_run_which_is_resumed_in_the_same_bits",
    ),
    run(
        "a stopped run counts as done",
        "                tracker.stop_if_asked()\n",
        "",
        FROM_PYTHON + "test_a_callback_stops_a_run_which_is_resumed_in_the_same_bits",
    ),
    metrics(
        "metrics are in the order of rows, whatever their seed",
        "arrays[name][rows, columns] = table.column(name)",
        "arrays[name].flat[: len(rows)] = table.column(name)",
        FROM_PYTHON + "test_metrics_are_by_update_and_seed_also_where_a_seed_has_stopped",
    ),
]
