"""From a composed config, which is plain data, to typed and range-checked objects.

Each group's `name` key picks a dataclass from the `OPTIONS` of the module of the same name; nothing else is ever
looked up or called, so a config from somebody's run directory can execute nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt

from pg_experiments import baseline, env, normalization, optimizer, policy, returns
from pg_experiments.algorithm import reinforce as algorithm
from pg_experiments.algorithm.reinforce import Reinforce
from pg_experiments.baseline import BaselineOption, MeanOption
from pg_experiments.env import AtariEnv, GymnasiumEnv
from pg_experiments.normalization import Normalization, NormalizedAdvantages, NormalizedReturns
from pg_experiments.optimizer import OptimizerOption
from pg_experiments.policy import MLP, Linear
from pg_experiments.returns import Returns, Trajectory
from pg_experiments.run.checkpoint import Checkpointing
from pg_experiments.support.errors import UserError, as_yaml, by_nearness, shown
from pg_experiments.support.typed import checked_fields, hints_of, typed

GROUPS: dict[str, dict[str, type]] = {
    "env": env.OPTIONS,
    "policy": policy.OPTIONS,
    "algorithm": algorithm.OPTIONS,
    "returns": returns.OPTIONS,
    "baseline": baseline.OPTIONS,
    "normalization": normalization.OPTIONS,
    "optimizer": optimizer.OPTIONS,
}


@dataclass(frozen=True)
class Tracking:
    """How much of a run is written down, and how often."""

    plain_every_seconds: Annotated[float, Gt(0)]
    histograms_every: Annotated[int, Ge(0)]


SECTIONS: dict[str, type] = {"tracking": Tracking, "checkpoint": Checkpointing}  # without options


@dataclass(frozen=True)
class RunConfig:
    """Everything that determines a run."""

    env: GymnasiumEnv | AtariEnv
    policy: MLP | Linear
    algorithm: Reinforce
    returns: Returns
    baseline: BaselineOption
    normalization: Normalization
    optimizer: OptimizerOption
    tracking: Tracking
    checkpoint: Checkpointing
    seed: Annotated[int, Ge(0)]
    num_seeds: Annotated[int, Ge(1)]
    device: Literal["auto", "cpu", "cuda"]

    @property
    def seeds(self) -> list[int]:
        """The seed of each stacked learner."""
        return list(range(self.seed, self.seed + self.num_seeds))


def check(config: Mapping[str, Any]) -> RunConfig:
    """Turn plain data into a checked `RunConfig`.

    Raises:
        UserError: a key is unknown or missing, or a value has the wrong type or lies outside its range.
    """
    values = dict(config)
    built: dict[str, Any] = {}
    for group, options in GROUPS.items():
        built[group] = _option(group, options, values.pop(group, None))
    for section, cls in SECTIONS.items():
        built[section] = typed(cls, _mapping(section, values.pop(section, None)), f"{section}.")
    scalars = {key: hint for key, hint in hints_of(RunConfig).items() if key not in built}
    built |= checked_fields(scalars, values, "")
    checked = RunConfig(**built)
    _check_together(checked)
    return checked


def every_key() -> dict[str, Any]:
    """Every key that any run can have, dotted, with its annotation; a group's own name is its choice of option."""
    keys = hints_of(RunConfig)
    for group in [*GROUPS, *SECTIONS]:
        del keys[group]
    for group, options in GROUPS.items():
        keys[group] = str
        for option in options.values():
            keys |= {f"{group}.{key}": hint for key, hint in hints_of(option).items()}
    return keys


def _option(group: str, options: Mapping[str, type], values: Any) -> Any:
    chosen = dict(_mapping(group, values))
    name = chosen.pop("name", None)
    if not isinstance(name, str) or name not in options:
        raise UserError(f"{group}.name={shown(name)}: expected one of {', '.join(by_nearness(str(name), options))}")
    return typed(options[name], chosen, f"{group}.")


