"""Differentiable environments: exact derivatives, the physics that they claim, and Gymnasium's interface."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.differentiable.optimum import gains, idle_return, optimal_return
from benchmarks.differentiable.solving import initial_states
from pg_experiments.env.differentiable import (
    OPTIONS,
    DifferentiableVectorEnv,
    ball_wall,
    cartpole,
    double_pendulum,
    pendulum,
    pushing,
    spring_chain,
)
from pg_experiments.env.differentiable.system import System
from pg_experiments.run.config import check
from pg_experiments.support.errors import UserError
from tests.conftest import composed, make_run, one_update

SMOOTH = ("pendulum_swing_up", "cartpole_swing_up", "spring_chain", "pushing", "double_pendulum")
STEPPED = ("heaviside", "ball_wall")


def system_of(name: str, *overrides: str) -> System:
    return check(composed(f"env={name}", *overrides)).env.system


def somewhere(system: System, count: int = 6) -> tuple[Tensor, Tensor]:
    """States and actions in float64, away from rest, with an action that is not too large."""
    generator = torch.Generator().manual_seed(5)
    states = system.initial(torch.rand(count, system.numbers, generator=generator, dtype=torch.float64))
    actions = 0.3 * torch.randn(count, system.action_space.shape[0], generator=generator, dtype=torch.float64)
    for _ in range(30):
        states = system.step(states, actions)[0]
    return states, actions


@pytest.mark.parametrize("name", [*SMOOTH, *STEPPED])
def test_the_derivative_of_a_step_is_that_of_finite_differences(name):
    system = system_of(name)
    states, actions = (x.requires_grad_() for x in somewhere(system))
    assert torch.autograd.gradcheck(system.step, (states, actions))
    assert torch.autograd.gradcheck(system.observe, (states,))


def test_the_pushed_box_was_in_contact():
    states, _ = somewhere(system_of("pushing"))
    assert (states[:, 0] > states[:, 1]).any()
    assert (states[:, 0] < states[:, 1]).any()


def rates(system: System, seconds: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Positions, speeds, accelerations and actions; a step changes the speeds first."""
    states, actions = somewhere(system)
    after, _ = system.step(states, actions)
    pairs = [(state[..., ::2], state[..., 1::2]) for state in (states, after)]
    if isinstance(system, double_pendulum.DoublePendulum | pushing.Pushing | spring_chain.SpringChain):
        pairs = [state.chunk(2, -1) for state in (states, after)]
    (positions, speeds), (_, later) = pairs
    return positions, speeds, (later - speeds) / seconds, actions


def power(energy, positions: Tensor, speeds: Tensor, accelerations: Tensor) -> Tensor:
    """d energy / dt."""
    return torch.func.jvp(energy, (positions, speeds), (speeds, accelerations))[1]


def test_a_pendulum_gains_the_energy_that_its_torque_adds():
    q, v, a, action = rates(system_of("pendulum_swing_up"), pendulum.SECONDS)
    gained = power(lambda q, v: (0.5 * v.square() + pendulum.GRAVITY * q.cos()).sum(-1), q, v, a)
    torch.testing.assert_close(gained, ((pendulum.TORQUE * action - pendulum.FRICTION * v) * v).sum(-1))


def test_a_cart_with_a_pole_gains_the_energy_that_its_force_adds():
    q, v, a, action = rates(system_of("cartpole_swing_up"), cartpole.SECONDS)

    def energy(q: Tensor, v: Tensor) -> Tensor:
        angle, (cart, turn) = q[..., 1], v.unbind(-1)
        length = cartpole.HALF_LENGTH
        across, down = cart + length * turn * angle.cos(), length * turn * angle.sin()
        of_pole = across.square() + down.square() + (length * turn).square() / 3
        height = cartpole.GRAVITY * length * angle.cos()
        return 0.5 * cartpole.CART * cart.square() + cartpole.POLE * (0.5 * of_pole + height)

    force = cartpole.FORCE * action[..., 0] - cartpole.FRICTION * v[..., 0]
    torch.testing.assert_close(power(energy, q, v, a), force * v[..., 0])


