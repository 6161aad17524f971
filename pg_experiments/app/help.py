"""`--help`: the groups with a description of each option, and the composed config.

Hydra's own help does not describe the options, and scans its configs some ninety times.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.types import Override
from omegaconf import OmegaConf

from pg_experiments.app.arguments import ARGUMENTS
from pg_experiments.app.composing import composing, without_hydra
from pg_experiments.app.hints import Hints
from pg_experiments.app.option_files import OptionFiles
from pg_experiments.support.errors import UserError, one_line, printable

HEADER = """\
Policy-gradient experiments. One run is an option from each group; a sweep compares choices.

  python -m pg_experiments.train                                     REINFORCE on CartPole
  python -m pg_experiments.train baseline=value num_seeds=32         32 seeds at once, with a learned baseline
  python -m pg_experiments.train -m policy.hidden=128,256,512        a sweep
  python -m pg_experiments.train -m policy.hidden=128,256 preview=true   prints its jobs without running them
  python -m pg_experiments.train resume=latest                       resumes the run with the newest result
  python -m pg_experiments.train env=pong                            Pong from pixels
  python -m pg_experiments.train env=gymnasium env.id=Acrobot-v1 algorithm=ppo   any environment of Gymnasium that fits
  python -m pg_experiments.train --help policy.dropout               explains a key, or a group as --help optimizer
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
    other = "".join(f"{name}={what}\n" for name, what in ARGUMENTS.items())
    return (
        f"{HEADER}\n== Groups: group=option ==\n{groups}\n== Keys: group.key=value ==\n{config}"
        f"\n== Arguments that are not keys ==\n{other}\n{FOOTER}"
    )


def help_text_of_keys(
    directories: Sequence[Path], config_name: str, overrides: Sequence[Override], keys: Sequence[str]
) -> str:
    """The text of `--help KEY`: comment, type and range, value, and what sets it, of each key or group.

    Raises:
        UserError: there is no such key.
    """
    from pg_experiments.app.explanation import Explainer  # deferred import: needs pydantic, and then torch

    explainer = Explainer(directories, config_name, overrides)
    parts = []
    for key in keys:
        if key == "hydra" or key.startswith("hydra/"):
            raise UserError(f"{key}: is a part of Hydra's own settings; --cfg hydra shows them")
        text = f"{key}={ARGUMENTS[key]}\n" if key in ARGUMENTS else explainer.explain(key)
        if text is None:
            raise UserError(f"{key}: {Hints(directories, config_name, overrides).unknown_key(key)}")
        parts.append("\n".join(map(printable, text.split("\n"))))
    return "\n".join(parts)


def _groups(files: OptionFiles) -> str:
    """Each group, followed by its options and their descriptions."""
    width = max(len(option) for options in files.groups.values() for option in options)
    lines = []
    for group, options in sorted(files.groups.items()):
        lines.append(one_line(group))
        described = [(one_line(option), files.describe(group, option)) for option in sorted(options)]
        lines += [f"  {option:<{width}}  {what}".rstrip() for option, what in described]
    return "\n".join(lines) + "\n"
