"""`--help`: the groups with a description of each option, and the composed config.

Hydra's own help does not describe the options, and scans its configs some ninety times.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omegaconf import OmegaConf

from pg_experiments.app.composing import composing, without_hydra
from pg_experiments.app.option_files import OptionFiles
from pg_experiments.support.errors import one_line

HEADER = """\
Policy-gradient experiments. One run is an option from each group; a sweep compares choices.

  python -m pg_experiments.train                                     REINFORCE on CartPole
  python -m pg_experiments.train baseline=value num_seeds=32         32 seeds at once, with a learned baseline
  python -m pg_experiments.train -m policy.hidden=128,256,512        a sweep
  python -m pg_experiments.train -m policy.hidden=128,256 preview=true   prints its jobs without running them
  python -m pg_experiments.train resume=latest                       resumes the run with the newest result
  python -m pg_experiments.train env=pong                            Pong from pixels
  python -m pg_experiments.train env=gymnasium env.id=MountainCar-v0
"""
FOOTER = """\
Flags: -m (--multirun) sweeps; --config-dir DIR adds options of your own; --cfg job prints a config and stops;
--hydra-help has the rest.
Exit code: 0 when all is done; 1 after a mistake or a failure, in one line on stderr; 128 + N after signal N."""


def help_text(directories: Sequence[Path], overrides: Sequence[str]) -> str:
    """The text of `--help`.

    Args:
        directories: config directories, the project's first.
        overrides: the overrides of the config that is shown.
    """
    with composing(directories) as compose:
        whole = compose(overrides)
    config = OmegaConf.to_yaml(without_hydra(whole))
    groups = _groups(OptionFiles(directories))
    return f"{HEADER}\n== Groups: group=option ==\n{groups}\n== Keys: group.key=value ==\n{config}\n{FOOTER}"


def _groups(files: OptionFiles) -> str:
    """Each group, followed by its options and their descriptions."""
    width = max(len(option) for options in files.groups.values() for option in options)
    lines = []
    for group, options in sorted(files.groups.items()):
        lines.append(one_line(group))
        described = [(one_line(option), files.describe(group, option)) for option in sorted(options)]
        lines += [f"  {option:<{width}}  {what}".rstrip() for option, what in described]
    return "\n".join(lines) + "\n"
