"""A2C and PPO: what they have in common, their optimizers, the target KL, and learners that change no other one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from pg_experiments.run.config import check
from pg_experiments.run.run import Run
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.rollout import Rollout
from tests.conftest import composed, make_run

FRAGMENTS = ("collect.num_envs=2", "collect.num_steps=16", "policy.hidden=8", "baseline.hidden=8")
EQUAL = ("normalization=none", "optimizer=adam", "baseline.clip_range=null", "optimizer.learning_rate=0.01")
A2C = ("algorithm=a2c", *FRAGMENTS)
PPO = ("algorithm=ppo", *FRAGMENTS, "optimizer.learning_rate=0.01")
EPISODES = (
    "algorithm=ppo",
    "collect=episodes",
    "collect.episodes=3",
    "algorithm.num_minibatches=5",
    "policy.dropout=0.2",
)
ONE_STEP = ("algorithm.epochs=1", "algorithm.num_minibatches=1", "algorithm.clip_range=null")


def learned(run: Run, updates: int, active: Sequence[int] | None = None) -> list[dict[str, torch.Tensor]]:
    """Metrics of some updates, as a run makes them."""
    chosen = run.accounts.active if active is None else np.array(active)
    return [run.learn(run.collector.collect(update, chosen), chosen).metrics for update in range(updates)]


def parameters(run: Run, learner: int | slice = slice(None)) -> list[torch.Tensor]:
    return [p.detach()[learner].clone() for module in run.agent.modules.values() for p in module.parameters()]


def are_equal(ours: list[torch.Tensor], theirs: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("extra", [(), ("policy.dropout=0.3", "baseline.learning_rate=0.01"), ("optimizer=rmsprop",)])
def test_ppo_with_one_step_per_batch_and_no_clipping_is_a2c_to_the_last_bit(extra):
    replaced = [o for o in EQUAL if not any(e.split("=")[0] == o.split("=")[0] for e in extra)]
    common = ("num_seeds=2", "algorithm.entropy_bonus=0.02", "optimizer.max_grad_norm=0.5", "policy.layers=2", *extra)
    common = (*common, "optimizer.epsilon=1e-5", "optimizer.schedule=constant")
    tuned = ("collect.num_envs=2", "collect.num_steps=16", "policy.hidden=8", "baseline.hidden=8")
    a2c = make_run("algorithm=a2c", *tuned, *common, *replaced)
    ppo = make_run("algorithm=ppo", *tuned, *common, *replaced, *ONE_STEP)
    for update in range(5):
        learned(a2c, update + 1), learned(ppo, update + 1)
        assert are_equal(parameters(a2c), parameters(ppo)), f"update {update}"


def test_ppos_first_step_is_a2cs_also_with_clipping_and_a_target():
    """At the first step the ratio is 1 and V(s) has not changed."""
    a2c = make_run(*A2C, *EQUAL, "optimizer.max_grad_norm=0.5", "optimizer.epsilon=1e-5")
    ppo = make_run(
        *("algorithm=ppo", *FRAGMENTS, "normalization=none", "optimizer.learning_rate=0.01", "baseline.clip_range=0.1"),
        *("algorithm.entropy_bonus=0", "algorithm.epochs=1", "algorithm.num_minibatches=1", "algorithm.target_kl=0.01"),
        "optimizer.schedule=constant",
    )
    first, second = learned(a2c, 1), learned(ppo, 1)
    assert are_equal(parameters(a2c), parameters(ppo))
    assert second[0]["approx_kl"].item() == second[0]["clipfrac"].item() == 0
    for name in ("value_loss", "entropy", "policy_gradient_norm", "explained_variance"):
        assert torch.equal(first[0][name], second[0][name]), name


@pytest.mark.parametrize("algorithm", [A2C, PPO], ids=["a2c", "ppo"])
def test_a_learner_of_a_stack_is_the_run_of_its_seed_alone(algorithm):
    stacked = make_run(*algorithm, "num_seeds=3", "seed=4", "optimizer.epsilon=0.001")
    learned(stacked, 4)
    for learner in range(3):
        alone = make_run(*algorithm, f"seed={4 + learner}", "optimizer.epsilon=0.001")
        learned(alone, 4)
        for ours, theirs in zip(parameters(stacked, learner), parameters(alone, 0), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("algorithm", [A2C, PPO], ids=["a2c", "ppo"])
def test_learners_have_their_own_lambda_discount_entropy_bonus_and_learning_rate(algorithm):
    own = {
        "returns.gae_lambda": (0.5, 1.0),
        "algorithm.discount": (0.9, 0.99),
        "algorithm.entropy_bonus": (0.1, 0.0),
        "optimizer.learning_rate": (0.001, 0.02),
    }
    stacked = Run(check(composed("device=cpu", *algorithm, "optimizer.epsilon=0.001")), Learners([7, 7], own))
    learned(stacked, 3)
    for learner in range(2):
        overrides = [f"{key}={values[learner]}" for key, values in own.items()]
        kept = [o for o in algorithm if not o.startswith("optimizer.learning_rate")]
        alone = make_run(*kept, "seed=7", "optimizer.epsilon=0.001", *overrides)
        learned(alone, 3)
        for ours, theirs in zip(parameters(stacked, learner), parameters(alone, 0), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("algorithm", [A2C, PPO], ids=["a2c", "ppo"])
def test_learners_that_go_on_after_others_have_stopped_learn_by_their_own_parameters_and_values(algorithm):
    """The first and the third of three, as if the second still learned."""
    own = {
        "returns.gae_lambda": (0.5, 1.0, 0.9),
        "algorithm.discount": (0.9, 0.99, 0.7),
        "algorithm.entropy_bonus": (0.1, 0.0, 0.3),
        "optimizer.learning_rate": (0.001, 0.02, 0.01),
    }
    config = check(composed("device=cpu", *algorithm, "optimizer.epsilon=0.001"))
    whole, some = (Run(config, Learners([4, 5, 6], own)) for _ in range(2))
    second = parameters(some, 1)
    every, found = learned(whole, 3), learned(some, 3, active=[0, 2])
    assert are_equal(parameters(some, 1), second)
    for learner in (0, 2):
        for ours, theirs in zip(parameters(some, learner), parameters(whole, learner), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    for name, values in found[-1].items():
        torch.testing.assert_close(values, every[-1][name][[0, 2]], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("algorithm", [A2C, PPO, EPISODES], ids=["a2c", "ppo", "ppo_episodes"])
def test_a_learner_learns_the_same_bits_beside_others_of_the_same_number(algorithm):
    left, right = (make_run(*algorithm, "num_seeds=3", f"seed={seed}") for seed in (0, 2))
    learned(left, 3), learned(right, 3)
    assert are_equal(parameters(left, 2), parameters(right, 0))


def counted(run: Run) -> list[list[float]]:
    """The factors of each gradient step that the run's policy makes from now on."""
    factors: list[list[float]] = []
    step = run.agent.optimizer.step
    run.agent.optimizer.step = lambda losses, learners, of: factors.append(list(of)) or step(losses, learners, of)
    return factors


