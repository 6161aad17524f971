"""Runs with a checkpoint, for tests of what is done with a run afterwards."""

from __future__ import annotations

from pathlib import Path

import torch
import yaml

from tests.conftest import composed, train_in

SMALL_PONG = ("env=pong", "policy.hidden=8", "env.num_envs=2", "algorithm.points_per_update=2", "env.max_steps=50")


def save_run(directory: Path, *overrides: str) -> Path:
    """Train a run, and leave what its command would leave."""
    run = train_in(directory, *overrides)
    (directory / ".hydra").mkdir()
    (directory / ".hydra" / "config.yaml").write_text(yaml.safe_dump(composed("device=cpu", *overrides)))
    (directory / "checkpoints").mkdir()
    last = run.policy.state_dict()
    content = {
        "format": 1,
        "config": {},
        "update": 9,
        "policy": last,
        "best": {
            "mean_return": torch.tensor(run.accounts.mean_returns()),
            "update": torch.arange(len(run.config.seeds)) + 3,
            "policy": {name: tensor / 2 for name, tensor in last.items()},
        },
    }
    torch.save(content, directory / "checkpoints" / "update_00000009.pt")
    return directory


def change_checkpoint(run: Path, **changes: object) -> None:
    """Overwrite some of what a run's only checkpoint holds."""
    (file,) = (run / "checkpoints").glob("*.pt")
    torch.save(torch.load(file, weights_only=True) | changes, file)
