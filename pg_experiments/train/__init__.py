"""Training, as the command `python -m pg_experiments.train` and as functions for Python."""