def test_a_double_pendulum_gains_the_energy_that_its_torques_add():
    q, v, a, action = rates(system_of("double_pendulum"), double_pendulum.SECONDS)

    def energy(q: Tensor, v: Tensor) -> Tensor:
        (first, second), (turn, other) = q.unbind(-1), v.unbind(-1)
        of_second = turn.square() + other.square() + 2 * turn * other * (first - second).cos()
        height = -2 * first.cos() - second.cos()
        return 0.5 * turn.square() + 0.5 * of_second + double_pendulum.GRAVITY * height

    torch.testing.assert_close(power(energy, q, v, a), (double_pendulum.TORQUE * action * v).sum(-1))


def test_a_push_gains_the_energy_that_its_force_adds_less_the_friction():
    system = system_of("pushing")
    q, v, a, action = rates(system, pushing.SECONDS)

    def energy(q: Tensor, v: Tensor) -> Tensor:
        depth = (q[..., 0] - q[..., 1]).relu()
        return 0.5 * v.square().sum(-1) + 0.5 * system.stiffness * depth.square()

    added = pushing.FORCE * action[..., 0] * v[..., 0] - pushing.FRICTION * v[..., 1].square()
    torch.testing.assert_close(power(energy, q, v, a), added)


def test_a_chain_of_springs_gains_the_energy_that_its_forces_add():
    q, v, a, action = rates(system_of("spring_chain"), spring_chain.SECONDS)

    def energy(q: Tensor, v: Tensor) -> Tensor:
        stretched = torch.nn.functional.pad(q, (1, 1)).diff(dim=-1)
        return 0.5 * v.square().sum(-1) + 0.5 * spring_chain.STIFFNESS * stretched.square().sum(-1)

    torch.testing.assert_close(power(energy, q, v, a), (action * v).sum(-1))


@pytest.mark.parametrize("masses", [1, 3])
def test_no_actions_bring_a_chain_to_rest_at_a_lower_cost_than_those_of_riccati(masses):
    system = system_of("spring_chain", f"env.masses={masses}")
    states = initial_states(system).double()
    found, _ = gains(system)

    def mean_return(changed: int, change: Tensor | float) -> Tensor:
        at, total = states, torch.zeros(len(states), dtype=torch.float64)
        for step, gain in enumerate(found):
            at, rewards = system.step(at, -at @ (gain + change * (step == changed)).T)
            total = total + rewards
        return total.mean()

    best = mean_return(0, 0.0)
    torch.testing.assert_close(best, torch.tensor(optimal_return(system, states), dtype=torch.float64))
    assert best > idle_return(system, states)
    generator = torch.Generator().manual_seed(1)
    for changed in (0, 10, 49):
        change = 0.01 * torch.randn(found[0].shape, generator=generator, dtype=torch.float64)
        slope = torch.autograd.functional.jacobian(lambda each, at=changed: mean_return(at, each), 0 * change)
        assert slope.abs().max() < 1e-9, "the gains are stationary"
        assert mean_return(changed, change) < best


def test_a_pusher_that_does_not_touch_the_box_does_not_move_it():
    states, _ = system_of("pushing").step(torch.tensor([0.0, 0.1, 1.0, 0.0]), torch.zeros(1))
    assert states[3] == 0
    assert states[1] == torch.tensor(0.1)


def flown(angle: float) -> float:
    """Where a ball comes to rest, from many short steps of its flight."""
    seconds, (x, y) = 1e-5, (0.0, 0.0)
    across, up = ball_wall.SPEED * math.cos(angle), ball_wall.SPEED * math.sin(angle)
    while y >= 0:
        x, y = x + seconds * across, y + seconds * (up - 0.5 * ball_wall.GRAVITY * seconds)
        up -= ball_wall.GRAVITY * seconds
        if x >= ball_wall.WALL and x - seconds * across < ball_wall.WALL and y < ball_wall.HEIGHT:
            return ball_wall.WALL
    return x


@pytest.mark.parametrize("degrees", [5, 14, 16, 40, 49, 51, 60, 70, 72, 80, 88])
def test_a_ball_comes_to_rest_where_it_flies_to(degrees):
    system, angle = system_of("ball_wall"), math.radians(degrees)
    _, distance = system.step(torch.ones(1, 1).double(), torch.tensor([[angle]]).double())
    assert distance.item() == pytest.approx(flown(angle), abs=2e-3)


