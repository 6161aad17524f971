"""Environments of Gymnasium with continuous actions as functions for compiled loops: the same numbers, bit for bit.

Their actions are float32, so some of their terms are, too: NumPy rounds the product of such a number and one of Python
to float32. Actions are within the bounds of the space.
"""

from __future__ import annotations

import math

import numpy as np

from pg_experiments.tensors.compiled import helper

PENDULUM_TIME = 0.05
PENDULUM_SPEED = 8.0
TORQUE_COST = np.float32(0.001)
THREE = np.float32(3.0)


@helper
def step_pendulum(constants, state, action):  # type: ignore[no-untyped-def]
    """As `step`. NumPy squares with `pow`; the exponent is an argument, so that it is not replaced by a product."""
    angle, velocity, two = state[0], state[1], constants[0]
    normalised = (angle + math.pi) % (2 * math.pi) - math.pi
    torque_cost = np.float64(TORQUE_COST * math.pow(action, np.float32(two)))
    cost = math.pow(normalised, two) + 0.1 * math.pow(velocity, two) + torque_cost
    velocity += (15.0 * math.sin(angle) + np.float64(THREE * action)) * PENDULUM_TIME
    velocity = min(max(velocity, -PENDULUM_SPEED), PENDULUM_SPEED)
    state[0], state[1] = angle + velocity * PENDULUM_TIME, velocity
    return -cost, False


POWER = np.float32(0.0015)
SPEED = np.float32(0.07)
LEFT, RIGHT, GOAL = np.float32(-1.2), np.float32(0.6), np.float32(0.45)


@helper
def step_mountain_car_continuous(state, action):  # type: ignore[no-untyped-def]
    """As `step`. The state is rounded to float32, except the first: state[2] is 1 for that, and 0 afterwards."""
    position = state[0]
    angle = 3 * position if state[2] == 1.0 else np.float64(np.float32(3 * position))
    force = action * POWER - np.float32(0.0025 * math.cos(angle))
    velocity = min(max(np.float32(state[1]) + force, -SPEED), SPEED)
    moved = np.float32(position + np.float64(velocity))
    moved = min(max(moved, LEFT), RIGHT)
    if moved == LEFT and velocity < 0:
        velocity = np.float32(0.0)
    state[0], state[1], state[2] = moved, velocity, 0.0
    is_there = moved >= GOAL and velocity >= 0
    cost = np.float64(action) * np.float64(action) * 0.1
    return (100.0 if is_there else 0.0) - cost, is_there


HELPERS = (step_pendulum, step_mountain_car_continuous)
