"""Modules independent of reinforcement learning: errors, typed values, files, signals, run directories."""
