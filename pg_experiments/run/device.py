"""The key `device`: which devices there are, and the reasons why others are refused."""

from __future__ import annotations

import re
from typing import Any, Literal

import torch

from pg_experiments.support.errors import UserError, shown

Device = Literal["auto", "cpu", "cuda"]
OTHER_NAMES = {"gpu": "cuda", "nvidia": "cuda", "rocm": "cuda", "hip": "cuda"}  # torch calls AMD's devices cuda, too


def refuse_device(given: Any) -> None:
    """Refuses a device that torch has and a run does not, and other names of devices, with what to do instead.

    Raises:
        UserError: the value is one of these. Other wrong values are left to the check of the key's type.
    """
    name = str(given).lower()
    expected = f"device={shown(given)}: expected one of auto, cpu, cuda"
    if name == "mps":
        raise UserError(
            "device=mps: is not supported, as sums over a batch and the learners' settings are float64, which MPS does "
            "not have; the nearest is device=cpu"
        )
    if match := re.fullmatch(r"(?:cuda|gpu):(\d+)", name):
        raise UserError(
            f"{expected}; the nearest is device=cuda, with CUDA_VISIBLE_DEVICES={match[1]} before the command"
        )
    if name in OTHER_NAMES:
        raise UserError(f"{expected}; the nearest is device={OTHER_NAMES[name]}")
    if name != given and name in ("auto", "cpu", "cuda"):
        raise UserError(f"{expected}; the nearest is device={name}")


def device_of(name: Device) -> torch.device:
    """The device of a value of the key. Raises UserError where CUDA is asked for and not available."""
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("device=cuda: no CUDA device is available here; the nearest is device=cpu")
    return torch.device("cuda" if name == "auto" and torch.cuda.is_available() else name.replace("auto", "cpu"))
