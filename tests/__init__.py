"""Tests run beside each other (`pytest -n auto`): an OpenMP thread that waits must not spin on the core of another."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before anything imports torch
