"""Modules that know nothing of reinforcement learning: errors, typed values, files, signals, run directories."""