def test_the_target_kl_stops_the_learner_that_exceeded_it_and_not_its_neighbours():
    """The step that exceeded it is made; the learner with the small rate goes through all 16 steps."""
    own = {"optimizer.learning_rate": (1e-5, 0.05)}
    config = check(composed("device=cpu", *PPO, "algorithm.target_kl=0.01"))
    run, free = Run(config, Learners([1, 2], own)), Run(check(composed("device=cpu", *PPO)), Learners([1, 2], own))
    factors = counted(run)
    learned(run, 1), learned(free, 1)
    assert len(factors) == 16
    assert all(first == 1 for first, _ in factors)
    second = [of[1] for of in factors]
    made = int(sum(second))
    assert 1 < made < 16
    assert second == [1.0] * made + [0.0] * (16 - made)
    assert run.agent.optimizer.counts.tolist() == [16, made]
    assert are_equal(parameters(run, 0), parameters(free, 0))
    alone = Run(config, Learners([2], {"optimizer.learning_rate": (0.05,)}))
    steps = counted(alone)
    measured = learned(alone, 1)
    assert len(steps) == made, "alone, it leaves out the steps that nobody makes"
    assert measured[0]["approx_kl"].item() < 0.1


def test_metrics_are_means_over_the_mini_batches_in_which_a_learner_took_part():
    own = {"optimizer.learning_rate": (1e-5, 0.05)}
    run = Run(check(composed("device=cpu", *PPO, "algorithm.target_kl=0.01")), Learners([1, 2], own))
    alone = Run(
        check(composed("device=cpu", *PPO, "algorithm.target_kl=0.01")),
        Learners([2], {k: v[1:] for k, v in own.items()}),
    )
    together, single = learned(run, 1)[0], learned(alone, 1)[0]
    for name, values in single.items():
        torch.testing.assert_close(together[name][1], values[0], rtol=1e-4, atol=1e-5)


