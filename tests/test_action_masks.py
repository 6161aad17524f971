"""Actions that an environment forbids: never taken, of probability 0, and nothing is learned from them."""

from __future__ import annotations

import dataclasses

import gymnasium
import numpy as np
import pytest
import torch

import pg_experiments
from pg_experiments.env.vector import StandingSyncVectorEnv
from pg_experiments.evaluation.episodes import play
from pg_experiments.policy.heads import Categorical
from pg_experiments.policy.policy import Policy
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.stacked import StackedMLP
from pg_experiments.tensors.streams import episode_seeds
from tests.conftest import make_run, one_update, reinforce, total_loss
from tests.masked_env import ACTIONS, ID, Scripted
from tests.saved_runs import save_run

MASKED = ("env=gymnasium", f"env.id={ID}", "env.max_episodes=40", "num_seeds=3", "policy.hidden=8")
EPISODES, STEPS = (
    (*MASKED, "collect.episodes=4"),
    (*MASKED, "algorithm=a2c", "collect.num_envs=3", "collect.num_steps=7"),
)
PPO = (*STEPS, "algorithm=ppo", "algorithm.num_minibatches=3", "algorithm.entropy_bonus=0.1")
LEARNERS = {
    "recomputed": (*EPISODES, "algorithm.entropy_bonus=0.1"),
    "stored": (*EPISODES, "algorithm.log_probs=stored"),
    "scores": (*EPISODES, "baseline=optimal", "normalization=none"),
    "a2c": STEPS,
    "ppo": PPO,
}


@pytest.fixture(scope="module")
def policy() -> Policy:
    network = StackedMLP(1, 3, ACTIONS, hidden=1, layers=0, activation="relu", bias=False)
    return Policy(network, Categorical(gymnasium.spaces.Discrete(ACTIONS)), observation_shape=(3,))


@pytest.mark.parametrize("overrides", LEARNERS.values(), ids=LEARNERS)
def test_a_forbidden_action_is_never_taken_and_learning_stays_finite(overrides):
    """The environment fails if one is taken. Four updates have about 500 steps, with half of the actions forbidden."""
    run = make_run(*overrides)
    for update in range(4):
        metrics = one_update(run, update)
        assert all(metrics[name].isfinite().all() for name in ("policy_loss", "entropy", "policy_gradient_norm"))
        assert (metrics["entropy"] < 0.9 * np.log(ACTIONS)).all(), "entropies are those over the allowed actions"
    assert all(parameter.isfinite().all() for parameter in run.agent.policy.parameters())


@pytest.mark.parametrize("overrides", [EPISODES, STEPS], ids=["episodes", "steps"])
def test_a_rollout_has_the_masks_that_each_environment_gave(overrides):
    run = make_run(*overrides)
    rollout = run.collector.collect(0, np.arange(3))
    _, R, E = rollout.mask.shape
    for r in range(R):
        for e in range(E):
            env = gymnasium.make(ID)
            _, info = env.reset(seed=episode_seeds(r, 0, E)[e])
            for t in range(len(rollout.mask)):
                if not rollout.mask[t, r, e]:
                    break
                assert rollout.action_masks[t, r, e].tolist() == info["action_mask"].astype(bool).tolist()
                *_, terminated, truncated, info = env.step(rollout.actions[t, r, e].item())
                if terminated or truncated:
                    break


def test_the_policy_is_the_softmax_over_the_allowed_actions(policy):
    outputs = torch.tensor([0.3, -1.0, 2.0, 30.0], dtype=torch.float64, requires_grad=True)
    masks, allowed = torch.tensor([True, False, True, False]), [0, 2]
    ours, theirs = policy.distribution(outputs, masks), Categorical(gymnasium.spaces.Discrete(2)).at(outputs[allowed])
    assert ours.probs[[1, 3]].tolist() == [0.0, 0.0]
    torch.testing.assert_close(ours.probs[allowed], theirs.probs)
    torch.testing.assert_close(ours.entropy, theirs.entropy)
    for of_ours, of_theirs in ((ours.entropy, theirs.entropy), (ours.log_probs[2], theirs.log_probs[1])):
        gradients = [torch.autograd.grad(of, outputs, retain_graph=True)[0] for of in (of_ours, of_theirs)]
        torch.testing.assert_close(*gradients)
    expected = torch.autograd.grad(theirs.log_probs[1] + theirs.entropy, outputs)[0]
    torch.testing.assert_close(ours.log_prob_gradient(torch.tensor(2)) + ours.entropy_gradient(), expected)