def _mapping(key: str, values: Any) -> Mapping[str, Any]:
    if not isinstance(values, Mapping):
        raise UserError(f"{key}={shown(values)}: expected a group of keys")
    return values


def _check_together(config: RunConfig) -> None:
    """What no key can say alone."""
    if config.env.max_episodes is None and config.env.max_steps is None:
        raise UserError("env.max_episodes=null and env.max_steps=null: a run needs at least one limit")
    _check_batch(config)
    quota, limit = config.algorithm.episodes_per_update, config.env.max_episodes
    if quota is not None and limit is not None and quota > limit:
        raise UserError(
            f"algorithm.episodes_per_update={quota}: expected at most env.max_episodes={limit}; the nearest is {limit}"
        )
    _check_that_something_is_learned(config)
    bootstraps = getattr(config.baseline, "bootstrap", False)
    if bootstraps and isinstance(config.normalization, NormalizedReturns):
        raise UserError(
            "baseline.bootstrap=true with normalization=returns: V(s) must be in the environment's units to continue "
            "a return; use normalization=advantages or normalization=none"
        )


def _check_batch(config: RunConfig) -> None:
    """What a batch is made of must be what the environment has."""
    algorithm, env = config.algorithm, config.env
    episodes, points = algorithm.episodes_per_update, algorithm.points_per_update
    if (episodes is None) == (points is None):
        raise UserError(
            f"algorithm.episodes_per_update={as_yaml(episodes)} and algorithm.points_per_update={as_yaml(points)}: "
            "a batch is a number of either; set one of them, and the other to null"
        )
    if not isinstance(env, AtariEnv):
        for key, value in (("points_per_update", points), ("unfinished", algorithm.unfinished)):
            if value not in (None, "wait"):
                raise UserError(
                    f"algorithm.{key}={value}: for games of points that go on, as env=pong; not for {env.id}"
                )
        return
    if points is not None and env.return_ends != "point":
        raise UserError(
            f"algorithm.points_per_update={points}: with env.return_ends={env.return_ends} there are no points; use "
            "algorithm.episodes_per_update, or env.return_ends=point"
        )
    if env.num_envs > algorithm.quota:
        unit = "episodes" if points is None else "points"
        raise UserError(
            f"env.num_envs={env.num_envs}: a batch has only algorithm.{unit}_per_update={algorithm.quota} {unit}; the "
            f"nearest is {algorithm.quota}"
        )
    if algorithm.keeps_graph:
        raise UserError(
            "algorithm.log_probs=stored: not for images, whose graphs do not fit; the nearest is recomputed"
        )
    if points is not None and _over_episodes(config.normalization):
        raise UserError(
            "normalization.over=episode with algorithm.points_per_update: all returns of a point have one sign, and "
            "normalising them by themselves loses who won it; the nearest is normalization.over=batch"
        )


def _over_episodes(normalization: Normalization) -> bool:
    return isinstance(normalization, NormalizedReturns) and normalization.over == "episode"


def _check_that_something_is_learned(config: RunConfig) -> None:
    """All steps of an episode have the same R(τ), so what centres an episode's returns by themselves leaves 0."""
    if not isinstance(config.returns, Trajectory):
        return
    if _over_episodes(config.normalization):
        centred_by = "normalization=returns"
    elif config.algorithm.quota > 1:
        return
    elif isinstance(config.normalization, NormalizedReturns):
        centred_by = "normalization.over=batch and algorithm.episodes_per_update=1"
    elif isinstance(config.normalization, NormalizedAdvantages):
        centred_by = "normalization=advantages and algorithm.episodes_per_update=1"
    elif isinstance(config.baseline, MeanOption):
        centred_by = "baseline=mean and algorithm.episodes_per_update=1"
    else:
        return
    raise UserError(
        f"returns=trajectory with {centred_by}: all steps of an episode have the same return, and nothing is left to "
        "learn from; use normalization=none, or normalization=advantages with several episodes per update"
    )
