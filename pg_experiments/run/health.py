"""Health checks of training: stops learners with non-finite numbers, and warns once of what hardly mends itself.

Warnings are given of a collapsed policy, of a dead layer, and of returns that do not change.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pg_experiments.algorithm.agent import Agent, Broken, Part, Update
from pg_experiments.run.accounts import Accounts, SeedAccount
from pg_experiments.tensors.networks import Layered
from pg_experiments.tensors.rollout import Rollout
from pg_experiments.tensors.sequences import Sequences, SequenceSteps
from pg_experiments.tensors.sparse import SparseRows
from pg_experiments.tensors.threads import one_thread

COLLAPSED = 0.01  # fraction of the maximum entropy log A below which a policy hardly explores
UNCHANGED = 100  # equal returns in a row, at the lowest level so far, of which a warning is given
LOOK_EVERY = 25  # updates between two checks for dead layers
SAMPLES = 64  # steps of each learner in such a check
SAME = 1e-6  # relative difference below which outputs are equal up to float32 rounding


class Symptom(NamedTuple):
    """A warning."""

    kind: str
    text: str


class Health:
    """Checks the learners of a run after each update, and keeps track of warnings."""

    def __init__(self, accounts: Accounts, agent: Agent) -> None:
        self.accounts = accounts
        self.agent = agent
        self.max_entropy = agent.policy.head.max_entropy
        kinds = ["collapsed_policy", "unchanged_returns", *(f"dead_layer_of_{part}" for part in agent.parts)]
        self.warned = {kind: torch.zeros(len(accounts.seeds), dtype=torch.bool) for kind in kinds}

    def check(self, update: int, rollout: Rollout, result: Update) -> list[Symptom]:
        """Stops broken learners. Returns these and other symptoms that have not been reported before.

        Args:
            update: index of the update.
            rollout: the batch.
            result: the result of learning from the batch.
        """
        stopped = list(self._stop(update, rollout, result.broken))
        return [*stopped, *self._symptoms(update, rollout, result.metrics.get("entropy"))]

    def _stop(self, update: int, rollout: Rollout, broken: Mapping[int, Broken]) -> Iterator[Symptom]:
        for learner in sorted(broken):
            account = self.accounts.seeds[learner]
            account.error = f"stopped at update {update}: {_why(broken[learner], rollout, learner)}"
            yield Symptom("stopped_seed", f"seed {account.seed} {account.error}")

    def _symptoms(self, update: int, rollout: Rollout, entropy: Tensor | None) -> Iterator[Symptom]:
        if self.max_entropy is not None and entropy is not None:
            highest = _highest_entropy(rollout, self.max_entropy)
            low = (entropy.cpu() < COLLAPSED * highest).numpy()
            if low.any():
                yield from self._collapsed(update, rollout, rollout.learners.cpu().numpy()[low])
        yield from self._unchanged(update, rollout.learners.tolist())
        if update % LOOK_EVERY == 0:
            for name, part in self.agent.parts.items():
                yield from self._dead(update, name, part, rollout)

    def _collapsed(self, update: int, rollout: Rollout, learners: np.ndarray) -> Iterator[Symptom]:
        poor = [learner for learner in learners.tolist() if self._is_poor(self.accounts.seeds[learner])]
        if new := self._new("collapsed_policy", poor):
            is_masked = rollout.action_masks is not None
            actions = "(number of allowed actions)" if is_masked else f" {round(math.exp(self.max_entropy or 0))}"
            yield Symptom(
                "collapsed_policy",
                f"{self._name(new)}: the policy has collapsed (update {update}): its entropy is below {COLLAPSED:.0%} "
                f"of log{actions}, so it always does the same, and its mean return is poor; a lower "
                "optimizer.learning_rate or an algorithm.entropy_bonus may help",
            )

    def _is_poor(self, account: SeedAccount) -> bool:
        window = self.accounts.window
        if account.episodes < window or account.solved or account.error:
            return False
        return is_poor(account.mean_return(window), float(np.mean(account.returns[:window])), self.accounts.solved_at)

    def _unchanged(self, update: int, learners: list[int]) -> Iterator[Symptom]:
        accounts = self.accounts.seeds
        stuck = [learner for learner in learners if is_stuck(accounts[learner], self.accounts.solved_at)]
        new = self._new("unchanged_returns", stuck)
        for level in sorted({accounts[learner].lowest for learner in new}):
            names = self._name([learner for learner in new if accounts[learner].lowest == level])
            yield Symptom(
                "unchanged_returns",
                f"{names}: the last {UNCHANGED} returns are all {level:g}, the lowest so far (update {update}), so "
                "they do not tell good actions from bad ones; longer episodes, more exploration "
                "(algorithm.entropy_bonus), another algorithm, or a reward for getting closer to the goal may help",
            )

    def _dead(self, update: int, name: str, part: Part, rollout: Rollout) -> Iterator[Symptom]:
        network = part.network.bind(rollout.learners)
        if not isinstance(network, Layered):
            return
        observations = rollout.flat.spread(SAMPLES).gather(rollout.observations)
        assert not isinstance(observations, Sequences), "single steps"
        with one_thread():
            dead = dead_layers(network, observations).cpu()
        alive = torch.tensor([self.accounts.seeds[learner].error is None for learner in rollout.learners.tolist()])
        for layer, is_dead in enumerate((dead & alive[:, None]).unbind(1)):
            kind = f"dead_layer_of_{name}"
            if new := self._new(kind, rollout.learners.cpu()[is_dead].tolist()):
                yield Symptom(
                    kind,
                    f"{self._name(new)}: hidden layer {layer} of the {name} is dead (update {update}): its outputs are "
                    f"the same for every observation, and no gradient gets through it; a lower {part.learning_rate} or "
                    f"{name}.activation=leaky_relu may help",
                )

    def _new(self, kind: str, learners: list[int]) -> list[int]:
        """Filters learners without a warning of this kind, and marks them as warned."""
        new = [learner for learner in learners if not self.warned[kind][learner]]
        self.warned[kind][new] = True
        return new

    def _name(self, learners: list[int]) -> str:
        numbers = ", ".join(str(self.accounts.seeds[learner].seed) for learner in learners)
        return f"seed{'s' * (len(learners) > 1)} {numbers}"

    def state(self) -> dict[str, Any]:
        """The given warnings, so that a resumed run does not repeat them."""
        return {"warned": {kind: seeds.clone() for kind, seeds in self.warned.items()}}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restores a state."""
        for kind, seeds in state["warned"].items():
            self.warned[kind].copy_(seeds)


