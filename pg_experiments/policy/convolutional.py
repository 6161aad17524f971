"""The option `cnn`: a convolutional policy for observations that are images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from torch import Tensor

from pg_experiments.policy.building import FIRST_POLICY_GAIN, loaded, network_outputs, policy_of
from pg_experiments.policy.gaussian_heads import Spread
from pg_experiments.policy.heads import HeadName, head_of
from pg_experiments.policy.policy import Policy
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.stacked_cnn import Convolution, Images, StackedCNN
from pg_experiments.tensors.streams import Purpose


class Architecture(NamedTuple):
    """The convolutional layers, and the number of units of the dense layer behind them."""

    layers: tuple[Convolution, ...]
    hidden: int

    @property
    def smallest(self) -> int:
        """Width and height of the smallest image."""
        width = 1
        for layer in reversed(self.layers):
            width = layer.smallest(width)
        return width


NETWORKS = {
    "nature": Architecture((Convolution(32, 8, 4), Convolution(64, 4, 2), Convolution(64, 3, 1)), 512),  # Mnih 2015
    "small": Architecture((Convolution(16, 8, 4), Convolution(32, 4, 2)), 256),  # Mnih et al. 2013
}


@dataclass(frozen=True)
class CNN(Spread):
    """Convolutional layers and a dense one. Numbers are scaled from the bounds of their space to [0, 1]."""

    has_features: ClassVar[bool] = True
    head: HeadName
    network: Literal["nature", "small"]

    def validate(self, config: Any) -> None:
        """Raises UserError where observations are not dense images, or are scaled twice."""
        if config.env.emulators is not None:
            raise UserError(
                f"policy=cnn with env.observation={config.env.observation}: few pixels are not 0, and their positions "
                "are stored; the nearest is env.observation=screens"
            )
        if (chosen := getattr(config.normalization, "observations", "none")) != "none":
            raise UserError(
                f"normalization.observations={chosen}: policy=cnn scales images to [0, 1] itself; the nearest is none"
            )

    def build(self, observations: gymnasium.Space[Any], actions: gymnasium.Space[Any], learners: Learners) -> Policy:
        """Builds the policy of all learners. Raises UserError where the head or the network does not fit."""
        policy, network = self._uninitialised(observations, actions, learners)
        network.initialise(learners, Purpose.POLICY_PARAMETERS, FIRST_POLICY_GAIN)
        return policy

    def load(
        self, observations: gymnasium.Space[Any], actions: gymnasium.Space[Any], parameters: Mapping[str, Tensor]
    ) -> Policy:
        """As `PolicyOption.load`."""
        return loaded(lambda: self._uninitialised(observations, actions, Learners([0]))[0], parameters)

    def _uninitialised(
        self, observations: gymnasium.Space[Any], actions: gymnasium.Space[Any], learners: Learners
    ) -> tuple[Policy, StackedCNN]:
        head = head_of(self.head, actions, self)
        images, architecture = images_of(observations), NETWORKS[self.network]
        self._refuse_small(images)
        network = StackedCNN(
            len(learners), images, architecture.layers, network_outputs(head), hidden=architecture.hidden
        )
        return policy_of(network, head, observations, learners), network

    def _refuse_small(self, images: Images) -> None:
        least, width = NETWORKS[self.network].smallest, min(images.height, images.width_of_image)
        if width < least:
            near = "policy.network=small" if width >= NETWORKS["small"].smallest else "policy=mlp"
            raise UserError(
                f"policy.network={self.network}: images of {images.height} × {images.width_of_image} are too small for "
                f"its strides; expected at least {least} × {least}; the nearest is {near}"
            )


def images_of(space: gymnasium.Space[Any]) -> Images:
    """How the observations of a space are read as images.

    The shorter of the first and the last axis has the channels, the last one if they are equal. Two axes are an image
    with one channel. Numbers are scaled to [0, 1] from the least and the greatest bound, if both are finite.

    Raises:
        UserError: the observations are not images.
    """
    shape = space.shape or ()
    if not isinstance(space, Box) or len(shape) not in (2, 3):
        raise UserError(
            f"policy=cnn: observations of shape {shape} are not images; expected [H, W, C], [C, H, W] or [H, W]; the "
            "nearest is policy=mlp"
        )
    channels_first = len(shape) == 3 and shape[0] < shape[2]
    height, width, channels = (*shape[1:], shape[0]) if channels_first else (*shape, 1)[:3]
    low, high = float(np.min(space.low)), float(np.max(space.high))
    bounded = np.isfinite([low, high, high - low]).all() and low < high
    low, span = (low, high - low) if bounded else (0.0, 1.0)
    return Images(channels, height, width, channels_first, low, span)
