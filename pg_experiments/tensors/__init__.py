"""Shapes and arithmetic: rollouts, stacked networks, sparse rows, masks, random streams, compiled loops."""
