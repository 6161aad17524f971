"""A3C: which parameters each worker's gradient was computed with, and to which it was applied."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pg_experiments.run.run import Run
from pg_experiments.tensors.rollout import Rollout
from tests.conftest import composed, make_run
from tests.reference_loop import assert_same, stacked_form
from tests.test_actor_critic import are_equal, learned, parameters
from tests.test_actor_critic_loop import Loop

E, T = 4, 12
FRAGMENTS = (f"collect.num_envs={E}", f"collect.num_steps={T}", "env.max_episode_steps=15", "env.max_steps=5000")
SMALL = ("policy.hidden=8", "baseline.hidden=8", "optimizer.learning_rate=0.01", "optimizer.epsilon=0.001")
COMMON = (*FRAGMENTS, *SMALL, "algorithm.entropy_bonus=0.02", "optimizer.max_grad_norm=0.5")
A3C = ("algorithm=a3c", *COMMON)


def newest(run: Run, learner: int) -> list[Tensor]:
    return [values[learner].clone() for values in run.agent.versions[-1].values()]


@pytest.mark.parametrize("extra", [(), ("policy.dropout=0.3", "optimizer=adam", "optimizer.schedule=linear")])
def test_one_worker_without_staleness_is_a2c_to_the_last_bit(extra):
    one = ("algorithm.workers=1", "algorithm.staleness=0")
    a3c, a2c = make_run(*A3C, *one, *extra, "num_seeds=2"), make_run("algorithm=a2c", *COMMON, *extra, "num_seeds=2")
    for update in range(5):
        ours, theirs = learned(a3c, update + 1), learned(a2c, update + 1)
        assert are_equal(parameters(a3c), parameters(a2c)), f"update {update}"
        assert ours[-1].keys() == theirs[-1].keys()
        assert all(torch.equal(values, theirs[-1][name]) for name, values in ours[-1].items())


class StaleLoop(Loop):
    """The workers of one seed, written out: all versions of the parameters are kept, and loaded where they belong."""

    def __init__(self, config: dict[str, Any], run: Run, learner: int) -> None:
        self.workers, self.staleness = config["algorithm"]["workers"], config["algorithm"]["staleness"]
        super().__init__(config | {"algorithm": config["algorithm"] | {"name": "a2c"}}, run, learner)
        self.tensors = [parameter.data for group in self.optimizer.param_groups for parameter in group["params"]]
        self.versions = [self.copy()]
        self.step, self.optimizer.step = self.optimizer.step, self.step_from_the_newest

    def copy(self) -> list[Tensor]:
        return [tensor.clone() for tensor in self.tensors]

    def load(self, version: list[Tensor]) -> None:
        for tensor, values in zip(self.tensors, version, strict=True):
            tensor.copy_(values)

    def acting(self) -> list[Tensor]:
        """The parameters of `staleness` updates ago, or the first ones."""
        return self.versions[max(0, len(self.versions) - 1 - self.staleness)]

    def update(self, rollout: Rollout, r: int) -> dict[str, float]:
        self.acted = self.acting()
        found = super().update(rollout, r)
        self.load(self.acting())
        return found

    def minibatches(self, steps: int) -> list[Tensor]:
        """Of the steps in order of time and then of environment, those of each worker's environments."""
        envs, each = torch.arange(steps) % E, E // self.workers
        return [torch.nonzero(envs // each == worker).squeeze(1) for worker in range(self.workers)]

    def step_from_the_newest(self) -> None:
        """The gradient is that of the parameters that acted, which are loaded at this time."""
        assert all(torch.equal(*pair) for pair in zip(self.tensors, self.acted, strict=True))
        self.load(self.versions[-1])
        self.step()
        self.versions.append(self.copy())
        self.load(self.acted)


@pytest.mark.parametrize("num_seeds", [1, 2])
@pytest.mark.parametrize(("workers", "staleness"), [(1, 0), (4, 0), (2, 1), (2, 5), (4, 3)])
def test_the_kth_workers_gradient_is_k_plus_staleness_updates_old_and_applied_to_the_newest_parameters(
    workers, staleness, num_seeds
):
    overrides = (*A3C, f"algorithm.workers={workers}", f"algorithm.staleness={staleness}", f"num_seeds={num_seeds}")
    overrides = (*overrides, "seed=5", "policy.dropout=0.25", "baseline.clip_range=0.3")
    run, config = make_run(*overrides), composed(*overrides)
    loops = [StaleLoop(config, run, learner) for learner in range(num_seeds)]
    for update in range(6):
        rollout = run.collector.collect(update, np.arange(num_seeds))
        metrics = run.learn(rollout, np.arange(num_seeds)).metrics
        for learner, loop in enumerate(loops):
            expected = loop.update(rollout, learner)
            where = f"update {update}, learner {learner}"
            for name, module, reference in (
                ("policy", run.agent.policy, loop.policy),
                ("value", run.agent.critic, loop.value),
            ):
                after = {name: values.detach()[learner] for name, values in module.named_parameters()}
                assert_same(after, stacked_form(reference, "data"), f"{where}: the copy of the {name} that acts")
            loop.load(loop.versions[-1])
            for name, reference in (("policy", loop.policy), ("baseline", loop.value)):
                form = stacked_form(reference, "data")
                ours = {key: run.agent.versions[-1][f"{name}.{key}"][learner] for key in form}
                assert_same(ours, form, f"{where}: the newest parameters of {name}")
            loop.load(loop.acting())
            found = {name: float(values[learner]) for name, values in metrics.items()}
            assert found == pytest.approx(expected, rel=1e-3, abs=1e-5), where
    assert len(loops[0].versions) == 1 + 6 * workers


@pytest.mark.parametrize(
    "collected", [FRAGMENTS, ("collect=episodes", f"collect.episodes={E}")], ids=["steps", "episodes"]
)
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_workers_divide_the_columns_of_a_batch(workers, collected):
    run = make_run("algorithm=a3c", *collected, *SMALL, f"algorithm.workers={workers}", "num_seeds=2")
    rollout = run.collector.collect(0, np.arange(2))
    parts = list(run.agent._minibatches(rollout))
    assert len(parts) == workers
    for worker, index in enumerate(parts):
        envs = range(worker * E // workers, (worker + 1) * E // workers)
        for r in range(2):
            expected = [(t * 2 + r) * E + e for t in range(len(rollout.mask)) for e in envs if rollout.mask[t, r, e]]
            assert index.positions[r, index.valid[r]].tolist() == expected
    run.learn(rollout, np.arange(2))
    assert run.agent.optimizer.counts.tolist() == [workers, workers], "each worker makes a gradient step"


@pytest.mark.parametrize("staleness", [0, 3])
def test_a_learner_that_breaks_keeps_its_parameters_and_changes_no_bit_of_its_neighbours(staleness):
    """The second update has a NaN among the rewards of the second learner's last environment."""
    settings = ("algorithm.workers=2", f"algorithm.staleness={staleness}", "num_seeds=3")
    run, intact = make_run(*A3C, *settings), make_run(*A3C, *settings)
    learned(run, 1), learned(intact, 1)
    before, everyone = newest(run, 1), np.arange(3)
    rollout = run.collector.collect(1, everyone)
    rollout.rewards[3, 1, E - 1] = torch.nan
    broken = run.learn(rollout, everyone).broken
    intact.learn(intact.collector.collect(1, everyone), everyone)
    assert list(broken) == [1]
    assert "optimizer.learning_rate" in broken[1].hint
    assert all(values[1].isfinite().all() for version in run.agent.versions for values in version.values())
    assert not are_equal(newest(run, 1), before), "by the first worker"
    for update in (2, 3):
        for each in (run, intact):
            each.learn(each.collector.collect(update, np.array([0, 2])), np.array([0, 2]))
    for neighbour in (0, 2):
        assert are_equal(parameters(run, neighbour), parameters(intact, neighbour))
        assert are_equal(newest(run, neighbour), newest(intact, neighbour))


def test_a_learner_that_broke_takes_no_part_in_the_steps_of_the_workers_after():
    settings = ("algorithm.workers=2", "num_seeds=2")
    run = make_run(*A3C, *settings)
    before = parameters(run, 1)
    rollout = run.collector.collect(0, np.arange(2))
    rollout.rewards[T - 1, 1, 0] = torch.inf
    assert list(run.learn(rollout, np.arange(2)).broken) == [1]
    assert are_equal(parameters(run, 1), before)
    assert are_equal(newest(run, 1), before)
