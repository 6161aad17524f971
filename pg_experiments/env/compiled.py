"""Environments of Gymnasium and of this project as functions for compiled loops: the same numbers, bit for bit.

A state is a float64 vector, an observation a float32 one. One function serves all environments and switches on `kind`,
because Numba cannot cache a loop that takes functions as arguments.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from pg_experiments.env.compiled_continuous import HELPERS as CONTINUOUS
from pg_experiments.env.compiled_continuous import step_mountain_car_continuous, step_pendulum
from pg_experiments.tensors.compiled import helper
from pg_experiments.tensors.compiled_random import HELPERS as RANDOM
from pg_experiments.tensors.compiled_random import next_between, seed_pcg64

CARTPOLE, ACROBOT, MOUNTAIN_CAR, MASKED_CARTPOLE, SHORT_CORRIDOR, PENDULUM, MOUNTAIN_CAR_CONTINUOUS = range(7)  # kinds


@dataclass(frozen=True)
class CompiledForm:
    """What a compiled loop needs to play an environment.

    Attributes:
        kind: one of the kinds of this module.
        state_size: numbers in a state.
        max_episode_steps: steps after which an episode is truncated.
        constants: numbers of the dynamics that must not be known while compiling.
    """

    kind: int
    state_size: int
    max_episode_steps: int
    constants: tuple[float, ...] = ()


@runtime_checkable
class CompilableEnvironments(Protocol):
    """Environments with a compiled form; None where these ones have none."""

    compiled_form: CompiledForm | None


def compiled_form(spec: Any, max_episode_steps: int) -> CompiledForm | None:
    """The compiled form of Gymnasium's environment with this spec; None where it has none or has settings."""
    known = _BY_ENTRY_POINT.get(spec.entry_point) if isinstance(spec.entry_point, str) else None
    if known is None or spec.kwargs or spec.additional_wrappers:
        return None
    return CompiledForm(known[0], known[1], max_episode_steps, known[2])


@helper
def reset(kind, seed, state, pool, generator):  # type: ignore[no-untyped-def]
    """The state after `env.reset(seed=seed)`; `pool` and `generator` [4] are used as scratch memory."""
    seed_pcg64(seed, pool, generator)
    if kind in (CARTPOLE, MASKED_CARTPOLE):
        for i in range(4):
            state[i] = next_between(generator, -0.05, 0.05)
    elif kind == ACROBOT:
        for i in range(4):
            state[i] = np.float64(np.float32(next_between(generator, -0.1, 0.1)))
    elif kind == MOUNTAIN_CAR:
        state[0], state[1] = next_between(generator, -0.6, -0.4), 0.0
    elif kind == SHORT_CORRIDOR:
        state[0] = 0.0
    elif kind == PENDULUM:
        state[0], state[1] = next_between(generator, -math.pi, math.pi), next_between(generator, -1.0, 1.0)
    elif kind == MOUNTAIN_CAR_CONTINUOUS:
        state[0], state[1], state[2] = next_between(generator, -0.6, -0.4), 0.0, 1.0


@helper
def observe(kind, state, is_first, observation):  # type: ignore[no-untyped-def]
    """Fills the observation of a state; `is_first` where it follows a reset."""
    if kind == ACROBOT:
        for i in range(2):
            if is_first:  # Gymnasium's first state is float32, and so are its functions
                observation[2 * i], observation[2 * i + 1] = small_cos(state[i]), small_sin(state[i])
            else:
                observation[2 * i], observation[2 * i + 1] = math.cos(state[i]), math.sin(state[i])
            observation[4 + i] = state[2 + i]
    elif kind == MASKED_CARTPOLE:
        observation[0], observation[1] = state[0], state[2]
    elif kind == SHORT_CORRIDOR:
        observation[0] = 1.0
    elif kind == PENDULUM:
        observation[0], observation[1], observation[2] = math.cos(state[0]), math.sin(state[0]), state[1]
    else:
        for i in range(len(observation)):
            observation[i] = state[i]


