"""A seed breaks: it is stopped alone and named, and no other seed notices."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pg_experiments.collect import CompiledEpisodeCollector
from pg_experiments.optimizer.rules import SGD, Adam, RMSprop
from pg_experiments.optimizer.stacked import StackedOptimizer
from pg_experiments.run.checkpoint import Checkpoints, newest, read
from pg_experiments.run.run import Run
from tests.conftest import make_run, track
from tests.symptoms import parameters, texts

THREE = ("num_seeds=3", "env.max_episodes=16", "env.threshold=inf")
AT = 3  # the update at which something happens to the second of three seeds


def rows(directory: Path) -> list[dict[str, str]]:
    with (directory / "metrics.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "wall_time_s"} for row in csv.DictReader(file)]


def result(directory: Path) -> dict:
    return json.loads((directory / "result.json").read_text())


def reward_of_nan(run: Run) -> None:
    in_batch(run, lambda rollout: rollout.rewards[:, 1].fill_(math.nan))


def observation_of_nan(run: Run) -> None:
    """Where Gymnasium plays, from the environment itself, so that the policy acts on it."""
    if isinstance(run.collector, CompiledEpisodeCollector):
        in_batch(run, lambda rollout: rollout.observations[:, 1].fill_(math.nan))
        return
    step, reset = run.env.step, run.env.reset
    episodes = run.config.collect.episodes
    envs = slice(episodes, 2 * episodes)
    batches = 0

    def counted(**keys):
        nonlocal batches
        batches += 1
        return reset(**keys)

    def poisoned(actions):
        observations, *rest = step(actions)
        if batches == AT + 1:
            observations = observations.copy()
            observations[envs] = math.nan
        return observations, *rest

    run.env.step, run.env.reset = poisoned, counted


def parameter_that_overflows(run: Run) -> None:
    """After an update, so that the policy acts with logits that are not finite."""
    learn = run.learn
    updates = 0

    def sabotaged(*arguments):
        nonlocal updates
        updates += 1
        learned = learn(*arguments)
        if updates == AT:
            run.agent.policy.network.weights[1].data[1].fill_(3e38)
        return learned

    run.learn = sabotaged


def gradient_of_nan(run: Run) -> None:
    break_gradient(run, run.agent.policy.network.weights[1])


def gradient_of_the_baseline(run: Run) -> None:
    break_gradient(run, run.agent.baseline.network.biases[0])


def in_batch(run: Run, deed: Callable) -> None:
    collect = run.collector.collect

    def sabotaged(update, active):
        rollout = collect(update, active)
        if update == AT:
            deed(rollout)
        return rollout

    run.collector.collect = sabotaged


def break_gradient(run: Run, parameter: torch.nn.Parameter) -> None:
    broken = torch.zeros_like(parameter)
    in_batch(run, lambda _: broken[1].fill_(math.inf))
    parameter.register_hook(lambda gradient: gradient + broken)


FROM_OUTSIDE = "are not finite; see what the environment returns"
LOWER = "is not finite; a lower"
WAYS = {
    "reward": (reward_of_nan, f"rewards {FROM_OUTSIDE}"),
    "observation": (observation_of_nan, f"observations {FROM_OUTSIDE}"),
    "loss": (parameter_that_overflows, f"policy_loss {LOWER} optimizer.learning_rate (0.01) or a"),
    "gradient": (gradient_of_nan, f"gradient of policy.network.weights.1 {LOWER} optimizer.learning_rate (0.01) or a"),
    "baseline": (gradient_of_the_baseline, f"gradient of baseline.network.biases.0 {LOWER} baseline.learning_rate"),
}


@pytest.mark.parametrize("overrides", [(), ("algorithm.log_probs=stored", "optimizer=sgd", "optimizer.momentum=0.9")])
@pytest.mark.parametrize(("sabotage", "why"), WAYS.values(), ids=WAYS.keys())
def test_a_seed_that_breaks_is_stopped_at_once_and_changes_no_bit_of_its_neighbours(
    tmp_path, capsys, sabotage, why, overrides
):
    """Its neighbours are compared with those of a seed that stopped at the same update without breaking."""
    overrides = (*THREE, "baseline=value", "normalization=advantages", *overrides)
    broken, sound = make_run(*overrides), make_run(*overrides)
    sabotage(broken)
    broken.execute(track(broken, tmp_path / "broken", *overrides))
    in_batch(sound, lambda _: setattr(sound.accounts.seeds[1], "error", "stopped"))
    sound.execute(track(sound, tmp_path / "sound"))

    def of_neighbours(name: str) -> list[dict[str, str]]:
        return [row for row in rows(tmp_path / name) if row["seed"] != "1"]

    assert of_neighbours("broken") == of_neighbours("sound")
    for learner in (0, 2):
        for ours, theirs in zip(parameters(broken, learner), parameters(sound, learner), strict=True):
            assert torch.equal(ours, theirs)
    left = result(tmp_path / "broken")
    error = f"stopped at update {AT}: {why}"
    assert (left["status"], left["updates"]) == ("done", 8)
    assert [seed["episodes"] for seed in left["seeds"]] == [16, 2 * (AT + 1), 16]
    assert [seed["error"] for seed in left["seeds"]] == [None, left["seeds"][1]["error"], None]
    assert left["seeds"][1]["error"].startswith(error)
    assert left["error"].startswith(f"seed 1 {error}")
    assert left["objective"] is not None
    for said in (capsys.readouterr().out, (tmp_path / "broken" / "train.log").read_text()):
        assert said.count(error) == 2, "at once, and in the closing block"
    (text,) = texts(tmp_path / "broken")["warnings/stopped_seed"]
    assert text.startswith(f"seed 1 {error}")


def test_what_is_left_of_a_seed_that_broke_are_the_parameters_of_before_and_nothing_that_is_not_finite(tmp_path):
    run = make_run(*THREE, "baseline=value")
    before: list[torch.Tensor] = []
    in_batch(run, lambda _: before.extend(parameters(run, 1)))
    gradient_of_nan(run)
    run.execute(track(run, tmp_path / "run"))
    for old, new in zip(before, parameters(run, 1), strict=True):
        assert torch.equal(old, new)
    for optimizer in (run.agent.optimizer, run.agent.baseline.optimizer):
        for moments in optimizer.moments.values():
            assert all(moment.isfinite().all() for moment in moments)


RULES = [
    SGD(0.1, 0.01, momentum=0.9),
    Adam(0.1, 0.01, beta1=0.9, beta2=0.999, epsilon=1e-8, decoupled=False),
    Adam(0.1, 0.01, beta1=0.9, beta2=0.999, epsilon=1e-8, decoupled=True),
    RMSprop(0.1, 0.01, decay=0.99, epsilon=1e-8, momentum=0.9),
]


@pytest.mark.parametrize("rule", RULES)
def test_a_parameter_that_overflows_is_named_and_keeps_its_value_whatever_the_optimizer_remembers(rule):
    weight, other = torch.nn.Parameter(torch.ones(3, 2)), torch.nn.Parameter(torch.ones(3, 1))
    optimizer = StackedOptimizer([("first", other), ("second", weight)], rule)

    def step(scale: float, factors: tuple[float, ...]) -> dict[int, str]:
        towards = torch.tensor([1.0, scale, 1.0])[:, None]
        loss = (weight * towards).sum(1) + other.sum(1)
        return optimizer.step([loss], range(3), factors).broken

    assert step(-0.2, (1, 1, 1)) == {}
    last = weight.detach().clone()
    weight.data[1] = 3.4028e38
    optimizer.rule = dataclasses.replace(rule, learning_rate=1e36, weight_decay=0.0)
    assert step(-0.2, (1, 1, 1)) == {1: "parameter second"}
    optimizer.rule = dataclasses.replace(rule, weight_decay=0.0)
    weight.data.copy_(last)
    for _ in range(3):
        assert step(0.0, (1, 0, 1)) == {}
    assert torch.equal(weight[1], last[1])
    assert weight.isfinite().all()


def test_a_gradient_whose_norm_alone_overflows_counts_as_broken():
    weight = torch.nn.Parameter(torch.zeros(2, 2))
    optimizer = StackedOptimizer([("weight", weight)], SGD(0.1, 0.0, momentum=0.0), max_grad_norm=1.0)
    loss = (weight * torch.tensor([[1.0], [1e30]])).sum(1)
    step = optimizer.step([loss], range(2), [1, 1])
    assert step.broken == {1: "norm of the gradient"}
    assert weight[1].eq(0).all()
    assert weight[0].ne(0).all()


def test_a_moving_average_takes_no_note_of_rewards_that_are_not_finite(tmp_path):
    run = make_run(*THREE, "baseline=moving_average", "normalization=none")
    reward_of_nan(run)
    run.execute(track(run, tmp_path / "run"))
    assert run.agent.baseline.average.isfinite().all()
    assert run.agent.baseline.batches.tolist() == [8, AT, 8]
    assert run.accounts.failed[0].seed == 1


def test_a_seed_whose_rewards_are_infinite_is_not_solved(tmp_path):
    run = make_run("num_seeds=2", "env.max_episodes=30", "env.window=2")
    in_batch(run, lambda rollout: rollout.rewards[:, 1].fill_(math.inf))
    run.execute(track(run, tmp_path / "run"))
    failed = result(tmp_path / "run")["seeds"][1]
    assert (failed["solved"], failed["final_return"]) == (False, None)


def test_where_every_seed_breaks_the_run_has_failed_and_names_all_of_them(tmp_path):
    run = make_run("optimizer.learning_rate=1e30", "num_seeds=3", "seed=5", "optimizer.max_grad_norm=null")
    with pytest.raises(FloatingPointError, match=r"seeds 5, 6, 7 failed; seed 5 stopped at update 1: policy_loss is"):
        run.execute(track(run, tmp_path / "run"))
    left = result(tmp_path / "run")
    assert left["status"] == "failed"
    assert left["error"].endswith("a lower optimizer.learning_rate (1e+30) or an optimizer.max_grad_norm may help")
    assert all("policy_loss is not finite" in seed["error"] for seed in left["seeds"])
    assert len(rows(tmp_path / "run")) == 6, "what was played is written down"
    assert all(p.isfinite().all() for p in run.agent.policy.parameters())


def test_one_seed_alone_that_breaks_is_an_error_of_one_line_and_exit_code_1(command, tmp_path):
    done = command("optimizer.learning_rate=1e30", "hydra.run.dir=mine", "device=cpu")
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line.startswith("error: FloatingPointError: seed 0 stopped at update 1: policy_loss is not finite;")
    assert "optimizer.learning_rate (1e+30)" in line
    assert "Traceback" not in done.stderr
    assert result(tmp_path / "mine")["seeds"][0]["error"].startswith("stopped at update 1")
    state = newest(tmp_path / "mine")
    assert state is not None
    assert all(tensor.isfinite().all() for tensor in state["agent"]["policy"].values()), "the last good parameters stay"
    again = command("resume=mine")
    assert again.returncode == 1
    assert again.stderr.splitlines()[-1].partition(" (traceback")[0] == line.partition(" (traceback")[0]


def test_a_resumed_run_knows_which_seed_failed_and_ends_in_the_same_bits(tmp_path):
    overrides = (*THREE, "baseline=value")
    straight, resumed = make_run(*overrides), make_run(*overrides)
    gradient_of_nan(straight)
    settings = dataclasses.replace(straight.config.checkpoint, every_updates=AT + 2, keep=2)
    straight.execute(track(straight, tmp_path / "run"), Checkpoints(tmp_path / "run", settings, {}))
    rows_of_straight = rows(tmp_path / "run")
    resumed.restore(read(tmp_path / "run" / "checkpoints" / f"update_{AT + 2:08d}.pt"))
    assert [account.error is None for account in resumed.accounts.seeds] == [True, False, True]
    resumed.execute(track(resumed, tmp_path / "resumed"))
    assert rows(tmp_path / "resumed") == [row for row in rows_of_straight if int(row["update"]) >= AT + 2]
    assert texts(tmp_path / "resumed") == {}
    assert result(tmp_path / "resumed")["seeds"] == result(tmp_path / "run")["seeds"]
    for learner in range(3):
        for ours, theirs in zip(parameters(resumed, learner), parameters(straight, learner), strict=True):
            assert torch.equal(ours, theirs)


def test_a_baseline_that_breaks_names_its_own_knob(command, tmp_path):
    done = command("baseline=value", "baseline.learning_rate=1e30", "hydra.run.dir=mine", "device=cpu", "num_seeds=2")
    assert done.returncode == 1
    assert "seeds 0, 1 failed; seed 0 stopped at update 1: value_loss is not finite" in done.stderr
    assert "a lower baseline.learning_rate (1e+30)" in done.stderr


def test_a_broken_seed_of_pong_stands_still_and_the_other_plays_on(tmp_path):
    overrides = ("env=pong", "policy.hidden=8", "env.num_envs=4", "collect.points=6", "num_seeds=2")
    run = make_run(*overrides, "env.max_steps=3000")
    break_gradient(run, run.agent.policy.network.weights[0])
    run.execute(track(run, tmp_path / "run"))
    left = result(tmp_path / "run")
    assert left["status"] == "done"
    assert [len([row for row in rows(tmp_path / "run") if row["seed"] == seed]) for seed in "01"] > [AT + 2, AT + 1]
    assert "gradient of policy.network.weights.0" in left["seeds"][1]["error"]
    assert left["seeds"][0]["env_steps"] >= 3000 > left["seeds"][1]["env_steps"]
