"""A network of R learners from any `torch.nn.Module`, with stacked parameters and `torch.func.vmap`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from pg_experiments.support.errors import UserError
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.networks import Observations
from pg_experiments.tensors.sequences import Sequences
from pg_experiments.tensors.sparse import SparseRows
from pg_experiments.tensors.streams import Purpose, torch_stream

DOT = "__"  # replaces the dots in names of nested parameters


class StackedModule(nn.Module):
    """R copies of a module, each with parameters drawn from its own seed.

    The module maps observations [N, *shape] to outputs [N, K]. It must be a function of its parameters and its input:
    modules that keep buffers (batch normalisation) or draw random numbers (dropout) are refused.
    """

    noise_shape: tuple[int, ...] = ()
    has_noise = False

    def __init__(
        self,
        make: Callable[[], nn.Module],
        learners: Learners,
        purpose: Purpose,
        *,
        observation_shape: tuple[int, ...],
        outputs: int,
    ) -> None:
        """`make` builds one module with PyTorch's global generator. Raises UserError for unsupported modules."""
        super().__init__()
        modules = [_seeded(make, seed, purpose) for seed in learners]
        self.name = type(modules[0]).__name__
        self.observation_shape = observation_shape
        self.outputs = outputs
        parameters, buffers = stack_module_state(modules)
        if buffers:
            raise UserError(f"{self.name}: keeps buffers ({', '.join(buffers)}); expected parameters alone")
        for name, stacked in parameters.items():
            self.register_parameter(name.replace(".", DOT), nn.Parameter(stacked.detach().clone()))
        # in a list, so that it is not registered as a submodule
        self._skeleton = [modules[0].to("meta")]
        self._check()

    def _check(self) -> None:
        """Calls the network once. Raises UserError where outputs have another shape or it draws random numbers."""
        R = len(next(self.parameters()))
        try:
            outputs = self.bind()(torch.zeros(R, 2, *self.observation_shape))
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            if "randomness" in str(error):
                reason = "it draws random numbers when called; leave dropout out"
            raise UserError(f"{self.name}: cannot be stacked: {reason}") from None
        if outputs.shape != (R, 2, self.outputs):
            raise UserError(
                f"{self.name}: gives outputs of shape {tuple(outputs.shape[1:])} for 2 observations; "
                f"expected (2, {self.outputs})"
            )

    def draw_noise(self, learner: int, stream: np.random.Generator, count: int) -> np.ndarray:
        """Placeholder of shape [count], as there is no noise."""
        return np.ones(count, dtype=np.bool_)

    def bind(self, learners: Tensor | None = None) -> Callable[..., Tensor]:
        """The modules of the learners with indices [R] (None: all): [R, N, *shape] -> [R, N, K]."""
        parameters = {
            name.replace(DOT, "."): stacked if learners is None else stacked[learners]
            for name, stacked in self.named_parameters()
        }
        one = torch.func.vmap(lambda p, x: functional_call(self._skeleton[0], p, (x,)), randomness="error")

        def call(observations: Observations, noise: Tensor | None = None) -> Tensor:
            if isinstance(observations, SparseRows):
                observations = observations.dense(self.observation_shape)
            elif isinstance(observations, Sequences):
                observations = observations.observations
            outputs: Tensor = one(parameters, observations)
            return outputs

        return call


def _seeded(make: Callable[[], nn.Module], seed: int, purpose: Purpose) -> nn.Module:
    """Makes a module whose parameters depend only on (seed, purpose). PyTorch's global generator is restored."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_stream(seed, purpose).initial_seed())
        return make()
