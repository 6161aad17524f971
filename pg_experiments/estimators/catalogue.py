"""The estimators that are put side by side, and those that do not apply to a policy, with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from pg_experiments.baseline import OPTIONS as BASELINES
from pg_experiments.baseline import Baseline
from pg_experiments.estimators.derivative import PATHWISE, Pathwise, why_not_pathwise
from pg_experiments.estimators.estimator import Description, Estimator, LikelihoodRatio
from pg_experiments.estimators.snapshot import CPU, Snapshot
from pg_experiments.normalization import Normalization
from pg_experiments.returns import Returns
from pg_experiments.returns.bootstrapped import LambdaReturns, NStepReturns
from pg_experiments.returns.monte_carlo import RewardToGo, Trajectory
from pg_experiments.tensors.learners import Learners

LAMBDAS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 1.0)
STEPS = (5, 20)  # of n-step returns; one step is λ = 0
REINFORCE, UNBIASED = "trajectory", "reward-to-go, value"  # names of the two that the others refer to
NORMALIZATIONS = {
    "": Normalization(),
    "returns/episode": Normalization(returns="episode"),
    "returns/batch": Normalization(returns="batch"),
    "advantages/batch": Normalization(advantages="batch"),
}
OF_OTHERS = ("", "mean", "leave_one_out", "time_dependent", "optimal")  # baselines that need no V(s)


class LeftOut(NamedTuple):
    """An estimator that does not apply."""

    name: str
    reason: str


@dataclass(frozen=True)
class Catalogue:
    """Estimators for a policy. The first is REINFORCE; another one is the unbiased one that biases refer to."""

    estimators: Sequence[Estimator]
    left_out: Sequence[LeftOut]


@dataclass(frozen=True)
class _Kind:
    """A definition of returns."""

    label: str  # of the returns, with their parameters
    returns: Returns
    discount: float
    is_unbiased: bool = False


def catalogue(snapshot: Snapshot, values: Mapping[float, Baseline], *, is_sparse: bool) -> Catalogue:
    """Composes the estimators.

    Args:
        snapshot: the policy.
        values: V(s) by its discount; that of a discount of 1 is not used by bootstrapped returns.
        is_sparse: whether observations are sparse images, for which no gradient of a single episode is kept.
    """
    estimators: list[Estimator] = []
    left_out: list[LeftOut] = []
    for kind, baseline, normalization in _combinations(snapshot.discount):
        name = ", ".join(part for part in (kind.label, baseline, normalization) if part)
        if baseline == "optimal" and is_sparse:
            left_out.append(LeftOut(name, "keeps a gradient for each episode, which is too large for images"))
            continue
        built = values[kind.discount] if baseline == "value" else _baseline(snapshot, baseline)
        unbiased = kind.is_unbiased and baseline != "mean" and not normalization
        description = Description(name, kind.label, kind.discount, baseline, normalization, unbiased)
        estimators.append(LikelihoodRatio(description, kind.returns, built, NORMALIZATIONS[normalization]))
    if (reason := why_not_pathwise(snapshot)) is None:
        estimators.append(Pathwise())
    else:
        left_out.append(LeftOut(PATHWISE, reason))
    return Catalogue(estimators, left_out)


def _combinations(discount: float) -> Iterator[tuple[_Kind, str, str]]:
    """Returns, baseline and normalisation of each estimator."""
    trajectory = _Kind("trajectory", Trajectory(exact_discount=False), 1.0, is_unbiased=True)
    to_go = _Kind("reward-to-go", RewardToGo(exact_discount=False), 1.0, is_unbiased=True)
    yield from ((trajectory, baseline, "") for baseline in ("", "mean", "leave_one_out", "optimal"))
    yield from ((to_go, baseline, "") for baseline in (*OF_OTHERS, "value"))
    yield trajectory, "", "returns/batch"
    yield to_go, "", "returns/episode"
    yield to_go, "", "returns/batch"
    yield to_go, "leave_one_out", "advantages/batch"
    yield to_go, "value", "advantages/batch"
    gamma = "" if discount == 1 else f" γ={discount:g}"
    if discount < 1:
        discounted = _Kind(f"reward-to-go{gamma}", RewardToGo(exact_discount=False), discount)
        weighted = _Kind(f"reward-to-go{gamma} γᵗ", RewardToGo(exact_discount=True), discount)
        yield _Kind(f"trajectory{gamma}", Trajectory(exact_discount=False), discount), "", ""
        yield from ((discounted, baseline, "") for baseline in ("", "leave_one_out", "time_dependent", "value"))
        yield from ((weighted, baseline, "") for baseline in ("", "leave_one_out"))
        yield discounted, "", "returns/episode"
        yield discounted, "", "returns/batch"
    for n in STEPS:
        yield _Kind(f"{n}-step{gamma}", NStepReturns(n), discount), "value", ""
    for trace_decay in LAMBDAS:
        decay = torch.tensor([trace_decay], dtype=torch.float64)
        yield _Kind(f"GAE λ={trace_decay:g}{gamma}", LambdaReturns(decay), discount), "value", ""
    decay = torch.tensor([0.95], dtype=torch.float64)
    yield _Kind(f"GAE λ=0.95{gamma}", LambdaReturns(decay), discount), "value", "advantages/batch"


def _baseline(snapshot: Snapshot, name: str) -> Baseline:
    """A baseline without settings."""
    option = BASELINES[name or "none"]()
    built: Baseline = option.build(
        snapshot.config.env.spaces()[0], snapshot.agent.policy.network, Learners([snapshot.seed]), CPU
    )
    return built
