"""Numerical code: rollouts, stacked networks, sparse rows, masked reductions, random streams, compiled loops."""