@helper
def step(kind, constants, state, action, vector):  # type: ignore[no-untyped-def]
    """Changes the state. Returns the reward, and whether the episode is terminated.

    The action is a number, or a float32 vector for environments with continuous actions.
    """
    if kind in (CARTPOLE, MASKED_CARTPOLE):
        return step_cartpole(state, action)
    if kind == ACROBOT:
        return step_acrobot(constants, state, action)
    if kind == SHORT_CORRIDOR:
        return step_corridor(state, action)
    if kind == PENDULUM:
        return step_pendulum(constants, state, vector[0])
    if kind == MOUNTAIN_CAR_CONTINUOUS:
        return step_mountain_car_continuous(state, vector[0])
    return step_mountain_car(state, action)


GRAVITY = 9.8
TOTAL_MASS = 0.1 + 1.0
POLE_MASS = 0.1
POLE_LENGTH = 0.5  # half of it
POLE_MASS_LENGTH = POLE_MASS * POLE_LENGTH
FORCE = 10.0
TAU = 0.02
FALLEN = 12 * 2 * math.pi / 360
AWAY = 2.4


@helper
def step_cartpole(state, action):  # type: ignore[no-untyped-def]
    x, x_dot, theta, theta_dot = state[0], state[1], state[2], state[3]
    force = FORCE if action == 1 else -FORCE
    cos, sin = math.cos(theta), math.sin(theta)
    push = (force + POLE_MASS_LENGTH * (theta_dot * theta_dot) * sin) / TOTAL_MASS
    inertia = POLE_LENGTH * (4.0 / 3.0 - POLE_MASS * (cos * cos) / TOTAL_MASS)
    theta_acc = (GRAVITY * sin - cos * push) / inertia
    x_acc = push - POLE_MASS_LENGTH * theta_acc * cos / TOTAL_MASS
    state[0] = x = x + TAU * x_dot
    state[1] = x_dot + TAU * x_acc
    state[2] = theta = theta + TAU * theta_dot
    state[3] = theta_dot + TAU * theta_acc
    return 1.0, x < -AWAY or x > AWAY or theta < -FALLEN or theta > FALLEN


ACROBOT_TIME = 0.2
MAX_VELOCITIES = (4 * math.pi, 9 * math.pi)


@helper
def step_acrobot(constants, state, action):  # type: ignore[no-untyped-def]
    """Runge-Kutta of 4th order, with the equations of Sutton's book."""
    torque, two, half = action - 1.0, constants[0], ACROBOT_TIME / 2.0
    a, b, c, d = state[0], state[1], state[2], state[3]
    k1 = acrobot_change(a, b, c, d, torque, two)
    k2 = acrobot_change(a + half * k1[0], b + half * k1[1], c + half * k1[2], d + half * k1[3], torque, two)
    k3 = acrobot_change(a + half * k2[0], b + half * k2[1], c + half * k2[2], d + half * k2[3], torque, two)
    t = ACROBOT_TIME
    k4 = acrobot_change(a + t * k3[0], b + t * k3[1], c + t * k3[2], d + t * k3[3], torque, two)
    for i in range(4):
        state[i] += ACROBOT_TIME / 6.0 * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i])
    for i in range(2):
        while state[i] > math.pi:
            state[i] -= math.pi - -math.pi
        while state[i] < -math.pi:
            state[i] += math.pi - -math.pi
        state[2 + i] = min(max(state[2 + i], -MAX_VELOCITIES[i]), MAX_VELOCITIES[i])
    up = -math.cos(state[0]) - math.cos(state[1] + state[0]) > 1.0
    return 0.0 if up else -1.0, up


@helper
def acrobot_change(theta1, theta2, dtheta1, dtheta2, torque, two):  # type: ignore[no-untyped-def]
    """The time derivative of a state. NumPy squares with `pow`, which rounds differently than a product.

    The exponent `two` is an argument, as the compiler would replace `pow` by a product. Masses, lengths and inertias
    are 1, centres of mass 1/2.
    """
    d1 = 1.0 * 0.25 + 1.0 * (1.0 + 0.25 + 2 * 1.0 * 0.5 * math.cos(theta2)) + 1.0 + 1.0
    d2 = 1.0 * (0.25 + 1.0 * 0.5 * math.cos(theta2)) + 1.0
    phi2 = 1.0 * 0.5 * GRAVITY * math.cos(theta1 + theta2 - math.pi / 2.0)
    sin2 = math.sin(theta2)
    phi1 = (
        -1.0 * 1.0 * 0.5 * math.pow(dtheta2, two) * sin2
        - 2 * 1.0 * 1.0 * 0.5 * dtheta2 * dtheta1 * sin2
        + (1.0 * 0.5 + 1.0 * 1.0) * GRAVITY * math.cos(theta1 - math.pi / 2)
        + phi2
    )
    ddtheta2 = (torque + d2 / d1 * phi1 - 1.0 * 1.0 * 0.5 * math.pow(dtheta1, two) * sin2 - phi2) / (
        1.0 * 0.25 + 1.0 - math.pow(d2, two) / d1
    )
    ddtheta1 = -(d2 * ddtheta2 + phi1) / d1
    return dtheta1, dtheta2, ddtheta1, ddtheta2


