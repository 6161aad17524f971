"""Pathwise gradients against those of the score function: the measurements and figures of docs/differentiable.md."""
