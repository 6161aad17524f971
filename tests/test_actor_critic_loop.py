"""Updates of A2C and PPO equal those of a naive loop over one seed, written as in textbooks, in float64.

The loop is made of `torch.nn.Linear`, `torch.distributions`, `torch.optim` and Python's loops. It replays the steps and
dropout masks of the run's collector, and the order of mini-batches of the learner's stream.
"""

from __future__ import annotations

from itertools import chain, pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Categorical

from pg_experiments.run.run import Run
from pg_experiments.tensors.rollout import Rollout
from pg_experiments.tensors.streams import Purpose, numpy_stream
from tests.conftest import composed, make_run
from tests.reference_loop import Perceptron, assert_same, make_optimizer, norm_of, schedule, stacked_form

UPDATES = 6
FRAGMENTS = ("collect.num_envs=3", "collect.num_steps=16", "env.max_episode_steps=20", "env.max_steps=600")
SMALL = ("policy.hidden=16", "baseline.hidden=16")
CONFIGURATIONS = {
    "a2c": ("algorithm=a2c", *FRAGMENTS, *SMALL, "algorithm.entropy_bonus=0.05", "optimizer.epsilon=0.001"),
    "a2c_own_optimizer": (
        *("algorithm=a2c", *FRAGMENTS, *SMALL, "returns=n_step", "returns.n=4", "policy.dropout=0.25"),
        *("policy.head=bernoulli", "optimizer=sgd", "optimizer.learning_rate=0.1", "optimizer.momentum=0.9"),
        *("baseline.learning_rate=0.01", "baseline.steps=2", "baseline.loss_coefficient=1.5"),
    ),
    "ppo": ("algorithm=ppo", *FRAGMENTS, *SMALL, "optimizer.learning_rate=0.003", "optimizer.epsilon=0.001"),
    "ppo_target_kl": (
        *("algorithm=ppo", *FRAGMENTS, *SMALL, "algorithm.target_kl=0.02", "algorithm.clip_range=null", "returns=td"),
        *(
            "normalization.advantages=batch",
            "optimizer=rmsprop",
            "optimizer.learning_rate=0.01",
            "optimizer.epsilon=0.01",
        ),
        *("optimizer.schedule=cosine", "baseline.clip_range=null", "algorithm.epochs=3", "algorithm.num_minibatches=6"),
    ),
    "ppo_whole_episodes": (
        *("algorithm=ppo", "collect=episodes", "collect.episodes=3", "env.max_episode_steps=20", "env.max_steps=600"),
        *("returns=reward_to_go", "baseline.bootstrap=true", "baseline.learning_rate=0.02", "baseline.clip_range=0.5"),
        *("algorithm.num_minibatches=5", "policy.dropout=0.2", *SMALL, "optimizer.learning_rate=0.01"),
        *("algorithm.clip_range=0.1", "optimizer.epsilon=0.001", "normalization=none", "optimizer.max_grad_norm=null"),
    ),
}


