"""The parts of `python -m tests.fuzz`: random cases, damage, the processes that run commands, and the verdict."""
