"""A Hydra plugin with a sweeper. Hydra finds sweepers only in packages under `hydra_plugins`.

Every command imports this module, so Optuna is imported only when a search starts.
"""

from __future__ import annotations

from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from pg_experiments.support.files import Directory


class ContinuedSearch(Sweeper):
    """Optuna's sweeper with support for resuming a study.

    Without it, the sweeper would run `n_trials` more trials, draw the first proposals again, and leave an interrupted
    trial as running in the study.
    """

    def __init__(self, **settings: Any) -> None:
        from hydra_plugins.hydra_optuna_sweeper._impl import OptunaSweeperImpl

        self.search = OptunaSweeperImpl(**settings)

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.search.setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def sweep(self, arguments: list[str]) -> None:
        self._continue()
        self.search.sweep(arguments)

    def _continue(self) -> None:
        """Subtract finished trials from the number of trials, and queue interrupted trials, which run first."""
        import optuna
        from optuna.trial import TrialState

        search = self.search
        Directory(search.sweep_dir).make()
        storage = optuna.storages.get_storage(search.storage)
        directions = search._get_directions()
        study = optuna.create_study(
            study_name=search.study_name, storage=storage, directions=directions, load_if_exists=True
        )
        for trial in study.trials:
            if trial.state == TrialState.RUNNING:
                storage.set_trial_state(trial._trial_id, TrialState.WAITING)
        ended = [trial for trial in study.trials if trial.state.is_finished()]
        search.job_idx = len(ended)
        search.n_trials -= len(ended)
        if ended:
            search.sampler.reseed_rng()
