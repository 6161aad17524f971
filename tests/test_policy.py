"""Policies: what they sample is what they say, under the masks that acted, whatever surrounds the steps."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from gymnasium.spaces import Discrete

from pg_experiments.policy import MLP
from pg_experiments.policy.heads import Bernoulli, Categorical
from pg_experiments.policy.policy import Policy
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.rollout import Rollout
from pg_experiments.tensors.streams import Purpose, numpy_stream
from tests.conftest import make_run, reinforce, rollout_of, spaces, total_loss

SETTINGS = ("collect.episodes=3", "algorithm.discount=0.9", "algorithm.entropy_bonus=0.01")


def mlp(seeds: list[int], **changes) -> Policy:
    option = MLP(
        head="categorical", hidden=16, layers=2, activation="tanh", dropout=0.0, bias=True, initialisation="torch"
    )
    return dataclasses.replace(option, **changes).build(*spaces(4, 2), Learners(seeds))


@pytest.mark.parametrize("head", [Categorical(Discrete(2)), Bernoulli(Discrete(2))])
def test_sampling_follows_the_probabilities_that_the_head_states(head):
    """200,000 draws; each frequency within 4.5 standard errors: a false alarm in 10^5 for the fixed seed."""
    logits = torch.tensor([0.3, -1.2, 2.0]) if isinstance(head, Categorical) else torch.tensor([0.7])
    draws = 200_000
    uniform = torch.rand(draws, len(logits), generator=torch.Generator().manual_seed(5))
    actions = head.sample(logits.expand(draws, -1), head.noise(uniform))
    for action in range(max(2, len(logits))):
        p = float(head.at(logits).log_prob(torch.tensor(action)).exp())
        frequency = float((actions == action).float().mean())
        assert abs(frequency - p) < 4.5 * (p * (1 - p) / draws) ** 0.5


@pytest.mark.parametrize("head", [Categorical(Discrete(2)), Bernoulli(Discrete(2))])
def test_probabilities_sum_to_one_and_the_entropy_is_theirs(head):
    logits = torch.randn(50, head.num_outputs, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 4
    log_probs = torch.stack([head.at(logits).log_prob(torch.full((50,), action)) for action in range(2)])
    torch.testing.assert_close(log_probs.exp().sum(0), torch.ones(50, dtype=torch.float64))
    torch.testing.assert_close(head.at(logits).entropy, -(log_probs.exp() * log_probs).sum(0))


@pytest.mark.parametrize("head", [Categorical(Discrete(2)), Bernoulli(Discrete(2))])
def test_extreme_logits_stay_finite(head):
    logits = torch.full((1, head.num_outputs), 1e4)
    logits[..., 0] *= -1
    assert head.at(logits).log_prob(torch.tensor([1])).isfinite().all()
    assert head.at(logits).entropy.isfinite().all()


def test_a_bernoulli_head_refuses_three_actions():
    with pytest.raises(UserError, match=r"policy\.head=bernoulli: chooses between 2 actions"):
        Bernoulli(Discrete(3))


def test_stacked_learners_compute_what_each_would_alone():
    together, alone = mlp([7, 8, 9]), mlp([8])
    x = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        together.bind(torch.arange(3))(x, None)[1:2], alone.bind(torch.arange(1))(x[1:2], None), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("initialisation", ["torch", "xavier", "orthogonal"])
def test_a_seed_starts_with_the_same_parameters_whoever_its_neighbours_are(initialisation):
    several, other = mlp([3, 4], initialisation=initialisation), mlp([9, 8, 4], initialisation=initialisation)
    for ours, theirs in zip(several.parameters(), other.parameters(), strict=True):
        assert torch.equal(ours[1], theirs[2])
        if ours.abs().sum() > 0:
            assert not torch.equal(ours[0], ours[1])


def test_dropout_keeps_units_with_its_probability_and_the_scale_makes_up_for_the_rest():
    """10^6 units; within 4.5 standard errors (a false alarm in 10^5 for the fixed seed)."""
    policy = mlp([0], hidden=500, dropout=0.3)
    kept = policy.network.draw_noise(0, numpy_stream(0, Purpose.DROPOUT, 0), 1000)
    assert kept.shape == (1000, 2, 500)
    assert abs(kept.mean() - 0.7) < 4.5 * (0.3 * 0.7 / kept.size) ** 0.5
    assert abs(int(policy.network.drop_below[0]) / 2**16 - 0.3) < 1e-5


def test_dropout_stands_before_the_activation_and_scales_what_it_keeps():
    policy = mlp([0], layers=1, dropout=0.5, activation="tanh")
    x = torch.randn(1, 6, 4, generator=torch.Generator().manual_seed(2))
    mask = torch.rand(1, 6, 1, 16, generator=torch.Generator().manual_seed(3)) < 0.5
    (w1, w2), (b1, b2) = policy.network.weights, policy.network.biases
    hidden = torch.tanh((x[0] @ w1[0] + b1[0]) * mask[0, :, 0] * 2)
    torch.testing.assert_close(policy.bind(torch.arange(1))(x, mask)[0], hidden @ w2[0] + b2[0])


@pytest.mark.parametrize("log_probs", ["recomputed", "stored"])
def test_what_is_learned_from_is_what_acted_dropout_included(log_probs, monkeypatch):
    """The logits of the learner's pass equal, to 1e-6, those that the actions were drawn from."""
    monkeypatch.setattr("pg_experiments.collect.compiled_parts", lambda *_: None)  # its logits cannot be seen
    run = make_run("num_seeds=3", f"algorithm.log_probs={log_probs}", "collect.episodes=2")
    acted = []
    bind = run.agent.policy.bind

    def spying(learners):
        network = bind(learners)
        return lambda observations, noise: acted.append(network(observations, noise)) or acted[-1]

    run.agent.policy.bind = spying
    rollout = run.collector.collect(0, np.arange(3))
    run.agent.policy.bind = bind
    acting = rollout.flat.gather(torch.stack(acted).detach())
    masks = rollout.flat.gather(rollout.dropout_masks)
    learning = run.agent.policy.bind(rollout.learners)(rollout.flat.gather(rollout.observations), masks)
    valid = rollout.flat.valid
    actions = rollout.flat.gather(rollout.actions)
    ours, theirs = (run.agent.policy.head.at(outputs).log_prob(actions) for outputs in (learning, acting))
    difference = ours - theirs
    assert difference[valid].abs().max() < 1e-6
    other_masks = masks.roll(1, dims=1)
    other = run.agent.policy.bind(rollout.learners)(rollout.flat.gather(rollout.observations), other_masks)
    assert (other - acting)[valid].abs().max() > 1e-3, "other masks are another policy"


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("head", ["categorical", "bernoulli"])
def test_stored_and_recomputed_log_probabilities_have_the_same_gradient(dropout, head):
    gradients = []
    for log_probs in ("stored", "recomputed"):
        run = make_run(
            "num_seeds=2",
            f"policy.dropout={dropout}",
            f"policy.head={head}",
            "algorithm.entropy_bonus=0.01",
            f"algorithm.log_probs={log_probs}",
            "policy.initialisation=torch",
        )
        rollout = run.collector.collect(0, np.arange(2))
        assert (rollout.outputs is not None) == (log_probs == "stored")
        _, _, advantages = run.agent.credit(rollout)
        loss = total_loss(run.agent, rollout, advantages)
        gradients.append(torch.autograd.grad(loss.sum(), list(run.agent.policy.parameters())))
    for stored, recomputed in zip(*gradients, strict=True):
        assert stored.abs().max() > 1e-3
        torch.testing.assert_close(stored, recomputed, rtol=1e-4, atol=1e-5)


