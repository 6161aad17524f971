"""baseline=shared_value: V(s) is a linear map of the policy's last hidden layer, trained together with the policy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pg_experiments.run.run import Run
from pg_experiments.tensors.rollout import Rollout
from pg_experiments.tensors.stacked_gru import BoundGRU
from tests.conftest import composed, make_run
from tests.reference_loop import ACTIVATIONS, Perceptron, assert_same, stacked_form
from tests.test_actor_critic import are_equal, learned, parameters
from tests.test_actor_critic_loop import Loop

SHARED = "baseline=shared_value"
FRAGMENTS = ("collect.num_envs=3", "collect.num_steps=12", "env.max_episode_steps=15", "policy.hidden=8")
PLAIN = ("algorithm=a2c", SHARED, *FRAGMENTS, "policy.dropout=0.5")
A2C = (*PLAIN, "optimizer.epsilon=0.001")
SGD = (*PLAIN, "optimizer=sgd", "optimizer.learning_rate=1", "optimizer.max_grad_norm=null")


def by_hand(run: Run, learner: int, observations: Tensor) -> Tensor:
    """V(s) of observations [..., D] in float64: all layers of the policy but the last, and then the linear map."""
    network, output = run.agent.policy.network, run.agent.critic.network.output
    units = observations.double()
    for layer in range(len(network.weights) - 1):
        units = units @ network.weights[layer][learner].double()
        if network.biases is not None:
            units = units + network.biases[layer][learner].double()
        units = ACTIVATIONS[network.activation](units)
    values: Tensor = units @ output.weights[0][learner].double() + output.biases[0][learner].double()
    return values.squeeze(-1)


@pytest.mark.parametrize(
    "policy",
    [
        ("policy.activation=relu",),
        ("policy.layers=2", "policy.activation=tanh"),
        ("policy.layers=2", "policy.bias=false"),
    ],
)
def test_values_are_a_linear_map_of_the_last_hidden_layer_without_the_dropout_of_the_policy(policy):
    run = make_run(*A2C, *policy, "num_seeds=2")
    learned(run, 2)
    rollout = run.collector.collect(2, np.arange(2))
    assert rollout.dropout_masks is not None
    assert not rollout.dropout_masks.all()
    values, predicted = run.agent.critic.state_values(rollout), run.agent.critic.predict(rollout, rollout.flat)
    for learner in range(2):
        expected = by_hand(run, learner, rollout.observations[:, learner]).detach().float()
        torch.testing.assert_close(values[:, learner], expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(predicted[learner].detach(), expected.flatten(), rtol=1e-4, atol=1e-5)


def test_the_policy_has_the_parameters_that_it_has_with_a_value_of_its_own_and_the_baseline_has_the_linear_map():
    shared, own = make_run(*A2C, "num_seeds=2"), make_run(*A2C, "baseline=value", "num_seeds=2")
    ours, theirs = shared.agent.policy.state_dict(), own.agent.policy.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(values, theirs[name]) for name, values in ours.items())
    shapes = {name: tuple(values.shape) for name, values in shared.agent.critic.state_dict().items()}
    assert shapes == {"network.output.weights.0": (2, 8, 1), "network.output.biases.0": (2, 1, 1)}
    assert not torch.equal(*shared.agent.critic.network.output.weights[0].detach()), "each seed has its own"


def test_the_loss_of_the_value_changes_the_hidden_layers_of_the_policy_and_the_linear_map():
    """Of two coefficients, the difference between the steps of SGD is the gradient of the squared error alone."""
    moves = []
    for coefficient in (0.5, 1.5):
        run = make_run(*SGD, f"baseline.loss_coefficient={coefficient}", "num_seeds=2")
        rollout = run.collector.collect(0, np.arange(2))
        returns = run.agent.credit(rollout).returns
        errors = [by_hand(run, r, rollout.observations[:, r]) - returns[:, r].double() for r in range(2)]
        named = [(n, p) for module in run.agent.modules.values() for n, p in module.named_parameters()]
        loss = sum(error.square().mean() for error in errors)
        gradients = torch.autograd.grad(loss, [p for _, p in named], allow_unused=True, materialize_grads=True)
        before = parameters(run)
        run.learn(rollout, np.arange(2))
        moves.append([after - old for after, old in zip(parameters(run), before, strict=True)])
    last = len(run.agent.policy.network.weights) - 1
    of_policy_alone = {f"network.weights.{last}", f"network.biases.{last}"}
    for (name, _), gradient, small, large in zip(named, gradients, *moves, strict=True):
        torch.testing.assert_close(large - small, -gradient, rtol=1e-3, atol=1e-4, msg=name)
        assert bool(gradient.any()) == (name not in of_policy_alone), name


def test_the_optimizer_of_the_policy_trains_the_linear_map_and_clips_both_by_one_norm():
    run = make_run(*SGD, "optimizer.max_grad_norm=0.01")
    assert run.agent.critic.optimizer is None
    assert [name for name in run.agent.optimizer.parameters if name.startswith("baseline")] == [
        "baseline.network.output.weights.0",
        "baseline.network.output.biases.0",
    ]
    before = parameters(run)
    learned(run, 1)
    moves = [after - old for after, old in zip(parameters(run), before, strict=True)]
    assert all(move.any() for move in moves[-2:])
    assert float(torch.cat([move.flatten() for move in moves]).norm()) == pytest.approx(0.01, rel=1e-3)


SMALL = ("env=pendulum", SHARED, *FRAGMENTS, "num_seeds=2")
PENDULUM = (*SMALL, "algorithm=a2c", "algorithm.entropy_bonus=0.5", "baseline.loss_coefficient=0.5")
PLAIN_STEP = ("optimizer=sgd", "optimizer.learning_rate=0.001", "optimizer.max_grad_norm=null")
GAUSSIANS = {
    f"{policy}, {std}": (*PENDULUM, *PLAIN_STEP, f"policy={policy}", "policy.hidden=8", f"policy.std={std}")
    for policy in ("mlp", "gru")
    for std in ("state_independent", "state_dependent")
}


@pytest.mark.parametrize("overrides", GAUSSIANS.values(), ids=GAUSSIANS)
def test_a_gaussian_policy_shares_its_layers_and_a_step_is_the_gradient_of_both_losses(overrides):
    """That of automatic differentiation, from separate evaluations of the policy and of V(s)."""
    run = make_run(*overrides)
    agent, rollout = run.agent, run.collector.collect(0, np.arange(2))
    assert (float(agent.settings.entropy_bonus), agent.critic.settings.loss_coefficient) == (0.5, 0.5)
    credit, flat = agent.credit(rollout), rollout.flat
    observations = flat.gather(rollout.observations)
    noise = None if rollout.dropout_masks is None else flat.gather(rollout.dropout_masks)
    at = agent.policy.distribution(agent.policy.bind()(observations, noise))
    values = agent.critic.network.bind()(observations).squeeze(-1)
    surrogate = -flat.gather(credit.advantages) * at.log_prob(flat.gather(rollout.actions)) - 0.5 * at.entropy
    squared = (values - flat.gather(credit.returns)).square()
    steps = flat.valid.sum(1)
    loss = ((surrogate + 0.5 * squared) * flat.valid).sum(1) / steps
    named = [(n, p) for module in agent.modules.values() for n, p in module.named_parameters()]
    gradients = torch.autograd.grad(loss.sum(), [p for _, p in named])
    before = parameters(run)
    run.learn(rollout, np.arange(2))
    for (name, _), gradient, after, old in zip(named, gradients, parameters(run), before, strict=True):
        assert gradient.any(), name
        torch.testing.assert_close((old - after) / 0.001, gradient, rtol=1e-2, atol=2e-2, msg=name)


@pytest.mark.parametrize(
    "overrides",
    [("policy.std=state_independent",), ("policy.std=state_dependent",), ("normalization.observations=running",)],
    ids=" ".join,
)
def test_policy_and_value_take_one_evaluation_of_a_recurrent_network_in_a_gradient_step(overrides, monkeypatch):
    run = make_run(*PENDULUM, "policy=gru", "policy.hidden=8", *overrides)
    rollout = run.collector.collect(0, np.arange(2))
    calls, features = [], BoundGRU.features
    monkeypatch.setattr(BoundGRU, "features", lambda *given: calls.append(given) or features(*given))
    run.agent.credit(rollout)
    of_credit = len(calls)
    run.learn(rollout, np.arange(2))
    assert len(calls) == 2 * of_credit + 1


class SharedValue(nn.Module):
    """V(s) of one learner; the parameters of the policy are not counted as its own."""

    def __init__(self, policy: Perceptron, output: Perceptron) -> None:
        super().__init__()
        self._policy, self.output = [policy], output

    def forward(self, x: Tensor) -> Tensor:
        (policy,) = self._policy
        for layer in policy.layers[:-1]:
            x = policy.activation(layer(x))
        values: Tensor = self.output(x)
        return values


class SharedLoop(Loop):
    """The naive loop, with a shared value."""

    def __init__(self, config: dict[str, Any], run: Run, learner: int) -> None:
        super().__init__(config | {"baseline": config["baseline"] | {"learning_rate": None}}, run, learner)

    def value_network(self, run: Run, learner: int) -> nn.Module:
        return SharedValue(self.policy, Perceptron(run.agent.critic.network.output, learner, "relu", 0.0))


LOOPS = {
    "a2c": (*A2C, "algorithm.entropy_bonus=0.02"),
    "ppo": (
        *("algorithm=ppo", SHARED, *FRAGMENTS, "algorithm.num_minibatches=3", "algorithm.epochs=2"),
        *("policy.layers=2", "policy.activation=tanh", "baseline.clip_range=0.3", "optimizer.epsilon=0.001"),
    ),
}


@pytest.mark.parametrize("overrides", LOOPS.values(), ids=LOOPS)
def test_updates_with_a_shared_value_are_those_of_a_naive_loop(overrides):
    overrides = (*overrides, "num_seeds=2", "seed=5", "env.max_steps=5000")
    run, config = make_run(*overrides), composed(*overrides)
    loops = [SharedLoop(config, run, learner) for learner in range(2)]
    for update in range(4):
        rollout: Rollout = run.collector.collect(update, np.arange(2))
        metrics = run.learn(rollout, np.arange(2)).metrics
        for learner, loop in enumerate(loops):
            expected = loop.update(rollout, learner)
            run.accounts.seeds[learner].env_steps = loop.steps_done
            network, where = run.agent.policy, f"update {update}, learner {learner}"
            after = {name: values.detach()[learner] for name, values in network.named_parameters()}
            assert_same(after, stacked_form(loop.policy, "data"), f"{where}: the policy")
            output = stacked_form(loop.value.output, "data")
            ours = run.agent.critic.state_dict()
            found = {name: ours[name.replace("network", "network.output")][learner] for name in output}
            assert_same(found, output, f"{where}: the linear map")
            assert {n: float(v[learner]) for n, v in metrics.items()} == pytest.approx(expected, rel=1e-3, abs=1e-5)


def test_learners_that_continue_after_others_have_stopped_share_their_own_layers():
    """The first and the third of three, as if the second still learned."""
    whole, some = (make_run(*A2C, "num_seeds=3") for _ in range(2))
    second = parameters(some, 1)
    learned(whole, 3), learned(some, 3, active=[0, 2])
    assert are_equal(parameters(some, 1), second)
    for learner in (0, 2):
        for ours, theirs in zip(parameters(some, learner), parameters(whole, learner), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_a_learner_whose_value_breaks_changes_no_bit_of_its_neighbours():
    run, intact = make_run(*A2C, "num_seeds=3"), make_run(*A2C, "num_seeds=3")
    before = parameters(run, 1)
    rollout = run.collector.collect(0, np.arange(3))
    rollout.rewards[3, 1] = torch.nan
    assert list(run.learn(rollout, np.arange(3)).broken) == [1]
    learned(intact, 1)
    assert are_equal(parameters(run, 1), before)
    for neighbour in (0, 2):
        assert are_equal(parameters(run, neighbour), parameters(intact, neighbour))
