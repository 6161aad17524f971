"""How far `collect.unfinished=carry_over` is from strictly on-policy, early and late in training on Pong.

    python -m benchmarks.pong_carry_over [FILE.json [OVERRIDE ...]]

Trains `env=pong`, seed 0, to its end, or until Ctrl-C. Every `EVERY` updates it measures the batch before
it is learned from:

* older: the fraction of its steps whose action an earlier policy chose;
* effective: the effective sample size of the importance weights as a fraction of the batch's points, (Σ w)² / (n Σ w²).
  A point's weight w is the product of π(a | s) / π_then(a | s) over its steps, which makes its expectation that of the
  current policy. A point that the current policy played alone has w = 1;
* cosine: of the angle between the gradient that is followed and the same with each point weighted by its w;
* of steps: the same two numbers where each step has the weight of its own action alone, as in PPO without clipping.

The table has means over the looked-at batches by the mean return of the last 100 games at that time, and in brackets
the worst. The file has means and ranges. Baseline and normalisation are as in training.
"""

from __future__ import annotations

import contextlib
import copy
import io
import sys
import time
from collections import Counter
from typing import NamedTuple

import torch
from torch import Tensor

from benchmarks.common import machine, prepared, write_measured
from pg_experiments.algorithm.reinforce import ReinforceAgent
from pg_experiments.collect import ArcadeCollector
from pg_experiments.policy.policy import Policy
from pg_experiments.run.run import Run
from pg_experiments.support.interruption import Interrupted
from pg_experiments.tensors.rollout import Rollout

EVERY = 5  # updates between two looks
KEPT = 12  # parameters of so many updates are kept
STAGES = ((-22.0, -15.0), (-15.0, 0.0), (0.0, 10.0), (10.0, 22.0))  # of the mean return


class Look(NamedTuple):
    """One batch."""

    mean_return: float
    older: float
    effective: float
    cosine: float
    effective_of_steps: float
    cosine_of_steps: float