def test_a_joint_gradient_is_clipped_by_the_norm_of_policy_and_value_together():
    moves, norms = [], []
    for limit in ("0.01", "null"):
        plain = ("normalization=none", "optimizer=sgd", "optimizer.learning_rate=1", f"optimizer.max_grad_norm={limit}")
        run = make_run(*A2C, *plain)
        before, metrics = parameters(run), learned(run, 1)[0]
        moves.append([after - old for after, old in zip(parameters(run), before, strict=True)])
        norms.append(metrics["policy_gradient_norm"].item())
        assert "value_gradient_norm" not in metrics
    clipped, whole = moves
    assert norms[0] == norms[1] == pytest.approx(math.sqrt(sum(float(move.square().sum()) for move in whole)), rel=1e-5)
    of_policy = len(list(run.agent.policy.parameters()))
    assert all(
        sum(float(move.square().sum()) for move in part) > 1e-4 for part in (whole[:of_policy], whole[of_policy:])
    )
    for small, large in zip(clipped, whole, strict=True):
        torch.testing.assert_close(small, large * 0.01 / norms[0], rtol=1e-4, atol=1e-7)


def test_the_loss_coefficient_scales_the_gradient_of_the_value_and_not_of_the_policy():
    moves = []
    for coefficient in (0.5, 2.0):
        run = make_run(
            *(*A2C, "normalization=none", "optimizer=sgd", "optimizer.max_grad_norm=null"),
            f"baseline.loss_coefficient={coefficient}",
        )
        before = parameters(run)
        learned(run, 1)
        moves.append([after - old for after, old in zip(parameters(run), before, strict=True)])
    of_policy = len(list(run.agent.policy.parameters()))
    for index, (small, large) in enumerate(zip(*moves, strict=True)):
        factor = 1 if index < of_policy else 4
        torch.testing.assert_close(large, factor * small, rtol=1e-3, atol=1e-6)


def test_a_value_with_a_learning_rate_is_trained_by_itself_with_its_number_of_steps_per_mini_batch():
    run = make_run(*PPO, "baseline.learning_rate=0.02", "baseline.steps=3", "optimizer.max_grad_norm=1e-9")
    assert all(name.startswith("policy") for name in run.agent.optimizer.parameters)
    assert [metric.name for metric in run.agent.metrics if "norm" in metric.name] == [
        "policy_gradient_norm",
        "value_gradient_norm",
    ]
    assert run.agent.parts["baseline"].learning_rate == "baseline.learning_rate"
    metrics = learned(run, 1)[0]
    assert run.agent.optimizer.counts.tolist() == [16]
    assert run.agent.critic.optimizer.counts.tolist() == [48]
    assert metrics["value_gradient_norm"].item() > 1e-3, "its gradient is not clipped with the policy's"


