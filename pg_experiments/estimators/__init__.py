"""Gradient estimators side by side: variance and bias of each at one policy, from the same episodes."""
