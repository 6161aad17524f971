"""What the runs of a comparison were made with, and a warning where they differ in it.

`result.json` is not trusted: records are read as plain data, and values are shortened for a message.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pg_experiments.support.errors import shown

MOST_KEYS = 50  # of a record
MOST_VALUES = 4  # that a warning shows of a key
START = "from_update"

MadeWith = tuple[tuple[str, str], ...]  # key and value, for each part of the run one after another


def made_with(result: Mapping[str, Any]) -> MadeWith:
    """What a run was made with; several values of a key are joined. Empty where `result.json` does not tell."""
    history = result.get("made_with")
    records = [record for record in history if isinstance(record, dict)] if isinstance(history, list) else []
    values: dict[str, list[str]] = {}
    for record in records:
        for key, value in list(record.items())[:MOST_KEYS]:
            if key != START:
                values.setdefault(shown(key), []).append(shown(value))
    return tuple((key, shown(", then ".join(dict.fromkeys(each)))) for key, each in values.items())


def differing(runs: Sequence[MadeWith]) -> list[str]:
    """One line with each key in which runs differ and its values; none where they do not.

    A run of version 0.1 does not tell what it was made with, and differs from those that do.
    """
    records = [dict(run) for run in runs]
    keys = dict.fromkeys(key for record in records for key in record)
    found = []
    for key in keys:
        counts = Counter(record.get(key, "unknown") for record in records)
        if len(counts) > 1:
            names = [f"{value} ({count} of {len(runs)} runs)" for value, count in counts.most_common(MOST_VALUES)]
            more = f" and {len(counts) - MOST_VALUES} more" if len(counts) > MOST_VALUES else ""
            found.append(f"{key}: {', '.join(names)}{more}")
    return [f"Runs were made with different {'; '.join(found)}."] if found else []