@pytest.mark.parametrize("name", OPTIONS)
def test_an_episode_has_the_length_of_the_horizon_and_ends_as_the_task_says(name):
    option = check(composed(f"env={name}")).env
    env, action = option.single(), np.zeros(option.system.action_space.shape, np.float32)
    observation, _ = env.reset(seed=3)
    assert env.observation_space.contains(observation)
    ends = [env.step(action)[2:4] for _ in range(option.system.horizon)]
    terminates = option.system.terminates
    assert ends == [(False, False)] * (option.system.horizon - 1) + [(terminates, not terminates)]


@pytest.mark.parametrize("name", OPTIONS)
def test_systems_side_by_side_move_as_each_by_itself(name):
    option = check(composed(f"env={name}")).env
    together, seeds = option.make([0], 3), [7, 8, 9]
    actions = np.random.default_rng(0).normal(0, 0.5, (4, 3, *option.system.action_space.shape)).astype(np.float32)
    shown = [together.reset(seed=seeds)[0], *(together.step(action)[0] for action in actions)]
    for index, seed in enumerate(seeds):
        alone = option.single()
        expected = [alone.reset(seed=seed)[0], *(alone.step(action[index])[0] for action in actions)]
        np.testing.assert_allclose([each[index] for each in shown], expected, rtol=1e-5, atol=1e-6)


def test_systems_that_are_held_or_over_stand_still_without_reward():
    env = DifferentiableVectorEnv(system_of("pushing"), 3)
    env.reset(seed=[1, 2, 3], options={"reset_mask": np.array([True, True, False])})
    env.hold(np.array([True, False, False]))
    before, (after, rewards, terminated, _, _) = env.states.clone(), env.step(np.ones((3, 1), np.float32))
    assert (env.states == before).all(1).tolist() == [True, False, True]
    assert (rewards != 0).tolist() == [False, True, False]
    for _ in range(99):
        assert not terminated.any()
        after, rewards, terminated, _, _ = env.step(np.ones((3, 1), np.float32))
    assert terminated.tolist() == [False, True, False]
    again, rewards, terminated, _, _ = env.step(np.ones((3, 1), np.float32))
    assert (again == after).all()
    assert not rewards.any()
    assert not terminated.any()


ALGORITHMS = {
    "reinforce": ("collect.episodes=3", "normalization=none"),
    "ppo": ("algorithm=ppo", "collect.num_steps=32"),
    "pathwise": ("algorithm=pathwise", "collect.num_envs=3"),
    "pathwise_episodes": (
        *("algorithm=pathwise", "collect=episodes", "collect.episodes=3", "returns=reward_to_go", "baseline=none"),
    ),
    "mixed": ("algorithm=mixed", "collect.episodes=3"),
}  # fmt: skip


SHORT = {"double_pendulum": ("env.horizon=9",)}
PAIRS = [(name, algorithm) for name in (*STEPPED, *SHORT) for algorithm in ALGORITHMS]


@pytest.mark.parametrize(("name", "algorithm"), [*PAIRS, *((name, "ppo") for name in SMOOTH[:4])])
def test_every_algorithm_learns_from_a_differentiable_environment(name, algorithm):
    run = make_run(
        f"env={name}", *SHORT.get(name, ()), "num_seeds=2", "policy.hidden=8", "policy.layers=1", *ALGORITHMS[algorithm]
    )
    before = [p.clone() for p in run.agent.policy.parameters()]
    metrics = one_update(run)
    assert all(values.isfinite().all() for key, values in metrics.items() if key != "explained_variance")
    moved = any((a != b).any() for a, b in zip(before, run.agent.policy.parameters(), strict=True))
    assert moved or name == "heaviside", "the derivative of a step function is 0"


def test_a_contact_that_is_too_stiff_for_the_step_is_refused():
    with pytest.raises(UserError, match=r"env.stiffness=6000: expected a number above 0 and at most 5000.*is 5000"):
        check(composed("env=pushing", "env.stiffness=6000"))


def test_there_is_no_picture():
    with pytest.raises(UserError, match="env=heaviside: has no pictures"):
        check(composed("env=heaviside")).env.single("rgb_array")
