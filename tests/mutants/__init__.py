"""Deliberate mistakes in the code, and the tests that notice them: `python -m tests.mutants`."""
