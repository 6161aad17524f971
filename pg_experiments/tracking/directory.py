"""A run's directory: claimed once, never overwritten, and its result replaced atomically."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pg_experiments.errors import UserError

RESULT = "result.json"


class RunDirectory:
    """The directory that one run writes to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def claim(cls, path: Path) -> RunDirectory:
        """Take a directory for a new run; of two runs that try at once, one gets it.

        Raises:
            UserError: a run already is there, or nothing can be written there.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path / RESULT, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
        except FileExistsError:
            raise UserError(
                f"{path}: already holds a run, and a run is never overwritten; "
                "choose another hydra.run.dir (or hydra.sweep.dir)"
            ) from None
        except OSError as error:
            raise UserError(f"{path}: cannot be written ({error.strerror}); choose another hydra.run.dir") from None
        return cls(path)

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Replace `result.json`: a reader sees the old one or the new one, whole."""
        temporary = self.path / f".{RESULT}.tmp"
        temporary.write_text(json.dumps(result, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        temporary.replace(self.path / RESULT)
