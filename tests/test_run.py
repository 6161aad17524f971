"""The run as a whole: same seed same bits, seeds that do not influence each other, and baselines that do their work."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pg_experiments.baseline import explained_variance
from pg_experiments.optimizer import schedule_factor
from pg_experiments.optimizer.rules import SGD
from pg_experiments.optimizer.stacked import StackedOptimizer
from tests.conftest import make_run, one_update, track, train_in

SHORT = ("env.max_episodes=12", "num_seeds=3")


def rows(directory: Path) -> list[dict[str, str]]:
    with (directory / "metrics.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "wall_time_s"} for row in csv.DictReader(file)]


@pytest.mark.parametrize("overrides", [(), ("baseline=value", "algorithm.log_probs=stored", "policy.head=bernoulli")])
def test_two_runs_of_the_same_seed_write_the_same_metrics(tmp_path, overrides):
    for name in ("first", "second"):
        train_in(tmp_path / name, *SHORT, *overrides)
    assert rows(tmp_path / "first") == rows(tmp_path / "second")
    assert len(rows(tmp_path / "first")) == 6 * 3


def test_another_seed_is_another_run(tmp_path):
    train_in(tmp_path / "a", *SHORT)
    train_in(tmp_path / "b", *SHORT, "seed=3")
    returns = [[row["episodic_return"] for row in rows(tmp_path / name)] for name in "ab"]
    assert returns[0] != returns[1]


@pytest.mark.parametrize("baseline", ["none", "value"])
def test_a_seeds_first_update_is_the_same_to_the_last_bit_with_as_many_other_neighbours(baseline):
    def parameters(seed: int, learner: int) -> list[torch.Tensor]:
        run = make_run("num_seeds=3", f"seed={seed}", f"baseline={baseline}")
        one_update(run)
        return [p.detach()[learner] for p in [*run.agent.policy.parameters(), *run.agent.baseline.parameters()]]

    for ours, theirs in zip(parameters(4, 2), parameters(6, 0), strict=True):
        assert torch.equal(ours, theirs)


def test_a_seed_alone_learns_what_it_learns_among_others_up_to_rounding():
    together, alone = make_run("num_seeds=3", "seed=4"), make_run("seed=5")
    one_update(together)
    one_update(alone)
    for ours, theirs in zip(together.agent.policy.parameters(), alone.agent.policy.parameters(), strict=True):
        torch.testing.assert_close(ours[1], theirs[0], rtol=1e-4, atol=1e-5)


def test_a_seed_that_has_stopped_keeps_its_parameters_to_the_last_bit_and_the_others_go_on(tmp_path):
    run = make_run("num_seeds=3", "env.max_episodes=8", "optimizer.weight_decay=0.1", "baseline=value")
    one_update(run)  # so that Adam has momentum to drift with
    run.accounts.seeds[1].episodes_to_solve = 1
    before = [p.detach().clone() for p in [*run.agent.policy.parameters(), *run.agent.baseline.parameters()]]
    run.execute(track(run, tmp_path / "run"))
    after = [*run.agent.policy.parameters(), *run.agent.baseline.parameters()]
    for old, new in zip(before, after, strict=True):
        assert torch.equal(old[1], new[1])
        assert not torch.equal(old[0], new[0])
    assert {row["seed"] for row in rows(tmp_path / "run")} == {"0", "2"}


def test_the_objective_is_the_mean_final_return_and_the_result_says_it_of_every_seed(tmp_path):
    run = make_run(*SHORT)
    objective = run.execute(track(run, tmp_path / "run"))
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["status"] == "done"
    assert result["objective"] == objective
    assert objective == pytest.approx(np.mean([seed["final_return"] for seed in result["seeds"]]))
    assert result["objective_std"] == pytest.approx(np.std([s["final_return"] for s in result["seeds"]], ddof=1))
    assert [seed["seed"] for seed in result["seeds"]] == [0, 1, 2]
    assert (result["episodes"], result["updates"], result["num_seeds"]) == (36, 6, 3)
    assert result["env_steps"] == sum(seed["env_steps"] for seed in result["seeds"])
    lengths = sum(2 * float(row["episodic_length"]) for row in rows(tmp_path / "run"))
    assert result["env_steps"] == lengths


def test_gradients_are_clipped_per_seed():
    weight = torch.nn.Parameter(torch.zeros(3, 2))
    optimizer = StackedOptimizer([("weight", weight)], SGD(1.0, 0.0, momentum=0.0), max_grad_norm=1.0)
    directions = torch.tensor([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]])
    norms = optimizer.step([-(weight * directions).sum(1)], range(3), [1, 1, 1]).norms
    torch.testing.assert_close(norms, torch.tensor([5.0, 0.5, 0.0]))
    torch.testing.assert_close(weight.detach(), torch.tensor([[0.6, 0.8], [0.3, 0.4], [0.0, 0.0]]))


@pytest.mark.parametrize(
    ("schedule", "values"),
    [
        ("constant", (1, 1, 1)),
        ("linear", (1, 0.6, 0.2)),
        ("cosine", (1, 0.6, 0.2)),
        ("exponential", (1, 0.2**0.5, 0.2)),
    ],
)
def test_schedules_start_at_one_and_end_at_the_final_fraction(schedule, values):
    assert [schedule_factor(schedule, 0.2, p) for p in (0.0, 0.5, 1.0)] == pytest.approx(list(values))


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop"])
def test_the_schedule_scales_the_step_that_the_optimizer_takes(optimizer):
    """A run that is half through a linear schedule to 0.1 takes 0.55 of the first step."""
    steps = []
    for episodes in (0, 250):
        run = make_run(f"optimizer={optimizer}", "optimizer.schedule=linear")
        before = [p.detach().clone() for p in run.agent.policy.parameters()]
        run.accounts.seeds[0].returns.extend([0.0] * episodes)
        one_update(run)
        steps.append([p.detach() - old for p, old in zip(run.agent.policy.parameters(), before, strict=True)])
    for first, later in zip(*steps, strict=True):
        assert first.abs().max() > 0
        torch.testing.assert_close(later, 0.55 * first, rtol=1e-3, atol=1e-6)


def test_weight_decay_shrinks_weights_that_no_gradient_holds():
    norms = {}
    for decay in (0.0, 0.1):
        run = make_run(f"optimizer.weight_decay={decay}", "optimizer=sgd")
        for update in range(10):
            one_update(run, update)
        norms[decay] = sum(float(p.detach().square().sum()) for p in run.agent.policy.parameters())
    assert norms[0.1] < norms[0.0]


def test_the_moving_average_knows_only_earlier_batches_and_starts_without_bias():
    run = make_run("baseline=moving_average", "normalization=none", "baseline.decay=0.5", "num_seeds=2")
    means = []
    for update in range(3):
        rollout = run.collector.collect(update, np.arange(2))
        returns, values, _ = run.agent.credit(rollout)
        if update == 0:
            assert (values == 0).all()
        elif update == 1:
            torch.testing.assert_close(values[0, :, 0], means[0])
        else:
            torch.testing.assert_close(values[0, :, 0], (0.25 * means[0] + 0.5 * means[1]) / 0.75)
        run.agent.baseline.learn(rollout, returns, skip=())
        means.append((returns * rollout.mask).sum((0, 2)) / rollout.mask.sum((0, 2)))


def test_the_value_baseline_learns_to_explain_the_returns():
    run = make_run("baseline=value", "normalization=none", "baseline.steps=200")
    rollout = run.collector.collect(0, np.arange(1))
    returns, before, _ = run.agent.credit(rollout)
    run.learn(rollout, np.arange(1))
    _, after, _ = run.agent.credit(rollout)
    assert explained_variance(after, returns, rollout.mask) > 0.8
    assert explained_variance(before, returns, rollout.mask) < 0.5
    assert explained_variance(returns, returns, rollout.mask) == 1


@pytest.mark.parametrize("normalization", ["none", "returns", "advantages"])
@pytest.mark.parametrize("baseline", ["none", "mean", "moving_average", "value"])
def test_one_step_episodes_make_a_finite_update(baseline, normalization):
    """And with normalised returns no update at all: one step has nothing to be compared with."""
    run = make_run("env.max_episode_steps=1", f"baseline={baseline}", f"normalization={normalization}")
    before = [p.detach().clone() for p in run.agent.policy.parameters()]
    learned = one_update(run)
    assert all(torch.isfinite(learned[name]).all() for name in ("policy_loss", "entropy", "policy_gradient_norm"))
    for old, new in zip(before, run.agent.policy.parameters(), strict=True):
        assert new.isfinite().all()
        if normalization == "returns" and baseline == "none":
            assert torch.equal(old, new)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("baseline=value", "algorithm.log_probs=stored"),
        ("baseline=moving_average",),
        ("env=pong", "env.num_envs=4", "collect.points=6", "policy.hidden=16"),
    ],
)
def test_a_cuda_device_takes_the_same_first_update_as_the_cpu(overrides):
    on_cpu, on_cuda = make_run("num_seeds=2", *overrides), make_run("num_seeds=2", "device=cuda", *overrides)
    for run in (on_cpu, on_cuda):
        one_update(run)
    for cpu, cuda in zip(on_cpu.agent.policy.parameters(), on_cuda.agent.policy.parameters(), strict=True):
        assert cuda.is_cuda
        torch.testing.assert_close(cuda.cpu(), cpu, rtol=1e-3, atol=1e-4)
