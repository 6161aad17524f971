"""Lower bound of the memory of a run, computed from shapes. A run that cannot fit is refused before it is built.

The terms are of tensors that exist at the same time. Episodes count as one step long, fragments as they are, and the
memory of Python and of libraries is not counted. Axes: R learners, E columns of a batch, D numbers of an observation, K
logits, L hidden layers, H units.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

import torch

from pg_experiments.algorithm.sac import SAC
from pg_experiments.algorithm.scores import PART
from pg_experiments.baseline import OptimalOption
from pg_experiments.collect.noise import CHUNK
from pg_experiments.diagnostics import Gradients
from pg_experiments.env.arcade import HEIGHT, WIDTH
from pg_experiments.policy.building import network_outputs
from pg_experiments.policy.gaussian_heads import Spread
from pg_experiments.policy.heads import head_of
from pg_experiments.run.config import RunConfig
from pg_experiments.support.available_memory import available_memory
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.rollout import BLOCK, SPARSE_BLOCK

FLOAT = 4  # bytes
DOUBLE = 8  # bytes
EMULATOR = 600_000  # bytes per emulator without its screen; 0.9 to 1.2 MB were measured in total
ENVIRONMENT = 100  # bytes per CartPole; others are Python objects: 1.5 kB (MountainCar) to 4 kB were measured
STEP = 24  # bytes per step of a rollout without its observation: action, reward, mask, position
KEYS = (
    "num_seeds",
    "policy.hidden",
    "policy.layers",
    "baseline.hidden",
    "baseline.layers",
    "collect.episodes",
    "collect.points",
    "collect.num_envs",
    "collect.num_steps",
    "env.num_envs",
    "algorithm.buffer_size",
    "algorithm.batch_size",
    "algorithm.critic_hidden",
    "algorithm.critic_layers",
)  # keys that increase the memory


class Sizes(NamedTuple):
    """Sizes of a network's input and output."""

    observation: int  # D
    logits: int  # K


def refuse_what_cannot_fit(config: RunConfig, device: str) -> None:
    """Compare the lower bound of a run's memory with the available memory.

    Args:
        config: the run's config.
        device: `cpu`, or another device, for which only memory on the CPU is counted.

    Raises:
        UserError: the run does not fit. The message names the key with the largest effect, and its largest value that
            could fit.
    """
    available = available_memory()
    sizes = sizes_of(config)
    if available is None or (needs := least_memory(config, sizes, device)) <= available:
        return
    smallest = {key: least_memory(_with(config, key, 1), sizes, device) for key in KEYS if _value(config, key)}
    key = min(smallest, key=lambda key: smallest[key])
    fits = _largest_that_fits(config, key, sizes, device, available) if smallest[key] <= available else None
    hint = f"the nearest that could fit is {fits}" if fits else "several keys are too large"
    raise UserError(
        f"{key}={_value(config, key)}: the run needs at least {_in_words(needs)} of memory, and {_in_words(available)} "
        f"are available; {hint}"
    )


def sizes_of(config: RunConfig) -> Sizes:
    """Input and output size of the policy's network. Raises UserError where the environment does not exist."""
    observations, actions = config.env.spaces()
    name, spread = getattr(config.policy, "head", None), config.policy
    logits = network_outputs(head_of(name, actions, spread)) if name and isinstance(spread, Spread) else 0
    return Sizes(math.prod(observations.shape or ()), logits)