def test_the_only_allowed_action_is_taken_with_any_noise(policy):
    """A uniform number of 0 gives a noise of −inf, which would be the lowest of all."""
    uniform = torch.tensor([0.5, 0.5, 0.0, 1 - 2**-24])
    noise, masks = policy.head.noise(uniform), torch.tensor([False, False, True, False])
    assert policy.sample(torch.zeros(ACTIONS), noise, masks).item() == 2
    assert policy.greedy().sample(torch.tensor([5.0, 4.0, -50.0, 6.0]), torch.zeros(ACTIONS), masks).item() == 2


def test_stored_and_recomputed_outputs_have_the_same_gradient_under_masks():
    run = make_run(*EPISODES, "algorithm.log_probs=stored", "policy.dropout=0")
    rollout, policy = run.collector.collect(0, np.arange(3)), run.agent.policy
    agent = reinforce(policy, "collect.episodes=4")
    found = []
    for outputs in (rollout.outputs, None):
        loss = total_loss(agent, dataclasses.replace(rollout, outputs=outputs), rollout.rewards)
        found.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss.sum(), list(policy.parameters()))]))
    torch.testing.assert_close(*found)


def test_log_probabilities_before_the_update_are_those_of_acting():
    run = make_run(*PPO)
    rollout, agent = run.collector.collect(0, np.arange(3)), run.agent
    outputs = agent.policy.bind()(rollout.flat.gather(rollout.observations))
    allowed = torch.where(rollout.flat.gather(rollout.action_masks), outputs, -torch.inf)
    actions = rollout.flat.gather(rollout.actions)[..., None]
    expected = rollout.flat.scatter(allowed.log_softmax(-1).gather(-1, actions)[..., 0])
    torch.testing.assert_close(agent._old_log_probs(rollout), expected)


def test_a_run_that_is_resumed_has_the_same_masks_and_actions():
    whole, resumed = make_run(*STEPS), make_run(*STEPS)
    for update in range(3):
        whole.collector.collect(update, np.arange(3))
    resumed.collector.restore(whole.collector.state())
    ours, theirs = (run.collector.collect(3, np.arange(3)) for run in (resumed, whole))
    assert ours.action_masks.equal(theirs.action_masks)
    assert ours.actions.equal(theirs.actions)


def test_a_loaded_run_takes_a_mask_and_evaluates_with_those_of_its_environment(tmp_path):
    save_run(tmp_path, *EPISODES)
    run = pg_experiments.load_run(tmp_path)
    assert len(play(run, 20, greedy=True).returns) == len(play(run, 20, greedy=False).returns) == 20
    observations, masks = np.zeros((6, 3), np.float32), np.eye(ACTIONS, dtype=np.int8)[[0, 1, 2, 3, 1, 2]]
    for greedy in (True, False):
        assert run.policy(observations, greedy, masks).tolist() == [0, 1, 2, 3, 1, 2]
    assert run.policy(observations[0], action_mask=masks[3]) == 3
    assert np.array_equal(run.probabilities(observations, masks), masks.astype(np.float32))
    for wrong in (np.ones(3), np.zeros(ACTIONS), masks[:2]):
        with pytest.raises(ValueError, match="action_mask of shape"):
            run.policy(observations[0], action_mask=wrong)


@pytest.mark.parametrize(
    ("masks", "several", "message"),
    [
        ([[1, 1, 1, 1], [0, 0, 0, 0]], False, "allows no action; expected at least one"),
        ([[1, 1, 1]], False, r"has the shape \(3,\); expected \(4,\)"),
        ([[1, 1, 1, 1], None], False, r"is missing; expected \(4,\)"),
        ([None, [1, 1, 1, 1]], False, "by `step` but was not by `reset`"),
        ([[1, 1, 1, 1]], True, "actions MultiDiscrete; supported are masks of Discrete actions"),
    ],
    ids=["none", "shape", "missing", "late", "several"],
)
def test_a_wrong_mask_is_one_line(masks, several, message):
    env = StandingSyncVectorEnv([lambda: Scripted(masks, several)])

    def play_two() -> None:
        env.reset(seed=[0])
        env.step(np.zeros(1, dtype=np.int64))

    with pytest.raises(UserError, match=message) as error:
        play_two()
    assert "\n" not in str(error.value)


def test_a_head_without_an_output_for_each_action_refuses_masks(policy):
    with pytest.raises(UserError, match=r"policy\.head: has 1 outputs for 2 actions"):
        policy.distribution(torch.zeros(5, 1), torch.ones(5, 2, dtype=torch.bool))
