"""Evaluation of trained policies: new episodes, statistics of them, and videos."""
