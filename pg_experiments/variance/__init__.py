"""Gradient estimators side by side, from Python. `python -m pg_experiments.variance` is the command."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pg_experiments.app.config import Config
    from pg_experiments.estimators.measuring import Variances


def variance(
    policy: str | PathLike[str] | Config,
    *,
    episodes: int = 200,
    batch: int | None = None,
    seed: int | None = None,
    checkpoint: str | PathLike[str] = "last",
) -> Variances:
    """Measure variance and bias of gradient estimators at one policy, from the same episodes. Nothing is written.

    Args:
        policy: the directory of a run; or a config from `compose`, for the policy with which its run would begin.
        episodes: number of episodes that every estimator sees.
        batch: number of episodes in a batch, over which baselines and normalisers are computed; None: that of the run,
            between 4 and a twentieth of the episodes.
        seed: one of the run's seeds; None: the one with the highest best mean return. For a config, its first one.
        checkpoint: of the run: `last`, `best` or the path of a file, as in `load_run`.

    Returns:
        The estimators: `rows`, `left_out` with reasons, and `result["reward-to-go"].variance.value`.

    Raises:
        pg_experiments.UserError: there is no such run, the algorithm has no policy gradient of an episode, or the
            numbers do not fit. The message is the line that the command prints.
    """
    # deferred imports: slow
    from pg_experiments.app.config import Config
    from pg_experiments.estimators.measuring import Silent, measure
    from pg_experiments.estimators.snapshot import new_snapshot, snapshot_of_run
    from pg_experiments.evaluation.saved_run import SavedRun
    from pg_experiments.support import plugins

    if isinstance(policy, Config):
        return measure(new_snapshot(policy.run, policy.overrides, seed), episodes, batch, Silent())
    plugins.load()
    return measure(snapshot_of_run(SavedRun.open(policy, checkpoint), seed), episodes, batch, Silent())
