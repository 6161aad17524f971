"""When learning goes wrong: a seed that breaks is stopped, and what hardly mends itself is warned of once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pg_experiments.baseline import Baseline, ValueBaseline
from pg_experiments.policy.policy import Policy
from pg_experiments.run.accounts import Accounts, SeedAccount
from pg_experiments.run.config import RunConfig
from pg_experiments.support.errors import as_yaml
from pg_experiments.tensors.rollout import Rollout
from pg_experiments.tensors.sparse import SparseRows
from pg_experiments.tensors.stacked import ACTIVATIONS, StackedMLP, perceptron
from pg_experiments.tensors.threads import one_thread

COLLAPSED = 0.01  # of its maximum, log A: below it a policy hardly explores any more
LOOK_EVERY = 25  # updates between two looks for dead layers
SAMPLES = 64  # steps of each learner that such a look goes through
SAME = 1e-6  # outputs that differ by less, as a fraction of their size, are the same to float32
KINDS = ("collapsed_policy", "dead_layer_of_policy", "dead_layer_of_baseline")


class Symptom(NamedTuple):
    """Something that is warned of."""

    kind: str
    text: str


class Health:
    """What has gone wrong with each seed of a run, and of what has been warned."""

    def __init__(
        self, config: RunConfig, accounts: Accounts, policy: Policy, baseline: Baseline, num_actions: int
    ) -> None:
        self.config = config
        self.accounts = accounts
        self.networks = {"policy": policy.network}
        if isinstance(baseline, ValueBaseline):
            self.networks["baseline"] = baseline.network
        self.most_entropy = math.log(num_actions)
        self.warned = {kind: torch.zeros(len(accounts.seeds), dtype=torch.bool) for kind in KINDS}

    def stop(self, update: int, rollout: Rollout, broken: Mapping[str, Mapping[int, str]]) -> list[Symptom]:
        """Stop the seeds of which something is not finite.

        Args:
            update: its index.
            rollout: what was learned from.
            broken: of `policy` and `baseline`, learner -> what of it is not finite.
        """
        stopped = []
        for learner in sorted({*broken["policy"], *broken["baseline"]}):
            # the policy's advantages are made of the baseline's values, so where both broke it is the cause
            part = "baseline" if learner in broken["baseline"] else "policy"
            account = self.accounts.seeds[learner]
            account.error = f"stopped at update {update}: {self._why(part, broken[part][learner], rollout, learner)}"
            stopped.append(Symptom("stopped_seed", f"seed {account.seed} {account.error}"))
        return stopped

    def _why(self, part: str, what: str, rollout: Rollout, learner: int) -> str:
        """What is not finite, and what may help."""
        r = rollout.learners.tolist().index(learner)
        for name, numbers in {"rewards": rollout.rewards, "observations": rollout.observations}.items():
            if isinstance(numbers, Tensor) and not numbers[:, r].isfinite().all():
                return f"{name} are not finite; see what the environment returns"
        if what == "loss":
            what = "policy_loss" if part == "policy" else "value_loss"
        return f"{what} is not finite; {self._knobs(part)} may help"

    def _knobs(self, part: str) -> str:
        if part == "baseline":
            rate = getattr(self.config.baseline, "learning_rate", None)
            return f"a lower baseline.learning_rate ({as_yaml(rate)}), or returns of a smaller scale (normalization),"
        optimizer = self.config.optimizer
        rate, norm = as_yaml(optimizer.learning_rate), optimizer.max_grad_norm
        clipping = "an optimizer.max_grad_norm" if norm is None else f"a smaller optimizer.max_grad_norm ({norm})"
        return f"a lower optimizer.learning_rate ({rate}) or {clipping}"

    def symptoms(self, update: int, rollout: Rollout, entropy: Tensor) -> Iterator[Symptom]:
        """What is to be warned of and has not been yet, after an update.

        Args:
            update: its index.
            rollout: what was learned from.
            entropy: [R] of the policy, the mean over the batch's steps in nats.
        """
        low = entropy.cpu().numpy() < COLLAPSED * self.most_entropy
        if low.any():
            yield from self._collapsed(update, rollout.learners.cpu().numpy()[low])
        if update % LOOK_EVERY == 0:
            for part, network in self.networks.items():
                yield from self._dead(update, part, network, rollout)

    def _collapsed(self, update: int, learners: np.ndarray) -> Iterator[Symptom]:
        poor = [learner for learner in learners.tolist() if self._is_poor(self.accounts.seeds[learner])]
        if new := self._new("collapsed_policy", poor):
            yield Symptom(
                "collapsed_policy",
                f"{self._name(new)}: the policy has collapsed (update {update}): its entropy is below {COLLAPSED:.0%} "
                f"of log {round(math.exp(self.most_entropy))}, so it always does the same, and its mean return is poor;"
                " a lower optimizer.learning_rate or an algorithm.entropy_bonus may help",
            )

    def _is_poor(self, account: SeedAccount) -> bool:
        window = self.accounts.window
        if account.episodes < window or account.solved or account.error:
            return False
        return is_poor(account.mean_return(window), float(np.mean(account.returns[:window])), self.accounts.solved_at)

    def _dead(self, update: int, part: str, network: StackedMLP, rollout: Rollout) -> Iterator[Symptom]:
        with one_thread():
            observations = rollout.flat.spread(SAMPLES).gather(rollout.observations)
            dead = dead_layers(network, observations, rollout.learners).cpu()
        alive = torch.tensor([self.accounts.seeds[learner].error is None for learner in rollout.learners.tolist()])
        for layer, of_learners in enumerate((dead & alive[:, None]).unbind(1)):
            kind = f"dead_layer_of_{part}"
            if new := self._new(kind, rollout.learners.cpu()[of_learners].tolist()):
                rate = "optimizer.learning_rate" if part == "policy" else "baseline.learning_rate"
                yield Symptom(
                    kind,
                    f"{self._name(new)}: hidden layer {layer} of the {part} is dead (update {update}): its outputs are "
                    f"the same for every observation, and no gradient gets through it; a lower {rate} or "
                    f"{part}.activation=leaky_relu may help",
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


@torch.no_grad()
def dead_layers(network: StackedMLP, x: Tensor | SparseRows, learners: Tensor) -> Tensor:
    """[R, L]: the hidden layers whose outputs are the same for every observation, though what goes in is not.

    All units of a layer of rectifiers at 0, or all of tanh at ±1. Without dropout. What follows a dead layer is not
    called dead.

    Args:
        network: whose hidden layers.
        x: [R, N, D] observations of the learners.
        learners: [R] by index.
    """
    layers = network.layers_of(learners)
    dead = []
    for count in range(1, len(layers)):
        before = perceptron(x, layers[:count], network.activation)
        differs = _differs(before)
        dead.append(differs & ~_differs(ACTIVATIONS[network.activation](before)))
    return torch.stack(dead, 1) if dead else torch.zeros(len(learners), 0, dtype=torch.bool)


def _differs(outputs: Tensor) -> Tensor:
    """[R, N, H] -> [R]: whether any unit's output is not the same for all N, but for rounding."""
    least, most = outputs.aminmax(dim=1)
    return (most - least > SAME * torch.maximum(most.abs(), least.abs())).any(1)
