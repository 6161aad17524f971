"""A3C: the gradients of several workers, each computed with parameters that are some updates old.

In Mnih et al. (2016) workers run asynchronously: each copies the shared parameters, plays a fragment, computes its
gradient, and applies it to the shared parameters, which others have changed in the meantime. How much they have changed
depends on the timing. Here the order is fixed: a batch has a fragment of every worker, all are played with the same
copy, and their gradients are applied one after another. The gradient of the k-th worker (k from 0) is then `staleness`
+ k updates old. With K workers that begin at any time, as in the paper, it is K − 1 on average.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import gymnasium
import torch
from annotated_types import Ge, Le
from torch import Tensor

from pg_experiments.algorithm.a2c import PolicyGradient
from pg_experiments.algorithm.actor_critic import ActorCritic, Settings
from pg_experiments.algorithm.agent import Choices, Update
from pg_experiments.algorithm.checks import refuse_uneven_workers, refuse_without_values
from pg_experiments.optimizer.stacked import Losses, Step
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.rollout import FlatIndex, Rollout

Version = dict[str, Tensor]  # all parameters after an update, by name


@dataclass(frozen=True)
class A3C:
    """Actor-critic with several workers and stale gradients (Mnih et al. 2016), in a fixed order."""

    is_actor_critic: ClassVar[bool] = True
    learns_from_whole_batches: ClassVar[bool] = True
    has_episode_gradients: ClassVar[bool] = True
    discount: Annotated[float, Ge(0), Le(1)]
    entropy_bonus: Annotated[float, Ge(0)]
    workers: Annotated[int, Ge(1)]
    staleness: Annotated[int, Ge(0)]

    def validate(self, config: Any) -> None:
        """Raises UserError where another option does not fit, or the environments cannot be divided."""
        refuse_without_values("a3c", config)
        refuse_uneven_workers(self.workers, config)
        if config.baseline.learning_rate is not None:
            raise UserError(
                f"baseline.learning_rate={config.baseline.learning_rate}: the workers of algorithm=a3c compute one "
                "gradient for policy and V(s); the nearest is null"
            )

    def build(
        self,
        choices: Choices,
        observations: gymnasium.Space[Any],
        actions: gymnasium.Space[Any],
        learners: Learners,
        device: torch.device,
    ) -> A3CAgent:
        """As `AlgorithmOption.build`."""
        return A3CAgent(self, choices, observations, actions, learners, device)


class A3CAgent(ActorCritic):
    """R learners of A3C. Policy and critic hold the copy that acts and is differentiated, not the newest parameters."""

    def __init__(
        self,
        option: A3C,
        choices: Choices,
        observations: gymnasium.Space[Any],
        actions: gymnasium.Space[Any],
        learners: Learners,
        device: torch.device,
    ) -> None:
        settings = Settings(option.discount, option.entropy_bonus)
        super().__init__(settings, PolicyGradient(), choices, observations, actions, learners, device)
        self.workers = option.workers
        # the newest version is the last; the first is `staleness` updates older, or the one at the start
        self.versions: deque[Version] = deque([self._copy()], maxlen=option.staleness + 1)

    def learn(self, rollout: Rollout, progress: Tensor) -> Update:
        """Applies the gradients of all workers to the newest parameters, and takes the copy for the next batch."""
        update = super().learn(rollout, progress)
        self._load(self.versions[0])
        return update

    def state(self) -> dict[str, Any]:
        """The state that a checkpoint stores."""
        return super().state() | {"versions": list(self.versions)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores a state."""
        super().restore(state)
        self.versions.clear()
        device = next(iter(self.trained.values())).device
        self.versions.extend({name: value.to(device) for name, value in saved.items()} for saved in state["versions"])

    def _minibatches(self, rollout: Rollout) -> Iterator[FlatIndex]:
        """Yields the steps of each worker."""
        yield from (index for _, index in self._groups(rollout))

    def _groups(self, rollout: Rollout) -> Iterator[tuple[int, FlatIndex]]:
        """Yields number and steps of each worker's columns."""
        each = rollout.mask.shape[2] // self.workers
        for worker in range(self.workers):
            yield each, rollout.flat.of_columns(rollout.mask, slice(worker * each, (worker + 1) * each))

    def _joint_step(self, losses: Losses, learners: Sequence[int], factors: Sequence[float]) -> Step:
        """Computes the gradients with the copy that acted, and makes their step from the newest parameters."""
        acted = self._copy()
        differentiated = self.optimizer.differentiate(losses, learners)
        self._load(self.versions[-1])
        step = self.optimizer.move(differentiated, learners, factors)
        self.versions.append(self._copy())
        self._load(acted)
        return step

    def _copy(self) -> Version:
        return {name: parameter.detach().clone() for name, parameter in self.trained.items()}

    @torch.no_grad()
    def _load(self, version: Version) -> None:
        for name, parameter in self.trained.items():
            parameter.copy_(version[name])
