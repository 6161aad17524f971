"""`--help`: the groups with what each option is, and the config that the overrides compose.

Hydra's own help names the options without saying what they are, and looks through its configs some ninety times.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

HEADER = """\
Policy-gradient experiments. One run is an option from each group; a sweep compares choices.

  python -m pg_experiments.train                                     REINFORCE on CartPole
  python -m pg_experiments.train baseline=value num_seeds=32         32 seeds at once, with a learned baseline
  python -m pg_experiments.train -m policy.hidden=128,256,512        a sweep
  python -m pg_experiments.train env=gymnasium env.id=MountainCar-v0
"""
FOOTER = """\
Flags: -m (--multirun) sweeps; --config-dir DIR adds options of your own; --cfg job prints a config and stops;
--hydra-help has the rest."""


def help_text(config_directory: str, arguments: Sequence[str]) -> str:
    """What `--help` prints, for the command line as it stands."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--config-dir", "-cd")
    known, rest = parser.parse_known_args(arguments)
    own = [] if known.config_dir is None else [Path(known.config_dir).absolute()]
    overrides = [argument for argument in rest if "=" in argument and not argument.startswith("-")]
    overrides += [f"hydra.searchpath=[file://{path}]" for path in own]
    with initialize_config_dir(config_directory, version_base="1.3"):
        config = OmegaConf.to_yaml(compose("config", overrides))
    groups = _groups([Path(config_directory), *own])
    return f"{HEADER}\n== Groups: group=option ==\n{groups}\n== Keys: group.key=value ==\n{config}\n{FOOTER}"


def _groups(directories: Sequence[Path]) -> str:
    options: dict[str, dict[str, str]] = {}
    for directory in directories:
        for file in sorted(directory.glob("*/*.yaml")):
            options.setdefault(file.parent.name, {})[file.stem] = _first_comment(file)
    options.pop("tuned", None)  # picked by the environment, not by the user
    width = max(len(option) for group in options.values() for option in group)
    lines = []
    for group in sorted(options):
        lines.append(group)
        lines += [f"  {option:<{width}}  {what}".rstrip() for option, what in sorted(options[group].items())]
    return "\n".join(lines) + "\n"


def _first_comment(file: Path) -> str:
    """The line that an option's file opens with; `# @package` says where its keys go and is no description."""
    with file.open(encoding="utf-8") as lines:
        comments = (line[1:].strip() for line in lines if line.startswith("#"))
        return next((comment for comment in comments if not comment.startswith("@package")), "")