PER_STEP = ("observations", "actions", "rewards", "mask", "terminated", "truncated", "dropout_masks")


def random_rollout(dtype: torch.dtype = torch.float32) -> Rollout:
    """Episodes of 1 to 150 steps with dropout masks; the first seed's fill two blocks, the second's one."""
    T, R, E = 150, 2, 3
    generator = torch.Generator().manual_seed(4)
    lengths = torch.tensor([[150, 1, 40], [20, 70, 30]])
    rollout = rollout_of(
        torch.randn(T, R, E, 4, generator=generator, dtype=dtype),
        torch.randint(2, (T, R, E), generator=generator),
        torch.randn(T, R, E, generator=generator, dtype=dtype),
        torch.arange(T).view(-1, 1, 1) < lengths,
    )
    return dataclasses.replace(rollout, dropout_masks=torch.rand(T, R, E, 2, 16, generator=generator) < 0.5)


def gradient_of(policy: Policy, rollout: Rollout) -> list[torch.Tensor]:
    """Of the loss with the batch-normalised reward-to-go, through the run's own credit."""
    run = make_run("normalization=advantages", "baseline=mean", "num_seeds=2")
    _, _, advantages = run.agent.credit(rollout)
    loss = total_loss(reinforce(policy, *SETTINGS), rollout, advantages)
    return list(torch.autograd.grad(loss.sum(), list(policy.parameters())))


