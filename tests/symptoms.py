"""What the tests of learning that goes wrong share: what TensorBoard was told, and a learner's parameters."""

from __future__ import annotations

from pathlib import Path

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pg_experiments.run.run import Run


def texts(directory: Path) -> dict[str, list[str]]:
    """TensorBoard's text tab, from the real event file."""
    board = EventAccumulator(str(directory), size_guidance={"tensors": 0}).Reload()
    tags = [tag for tag in board.Tags()["tensors"] if tag.startswith("warnings/")]
    return {
        tag.removesuffix("/text_summary"): [e.tensor_proto.string_val[0].decode() for e in board.Tensors(tag)]
        for tag in tags
    }


def parameters(run: Run, learner: int) -> list[torch.Tensor]:
    return [p.detach()[learner].clone() for p in [*run.agent.policy.parameters(), *run.agent.baseline.parameters()]]