def _highest_entropy(rollout: Rollout, unmasked: float) -> Tensor:
    """Upper bound [R] of the entropy: with action masks, the mean of log(number of allowed actions) over steps."""
    if rollout.action_masks is None:
        return torch.full((len(rollout.learners),), unmasked)
    allowed = rollout.action_masks.sum(-1).clamp(min=1).log() * rollout.mask
    return (allowed.sum((0, 2)) / rollout.mask.sum((0, 2)).clamp(min=1)).cpu()


def is_poor(mean_return: float, first: float, solved_at: float) -> bool:
    """Whether a mean return is below the midpoint between the first window's mean and the threshold.

    Without a threshold (infinity): whether it is at most the first window's mean.
    """
    return mean_return <= first if math.isinf(solved_at) else mean_return < (first + solved_at) / 2


def is_stuck(account: SeedAccount, solved_at: float) -> bool:
    """Whether the latest `UNCHANGED` returns are all equal, none was ever lower, and they are below the threshold.

    An environment may stay at its best, as CartPole at 500. Its returns are equal, too, but earlier ones were lower.
    """
    if account.unchanged < UNCHANGED or account.solved or account.error:
        return False
    return account.returns[-1] == account.lowest < solved_at


def _why(broken: Broken, rollout: Rollout, learner: int) -> str:
    """The message for a broken learner: the cause, and settings that may help."""
    r = rollout.learners.tolist().index(learner)
    observations = rollout.observations
    if isinstance(observations, SequenceSteps):
        observations = observations.observations
    for name, numbers in {"rewards": rollout.rewards, "observations": observations}.items():
        if isinstance(numbers, Tensor) and not numbers[:, r].isfinite().all():
            return f"{name} are not finite; see what the environment returns"
    return f"{broken.what} is not finite; {broken.hint} may help"


@torch.no_grad()
def dead_layers(network: Layered, observations: Tensor | SparseRows) -> Tensor:
    """Detects hidden layers whose outputs are equal for all observations, while their inputs differ.

    That is the case where all units of a ReLU layer are 0, or all units of a tanh layer ±1. Dropout is off. Layers
    after a dead one are not counted, as their inputs are equal.

    Args:
        network: a network bound to R learners.
        observations: [R, N, *shape].

    Returns:
        [R, L] bool.
    """
    dead = [_differs(before) & ~_differs(after) for before, after in network.hidden(observations)]
    learners = observations.shape[0]
    return torch.stack(dead, 1) if dead else torch.zeros(learners, 0, dtype=torch.bool)


def _differs(outputs: Tensor) -> Tensor:
    """[R, N, H] -> [R]: whether the output of any unit differs among the N observations by more than rounding."""
    least, most = outputs.aminmax(dim=1)
    return (most - least > SAME * torch.maximum(most.abs(), least.abs())).any(1)
