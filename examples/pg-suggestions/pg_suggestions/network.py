"""A network of its own: a residual perceptron, as a plain module of PyTorch."""

from __future__ import annotations

from torch import Tensor, nn


class Residual(nn.Module):
    """A perceptron whose blocks each add to what they get (He et al. 2016), layers normalised before they are used.

    The last layer starts at 0, so that a policy begins with equal probabilities and a value function with 0.
    """

    def __init__(self, inputs: int, outputs: int, width: int, blocks: int) -> None:
        super().__init__()
        self.first = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
            for _ in range(blocks)
        )
        self.last = nn.Linear(width, outputs)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, observations: Tensor) -> Tensor:
        """Observations [..., inputs] to outputs [..., outputs]."""
        hidden = self.first(observations)
        for block in self.blocks:
            hidden = hidden + block(hidden)
        outputs: Tensor = self.last(hidden)
        return outputs
