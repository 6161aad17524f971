"""When learning goes wrong: a seed that breaks is stopped, and what hardly mends itself is warned of once."""

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
from pg_experiments.tensors.sparse import SparseRows
from pg_experiments.tensors.threads import one_thread

COLLAPSED = 0.01  # of its maximum, log A: below it a policy hardly explores any more
LOOK_EVERY = 25  # updates between two looks for dead layers
SAMPLES = 64  # steps of each learner that such a look goes through
SAME = 1e-6  # outputs that differ by less, as a fraction of their size, are the same to float32


class Symptom(NamedTuple):
    """Something that is warned of."""

    kind: str
    text: str


class Health:
    """What has gone wrong with each learner of a run, and which warnings were given."""

    def __init__(self, accounts: Accounts, agent: Agent) -> None:
        self.accounts = accounts
        self.agent = agent
        self.max_entropy = agent.policy.head.max_entropy
        kinds = ["collapsed_policy", *(f"dead_layer_of_{part}" for part in agent.parts)]
        self.warned = {kind: torch.zeros(len(accounts.seeds), dtype=torch.bool) for kind in kinds}

    def check(self, update: int, rollout: Rollout, result: Update) -> list[Symptom]:
        """Stops the learners that broke. Returns that, and what is to be warned of and was not yet.

        Args:
            update: its index.
            rollout: what was learned from.
            result: of learning from it.
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
            low = entropy.cpu().numpy() < COLLAPSED * self.max_entropy
            if low.any():
                yield from self._collapsed(update, rollout.learners.cpu().numpy()[low])
        if update % LOOK_EVERY == 0:
            for name, part in self.agent.parts.items():
                yield from self._dead(update, name, part, rollout)

    def _collapsed(self, update: int, learners: np.ndarray) -> Iterator[Symptom]:
        poor = [learner for learner in learners.tolist() if self._is_poor(self.accounts.seeds[learner])]
        if new := self._new("collapsed_policy", poor):
            yield Symptom(
                "collapsed_policy",
                f"{self._name(new)}: the policy has collapsed (update {update}): its entropy is below {COLLAPSED:.0%} "
                f"of log {round(math.exp(self.max_entropy or 0))}, so it always does the same, and its mean return is "
                "poor; a lower optimizer.learning_rate or an algorithm.entropy_bonus may help",
            )

    def _is_poor(self, account: SeedAccount) -> bool:
        window = self.accounts.window
        if account.episodes < window or account.solved or account.error:
            return False
        return is_poor(account.mean_return(window), float(np.mean(account.returns[:window])), self.accounts.solved_at)

    def _dead(self, update: int, name: str, part: Part, rollout: Rollout) -> Iterator[Symptom]:
        network = part.network.bind(rollout.learners)
        if not isinstance(network, Layered):
            return
        with one_thread():
            dead = dead_layers(network, rollout.flat.spread(SAMPLES).gather(rollout.observations)).cpu()
        alive = torch.tensor([self.accounts.seeds[learner].error is None for learner in rollout.learners.tolist()])
        for layer, of_learners in enumerate((dead & alive[:, None]).unbind(1)):
            kind = f"dead_layer_of_{name}"
            if new := self._new(kind, rollout.learners.cpu()[of_learners].tolist()):
                yield Symptom(
                    kind,
                    f"{self._name(new)}: hidden layer {layer} of the {name} is dead (update {update}): its outputs are "
                    f"the same for every observation, and no gradient gets through it; a lower {part.learning_rate} or "
                    f"{name}.activation=leaky_relu may help",
                )

    def _new(self, kind: str, learners: list[int]) -> list[int]:
        """Those that have not been warned of, and now are."""
        new = [learner for learner in learners if not self.warned[kind][learner]]
        self.warned[kind][new] = True
        return new

    def _name(self, learners: list[int]) -> str:
        numbers = ", ".join(str(self.accounts.seeds[learner].seed) for learner in learners)
        return f"seed{'s' * (len(learners) > 1)} {numbers}"

    def state(self) -> dict[str, Any]:
        """What a resumed run needs to know, so that it warns of nothing twice."""
        return {"warned": {kind: seeds.clone() for kind, seeds in self.warned.items()}}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        for kind, seeds in state["warned"].items():
            self.warned[kind].copy_(seeds)


def is_poor(mean_return: float, first: float, solved_at: float) -> bool:
    """Whether a mean return is less than half-way from the first window's to the threshold.

    Without a threshold (infinity): whether it is no more than the first window's.
    """
    return mean_return <= first if math.isinf(solved_at) else mean_return < (first + solved_at) / 2


def _why(broken: Broken, rollout: Rollout, learner: int) -> str:
    """What is not finite, and what may help."""
    r = rollout.learners.tolist().index(learner)
    for name, numbers in {"rewards": rollout.rewards, "observations": rollout.observations}.items():
        if isinstance(numbers, Tensor) and not numbers[:, r].isfinite().all():
            return f"{name} are not finite; see what the environment returns"
    return f"{broken.what} is not finite; {broken.hint} may help"


@torch.no_grad()
def dead_layers(network: Layered, observations: Tensor | SparseRows) -> Tensor:
    """[R, L]: the hidden layers whose outputs are the same for every observation, though their inputs are not.

    All units of a layer of rectifiers at 0, or all of tanh at ±1. Without dropout. Layers behind a dead one are not
    called dead.

    Args:
        network: bound to R learners.
        observations: [R, N, *shape].
    """
    dead = [_differs(before) & ~_differs(after) for before, after in network.hidden(observations)]
    learners = observations.shape[0]
    return torch.stack(dead, 1) if dead else torch.zeros(learners, 0, dtype=torch.bool)


def _differs(outputs: Tensor) -> Tensor:
    """[R, N, H] -> [R]: whether any unit's output is not the same for all N, but for rounding."""
    least, most = outputs.aminmax(dim=1)
    return (most - least > SAME * torch.maximum(most.abs(), least.abs())).any(1)
