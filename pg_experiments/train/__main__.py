"""`python -m pg_experiments.train`: composes and trains a run, or a sweep of runs."""

from __future__ import annotations

from pg_experiments.support.interruption import deferred, exit_on_signal


def main() -> None:
    """The command."""
    with exit_on_signal():
        with deferred():  # importing Hydra takes a third of a second, during which a signal may arrive
            from pg_experiments.app.command_line import run_command
            from pg_experiments.app.job import compose_and_train
        run_command(compose_and_train)


if __name__ == "__main__":
    main()
