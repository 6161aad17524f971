"""The dense perceptrons of `stacked` with one hand-written gradient, for float32 on the CPU.

Automatic differentiation records a dozen operations for a perceptron, and PyTorch's tanh takes 3 to 8 times as long as
NumPy's. Here forward and backward pass are one operation each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from pg_experiments.tensors import compiled_perceptron as compiled
from pg_experiments.tensors.networks import LEAKY_RELU, LEAKY_SLOPE, RELU, TANH
from pg_experiments.tensors.perceptron_memory import NOT_WANTED, Memory, is_for, packed, widths_of, zeros

Activation = Literal["relu", "leaky_relu", "tanh"]
CODES: dict[Activation, int] = {"relu": RELU, "leaky_relu": LEAKY_RELU, "tanh": TANH}
# large products with few columns take a third of the time when they are computed as the transpose
LARGE, NARROW = 4096, 16  # rows of all learners, and columns
aten = torch.ops.aten


def can_fuse(x: Tensor) -> bool:
    """Whether `fused_perceptron` takes these inputs. Transforms of `torch.func` need the operations one by one."""
    return x.dtype == torch.float32 and x.device.type == "cpu" and not is_transformed()


def is_transformed() -> bool:
    """Whether a transform of `torch.func` is active; tensors may have no memory then."""
    active: bool = torch._C._are_functorch_transforms_active()
    return active


def fused_perceptron(
    x: Tensor,
    layers: Sequence[tuple[Tensor, Tensor | None]],
    activation: Activation,
    masks: Tensor | None,
    scale: Tensor | float,
    memory: Memory | None = None,
) -> Tensor:
    """As `stacked.perceptron`."""
    weights = [weight for weight, _ in layers]
    biases = [bias for _, bias in layers if bias is not None]
    if not torch.is_grad_enabled():
        return forward(x, weights, biases, activation, masks, scale, memory)[-1]
    outputs: Tensor = _Perceptron.apply(  # type: ignore[no-untyped-call]
        x, activation, masks, scale, len(weights), *weights, *biases
    )
    return outputs


class _Perceptron(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        activation: Activation,
        masks: Tensor | None,
        scale: Tensor | float,
        depth: int,
        *parameters: Tensor,
    ) -> Tensor:
        weights, biases = parameters[:depth], parameters[depth:]
        *inputs, outputs = forward(x, weights, biases, activation, masks, scale)
        ctx.save_for_backward(*parameters, *inputs)
        ctx.sizes, ctx.activation, ctx.masks, ctx.scale = (depth, len(parameters)), activation, masks, scale
        return outputs

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        depth, count = ctx.sizes
        saved = ctx.saved_tensors
        weights, biases, layers = saved[:depth], saved[depth:count], saved[count:]
        of_x, of_weights, of_biases = backward(
            gradient,
            layers,
            weights,
            biases,
            ctx.activation,
            ctx.masks,
            ctx.scale,
            of_input=ctx.needs_input_grad[0],
            of_parameters=any(ctx.needs_input_grad[5:]),
        )
        if not of_weights:
            return of_x, *(None for _ in ctx.needs_input_grad[1:])
        return of_x, None, None, None, None, *of_weights, *(of_biases if biases else ())


def forward(
    x: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    activation: Activation,
    masks: Tensor | None,
    scale: Tensor | float,
    memory: Memory | None = None,
) -> list[Tensor]:
    """The input of each layer, and the outputs; of perceptrons with compiled loops, the input, units and outputs.

    `memory` is where the parameters are, if that is known.
    """
    if memory is not None:
        return [x, *compiled.forward(x, memory.widths, memory.parameters, CODES[activation], masks, scale)]
    if is_for(weights, biases):
        widths, parameters = widths_of(weights), packed(weights, biases)
        return [x, *compiled.forward(x, widths, parameters, CODES[activation], masks, scale)]
    layers = [x]
    for layer, weight in enumerate(weights):
        x = _product(x, weight, biases[layer] if biases else None)
        if layer + 1 < len(weights):
            if masks is not None:
                x.mul_(masks[..., layer, :]).mul_(scale)
            _activate(x, activation)
        layers.append(x)
    return layers


def backward(
    gradient: Tensor,
    layers: Sequence[Tensor],
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    activation: Activation,
    masks: Tensor | None,
    scale: Tensor | float,
    memory: Memory | None = None,
    *,
    of_input: bool = False,
    of_parameters: bool = True,
) -> tuple[Tensor | None, list[Tensor], list[Tensor]]:
    """The gradients of the input (None unless `of_input`), of the weights and of the biases of each layer.

    Args:
        gradient: [R, N, outputs], of the outputs.
        layers: what `forward` returns before the outputs.
        weights, biases, activation, masks, scale, memory: as in `forward`.
        of_input: whether the gradient of the input is needed.
        of_parameters: whether those of weights and biases are needed; else their lists are empty.
    """
    if memory is not None or is_for(weights, biases):
        x, units = layers
        widths = widths_of(weights) if memory is None else memory.widths
        parameters = packed(weights, biases) if memory is None else memory.parameters
        found, parts = zeros((*weights, *biases)) if of_parameters else (NOT_WANTED, [])
        of_x = compiled.backward(
            gradient, x, widths, parameters, units, found, CODES[activation], masks, scale, of_input=of_input
        )
        return of_x, parts[: len(weights)], parts[len(weights) :]
    of_weights, of_biases = [], []
    for layer in reversed(range(len(weights))):
        if of_parameters:
            of_weights.append(_product(layers[layer].transpose(1, 2), gradient))
            of_biases.append(gradient.sum(1, keepdim=True))
        if layer or of_input:
            gradient = torch.bmm(gradient, weights[layer].transpose(1, 2))
        if layer:
            _through_activation(gradient, layers[layer], activation)
            if masks is not None:
                gradient.mul_(masks[..., layer - 1, :]).mul_(scale)
    return gradient if of_input else None, of_weights[::-1], of_biases[::-1]


def _product(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """a · b + bias, [R, n, k] and [R, k, m] -> [R, n, m]; the bias is [R, 1, m]."""
    if b.shape[2] < NARROW and a.shape[0] * max(a.shape[1:]) >= LARGE:
        added = None if bias is None else bias.transpose(1, 2)
        return _plain_product(b.transpose(1, 2), a.transpose(1, 2), added).transpose(1, 2)
    return _plain_product(a, b, bias)


def _plain_product(a: Tensor, b: Tensor, bias: Tensor | None) -> Tensor:
    return torch.bmm(a, b) if bias is None else torch.baddbmm(bias, a, b)


def _activate(x: Tensor, activation: Activation) -> None:
    """Apply the activation in place."""
    if activation == "relu":
        torch.relu_(x)
    elif activation == "leaky_relu":
        nn.functional.leaky_relu_(x)
    else:
        array = x.numpy()
        np.tanh(array, out=array)


def _through_activation(gradient: Tensor, activated: Tensor, activation: Activation) -> None:
    """Multiply a gradient by the derivative of the activation, in place, from the activated units."""
    if activation == "relu":
        aten.threshold_backward.grad_input(gradient, activated, 0, grad_input=gradient)
    elif activation == "leaky_relu":
        aten.leaky_relu_backward.grad_input(gradient, activated, LEAKY_SLOPE, True, grad_input=gradient)
    else:
        aten.tanh_backward.grad_input(gradient, activated, grad_input=gradient)