def test_permuting_the_episodes_of_a_batch_changes_nothing():
    policy, rollout = mlp([0, 1], dropout=0.5).double(), random_rollout(torch.float64)
    order = torch.tensor([2, 0, 1])
    permuted = dataclasses.replace(
        rollout,
        **{name: getattr(rollout, name)[:, :, order] for name in PER_STEP},
    )
    for a, b in zip(gradient_of(policy, rollout), gradient_of(policy, permuted), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


@pytest.mark.parametrize("garbage", [0.0, 1e6, float("nan"), float("inf")])
def test_padding_and_what_it_holds_change_no_bit_of_the_gradient(garbage):
    policy, rollout = mlp([0, 1], dropout=0.5), random_rollout()

    def padded(x: torch.Tensor) -> torch.Tensor:
        filler = garbage if x.is_floating_point() else x.new_zeros(()).item()
        rows = torch.full_like(x[:1], filler).expand(40, *x.shape[1:])
        return torch.cat([torch.where(rollout.mask.view(*rollout.mask.shape, *[1] * (x.ndim - 3)), x, filler), rows])

    longer = dataclasses.replace(rollout, **{name: padded(getattr(rollout, name)) for name in PER_STEP})
    assert len(longer.mask) == 190
    assert torch.equal(longer.lengths, rollout.lengths)
    for a, b in zip(gradient_of(policy, rollout), gradient_of(policy, longer), strict=True):
        assert b.isfinite().all()
        assert torch.equal(a, b)


def test_a_bandit_that_always_pays_the_same_has_no_expected_gradient():
    """Exactly, over both actions with their probabilities; and no estimate at all once a baseline is subtracted."""
    policy = mlp([0]).double()
    observation = torch.ones(1, 1, 1, 4, dtype=torch.float64)
    mask = torch.ones(1, 1, 1, dtype=torch.bool)
    total = [torch.zeros_like(p) for p in policy.parameters()]
    for action in range(2):
        rollout = rollout_of(observation, torch.tensor([[[action]]]), torch.full((1, 1, 1), 2.5), mask)
        loss = total_loss(reinforce(policy), rollout, torch.full((1, 1, 1), 2.5, dtype=torch.float64))
        logits = policy.bind(torch.arange(1))(observation[0], None)
        p = policy.head.at(logits).log_prob(torch.tensor([[action]])).exp().item()
        for sum_, part in zip(total, torch.autograd.grad(loss.sum(), list(policy.parameters())), strict=True):
            sum_ += p * part
        run = make_run("baseline=mean", "normalization=none")
        _, _, advantages = run.agent.credit(rollout)
        assert (advantages == 0).all()
    for sum_ in total:
        assert sum_.abs().max() < 1e-15


def test_a_linear_policy_begins_with_the_weights_that_are_given():
    given = make_run("env=short_corridor", "policy=linear", "policy.initial_weights=[1.47,-1.47]", "num_seeds=2")
    probabilities = given.agent.policy.head.probabilities(given.agent.policy.bind()(torch.ones(2, 1, 1)))
    torch.testing.assert_close(probabilities[:, 0, 1], torch.full((2,), 0.0502), atol=1e-4, rtol=0)
    with pytest.raises(
        UserError, match=r"policy\.initial_weights=\[1\.0\]: expected a number for each of the 2 outputs"
    ):
        make_run("env=short_corridor", "policy=linear", "policy.initial_weights=[1.0]")
