"""`python -m pg_experiments.train`: compose a run, train it, and return its objective."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from pg_experiments.command_line import config_directory, run_command


def train(config: DictConfig) -> float:
    """Train one run in Hydra's output directory. Returns the mean final return over seeds."""
    output = Path(HydraConfig.get().runtime.output_dir)
    try:
        return _train(config, output)
    except Exception:
        with suppress(OSError):
            output.rmdir()  # Hydra has made it; it is empty unless a run has claimed it
        raise


def _train(config: DictConfig, output: Path) -> float:
    # here and not above: what needs torch waits until a command really runs, so that `--help` answers at once
    from pg_experiments.config import check, every_key
    from pg_experiments.run import Run
    from pg_experiments.tracking import Composition, RunDirectory, Tracker

    composed = cast("dict[str, Any]", OmegaConf.to_container(config, resolve=True, throw_on_missing=True))
    checked = check(composed)
    run = Run(checked)
    directory = RunDirectory.claim(output)
    _save_composition(config, output / ".hydra")
    sweeping = HydraConfig.get().mode == RunMode.MULTIRUN
    tracker = Tracker(
        directory,
        run.accounts,
        composition=Composition(composed, every_key(), _choices(), _overridden()),
        browse=Path(HydraConfig.get().sweep.dir).absolute() if sweeping else output,
        plain_every_seconds=checked.tracking.plain_every_seconds,
        histograms_every=checked.tracking.histograms_every,
        facts=run.facts,
    )
    try:
        return run.execute(tracker)
    except Exception as error:
        error.add_note(f"traceback in {output / 'train.log'}")
        raise


def _choices() -> dict[str, str]:
    """The option of each group, by the name that it was chosen with."""
    return {str(group): str(option) for group, option in HydraConfig.get().runtime.choices.items()}


def _overridden() -> frozenset[str]:
    """The keys that the command line set; in a sweep those that differ between its jobs."""
    job = HydraConfig.get().job
    pairs = (pair.partition("=") for pair in job.override_dirname.split(job.config.override_dirname.item_sep))
    return frozenset(key for key, _, _ in pairs)


def _save_composition(config: DictConfig, directory: Path) -> None:
    """What Hydra itself would write; its own way would overwrite another run's."""
    directory.mkdir(exist_ok=True)  # a primary config of the user's own may let Hydra write it, too
    OmegaConf.save(config, directory / "config.yaml")
    OmegaConf.save(OmegaConf.create({"hydra": HydraConfig.get()}), directory / "hydra.yaml")
    OmegaConf.save(HydraConfig.get().overrides.task, directory / "overrides.yaml")


def main() -> None:
    """The command."""
    run_command(hydra.main(config_path=config_directory(), config_name="config", version_base="1.3")(train))


if __name__ == "__main__":
    main()
