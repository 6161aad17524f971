"""Pathwise (first-order) gradients: derivatives of returns through actions, states and rewards."""

from __future__ import annotations

import torch
from torch import Tensor

from pg_experiments.algorithm.scores import output_gradients
from pg_experiments.policy.policy import Policy
from pg_experiments.returns.recursion import discount_weights
from pg_experiments.tensors.rollout import Rollout


def returns_in_graph(rollout: Rollout, discount: Tensor, values: Tensor | None = None) -> Tensor:
    """Σ_t γ^t r_t + γ^h V(s_h) of each column, with its graph, [R, E].

    A column that holds pieces of several episodes has the sum over pieces, each discounted from its first step; h is
    the number of steps of a piece (Xu et al. 2022, arXiv 2204.07137, equation 5).

    Args:
        rollout: a batch with `graph`.
        discount: [R] γ.
        values: [T, R, E] V of the state after each step at which the data is cut, 0 elsewhere; None for 0 everywhere.
    """
    assert rollout.graph is not None, "the agent says that it needs the graph"
    rewards = rollout.graph.rewards
    if values is not None:
        rewards = rewards + discount[:, None].to(rewards) * values
    return (discount_weights(rollout, discount).to(rewards) * rewards).sum(0)


def adjoints(
    rollout: Rollout, discount: Tensor, values: Tensor | None = None, *, keep_graph: bool = False
) -> tuple[Tensor, Tensor]:
    """The returns of each column, and their derivatives by the outputs of the policy network.

    λ_t = dG_e / do_t has all effects of the output o_t on later states and actions (Werbos 1990). As columns share no
    states, one backward pass of the sum over columns gives the λ of each. The derivative of G_e by the parameters θ is
    then Σ_t λ_t · ∂o_t / ∂θ, in which observations are constants.

    Arguments as in `returns_in_graph`. The graph is freed unless `keep_graph`.

    Returns:
        G [R, E] and λ [T, R, E, K].
    """
    assert rollout.graph is not None, "the agent says that it needs the graph"
    returns = returns_in_graph(rollout, discount, values)
    found = torch.autograd.grad(returns.sum(), rollout.graph.outputs, retain_graph=keep_graph)
    return returns.detach(), torch.stack(found)


def pathwise_gradients(policy: Policy, rollout: Rollout, discount: Tensor, values: Tensor | None = None) -> Tensor:
    """The derivative of `returns_in_graph` of each column by the policy's parameters, for the current parameters.

    Arguments as in `returns_in_graph`. The graph is kept.

    Returns:
        [R, E, P], in the order of `episode_gradients`, which estimate the same for whole episodes.
    """
    return output_gradients(policy, rollout, adjoints(rollout, discount, values, keep_graph=True)[1])
