"""What lies in the config directories: groups, their options, what each one is, and its keys.

Read as plain YAML, without composing anything, so that help and hints for mistakes come at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from omegaconf import OmegaConf


class OptionFiles:
    """The option files of the project, and of the user's own `--config-dir`."""

    def __init__(self, directories: Sequence[Path]) -> None:
        self.root = directories[0] / "config.yaml"
        self.groups: dict[str, dict[str, Path]] = {}
        for directory in directories:
            for file in sorted(directory.glob("*/*.yaml")):
                self.groups.setdefault(file.parent.name, {})[file.stem] = file
        self.groups.pop("tuned", None)  # picked by the environment, not by the user

    def describe(self, group: str, option: str) -> str:
        """The line that an option's file opens with; `# @package` says where its keys go and is no description."""
        with self.groups[group][option].open(encoding="utf-8") as lines:
            comments = (line[1:].strip() for line in lines if line.startswith("#"))
            return next((comment for comment in comments if not comment.startswith("@package")), "")

    def keys(self, group: str) -> dict[str, list[str]]:
        """Each key that options of this group have, and which they are."""
        found: dict[str, list[str]] = {}
        for option, file in self.groups[group].items():
            for key in _load(file):
                found.setdefault(key, []).append(option)
        return {key: options for key, options in found.items() if key not in ("defaults", "name")}

    def all_keys(self) -> list[str]:
        """Every key of a run, dotted, and every group."""
        root = _load(self.root)
        dotted = [f"{section}.{key}" for section in ("tracking", "checkpoint") for key in root[section]]
        dotted += [key for key, value in root.items() if not isinstance(value, dict | list)]
        for group in self.groups:
            dotted += [group, *(f"{group}.{key}" for key in self.keys(group) if group != "experiment")]
        return dotted


def _load(file: Path) -> dict[str, Any]:
    return cast("dict[str, Any]", OmegaConf.to_container(OmegaConf.load(file)))