class Loop:
    """An actor-critic for one seed, written out."""

    def __init__(self, config: dict[str, Any], run: Run, learner: int) -> None:
        self.config, self.seed = config, run.learners.seeds[learner]
        policy, baseline = config["policy"], config["baseline"]
        self.policy = Perceptron(run.agent.policy.network, learner, policy["activation"], policy["dropout"])
        self.value = self.value_network(run, learner)
        self.is_joint = baseline["learning_rate"] is None
        trained = chain(self.policy.parameters(), self.value.parameters() if self.is_joint else ())
        self.optimizer = make_optimizer(config["optimizer"], list(trained))
        if not self.is_joint:
            self.value_optimizer = torch.optim.Adam(self.value.parameters(), lr=baseline["learning_rate"])
        self.updates, self.steps_done = 0, 0

    def value_network(self, run: Run, learner: int) -> nn.Module:
        """V(s) of a learner."""
        return Perceptron(run.agent.critic.network, learner, self.config["baseline"]["activation"], 0.0)

    def update(self, rollout: Rollout, r: int) -> dict[str, float]:
        """Learns from the steps of the r-th learner of a batch. Returns the means of its metrics."""
        places = rollout.mask[:, r].nonzero().tolist()  # (t, e) in order of time, then of environment
        observations = torch.stack([rollout.observations[t, r, e] for t, e in places]).double()
        actions = torch.stack([rollout.actions[t, r, e] for t, e in places])
        masks = None
        if rollout.dropout_masks is not None:
            masks = torch.stack([rollout.dropout_masks[t, r, e] for t, e in places]).double()
        with torch.no_grad():
            old_values = self.value(observations).squeeze(1)
            old_log_probs = self.distribution(observations, masks).log_prob(self.as_number(actions))
            returns = self.returns_of(rollout, r, places, old_values.tolist())
        advantages = returns - old_values
        over = self.config["normalization"]["advantages"]
        if over == "batch":
            advantages = (advantages - advantages.mean()) / advantages.std()
        found: list[dict[str, float]] = []
        for chosen in self.minibatches(len(places)):
            weights = advantages[chosen]
            if over == "minibatch":
                weights = (weights - weights.mean()) / weights.std()
            part = (observations[chosen], None if masks is None else masks[chosen], actions[chosen])
            fit = (observations[chosen], returns[chosen], old_values[chosen])
            found.append(self.gradient_steps(part, weights, old_log_probs[chosen], fit))
            target_kl = self.config["algorithm"].get("target_kl")
            if target_kl is not None and found[-1]["approx_kl"] > target_kl:
                break
        self.gradient_steps_made = len(found)
        self.updates, self.steps_done = self.updates + 1, self.steps_done + len(places)
        metrics = {name: sum(step[name] for step in found) / len(found) for name in found[0]}
        errors = returns - old_values
        return metrics | {"explained_variance": float(1 - errors.var(correction=0) / returns.var(correction=0))}

    def returns_of(self, rollout: Rollout, r: int, places: list[list[int]], values: list[float]) -> Tensor:
        """Walks forward from every step, by the definition of its return."""
        finals = {
            int(position): self.value(observation.double()).item()
            for position, observation, valid in zip(
                rollout.finals.positions[r], rollout.finals.observations[r], rollout.finals.valid[r], strict=True
            )
            if valid
        }
        value_of = dict(zip(map(tuple, places), values, strict=True))
        _, R, E = rollout.mask.shape
        discount, options = self.config["algorithm"]["discount"], self.config["returns"]
        returns = []
        for t, e in places:
            total, weight, left = 0.0, 1.0, 1.0  # `left` of the weight of λ-returns
            for steps in range(1, 10**9):
                reward = float(rollout.rewards[t, r, e])
                total += left * weight * reward
                weight *= discount
                if rollout.terminated[t, r, e]:
                    break
                is_cut = bool(rollout.truncated[t, r, e]) or (t + 1, e) not in value_of
                value = finals[(t * R + r) * E + e] if is_cut else value_of[t + 1, e]
                stops = {"n_step": options.get("n") == steps, "td": True}.get(options["name"], False) or is_cut
                if stops:
                    total += left * weight * value
                    break
                if options["name"] == "gae":
                    total += left * (1 - options["gae_lambda"]) * weight * value
                    left *= options["gae_lambda"]
                t += 1
            returns.append(total)
        return torch.tensor(returns, dtype=torch.float64)

    def minibatches(self, steps: int) -> list[Tensor]:
        algorithm = self.config["algorithm"]
        epochs, count = algorithm.get("epochs", 1), algorithm.get("num_minibatches", 1)
        if count == 1:
            return [torch.arange(steps)] * epochs
        stream, chosen = numpy_stream(self.seed, Purpose.MINIBATCHES, self.updates), []
        for _ in range(epochs):
            order = stream.permutation(steps)
            bounds = [k * steps // count for k in range(count + 1)]
            chosen += [torch.from_numpy(order[a:b]) for a, b in pairwise(bounds)]
        return chosen

    def gradient_steps(self, part: Any, weights: Tensor, old_log_probs: Tensor, fit: Any) -> dict[str, float]:
        observations, masks, actions = part
        algorithm, baseline = self.config["algorithm"], self.config["baseline"]
        distribution = self.distribution(observations, masks)
        log_probs, entropy = distribution.log_prob(self.as_number(actions)), distribution.entropy().mean()
        found = {}
        if algorithm["name"] == "a2c":
            policy_loss = -(weights * log_probs).mean()
        else:
            ratio, epsilon = (log_probs - old_log_probs).exp(), algorithm["clip_range"] or float("inf")
            clipped = torch.clamp(ratio, 1 - epsilon, 1 + epsilon)
            policy_loss = -torch.min(ratio * weights, clipped * weights).mean()
            found["approx_kl"] = (ratio - 1 - ratio.log()).mean().item()
            found["clipfrac"] = float(((ratio - 1).abs() > epsilon).double().mean())
        loss = policy_loss - algorithm["entropy_bonus"] * entropy
        value_loss = self.value_loss(*fit)
        if self.is_joint:
            loss = loss + baseline["loss_coefficient"] * value_loss
        self.optimizer.zero_grad()
        loss.backward()
        parameters = self.optimizer.param_groups[0]["params"]
        norm, limit = (
            norm_of({str(k): p.grad for k, p in enumerate(parameters)}),
            self.config["optimizer"]["max_grad_norm"],
        )
        if limit is not None and norm > limit:
            for parameter in parameters:
                parameter.grad *= limit / norm
        factor = schedule(self.config, self.steps_done / self.config["env"]["max_steps"])
        rate = self.config["optimizer"]["learning_rate"] * factor
        self.optimizer.param_groups[0]["lr"] = rate
        self.optimizer.step()
        found |= {"policy_loss": policy_loss.item(), "entropy": entropy.item(), "policy_gradient_norm": norm}
        for _ in range(0 if self.is_joint else baseline["steps"]):
            value_loss = self.value_loss(*fit)
            self.value_optimizer.zero_grad()
            (baseline["loss_coefficient"] * value_loss).backward()
            found["value_gradient_norm"] = norm_of({str(k): p.grad for k, p in enumerate(self.value.parameters())})
            self.value_optimizer.param_groups[0]["lr"] = baseline["learning_rate"] * factor
            self.value_optimizer.step()
        return found | {"value_loss": value_loss.item(), "learning_rate": rate}

    def value_loss(self, observations: Tensor, returns: Tensor, old_values: Tensor) -> Tensor:
        values, limit = self.value(observations).squeeze(1), self.config["baseline"]["clip_range"]
        errors = (values - returns) ** 2
        if limit is not None:
            clipped = old_values + torch.clamp(values - old_values, -limit, limit)
            errors = torch.max(errors, (clipped - returns) ** 2)
        return errors.mean()

    def distribution(self, observations: Tensor, masks: Tensor | None) -> Any:
        logits = self.policy(observations, None if masks is None else list(masks.unbind(1)))
        if self.config["policy"]["head"] == "bernoulli":
            return Bernoulli(logits=logits.squeeze(1))
        return Categorical(logits=logits)

    def as_number(self, actions: Tensor) -> Tensor:
        return actions.double() if self.config["policy"]["head"] == "bernoulli" else actions


@pytest.mark.parametrize("num_seeds", [1, 3])
@pytest.mark.parametrize("overrides", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_updates_are_those_of_a_naive_loop(overrides, num_seeds):
    overrides = (*overrides, f"num_seeds={num_seeds}", "seed=5")
    run, config, active = make_run(*overrides), composed(*overrides), np.arange(num_seeds)
    loops = [Loop(config, run, learner) for learner in range(num_seeds)]
    taken, cuts = set(), 0
    for update in range(UPDATES):
        rollout = run.collector.collect(update, active)
        cuts += int(rollout.truncated.sum())
        learned = run.learn(rollout, active)
        for learner, loop in enumerate(loops):
            where = f"update {update}, learner {learner}"
            expected = loop.update(rollout, learner)
            taken.add(loop.gradient_steps_made)
            run.accounts.seeds[learner].env_steps = loop.steps_done
            for part, module, reference in (
                ("policy", run.agent.policy, loop.policy),
                ("baseline", run.agent.critic, loop.value),
            ):
                after = {name: parameter.detach()[learner] for name, parameter in module.named_parameters()}
                assert_same(after, stacked_form(reference, "data"), f"{where}: parameters of {part}")
            metrics = {name: float(values[learner]) for name, values in learned.metrics.items()}
            assert metrics == pytest.approx(expected, rel=1e-3, abs=1e-5), where
            assert {metric.name for metric in run.agent.metrics} == set(metrics)
    assert cuts, "time limits truncated some episodes"
    if config["algorithm"].get("target_kl"):
        assert len(taken) > 1, "the target stopped some updates early"
