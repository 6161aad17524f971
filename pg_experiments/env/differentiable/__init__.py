"""Environments in pure torch, through which an algorithm can backpropagate. They work with every algorithm."""

from pg_experiments.env.differentiable.ball_wall import BallWallEnv
from pg_experiments.env.differentiable.cartpole import CartPoleSwingUp
from pg_experiments.env.differentiable.double_pendulum import DoublePendulumEnv
from pg_experiments.env.differentiable.heaviside import HeavisideEnv
from pg_experiments.env.differentiable.option import DifferentiableEnv
from pg_experiments.env.differentiable.pendulum import PendulumSwingUp
from pg_experiments.env.differentiable.pushing import PushingEnv
from pg_experiments.env.differentiable.spring_chain import SpringChainEnv
from pg_experiments.env.differentiable.vector import DifferentiableVectorEnv

__all__ = ["OPTIONS", "DifferentiableEnv", "DifferentiableVectorEnv"]

OPTIONS: dict[str, type[DifferentiableEnv]] = {
    option.label: option
    for option in (
        *(PendulumSwingUp, CartPoleSwingUp, SpringChainEnv),
        *(HeavisideEnv, BallWallEnv, PushingEnv, DoublePendulumEnv),
    )
}
