"""One policy whose gradient is estimated: that of a run's checkpoint, or a new one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from pg_experiments.algorithm import with_episode_gradients
from pg_experiments.algorithm.reinforce import Reinforce, ReinforceAgent
from pg_experiments.baseline import Baseline, ValueBaseline
from pg_experiments.evaluation.saved_run import SavedRun
from pg_experiments.policy.policy import Policy
from pg_experiments.run.config import RunConfig
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.learners import Learners

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Snapshot:
    """A policy of one learner.

    Attributes:
        config: the config of its run.
        seed: its seed.
        title: what it is, in words.
        agent: a REINFORCE agent with this policy, which differentiates a batch. It has no entropy bonus.
        value: V(s) of the run, trained with its discount; None where there is none, for the reason `no_value`.
        no_value: the reason; may be empty.
    """

    config: RunConfig
    seed: int
    title: str
    agent: ReinforceAgent
    value: Baseline | None
    no_value: str

    @property
    def settings(self) -> str:
        """Choices that the gradient depends on, in words."""
        policy = self.config.policy
        shown = [f"env={self.config.env.label}", f"γ={self.discount:g}"]
        shown += [
            f"policy.{key}={getattr(policy, key)}" for key in ("hidden", "layers", "dropout") if hasattr(policy, key)
        ]
        return ", ".join(shown)

    @property
    def discount(self) -> float:
        """γ of the run."""
        return float(getattr(self.config.algorithm, "discount", 1.0))


def snapshot_of_run(saved: SavedRun, seed: int | None) -> Snapshot:
    """The policy of one seed of a run; None: the seed with the highest best mean return.

    Raises:
        UserError: the algorithm has no gradient for each episode, or the run has no such seed.
        FileError: the checkpoint does not hold parameters for this configuration.
    """
    refuse_without_episodes(saved.config)
    run = saved.of(seed)
    agent = _agent(saved.config, run.seed, run.learner(greedy=False))
    value, why = None, "the run has no V(s)"
    if isinstance(agent.baseline, ValueBaseline):
        value, why = _value_of_run(saved, run.seed, run.update, agent.baseline)
    title = f"seed {run.seed} of {saved.path}, after {run.update:,} updates"
    return Snapshot(saved.config, run.seed, title, agent, value, why)


def new_snapshot(config: RunConfig, overrides: Sequence[str], seed: int | None) -> Snapshot:
    """The policy with which a seed of a run would begin; None: its first seed.

    Raises:
        UserError: the algorithm has no gradient for each episode, or a choice does not fit the environment.
    """
    refuse_without_episodes(config)
    seed = config.seed if seed is None else seed
    policy = config.normalization.of_policy(config.policy).build(*config.env.spaces(), Learners([seed]))
    title = f"seed {seed} of a new policy ({' '.join(overrides) or 'all settings as they are'})"
    return Snapshot(config, seed, title, _agent(config, seed, policy), None, "nothing has been learned")


def refuse_without_episodes(config: RunConfig) -> None:
    """Raises UserError where the algorithm learns from single transitions."""
    if not getattr(config.algorithm, "has_episode_gradients", False):
        name = type(config.algorithm).__name__.lower()
        raise UserError(
            f"algorithm={name}: has no policy gradient of an episode, as it learns from single transitions; expected "
            f"{with_episode_gradients()}"
        )


def _value_of_run(saved: SavedRun, seed: int, update: int, baseline: ValueBaseline) -> tuple[Baseline | None, str]:
    """V(s) with the parameters of the checkpoint, or the reason why it is not used."""
    if update != saved.update:
        return None, f"the checkpoint has V(s) after {saved.update:,} updates; use checkpoint=last"
    if saved.config.normalization.rewards == "running":
        return None, "V(s) of the run is that of divided rewards (normalization.rewards=running)"
    saved.load_baseline(seed, baseline)
    return baseline, ""


@dataclass(frozen=True)
class _Given:
    """An option of the group `policy` with a policy that there is."""

    policy: Policy

    def build(self, *_: object) -> Policy:
        return self.policy


def _agent(config: RunConfig, seed: int, policy: Policy) -> ReinforceAgent:
    baseline = config.baseline
    if getattr(baseline, "bootstrap", False):
        baseline = replace(baseline, bootstrap=False)  # type: ignore[type-var]  # an option is a dataclass
    choices: Any = replace(
        config,
        policy=_Given(policy),  # type: ignore[arg-type]
        baseline=config.normalization.of_baseline(baseline),
    )
    algorithm = Reinforce(reduction="mean", discount=1.0, entropy_bonus=0.0, log_probs="recomputed")
    return algorithm.build(choices, *config.env.spaces(), Learners([seed]), CPU)
