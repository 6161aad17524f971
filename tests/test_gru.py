"""policy=gru: it computes torch.nn.GRU, and its state follows each episode through batches, ends and resuming."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pg_experiments
from pg_experiments.run.run import Run
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.rollout import Rollout
from pg_experiments.tensors.sequences import BLOCK, Sequences
from pg_experiments.tensors.stacked_gru import StackedGRU
from pg_experiments.tensors.streams import Purpose
from tests.conftest import make_run, one_update, total_loss
from tests.recall_env import ID
from tests.saved_runs import save_run

R, E, T, D, S, K = 3, 2, BLOCK + 5, 4, 8, 3
SMALL = ("policy=gru", "policy.hidden=8", "num_seeds=2", "env.max_episode_steps=13")
PPO = (*SMALL, "algorithm=ppo", "baseline=shared_value", "collect.num_envs=4", "collect.num_steps=10")
A2C = (*SMALL, "algorithm=a2c", "baseline=shared_value", "collect.num_envs=4", "collect.num_steps=10")


def stacked() -> StackedGRU:
    network = StackedGRU(R, D, K, hidden=S).double()
    network.initialise(Learners(range(R)), Purpose.POLICY_PARAMETERS, "torch", 1.0)
    return network


def torch_gru(network: StackedGRU, learner: int) -> tuple[nn.GRU, nn.Linear]:
    """The same learner as modules of torch."""
    gru, output = nn.GRU(D, S).double(), nn.Linear(S, network.outputs).double()
    with torch.no_grad():
        for theirs, ours in (
            (gru.weight_ih_l0, network.of_input[learner].T),
            (gru.bias_ih_l0, network.input_bias[learner, 0]),
            (gru.weight_hh_l0, network.of_state[learner].T),
            (gru.bias_hh_l0, network.state_bias[learner, 0]),
            (output.weight, network.output[learner].T),
            (output.bias, network.output_bias[learner, 0]),
        ):
            theirs.copy_(ours)
    return gru, output


def by_torch(gru: nn.GRU, output: nn.Linear, x: Tensor, state: Tensor, fresh: Tensor) -> Tensor:
    """Outputs [T, E, K], one step after another, with the state 0 where an episode begins."""
    found, h = [], state[None]
    for t in range(len(x)):
        features, h = gru(x[t : t + 1], h * ~fresh[t][None, :, None])
        found.append(output(features[0]))
    return torch.stack(found)


def test_learner_k_of_a_stack_is_torchs_gru_and_so_are_its_gradients_through_time_and_ends():
    network, generator = stacked(), torch.Generator().manual_seed(0)
    x = torch.randn(R, T * E, D, generator=generator, dtype=torch.float64)
    states = torch.randn(R, E, S, generator=generator, dtype=torch.float64)
    fresh = torch.rand(R, T, E, generator=generator) < 0.1
    weights = torch.randn(R, T * E, K, generator=generator, dtype=torch.float64)
    outputs = network.bind()(Sequences(x, states, fresh))
    (outputs * weights).sum().backward()
    with torch.no_grad():
        torch.testing.assert_close(network.bind()(Sequences(x, states, fresh)), outputs.detach())
    for k in range(R):
        gru, output = torch_gru(network, k)
        expected = by_torch(gru, output, x[k].view(T, E, D), states[k], fresh[k])
        torch.testing.assert_close(outputs[k].view(T, E, K), expected)
        (expected * weights[k].view(T, E, K)).sum().backward()
        for ours, theirs in (
            (network.of_input, gru.weight_ih_l0.grad.T),
            (network.input_bias, gru.bias_ih_l0.grad[None]),
            (network.of_state, gru.weight_hh_l0.grad.T),
            (network.state_bias, gru.bias_hh_l0.grad[None]),
            (network.output, output.weight.grad.T),
            (network.output_bias, output.bias.grad[None]),
        ):
            torch.testing.assert_close(ours.grad[k], theirs)


def test_the_compiled_loops_compute_what_torchs_operations_do():
    network, generator = stacked(), torch.Generator().manual_seed(1)
    x, states = torch.randn(R, T * E, D, generator=generator), torch.randn(R, E, S, generator=generator)
    fresh = torch.rand(R, T, E, generator=generator) < 0.1
    found = []
    for dtype in (torch.float64, torch.float32):
        network.to(dtype).zero_grad()
        outputs = network.bind()(Sequences(x.to(dtype), states.to(dtype), fresh))
        outputs.square().sum().backward()
        found.append([outputs.detach(), *(p.grad for p in network.parameters())])
    for slow, fast in zip(*found, strict=True):
        torch.testing.assert_close(fast.double(), slow.double(), rtol=1e-4, atol=1e-4)


def outputs_of(run: Run, rollout: Rollout) -> Tensor:
    """[T, R, E, K], from all columns at once, as in learning."""
    flat = rollout.flat
    outputs = run.agent.policy.bind(rollout.learners)(flat.gather(rollout.observations)).detach()
    return torch.stack([flat.scatter(outputs[..., k]) for k in range(outputs.shape[-1])], -1)


def with_outputs(run: Run) -> Run:
    """The run with a collector that keeps the outputs of acting."""
    collect, env = run.config.collect, run.config.env
    run.collector = collect.build(run.env, run.agent.policy, run.learners, env=env, device=run.device, keep_graph=True)
    return run


@pytest.mark.parametrize("overrides", [PPO, SMALL], ids=["steps", "episodes"])
def test_learning_computes_what_acted_across_ends_and_batches(overrides):
    run = with_outputs(make_run(*overrides))
    ends = 0
    for update in range(4):
        rollout = run.collector.collect(update, np.arange(2))
        assert rollout.outputs is not None
        expected = torch.where(rollout.mask[..., None], rollout.outputs.detach(), 0.0)
        torch.testing.assert_close(outputs_of(run, rollout), expected, rtol=1e-4, atol=1e-6)
        ends += int((rollout.terminated | rollout.truncated)[:-1].sum())
    assert ends


def test_the_values_where_the_data_is_cut_are_those_of_the_state_with_which_the_episode_would_go_on():
    run = make_run(*PPO)
    seen = {(r, e): [] for r in range(2) for e in range(4)}  # observations of the episode under way
    network, output = run.agent.policy.network, run.agent.critic.network.output
    checked = 0
    for update in range(3):
        rollout = run.collector.collect(update, np.arange(2))
        values = run.agent.critic.state_values(rollout)
        after = run.agent.critic.next_values(rollout, values)
        finals = rollout.at_finals(rollout.finals.observations.observations[..., 0])
        for r, e in seen:
            gru, _ = torch_gru(network, r)
            linear = [part.double()[r] for part in (output.weights[0], output.biases[0])]
            for t in range(10):
                seen[r, e].append(rollout.observations.observations[t, r, e].double())
                if rollout.cuts[t, r, e]:
                    place = int((rollout.finals.positions[r] == (t * 2 + r) * 4 + e).nonzero()[0])
                    final = rollout.finals.observations.observations[r, place].double()
                    assert final[0].float() == finals[t, r, e]
                    h = gru(torch.stack([*seen[r, e], final]))[0][-1]
                    expected = (h @ linear[0] + linear[1]).item()
                    assert float(after[t, r, e]) == pytest.approx(expected, rel=1e-4, abs=1e-5)
                    checked += 1
                if rollout.terminated[t, r, e] or rollout.truncated[t, r, e]:
                    seen[r, e] = []
    assert checked > 24


def test_a_gradient_through_the_kept_graph_is_that_of_the_recomputed_outputs():
    losses = {}
    for kept in ("recomputed", "stored"):
        run = make_run(*SMALL, f"algorithm.log_probs={kept}")
        rollout = run.collector.collect(0, np.arange(2))
        total_loss(
            run.agent, rollout, torch.randn(rollout.mask.shape, generator=torch.Generator().manual_seed(0))
        ).sum().backward()
        losses[kept] = [p.grad.clone() for p in run.agent.policy.parameters()]
    for a, b in zip(*losses.values(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_mini_batches_have_whole_columns_and_every_column_once():
    run = make_run(*PPO, "algorithm.num_minibatches=2", "algorithm.epochs=3")
    rollout = run.collector.collect(0, np.arange(2))
    parts = list(run.agent._minibatches(rollout))
    assert len(parts) == 6
    for first, second in zip(parts[::2], parts[1::2], strict=True):
        for r in range(2):
            columns = [part.positions[r].view(10, 2) for part in (first, second)]
            for column in columns:
                assert torch.equal(column, column[0] + torch.arange(10)[:, None] * 8)
            assert sorted(torch.cat(columns, 1)[0].tolist()) == [r * 4 + e for e in range(4)]
    orders = {tuple(part.positions[r, :2].tolist()) for part in parts for r in range(2)}
    assert len(orders) > 4, "each learner and epoch has an order of its own"


@pytest.mark.parametrize("overrides", [PPO, A2C, SMALL], ids=["ppo", "a2c", "reinforce"])
def test_a_learner_learns_the_same_bits_beside_any_other_learners(overrides):
    one, other = make_run(*overrides, "seed=3"), make_run(*overrides, "seed=4")  # seeds 3, 4 and 4, 5
    for update in range(3):
        one_update(one, update), one_update(other, update)
    for a, b in zip(one.agent.policy.parameters(), other.agent.policy.parameters(), strict=True):
        assert torch.equal(a[1], b[0])


RESTORED = {
    "compiled": PPO,
    "gymnasium": (*PPO, "env=gymnasium", f"env.id={ID}", "env.threshold=1", "collect.num_steps=9"),
    "episodes": SMALL,
    "a3c": (*A2C, "algorithm=a3c", "algorithm.workers=2"),
}


@pytest.mark.parametrize("overrides", RESTORED.values(), ids=RESTORED)
def test_a_restored_run_continues_with_the_same_bits(overrides):
    run, again = make_run(*overrides), make_run(*overrides)
    for update in range(3):
        one_update(run, update)
    again.restore(run.state() | {"update": 3})
    ours, theirs = (each.collector.collect(3, np.arange(2)) for each in (run, again))
    assert torch.equal(ours.observations.states, theirs.observations.states)
    assert torch.equal(ours.actions, theirs.actions)
    assert overrides is SMALL or ours.observations.states.any()
    run.learn(ours, np.arange(2)), again.learn(theirs, np.arange(2))
    for a, b in zip(run.agent.policy.parameters(), again.agent.policy.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("env=pong",), "games that span batches"),
        (("algorithm=ppo",), "baseline=shared_value"),
        ((*PPO, "algorithm.num_minibatches=3", "collect.num_envs=8", "collect.num_steps=12"), "the nearest is 1"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(overrides, message):
    with pytest.raises(UserError, match=message) as error:
        make_run("policy=gru", *overrides)
    assert "\n" not in str(error.value)


def test_a_loaded_run_remembers_an_episode_until_it_is_reset(tmp_path):
    path = save_run(tmp_path / "run", *SMALL, "env.max_episodes=20")
    run = pg_experiments.load_run(path)
    observations = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)

    def probabilities() -> list[np.ndarray]:
        found = []
        for observation in observations:
            found.append(run.probabilities(observation))
            run.policy(observation)
        return found

    first, second = probabilities(), probabilities()
    assert not np.array_equal(first, second)
    run.reset()
    assert np.array_equal(first, probabilities())
    with pytest.raises(ValueError, match="reset"):
        run.policy(observations)
    run.reset()
    assert run.policy(observations).shape == (5,)
