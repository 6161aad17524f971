"""Returns that continue with a value V(s): less variance for a bias, where V is not exact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Ge, Le
from torch import Tensor

from pg_experiments.returns.recursion import lambda_returns, n_step_returns, rewards_of
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.rollout import Rollout


class Bootstrapped:
    """Base class of returns that need V(s) after every step, and whose advantages are not weighted."""

    uses_values: ClassVar[bool] = True

    def weigh(self, advantages: Tensor, rollout: Rollout, discount: Tensor) -> Tensor:
        """The advantages themselves."""
        return advantages


@dataclass(frozen=True)
class NStepReturns(Bootstrapped):
    """The rewards of n steps and the value of the state after them (Sutton & Barto 2018, chapter 7)."""

    n: int

    def __call__(self, rollout: Rollout, next_values: Tensor | None, discount: Tensor) -> Tensor:
        n = min(self.n, len(rollout.mask))
        returns = n_step_returns(rewards_of(rollout), rollout.ends, rollout.cuts, next_values, discount[:, None], n)
        return torch.where(rollout.mask, returns, 0.0)


@dataclass(frozen=True)
class LambdaReturns(Bootstrapped):
    """λ-returns of R learners. Minus V(s), they are the generalised advantage estimates (Schulman et al. 2016)."""

    trace_decay: Tensor  # [R] λ

    def __call__(self, rollout: Rollout, next_values: Tensor | None, discount: Tensor) -> Tensor:
        trace_decay = self.trace_decay.to(discount)[rollout.learners, None]
        returns = lambda_returns(
            rewards_of(rollout), rollout.ends, rollout.cuts, next_values, discount[:, None], trace_decay
        )
        return torch.where(rollout.mask, returns, 0.0)


class BootstrappedOption:
    """Base class of the options."""

    name: ClassVar[str]
    uses_values: ClassVar[bool] = True

    def validate(self, config: Any) -> None:
        """Raises UserError where there is no V(s), or V(s) is not in the environment's units."""
        if not getattr(config.algorithm, "has_own_critics", False) and not config.baseline.estimates_values:
            raise UserError(
                f"returns={self.name}: continues a return with V(s), which this baseline does not learn; the nearest "
                "is baseline=value"
            )
        if config.normalization.changes_returns:
            raise UserError(
                f"returns={self.name} with normalization.returns={config.normalization.returns}: V(s) must be in the "
                "environment's units to continue a return; use normalization=advantages or normalization=none"
            )


@dataclass(frozen=True)
class NStep(BootstrappedOption):
    """The rewards of n steps, and V(s) after them."""

    name: ClassVar[str] = "n_step"
    n: Annotated[int, Ge(1)]

    def build(self, learners: Learners) -> NStepReturns:
        """The returns of all learners."""
        return NStepReturns(self.n)


@dataclass(frozen=True)
class TD(BootstrappedOption):
    """One reward, and V(s) after it (Sutton & Barto 2018, eq. 6.1)."""

    name: ClassVar[str] = "td"

    def build(self, learners: Learners) -> LambdaReturns:
        """The returns of all learners."""
        return LambdaReturns(torch.zeros(len(learners), dtype=torch.float64))


@dataclass(frozen=True)
class GAE(BootstrappedOption):
    """λ-returns: averages of n-step returns with weights (1 − λ) λ^{n−1}."""

    name: ClassVar[str] = "gae"
    gae_lambda: Annotated[float, Ge(0), Le(1)]

    def build(self, learners: Learners) -> LambdaReturns:
        """The returns of all learners."""
        return LambdaReturns(learners.values("returns.gae_lambda", self.gae_lambda))
