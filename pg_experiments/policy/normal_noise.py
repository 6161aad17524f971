"""The inverse of the normal distribution function, for tensors, for arrays, and for compiled loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from pg_experiments.tensors.compiled import helper

# erf⁻¹(x) / x in powers of w − 2.5 for w = −log(1 − x²) < 5, and of √w − 3 elsewhere (Giles 2010, table 5, the version
# for single precision: its relative error is below 4·10⁻⁷); highest powers first
CENTRAL = (
    2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503, -0.00417768164,
    0.246640727, 1.50140941,
)  # fmt: skip
TAIL = (
    -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047,
    1.00167406, 2.83297682,
)  # fmt: skip
SQRT_2 = float(np.sqrt(2.0))
CELL = 2.0**-24  # uniform float32 numbers are multiples of it


def normal_noise(uniform: Tensor) -> Tensor:
    """Φ⁻¹ at the centres u + 2⁻²⁵ of the cells of uniform numbers u, which are multiples of 2⁻²⁴ from 0 to below 1.

    It is computed in float64. The results are symmetric about 0, and at most 5.42.
    """
    x = 2 * uniform.double() - 1 + CELL
    w = -torch.log((1 - x) * (1 + x))
    ratio = torch.where(w < 5, polynomial(CENTRAL, w - 2.5), polynomial(TAIL, w.sqrt() - 3))
    return (SQRT_2 * ratio * x).to(uniform.dtype)


@helper
def normal_number(uniform):  # type: ignore[no-untyped-def]
    """`normal_noise` of one number."""
    x = 2.0 * np.float64(uniform) - 1.0 + CELL
    w = -np.log((1.0 - x) * (1.0 + x))
    ratio = polynomial(CENTRAL, w - 2.5) if w < 5.0 else polynomial(TAIL, np.sqrt(w) - 3.0)
    return np.float32(SQRT_2 * ratio * x)


@helper
def polynomial(coefficients: Any, x: Any) -> Any:
    """Horner's scheme, highest power first."""
    value = coefficients[0] * x + coefficients[1]
    for coefficient in coefficients[2:]:
        value = value * x + coefficient
    return value


HELPERS = (normal_number, polynomial)