def least_memory(config: RunConfig, sizes: Sizes, device: str = "cpu") -> int:
    """Lower bound of the run's peak memory in bytes."""
    R, columns = config.num_seeds, _columns(config)
    hidden, layers = getattr(config.policy, "hidden", 0), getattr(config.policy, "layers", 0)
    is_atari = config.env.emulators is not None
    playing = config.env.emulators or columns
    policy = FLOAT * R * parameters_of(config.policy, sizes)
    value = FLOAT * R * parameters_of(config.baseline, Sizes(sizes.observation, 1))
    masks = hidden * layers if getattr(config.policy, "dropout", 0.0) else 0
    steps = getattr(config.collect, "num_steps", 1)
    rollout = R * columns * steps * (STEP + (0 if is_atari else FLOAT * sizes.observation))
    noise = R * playing * CHUNK * (FLOAT * sizes.logits + masks)
    environments = R * playing * (EMULATOR + HEIGHT * WIDTH if is_atari else ENVIRONMENT)
    if device != "cpu":
        return environments + max(policy + value, noise)
    block = SPARSE_BLOCK if is_atari else BLOCK
    activations = R * block * FLOAT * hidden * layers
    moments = config.optimizer.rule(torch.ones(1), torch.ones(1)).moments  # independent of the values
    kept = (2 + moments) * policy + 3 * value + environments  # with `Best`'s copy, and Adam's moments of V
    algorithm: Any = config.algorithm
    if isinstance(algorithm, SAC):
        kept += R * algorithm.least_bytes(sizes.observation, config.env.max_steps)
    acting = noise + R * playing * CHUNK * FLOAT * masks
    learning = policy + activations + rollout
    gradients = 2 * DOUBLE * columns * (policy // FLOAT) if isinstance(config.baseline, OptimalOption) else 0
    measuring = 0
    if isinstance(config.diagnostics, Gradients):
        kept += policy  # the previous gradient
        # copies and their gradients, and two sums in float64
        measuring = rollout + 2 * min(FLOAT * PART, columns * policy) + 2 * DOUBLE * (policy // FLOAT)
    stepping = 2 * policy + max(0, 2 * value - policy) + rollout  # gradients, and new parameters of one network
    return kept + max(acting, rollout + gradients, learning, measuring, stepping)


def parameters_of(option: Any, sizes: Sizes) -> int:
    """Number of parameters of a learner's network; 0 where an option of `policy` or `baseline` has no known network."""
    if not hasattr(option, "initialisation"):
        return 0
    hidden, layers = getattr(option, "hidden", 0), getattr(option, "layers", 0)
    if getattr(option, "is_recurrent", False):
        return 3 * hidden * (sizes.observation + hidden + 2) + (hidden + 1) * sizes.logits
    biases = (layers * hidden + sizes.logits) * int(getattr(option, "bias", True))
    if getattr(option, "norm", "none") != "none":
        biases += 2 * layers * hidden  # gains and offsets
    if not layers:
        return sizes.observation * sizes.logits + biases
    return hidden * (sizes.observation + (layers - 1) * hidden + sizes.logits) + biases


def _columns(config: RunConfig) -> int:
    """Number of columns of a batch: episodes, points or environments."""
    columns = (getattr(config.collect, key, None) for key in ("episodes", "points", "num_envs"))
    return next((int(count) for count in columns if count), 1)


def _largest_that_fits(config: RunConfig, key: str, sizes: Sizes, device: str, available: int) -> int:
    """The largest value of a key that fits, by bisection, as memory increases with every key."""
    fits, too_large = 1, int(_value(config, key) or 1)
    while too_large - fits > 1:
        middle = (fits + too_large) // 2
        if least_memory(_with(config, key, middle), sizes, device) <= available:
            fits = middle
        else:
            too_large = middle
    return fits


def _value(config: RunConfig, key: str) -> int | None:
    group, _, leaf = key.rpartition(".")
    found: int | None = getattr(getattr(config, group) if group else config, leaf, None)
    return found


def _with(config: RunConfig, key: str, value: int) -> RunConfig:
    group, _, leaf = key.rpartition(".")
    if not group:
        return replace(config, num_seeds=value)
    return replace(config, **{group: replace(getattr(config, group), **{leaf: value})})


def _in_words(size: int) -> str:
    """Format a number of bytes with a suitable unit."""
    units = ("MiB", "GiB", "TiB", "PiB")
    power = min(max((size.bit_length() - 1) // 10 - 2, 0), len(units) - 1)
    return f"{size / 1024 ** (power + 2):,.4g} {units[power]}"
