"""A policy of R learners: a network, and a head that maps its outputs to a distribution over actions."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from pg_experiments.policy.distributions import Distribution
from pg_experiments.policy.heads import Greedy, Head
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.networks import BoundNetwork, Compilable, CompiledStep, Network, state_size_of

MASKED = -1e9  # output of an action that is not allowed: its probability is exactly 0, and its logarithm finite
LEAST_NOISE = -1e6  # of an action that is allowed: noise may be −inf, as that of a uniform number that is 0


class Policy(nn.Module):
    """π(a | s) of R learners.

    Dropout is active while acting, as in the text. Its masks are the network's noise. They are drawn outside and passed
    in, so that learning uses the log-probabilities of the same subnetwork that acted.
    """

    def __init__(self, network: Network, head: Head, *, observation_shape: tuple[int, ...], noisy: bool = True) -> None:
        """`noisy` is False for a policy that does not use its network's noise."""
        super().__init__()
        self.network = network
        self.head = head
        self.observation_shape = observation_shape
        self.has_noise = noisy and network.has_noise

    def greedy(self) -> Policy:
        """A policy with the same parameters that selects the most probable action, without dropout."""
        return Policy(self.network, Greedy(self.head), observation_shape=self.observation_shape, noisy=False)

    def bind(self, learners: Tensor | None = None) -> BoundNetwork:
        """The network of the learners with indices [R] (None: all): observations and noise to outputs [R, N, K]."""
        return self.network.bind(learners)

    def sample(self, outputs: Tensor, noise: Tensor, action_masks: Tensor | None = None) -> Tensor:
        """Samples actions [...] for outputs and noise [..., K]; with masks [..., A] bool of those that are allowed."""
        if action_masks is not None:
            outputs, noise = self.masked(outputs, action_masks), noise.clamp(min=LEAST_NOISE)
        return self.head.sample(outputs, noise)

    def distribution(self, outputs: Tensor, action_masks: Tensor | None = None) -> Distribution:
        """π(· | s) for outputs [..., K]; with masks [..., A] bool, that over the allowed actions."""
        return self.head.at(self.masked(outputs, action_masks))

    def masked(self, outputs: Tensor, action_masks: Tensor | None) -> Tensor:
        """Outputs [..., K] with those of actions that are not allowed replaced, so that heads need no masks.

        Raises:
            UserError: the head has no output for each action.
        """
        if action_masks is None:
            return outputs
        if outputs.shape[-1] != action_masks.shape[-1]:
            raise UserError(
                f"policy.head: has {outputs.shape[-1]} outputs for {action_masks.shape[-1]} actions, and the "
                "environment gives action masks, which need an output for each action; use policy.head=categorical"
            )
        return torch.where(action_masks, outputs, MASKED)

    @property
    def learners(self) -> int:
        """The number of stacked learners."""
        return len(next(self.parameters()))

    def initial_states(self, learners: int, envs: int) -> Tensor:
        """The state of the network in which an episode begins, [R, E, S]: zeros; S is 0 for one without a state."""
        first = next(self.parameters())
        return torch.zeros(learners, envs, state_size_of(self.network), dtype=first.dtype, device=first.device)

    def acting(self) -> CompiledStep:
        """The network of all learners for one time step of sparse observations; invalid after a parameter change."""
        bound = self.bind()
        return (
            bound.compiled()
            if isinstance(bound, Compilable)
            else _DenseStep(bound, self.observation_shape, self.learners)
        )


class _DenseStep:
    """One time step of a network without a compiled form. Sparse observations are converted to dense ones."""

    def __init__(self, network: BoundNetwork, shape: tuple[int, ...], learners: int) -> None:
        self.network = network
        self.shape = shape
        self.learners = learners

    def __call__(
        self, columns: np.ndarray, values: np.ndarray, counts: np.ndarray, noise: np.ndarray | None
    ) -> np.ndarray:
        size = int(np.prod(self.shape))
        dense = np.zeros((len(counts), size), dtype=np.float32)
        dense[np.repeat(np.arange(len(counts)), counts), columns % size] = values
        observations = torch.from_numpy(dense).view(self.learners, -1, *self.shape)
        outputs = self.network(observations, None if noise is None else torch.from_numpy(noise))
        return outputs.numpy(force=True)
