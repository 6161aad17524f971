"""The trained policy of one seed of a run, and its environment.

The directory is not trusted. Its config is validated data, and its checkpoint holds only tensors and numbers: no name
in either is imported, resolved or called.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import gymnasium
import numpy as np
import torch
from torch import Tensor

from pg_experiments.collect.acting import Acting
from pg_experiments.env.action_masks import given_masks
from pg_experiments.evaluation.metrics import by_update_and_seed, read_table
from pg_experiments.policy.heads import WithProbabilities
from pg_experiments.policy.policy import Policy
from pg_experiments.run.config import RunConfig
from pg_experiments.support.errors import FileError, UserError
from pg_experiments.support.files import Directory
from pg_experiments.support.run_directory import METRICS
from pg_experiments.tensors.streams import evaluation_seed
from pg_experiments.tensors.threads import one_thread

if TYPE_CHECKING:
    import pandas

COUNTS = ("update", "env_steps", "episodes")  # columns of whole numbers


class LoadedRun:
    """One seed of a run, with the parameters of one of its checkpoints.

    Attributes:
        path: the run's directory.
        config: the run's config.
        seed: the seed of this policy.
        seeds: all seeds of the run.
        update: number of updates that produced the parameters.
    """

    def __init__(self, path: Path, config: RunConfig, seed: int, update: int, parameters: Mapping[str, Tensor]) -> None:
        """Build the policy of one learner from its parameters, each with a leading axis of 1.

        Raises:
            UserError: the environment cannot be made here.
            ValueError: the parameters are not those of the configured policy.
        """
        self.path = path
        self.config = config
        self.seed = seed
        self.seeds = config.seeds
        self.update = update
        env = self.make_env()
        self._observation_shape = env.observation_space.shape or ()
        try:
            option = config.normalization.of_policy(config.policy)
            sampling = option.load(env.observation_space, env.action_space, parameters)
        finally:
            env.close()
        self._policies = {False: sampling, True: sampling.greedy()}
        self._chance = np.random.default_rng(evaluation_seed(seed))
        self.reset()

    def make_env(self, render_mode: str | None = None) -> gymnasium.Env:
        """Make a new environment with the run's settings. Its observations are those that `policy` takes.

        Args:
            render_mode: Gymnasium's: None, `rgb_array` or `human`.

        Raises:
            UserError: the environment cannot be made here.
        """
        return self.config.env.single(render_mode)

    def reset(self) -> None:
        """Begin new episodes: a recurrent policy forgets what it has seen. Nothing happens for other policies."""
        self._states: Tensor | None = None

    @torch.no_grad()
    def policy(
        self, observation: np.ndarray, greedy: bool = True, action_mask: np.ndarray | None = None
    ) -> int | np.ndarray:
        """Choose an action. A recurrent policy remembers the observations of earlier calls; `reset` begins an episode.

        Args:
            observation: an observation of the environment, or N of them with a leading axis.
            greedy: True: the most probable action (the first of equally probable ones; of a Gaussian, the mean; of a
                squashed one, the tanh of the mean), with dropout off. False: an action sampled as in training, with
                dropout on. The random generator is seeded by `load_run`, so the same sequence of calls gives the same
                actions.
            action_mask: [A], or [N, A] for N observations: nonzero for allowed actions; None: all are. Where the
                environment gives one, it is `info["action_mask"]`.

        Returns:
            An action for the environment's `step`: an int for `Discrete` actions, else an array of the action space.
            For N observations, an array with a leading axis N.

        Raises:
            ValueError: the observation or the mask has another shape, or the mask allows no action.
        """
        observations, single = self._batch(observation)
        N = observations.shape[1]
        policy = self.learner(greedy=greedy)
        allowed = given_masks(action_mask, N, policy.head.num_outputs)
        shape = (1, N, policy.head.num_noise)
        uniform = np.zeros(shape, np.float32) if greedy else self._chance.random(shape, np.float32)
        noise = None
        if policy.has_noise:
            noise = torch.from_numpy(policy.network.draw_noise(0, self._chance, N))[None].float()
        with one_thread():
            network = self._acting(policy, N)
            outputs = network(observations, noise)
        self._states = network.after
        actions = policy.sample(outputs, policy.head.noise(torch.from_numpy(uniform)), allowed)[0].numpy()
        actions = policy.head.for_environment(actions)
        if not single:
            return actions
        action: int | np.ndarray = actions[0] if policy.head.action_shape else int(actions[0])
        return action

    @torch.no_grad()
    def probabilities(self, observation: np.ndarray, action_mask: np.ndarray | None = None) -> np.ndarray:
        """The probability π(a | s) of each action, with dropout off, after the observations given to `policy` so far.

        Args:
            observation: an observation of the environment, or N of them with a leading axis.
            action_mask: as in `policy`; other actions have probability 0.

        Returns:
            float32 [A] in the order of the environment's actions, with the sum 1; [N, A] for N observations.

        Raises:
            ValueError: the observation or the mask has another shape, or the mask allows no action.
            pg_experiments.UserError: the actions are not those of a `Discrete` space.
        """
        observations, single = self._batch(observation)
        policy = self.learner(greedy=False)
        if not isinstance(policy.head, WithProbabilities):
            raise UserError("probabilities: expected Discrete actions; `policy` with greedy=False samples actions")
        with one_thread():
            outputs = self._acting(policy, observations.shape[1])(observations, None)
            outputs = policy.masked(outputs, given_masks(action_mask, outputs.shape[1], policy.head.num_outputs))
            probabilities: np.ndarray = policy.head.probabilities(outputs)[0].numpy()
        return probabilities[0] if single else probabilities

    def _acting(self, policy: Policy, count: int) -> Acting:
        """The network of the policy in `count` episodes."""
        if self._states is None:
            self._states = policy.initial_states(1, count)
        if self._states.shape[2] and self._states.shape[1] != count:
            raise ValueError(
                f"{count} observations: a recurrent policy has seen {self._states.shape[1]} episodes so far; `reset` "
                "begins others"
            )
        return Acting(policy.bind(), self._states)

    def metrics(self) -> dict[str, np.ndarray]:
        """The metrics of all seeds of the run, read from `metrics.csv` anew.

        U is the number of recorded updates; there are fewer than updates where `tracking.every_steps` combines several
        in one row. R is the number of seeds.

        Returns:
            `update`: int64 [U], index of each update, from 0. `seed`: int64 [R]. Every other column by its name, such
            as `mean_return`, `env_steps`, `episodes` and `wall_time_s`: float64 [U, R]; NaN where there is no value, or
            the seed had stopped before.

        Raises:
            pg_experiments.FileError: the file cannot be read, or is damaged.
        """
        with naming(self.path / METRICS):
            return by_update_and_seed(read_table(Directory(self.path)), self.seeds)

    def frame(self) -> pandas.DataFrame:
        """`metrics.csv` as a data frame of pandas: a row for each recorded update and seed, NaN for an empty cell.

        Returns:
            The columns of the file; `update`, `seed`, `env_steps` and `episodes` are int64, the others float64.

        Raises:
            pg_experiments.UserError: pandas is not installed.
            pg_experiments.FileError: the file cannot be read, or is damaged.
        """
        try:
            import pandas
        except ImportError:
            raise UserError("frame: needs pandas: pip install pandas; metrics() gives the same as arrays") from None
        table = read_table(Directory(self.path))
        frame = pandas.DataFrame(table.rows, columns=list(table.columns))
        with naming(self.path / METRICS):
            return frame.astype({name: "int64" for name in COUNTS if name in frame}).assign(seed=table.seeds)

    def _batch(self, observation: np.ndarray) -> tuple[Tensor, bool]:
        """Observations [1, N, *shape] of one learner, and whether one observation without an axis was given."""
        observations = np.asarray(observation, dtype=np.float32)
        single = observations.shape == self._observation_shape
        if not single and observations.shape[1:] != self._observation_shape:
            raise ValueError(
                f"observation of shape {observations.shape}: expected {self._observation_shape}, or N of them: "
                f"(N, {', '.join(map(str, self._observation_shape))})"
            )
        return torch.from_numpy(observations.reshape(1, -1, *self._observation_shape)), single

    def __repr__(self) -> str:
        return f"<LoadedRun of {self.path}: seed {self.seed} of {len(self.seeds)}, after {self.update} updates>"

    def learner(self, *, greedy: bool) -> Policy:
        """The policy with one learner, for a collector."""
        return self._policies[greedy]


@contextmanager
def naming(file: Path) -> Iterator[None]:
    """Converts a ValueError about the content of a file to a FileError that names the file."""
    try:
        yield
    except ValueError as error:
        raise FileError(f"{file}: {error}") from None