def broken_rollout(run: Run, learner: int) -> Rollout:
    rollout = run.collector.collect(0, np.arange(run.config.num_seeds))
    rollout.rewards[3, learner] = math.nan
    return rollout


@pytest.mark.parametrize("extra", [(), ("baseline.learning_rate=0.01",)], ids=["joint", "own"])
@pytest.mark.parametrize("algorithm", [A2C, PPO], ids=["a2c", "ppo"])
def test_a_learner_with_numbers_that_are_not_finite_is_stopped_and_its_neighbours_learn_the_same_bits(algorithm, extra):
    overrides = (*algorithm, *extra, "num_seeds=3", "normalization=none")
    run, intact = make_run(*overrides), make_run(*overrides)
    before = parameters(run, 1)
    broken = run.learn(broken_rollout(run, 1), np.arange(3)).broken
    intact.learn(intact.collector.collect(0, np.arange(3)), np.arange(3))
    assert list(broken) == [1]
    assert "optimizer.learning_rate" in broken[1].hint or "baseline.learning_rate" in broken[1].hint
    assert are_equal(parameters(run, 1), before)
    for neighbour in (0, 2):
        assert are_equal(parameters(run, neighbour), parameters(intact, neighbour))


def test_the_value_of_a_learner_whose_policy_broke_takes_no_step(monkeypatch):
    run = make_run(*A2C, "num_seeds=2", "baseline.learning_rate=0.01", "baseline.steps=2")
    before, policy_loss = parameters(run, 1), run.agent._policy_loss
    poison = torch.tensor([1.0, math.nan])
    monkeypatch.setattr(run.agent, "_policy_loss", lambda *of: policy_loss(*of) * poison)
    active = run.accounts.active
    broken = run.learn(run.collector.collect(0, active), active).broken
    assert {learner: why.what for learner, why in broken.items()} == {1: "policy_loss"}
    assert are_equal(parameters(run, 1), before)
    assert run.agent.critic.optimizer.counts.tolist() == [2, 0]


def test_a_learner_that_has_stopped_for_its_target_is_not_broken_by_steps_that_it_does_not_make(monkeypatch):
    """Its loss is NaN from the second mini-batch on, in which it takes no part."""
    run = make_run(*PPO, "num_seeds=2", "algorithm.target_kl=1e9")
    agent, mini_batches = run.agent, 0
    policy_loss = agent._policy_loss

    def poisoned(*arguments):
        nonlocal mini_batches
        mini_batches += 1
        return policy_loss(*arguments) * torch.tensor([1.0, math.nan if mini_batches > 1 else 1.0])

    monkeypatch.setattr(agent, "_policy_loss", poisoned)
    monkeypatch.setattr(agent, "_has_gone_far", lambda measured: [False, True])
    active = run.accounts.active
    assert run.learn(run.collector.collect(0, active), active).broken == {}
    assert agent.optimizer.counts.tolist() == [16, 1]


def test_metrics_have_the_tags_that_other_code_of_ppo_uses():
    ppo, a2c = ({m.name: m.tag for m in make_run(*a).agent.metrics} for a in (PPO, A2C))
    common = ["policy_loss", "value_loss", "entropy", "explained_variance"]
    for name in common:
        assert ppo[name] == a2c[name] == f"losses/{name}"
    assert {name: tag for name, tag in ppo.items() if name not in a2c} == {
        "approx_kl": "losses/approx_kl",
        "clipfrac": "losses/clipfrac",
    }


def test_a_schedule_scales_every_step_of_an_update_by_the_learners_own_progress():
    run = make_run(*PPO, "num_seeds=2", "env.max_steps=1000", "optimizer.final_fraction=0.1")
    run.accounts.seeds[1].env_steps = 500
    factors = counted(run)
    metrics = learned(run, 1)[0]
    assert factors == [[1.0, 0.55]] * 16
    torch.testing.assert_close(metrics["learning_rate"], torch.tensor([0.01, 0.0055]))
