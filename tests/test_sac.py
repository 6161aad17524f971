"""SAC computes the targets, losses and gradients of the papers, for each learner by itself."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from pg_experiments.algorithm.critics import Critics
from pg_experiments.algorithm.sac_agent import SACAgent
from pg_experiments.algorithm.transitions import Transitions
from pg_experiments.run.run import Run
from pg_experiments.support.errors import UserError
from tests.conftest import composed, make_run, one_update

ENV = ("env=gymnasium", "env.id=Pendulum-v1", "env.threshold=inf", "env.max_episodes=null", "env.max_steps=9000")
SMALL = ("policy.hidden=8", "algorithm.critic_hidden=8", "algorithm.batch_size=16")
SOON = ("algorithm.learning_starts=20", "env.max_steps=2000", "optimizer.learning_rate=0.01")
PENDULUM = ("algorithm=sac", *ENV, *SMALL, *SOON)
CARTPOLE = ("algorithm=sac", "env=cartpole", "policy.head=categorical", *SMALL, *SOON, "env.max_episodes=null")
LONG = ("collect.num_envs=2", "collect.num_steps=12")  # learns from the first batch on
KINDS = {"continuous": PENDULUM, "discrete": CARTPOLE}
N = 5


def agent_of(run: Run) -> SACAgent:
    assert isinstance(run.agent, SACAgent)
    return run.agent


def trained(*overrides: str, updates: int = 3) -> Run:
    """A run whose policy, critics and target networks differ from each other."""
    run = make_run(*overrides)
    for update in range(updates):
        one_update(run, update)
    return run


def batch_of(agent: SACAgent, R: int) -> tuple[Transitions, Tensor]:
    """N transitions of each learner, of which some have terminated, and noise for their actions."""
    generator = torch.Generator().manual_seed(1)
    places = torch.stack([torch.randperm(20, generator=generator)[:N] for _ in range(R)])
    batch = agent.layout.split(agent.replay.sample(list(range(R)), places))
    terminated = torch.zeros(R, N)
    terminated[:, ::2] = 1
    noise = torch.randn(2, R, N, agent.actions.noise, generator=generator)
    return batch._replace(terminated=terminated), noise


class Reference:
    """One learner in float64, one transition at a time, differentiated automatically."""

    def __init__(self, agent: SACAgent, learner: int) -> None:
        self.agent, self.is_discrete = agent, not agent.head.is_continuous
        critics = agent.critics
        self.policy = self._layers(agent.policy.network, learner)
        self.online = [self._layers(critics.online, 2 * learner + twin) for twin in range(2)]
        self.target = [self._layers(critics.target, 2 * learner + twin) for twin in range(2)]
        self.log_alpha = agent.log_alpha[learner].detach().double().requires_grad_()
        self.discount = float(agent.settings.discount)

    @staticmethod
    def _layers(network: object, row: int) -> list[tuple[Tensor, Tensor]]:
        pairs = zip(network.weights, network.biases, strict=True)  # type: ignore[attr-defined]
        return [tuple(p[row].detach().double().clone().requires_grad_() for p in pair) for pair in pairs]  # type: ignore[misc]

    @staticmethod
    def _outputs(layers: list[tuple[Tensor, Tensor]], x: Tensor) -> Tensor:
        for index, (weight, bias) in enumerate(layers):
            x = x @ weight + bias[0]
            x = x.relu() if index + 1 < len(layers) else x
        return x

    def q(self, critics: list[list[tuple[Tensor, Tensor]]], state: Tensor, action: Tensor) -> list[Tensor]:
        """Of each critic Q(s, a); for discrete actions, of all actions."""
        inputs = state if self.is_discrete else torch.cat([state, action])
        return [self._outputs(layers, inputs) for layers in critics]

    def density(self, state: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """A squashed action, and its log-probability."""
        mean, scale = self._outputs(self.policy, state).chunk(2)
        normal = torch.distributions.Normal(mean, self.agent.head.at(torch.cat([mean, scale])).log_std.exp())
        before = mean + normal.scale * noise
        action = before.tanh()
        return action, (normal.log_prob(before) - (1 - action.square()).log()).sum()

    def value(self, critics: list[list[tuple[Tensor, Tensor]]], state: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """The soft value of a state, and the entropy, both of one sample or exact for discrete actions."""
        alpha = self.log_alpha.exp().detach()
        if self.is_discrete:
            log_probs = self._outputs(self.policy, state).log_softmax(0)
            first, second = self.q(critics, state, noise)
            each = torch.minimum(first, second) - alpha * log_probs
            return (log_probs.exp() * each).sum(), -(log_probs.exp() * log_probs).sum()
        action, log_prob = self.density(state, noise)
        first, second = self.q(critics, state, action)
        return (torch.minimum(first, second) - alpha * log_prob).sum(), -log_prob

    def target_of(self, batch: Transitions, learner: int, n: int, noise: Tensor) -> Tensor:
        """r + γ V(s′), or r where the environment ended the episode."""
        reward = batch.rewards[learner, n].double()
        if batch.terminated[learner, n]:
            return reward
        state = batch.next_observations[learner, n].double()
        return reward + self.discount * self.value(self.target, state, noise[1, learner, n].double())[0].detach()

    def critic_loss(self, batch: Transitions, learner: int, targets: list[Tensor]) -> Tensor:
        """Σ over critics of ½ (Q − y)², a mean over transitions."""
        total = torch.zeros((), dtype=torch.float64)
        for n, target in enumerate(targets):
            action = batch.actions[learner, n].double()
            for values in self.q(self.online, batch.observations[learner, n].double(), action):
                value = values[int(action)] if self.is_discrete else values[0]
                total = total + 0.5 * (value - target) ** 2
        return total / len(targets)

    def policy_loss(self, batch: Transitions, learner: int, noise: Tensor) -> tuple[Tensor, Tensor]:
        """−V(s) and the entropy, means over transitions."""
        states = [batch.observations[learner, n].double() for n in range(N)]
        terms = [self.value(self.online, s, noise[0, learner, n].double()) for n, s in enumerate(states)]
        return -torch.stack([v for v, _ in terms]).mean(), torch.stack([e for _, e in terms]).mean()


def gradients(loss: Tensor, layers: list[tuple[Tensor, Tensor]]) -> list[Tensor]:
    return list(torch.autograd.grad(loss, [p for pair in layers for p in pair], retain_graph=True))


def ours(network: object, row: int) -> list[Tensor]:
    pairs = zip(network.weights, network.biases, strict=True)  # type: ignore[attr-defined]
    return [p.grad[row] for pair in pairs for p in pair]


def assert_close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found.double(), expected.detach(), rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("R", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_targets_losses_and_gradients_are_those_of_a_reference_that_takes_one_transition_at_a_time(kind, R):
    agent = agent_of(trained(*KINDS[kind], *LONG, f"num_seeds={R}"))
    batch, noise = batch_of(agent, R)
    learners, alpha = torch.arange(R), agent.log_alpha.detach().exp()
    references = [Reference(agent, learner) for learner in range(R)]

    targets = agent.targets(learners, batch, noise[1], alpha)
    expected = [[ref.target_of(batch, r, n, noise) for n in range(N)] for r, ref in enumerate(references)]
    assert_close(targets, torch.stack([torch.stack(of_learner) for of_learner in expected]))

    for parameter in agent.optimizer.parameters.values():
        parameter.grad = None
    measured: dict[str, Tensor] = {}
    losses = agent.policy_loss(learners, batch, noise[0], alpha, measured)
    for r, ref in enumerate(references):
        loss, entropy = ref.policy_loss(batch, r, noise)
        assert_close(losses[r], loss)
        assert_close(measured["entropy"][r], entropy)
        for found, gradient in zip(ours(agent.policy.network, r), gradients(loss, ref.policy), strict=True):
            assert_close(found, gradient)
        of_alpha = ref.log_alpha * (entropy.detach() - agent.target_entropy[r].double())
        (gradient,) = torch.autograd.grad(of_alpha, ref.log_alpha)
        assert agent.log_alpha.grad is not None
        assert_close(agent.log_alpha.grad[r], gradient)

    inputs, chosen = agent.actions.inputs(batch.observations, batch.actions)
    fit = agent.critics.fit(learners, inputs, chosen, targets, [1.0] * R)
    for r, ref in enumerate(references):
        loss = ref.critic_loss(batch, r, expected[r])
        assert_close(fit.losses[r], loss)
        for twin in range(2):
            of_twin = gradients(loss, ref.online[twin])
            for found, gradient in zip(ours(agent.critics.online, 2 * r + twin), of_twin, strict=True):
                assert_close(found, gradient)


@pytest.mark.parametrize("kind", KINDS)
def test_a_learner_of_a_stack_learns_what_it_learns_alone(kind):
    overrides = (*KINDS[kind], "collect.num_envs=2", "collect.num_steps=3", "algorithm.gradient_steps=2")
    stack = agent_of(trained(*overrides, "num_seeds=3", "seed=5", updates=12))
    for learner in range(3):
        alone = agent_of(trained(*overrides, f"seed={5 + learner}", updates=12))
        assert alone.gradient_steps == stack.gradient_steps > 10
        pairs = [
            *zip(stack.policy.parameters(), alone.policy.parameters(), strict=True),
            (stack.log_alpha, alone.log_alpha),
        ]
        for together, by_itself in pairs:
            torch.testing.assert_close(together[learner], by_itself[0], rtol=1e-3, atol=1e-4)
        for together, by_itself in zip(stack.critics.parameters(), alone.critics.parameters(), strict=True):
            torch.testing.assert_close(together[2 * learner :][:2], by_itself, rtol=1e-3, atol=1e-4)


def test_a_learner_that_takes_no_part_keeps_everything_that_it_has():
    run = trained(*PENDULUM, *LONG, "num_seeds=2")
    agent = agent_of(run)
    before = [p.clone() for p in (*agent.policy.parameters(), agent.log_alpha, *agent.critics.online.parameters())]
    active = run.accounts.active[1:]
    run.learn(run.collector.collect(3, active), active)
    after = [*agent.policy.parameters(), agent.log_alpha, *agent.critics.online.parameters()]
    for old, new in zip(before, after, strict=True):
        each = len(old) // 2
        assert torch.equal(old[:each], new[:each])
        assert not torch.equal(old[each:], new[each:])


def test_target_networks_follow_by_tau_at_the_interval_of_gradient_steps():
    agent = agent_of(trained(*PENDULUM, *LONG, "algorithm.tau=0.25", "algorithm.target_update_interval=2", updates=1))
    assert agent.gradient_steps == 1
    critics = agent.critics
    before = [p.clone() for p in critics.target.parameters()]
    batch, noise = batch_of(agent, 1)
    agent.step(torch.arange(1), batch, noise, [1.0], {})
    for old, new, online in zip(before, critics.target.parameters(), critics.online.parameters(), strict=True):
        torch.testing.assert_close(new, 0.75 * old + 0.25 * online)
    before = [p.clone() for p in critics.target.parameters()]
    agent.step(torch.arange(1), batch, noise, [1.0], {})
    for old, new in zip(before, critics.target.parameters(), strict=True):
        assert torch.equal(old, new)


def test_the_twins_begin_differently_and_the_targets_like_their_critics():
    critics = agent_of(make_run(*PENDULUM, "num_seeds=2")).critics
    assert isinstance(critics, Critics)
    for online, target in zip(critics.online.parameters(), critics.target.parameters(), strict=True):
        assert torch.equal(online, target)
        assert not torch.equal(online[0], online[1])
        assert not torch.equal(online[0], online[2])


def test_actions_are_uniform_until_learning_starts():
    """A Kolmogorov-Smirnov test at a level of 1e-4, with a fixed seed."""
    run = make_run("algorithm=sac", *ENV, *SMALL, "algorithm.learning_starts=2000", "collect.num_steps=2000")
    agent = agent_of(run)
    for update in range(2):
        one_update(run, update)
        actions = agent.layout.split(agent.replay.newest(0, 2000)[None]).actions.flatten().sort().values
        share = torch.arange(1, 2001) / 2000
        distance = float(((actions + 1) / 2 - share).abs().max())
        assert (distance < 2.23 / math.sqrt(2000)) == (update == 0)
        assert actions.abs().max() < 1


def test_random_actions_are_held_for_some_steps_of_a_batch():
    run = make_run("algorithm=sac", *ENV, *SMALL, "collect.num_steps=10", "algorithm.hold=4", "collect.num_envs=2")
    one_update(run)
    agent = agent_of(run)
    actions = agent.layout.split(agent.replay.newest(0, 20)[None]).actions.view(10, 2)
    changes = (actions[1:] != actions[:-1]).any(1)
    assert changes.tolist() == [step % 4 == 0 for step in range(1, 10)]
    assert not torch.equal(actions[:, 0], actions[:, 1])


def test_nothing_is_learned_before_learning_starts():
    run = make_run(*PENDULUM, "collect.num_steps=10")
    agent = agent_of(run)
    assert [bool(one_update(run, update)) for update in range(4)] == [False, False, True, True]
    assert agent.replay.counts == [40]


REFUSED = [
    ("collect=episodes", "the nearest is collect=steps"),
    ("returns=gae", "the nearest is returns=td"),
    ("returns=reward_to_go", "the nearest is returns=td"),
    ("baseline=value", "the nearest is baseline=none"),
    ("normalization=observations", "normalization.observations=running.* the nearest is none"),
    ("normalization.observations=bounds", "normalization.observations=bounds.* the nearest is none"),
    ("normalization.rewards=running", "normalization.rewards=running: is not for algorithm=sac; the nearest is none"),
    ("normalization=advantages", "normalization.advantages=batch.* the nearest is none"),
    ("policy=gru", "the nearest is policy=mlp"),
    ("algorithm.hold=2", "the nearest is 1"),
    ("policy.dropout=0.5", "the nearest is 0"),
    ("policy.head=gaussian", "the nearest is policy.head=squashed_gaussian"),
    ("collect.num_steps=2000001", "algorithm.buffer_size=1000000: .* the nearest is 2000001"),
]


@pytest.mark.parametrize(("override", "message"), REFUSED)
def test_what_does_not_fit_is_refused_with_the_nearest_that_does(override, message):
    with pytest.raises(UserError, match=message):
        make_run("algorithm=sac", *ENV, override)


def test_atari_is_refused():
    with pytest.raises(UserError, match="the nearest is algorithm=ppo"):
        make_run("algorithm=sac", "env=pong", "policy.head=categorical", "collect=steps")


def test_every_key_of_the_config_is_that_of_the_option():
    assert composed("algorithm=sac")["algorithm"]["alpha"] == "auto"