@helper
def step_mountain_car(state, action):  # type: ignore[no-untyped-def]
    position, velocity = state[0], state[1]
    velocity += (action - 1) * 0.001 + math.cos(3 * position) * -0.0025
    velocity = min(max(velocity, -0.07), 0.07)
    position = min(max(position + velocity, -1.2), 0.6)
    if position == -1.2 and velocity < 0:
        velocity = 0.0
    state[0], state[1] = position, velocity
    return -1.0, position >= 0.5 and velocity >= 0


@helper
def step_corridor(state, action):  # type: ignore[no-untyped-def]
    moves_right = (action == 1) != (state[0] == 1.0)
    state[0] = state[0] + 1.0 if moves_right else max(0.0, state[0] - 1.0)
    return -1.0, state[0] == 3.0


COS = tuple(np.float64(np.float32(float.fromhex(c))) for c in ("0x1.98e616p-16", "-0x1.6c06dcp-10", "0x1.55553cp-05"))
SIN = tuple(
    np.float64(np.float32(float.fromhex(c)))
    for c in ("0x1.7d3bbcp-19", "-0x1.a06bbap-13", "0x1.11119ap-07", "-0x1.555556p-03")
)


@helper
def fused(x, y, z):  # type: ignore[no-untyped-def]
    """x · y + z of float32 numbers, rounded once: products of them are exact in float64."""
    return np.float64(np.float32(x * y + z))


@helper
def small_cos(x):  # type: ignore[no-untyped-def]
    """NumPy's float32 cosine below π/4 on processors with fused multiply-add: its polynomial."""
    square = np.float64(np.float32(x * x))
    r = fused(COS[0], square, COS[1])
    r = fused(r, square, COS[2])
    r = fused(r, square, -0.5)
    return fused(r, square, 1.0)


@helper
def small_sin(x):  # type: ignore[no-untyped-def]
    """NumPy's float32 sine below π/4 on processors with fused multiply-add: its polynomial."""
    square = np.float64(np.float32(x * x))
    r = fused(SIN[0], square, SIN[1])
    r = fused(r, square, SIN[2])
    r = fused(r, square, SIN[3])
    r = fused(r, square, 0.0)
    return fused(r, x, x)


MASKED_CARTPOLE_ENTRY_POINT = "pg_experiments.env.masked_cartpole:MaskedCartPole"
SHORT_CORRIDOR_ENTRY_POINT = "pg_experiments.env.corridor:ShortCorridor"
_CLASSIC = "gymnasium.envs.classic_control"
_BY_ENTRY_POINT: dict[str, tuple[int, int, tuple[float, ...]]] = {
    f"{_CLASSIC}.cartpole:CartPoleEnv": (CARTPOLE, 4, ()),
    f"{_CLASSIC}.acrobot:AcrobotEnv": (ACROBOT, 4, (2.0,)),
    f"{_CLASSIC}.mountain_car:MountainCarEnv": (MOUNTAIN_CAR, 2, ()),
    f"{_CLASSIC}.pendulum:PendulumEnv": (PENDULUM, 2, (2.0,)),
    f"{_CLASSIC}.continuous_mountain_car:Continuous_MountainCarEnv": (MOUNTAIN_CAR_CONTINUOUS, 3, ()),
    MASKED_CARTPOLE_ENTRY_POINT: (MASKED_CARTPOLE, 4, ()),
    SHORT_CORRIDOR_ENTRY_POINT: (SHORT_CORRIDOR, 1, ()),
}
HELPERS = (
    *RANDOM, *CONTINUOUS, reset, observe, step, step_cartpole, step_acrobot, acrobot_change, step_mountain_car,
    step_corridor, fused, small_cos, small_sin,
)  # fmt: skip