class Probe:
    """Follows a run of one seed, and looks at its batches. `install` puts it between collecting and learning."""

    def __init__(self, run: Run) -> None:
        assert isinstance(run.collector, ArcadeCollector)
        assert isinstance(run.agent, ReinforceAgent)
        self.run = run
        self.agent = run.agent
        self.collector = run.collector
        self.policy = copy.deepcopy(run.agent.policy)  # whose parameters are set to those of any update
        self.parameters: dict[int, dict[str, Tensor]] = {}  # update -> those that acted for it
        self.begun: dict[int, list[tuple[int, int]]] = {}  # point -> (update, steps that it had before that update)
        self.batch: list[int] = []  # the points of the batch, in the order of its columns
        self.looks: list[Look] = []

    def install(self) -> None:
        """Replace the run's methods by ones that keep what is needed."""
        collect, take_batch, learn = self.collector.collect, self.collector._take_batch, self.agent.learn

        def keep_and_collect(update, active):
            self._keep(update)
            return collect(update, active)

        def take_and_keep(r):
            units = take_batch(r)
            self.batch = [unit.id for unit in units]
            return units

        def look_and_learn(rollout, progress):
            if self.run.updates % EVERY == 0 and self.run.updates:
                self._look(rollout, self.agent.credit(rollout).advantages)
            return learn(rollout, progress)

        self.collector.collect, self.collector._take_batch = keep_and_collect, take_and_keep
        self.agent.learn = look_and_learn

    def _keep(self, update: int) -> None:
        """Keep the parameters that act from now on, and how many steps every point under way has."""
        self.parameters[update] = {name: value.clone() for name, value in self.run.agent.policy.state_dict().items()}
        self.parameters.pop(update - KEPT, None)
        under_way = Counter(self.collector.tape.rows().units.tolist() if update else [])
        self.begun = {unit: [*self.begun.get(unit, []), (update, steps)] for unit, steps in under_way.items()}

    def _look(self, rollout: Rollout, advantages: Tensor) -> None:
        ratios, older = self._ratios(rollout)
        of_points = ratios.prod(0, keepdim=True).expand_as(ratios)
        plain = self._gradient(rollout, advantages)
        cosines = [
            torch.cosine_similarity(plain, self._gradient(rollout, advantages * weights), dim=0).item()
            for weights in (of_points, ratios)
        ]
        self.looks.append(
            Look(
                mean_return=float(self.run.accounts.mean_returns()[0]),
                older=(older & rollout.mask).sum().item() / rollout.mask.sum().item(),
                effective=_effective(of_points[0].flatten()),
                cosine=cosines[0],
                effective_of_steps=_effective(ratios[rollout.mask]),
                cosine_of_steps=cosines[1],
            )
        )
        print(f"update {self.run.updates}", *(f"{value:.4f}" for value in self.looks[-1]), file=sys.stderr, flush=True)

    def _ratios(self, rollout: Rollout) -> tuple[Tensor, Tensor]:
        """[T, 1, E]: π(a | s) over that of the policy that chose a, 1 where it is the same; and where it is not."""
        acted_at = torch.full(rollout.mask.shape, self.run.updates)
        for column, unit in enumerate(self.batch):
            start = 0  # steps before an update's were chosen by the update before, and those before by an earlier one
            for update, steps in self.begun.get(unit, []):
                acted_at[start:steps, 0, column] = update - 1
                start = steps
        now = self._log_probs(rollout, self.run.updates)
        ratios = torch.ones_like(now)
        for update in acted_at[rollout.mask].unique().tolist():
            then = self._log_probs(rollout, update)
            ratios = torch.where((acted_at == update) & rollout.mask, (now - then).exp(), ratios)
        return ratios, acted_at < self.run.updates

    @torch.no_grad()
    def _log_probs(self, rollout: Rollout, update: int) -> Tensor:
        """[T, R, E] of the batch's actions, by the policy of an update."""
        policy = self._policy(update)
        found = torch.zeros(rollout.mask.shape)
        for block in rollout.flat.blocks():
            logits = policy.bind(rollout.learners)(block.gather(rollout.observations), None)
            found += block.scatter(policy.head.at(logits).log_prob(block.gather(rollout.actions)))
        return found

    def _gradient(self, rollout: Rollout, advantages: Tensor) -> Tensor:
        parameters = list(self.agent.policy.parameters())
        loss = sum(part.loss.sum() for part in self.agent.losses(rollout, advantages))
        return torch.cat([gradient.flatten() for gradient in torch.autograd.grad(loss, parameters)])

    def _policy(self, update: int) -> Policy:
        self.policy.load_state_dict(self.parameters[update])
        return self.policy


def _effective(weights: Tensor) -> float:
    return (weights.sum().square() / (len(weights) * weights.square().sum())).item()


def main() -> None:
    with (
        prepared("env=pong", "device=cpu", *sys.argv[2:]) as (run, tracker),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        probe = Probe(run)
        probe.install()
        began = time.perf_counter()
        with contextlib.suppress(Interrupted):
            run.execute(tracker)
        seconds = time.perf_counter() - began
    print(f"{machine()}, torch {torch.__version__}, {run.updates} updates, {seconds / 60:.1f} min\n")
    names = ["older", "effective", "cosine", "effective, of steps", "cosine, of steps"]
    print(f"{'mean return':<14}{'batches':>8}" + "".join(f"{name:>24}" for name in names))
    stages = []
    for low, high in STAGES:
        looks = [look for look in probe.looks if low <= look.mean_return < high]
        there = torch.tensor([look[1:] for look in looks])
        if len(there):
            worst = [there[:, 0].max(), *there[:, 1:].amin(0)]
            cells = [f"{mean:.4f} ({extreme:.4f})" for mean, extreme in zip(there.mean(0), worst, strict=True)]
            print(f"{f'{low:g} to {high:g}':<14}{len(there):>8}" + "".join(f"{cell:>24}" for cell in cells))
            ranges = zip(there.mean(0).tolist(), there.amin(0).tolist(), there.amax(0).tolist(), strict=True)
            highest = max(look.mean_return for look in looks)
            named = dict(zip(Look._fields[1:], map(list, ranges), strict=True))
            stages.append({"low": low, "high": high, "highest": highest, "batches": len(looks), **named})
    write_measured(next(iter(sys.argv[1:]), None), updates=run.updates, stages=stages)


if __name__ == "__main__":
    main()
