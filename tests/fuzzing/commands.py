"""The commands that are run: the project's three programs, and `load_run` from Python."""

from __future__ import annotations

import importlib
import os
import pkgutil
import shlex
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from tests.in_process import main_of

LIBRARIES = (  # that commands import once they know that they need them
    *(
        "scipy.stats",
        "matplotlib.pyplot",
        "matplotlib.backends.backend_agg",
        "gymnasium.envs.classic_control",
        "ale_py",
    ),
    *("torch.utils.tensorboard", "google_crc32c", "tensorboard.plugins.hparams.summary"),
    *("hydra._internal.core_plugins.basic_launcher", "hydra._internal.core_plugins.basic_sweeper", "torch._dynamo"),
    "hydra._internal.core_plugins.file_config_source",
)


@dataclass(frozen=True)
class Command:
    """A program with its arguments."""

    program: str  # train, compare, evaluate or load_run
    arguments: Sequence[str]

    def call(self) -> None:
        """Run it in this process, as `python -m` would."""
        if self.program == "load_run":
            _load_run(*self.arguments)
            return
        sys.argv = [f"{self.program}.py", *self.arguments]
        main_of(self.program)()

    def __str__(self) -> str:
        if self.program == "load_run":
            return f"pg_experiments.load_run({', '.join(map(ascii, self.arguments))})"
        return f"python -m pg_experiments.{self.program} {' '.join(map(_quoted, self.arguments))}"


def _quoted(argument: str) -> str:
    """An argument as a shell takes it, in printable ASCII."""
    if argument.isascii() and argument.isprintable():
        return shlex.quote(argument)
    escaped = (chr(b) if 32 <= b < 127 and chr(b) not in "'\\" else f"\\x{b:02x}" for b in os.fsencode(argument))
    return f"$'{''.join(escaped)}'"


def _load_run(directory: str) -> None:
    import pg_experiments
    from pg_experiments.support.errors import UserError

    try:
        run = pg_experiments.load_run(directory)
        env = run.make_env()
        observation, _ = env.reset(seed=0)
        env.step(run.policy(np.asarray(observation)))
        env.close()
    except UserError as error:
        sys.exit(f"error: {error}")


def import_everything() -> None:
    """Import what the commands need, once for all children."""
    import torch

    torch.set_num_threads(1)
    import pg_experiments

    for module in pkgutil.walk_packages(pg_experiments.__path__, "pg_experiments."):
        with suppress(ImportError):  # of an extra that is not installed
            importlib.import_module(module.name)
    for library in LIBRARIES:
        with suppress(ImportError):
            importlib.import_module(library)
    _compose_once()


def _compose_once() -> None:
    """Hydra finds its plugins, ANTLR reads its tables, and pydantic builds its checks when they are first needed."""
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from omegaconf import OmegaConf

    from pg_experiments.app.command_line import config_directory
    from pg_experiments.run.config import check

    with initialize_config_dir(config_directory(), version_base="1.3"):
        config = OmegaConf.to_container(compose("config", ["seed=0"]), resolve=True)
    check(config)  # type: ignore[arg-type]
    GlobalHydra.instance().clear()
