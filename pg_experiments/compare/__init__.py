"""Comparing runs, as the command `python -m pg_experiments.compare` and as a function for Python."""
