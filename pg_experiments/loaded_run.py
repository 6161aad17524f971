"""A run as it lies in its directory, to be used: its policy acts, in the environment that it was trained on.

The directory may be a stranger's. Its config is data that is checked, and its checkpoint is numbers: nothing in either
is looked up, resolved or called.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Discrete
from torch import Tensor

from pg_experiments import checkpoint
from pg_experiments.config import RunConfig, check
from pg_experiments.errors import UserError, near_directory
from pg_experiments.files import Directory
from pg_experiments.identity import CONFIG, RESUMABLE, differences, identity
from pg_experiments.plain_data import read_group
from pg_experiments.policy.policy import Policy
from pg_experiments.run_directory import RESULT
from pg_experiments.streams import evaluation_seed
from pg_experiments.threads import one_thread

FEW = 5  # keys that a message names


class LoadedRun:
    """One seed of a run, with the parameters of one of its checkpoints.

    Attributes:
        path: the run's directory.
        config: everything that determined the run.
        seed: whose policy this is.
        seeds: all that the run has.
        update: how many updates its parameters have learned from.
    """

    def __init__(self, path: Path, config: RunConfig, seed: int, update: int, parameters: Mapping[str, Tensor]) -> None:
        """Build the policy of one learner from its parameters, each with a leading axis of 1."""
        self.path = path
        self.config = config
        self.seed = seed
        self.seeds = config.seeds
        self.update = update
        env = self.make_env()
        assert isinstance(env.action_space, Discrete), "every option of the group env sees to it"
        self._first_action = int(env.action_space.start)
        self._observation_shape = env.observation_space.shape or ()
        sampling = config.policy.build(math.prod(self._observation_shape), int(env.action_space.n), [seed])
        env.close()
        sampling.load_state_dict(parameters)
        self._policies = {False: sampling, True: sampling.greedy()}
        self._chance = np.random.default_rng(evaluation_seed(seed))

    def make_env(self, render_mode: str | None = None) -> gymnasium.Env:
        """A new environment with the run's settings, whose observations `policy` takes as they are.

        Args:
            render_mode: as Gymnasium has it: None, `rgb_array` or `human`.

        Raises:
            UserError: it cannot be made here.
        """
        return self.config.env.single(render_mode)

    @torch.no_grad()
    def policy(self, observation: np.ndarray, greedy: bool = True) -> int | np.ndarray:
        """What to do.

        Args:
            observation: as the environment shows it, or several with a leading axis N.
            greedy: take the most probable action, of equally probable ones the first, with dropout off. False: draw
                one as in training, with dropout on. What is drawn begins anew with every `load_run`, and is the same
                for the same calls.

        Returns:
            An action for the environment's `step`; int64 [N] for N observations.

        Raises:
            ValueError: the observation has another shape.
        """
        seen = np.asarray(observation, dtype=np.float32)
        single = seen.shape == self._observation_shape
        if not single and seen.shape[1:] != self._observation_shape:
            raise ValueError(
                f"observation of shape {seen.shape}: expected {self._observation_shape}, or N of them: "
                f"(N, {', '.join(map(str, self._observation_shape))})"
            )
        N = 1 if single else len(seen)
        policy = self.learner(greedy=greedy)
        shape = (1, N, policy.num_logits)
        uniform = np.zeros(shape, np.float32) if greedy else self._chance.random(shape, np.float32)
        masks = torch.from_numpy(policy.draw_masks(self._chance, N))[None].float() if policy.has_dropout else None
        with one_thread():
            logits = policy.of(torch.zeros(1, dtype=torch.int64))(torch.from_numpy(seen.reshape(1, N, -1)), masks)
        actions = policy.head.sample(logits, policy.head.noise(torch.from_numpy(uniform)))[0].numpy()
        actions += self._first_action
        return int(actions[0]) if single else actions

    def learner(self, *, greedy: bool) -> Policy:
        """The policy as a collector takes it: of one learner."""
        return self._policies[greedy]


@dataclass(frozen=True)
class SavedRun:
    """A run's directory: what was configured, and one of its checkpoints."""

    path: Path
    config: RunConfig
    state: Mapping[str, Any]  # that the checkpoint holds
    best: bool  # whether each seed's parameters are those with which its mean return was best, or those of the update

    @classmethod
    def open(cls, directory: str | PathLike[str], which: str | PathLike[str]) -> SavedRun:
        """Read a run.

        Args:
            directory: that it was trained in.
            which: `best`, `last`, or a checkpoint's file, whose last parameters are meant.

        Raises:
            UserError: there is no run, or no checkpoint that can be used, or something in them is not as it must be.
        """
        path = Path(directory)
        files = Directory(path)
        if not files.has_file(RESULT):
            raise UserError(f"{path}: {_what_is_there(path)}")
        state = checkpoint.newest(path) if which in ("best", "last") else checkpoint.read(Path(which))
        if state is None:
            raise UserError(f"{path}: the run has no checkpoint")
        values = read_group(files, CONFIG)
        config = _checked(values, path / CONFIG)
        _refuse_another(path, state.get("config"), identity(values))
        return cls(path, config, state, which == "best")

    def of(self, seed: int | None) -> LoadedRun:
        """One of the seeds; None: the one whose best mean return is the highest.

        Raises:
            UserError: the run has no such seed, or the checkpoint is not of such a run.
        """
        seeds = self.config.seeds
        if seed is not None and seed not in seeds:
            near = min(max(seed, seeds[0]), seeds[-1])
            raise UserError(f"seed={seed}: the run has the seeds {seeds[0]} to {seeds[-1]}; the nearest is {near}")
        try:
            best = self.state["best"]
            learner = int(best["mean_return"].argmax()) if seed is None else seed - seeds[0]
            parameters = best["policy"] if self.best else self.state["policy"]
            update = best["update"][learner] if self.best else self.state["update"]
            of_one = {name: tensor[learner : learner + 1] for name, tensor in parameters.items()}
            return LoadedRun(self.path, self.config, seeds[learner], int(update), of_one)
        except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
            why = " ".join(f"{type(error).__name__}: {error}".split())
            raise UserError(f"{self.path}: the checkpoint does not fit the run's configuration ({why})") from None


def _checked(values: Mapping[str, Any], file: Path) -> RunConfig:
    try:
        return check(values)
    except UserError as error:
        raise UserError(f"{file}: {error}") from None


def _refuse_another(path: Path, told: Any, values: Mapping[str, Any]) -> None:
    """Raise UserError where a checkpoint's configuration is not the run's, or it does not say which it is."""
    differ = differences(told if isinstance(told, dict) else {}, values)
    others = [f"{key} is {there}, not {here}" for key, (there, here) in differ.items() if key not in RESUMABLE]
    if others:
        more = f"; and {len(others) - FEW} more" if len(others) > FEW else ""
        raise UserError(f"{path}: the checkpoint is of another configuration ({'; '.join(others[:FEW])}{more})")


def _what_is_there(path: Path) -> str:
    """Of a directory that holds no run."""
    if not path.is_dir():
        return f"no such directory{near_directory(path)}"
    runs = Directory(path).glob(f"*/{RESULT}")
    if runs:
        return f"is no run itself, but holds {len(runs)}; choose one of them, such as {(path / runs[0]).parent}"
    return f"holds no run, which would have a {RESULT}"
