"""Warnings of MuJoCo, which prints each at every occurrence, and writes it to MUJOCO_LOG.TXT where one stands."""

from __future__ import annotations

import warnings
from importlib.util import find_spec

from gymnasium.envs.registration import EnvSpec


def handle_warnings(spec: EnvSpec) -> None:
    """Makes MuJoCo's warnings those of Python, which shows each of them once. Does nothing for other environments."""
    of_mujoco = isinstance(spec.entry_point, str) and spec.entry_point.startswith("gymnasium.envs.mujoco")
    if not of_mujoco or find_spec("mujoco") is None:
        return
    import mujoco  # an extra

    mujoco.set_mju_user_warning(_warn)


def _warn(message: str) -> None:
    if "deprecated" not in message:  # such a message is about the model files of Gymnasium, which no user can change
        warnings.warn(f"MuJoCo: {message.strip()}", RuntimeWarning, stacklevel=2)
