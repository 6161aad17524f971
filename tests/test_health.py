"""A collapsed policy, a dead layer, and returns that never change are each warned of once, and nothing else is."""

from __future__ import annotations

import csv
import dataclasses
import math

import numpy as np
import pytest
import torch

from pg_experiments.algorithm.agent import Update
from pg_experiments.run.accounts import SeedAccount
from pg_experiments.run.health import COLLAPSED, UNCHANGED, Health, dead_layers, is_poor, is_stuck
from pg_experiments.tensors.rollout import FlatIndex
from pg_experiments.tensors.sparse import SparseRows
from pg_experiments.tensors.stacked import StackedMLP
from tests.conftest import REPOSITORY, make_run, one_update, track, train_in
from tests.masked_env import ID
from tests.symptoms import parameters, texts


def test_a_collapsed_policy_is_warned_of_once_for_each_seed(tmp_path, capsys):
    run = train_in(tmp_path / "run", "optimizer.learning_rate=1", "num_seeds=3", "env.max_episodes=100")
    found = texts(tmp_path / "run")["warnings/collapsed_policy"]
    assert "the policy has collapsed" in found[0]
    named = [number for text in found for number in text.partition(":")[0].removeprefix("seed").strip("s ").split(", ")]
    assert sorted(named) == ["0", "1", "2"]
    log = (tmp_path / "run" / "train.log").read_text()
    assert log.count("WARNING") == capsys.readouterr().out.count("warning: ") >= len(found)
    assert all(account.error is None for account in run.accounts.seeds), "a warning stops nobody"


def test_the_default_run_gives_no_false_alarm(tmp_path):
    """The least entropy of 384 seeds of the default was 0.31 of 0.69 nats; here four of them."""
    train_in(tmp_path / "run", "num_seeds=4")
    assert texts(tmp_path / "run") == {}


PONG = sorted(REPOSITORY.glob("docs/results/pong*/*/metrics.csv"))


@pytest.mark.parametrize("file", PONG, ids=lambda file: file.parent.name)
def test_good_runs_of_pong_whose_entropy_falls_low_give_no_false_alarm(file):
    with file.open() as lines:
        found = list(csv.DictReader(lines))
    for seed in {row["seed"] for row in found}:
        of_seed = [row for row in found if row["seed"] == seed and int(row["episodes"]) >= 100]
        first = float(of_seed[0]["mean_return"])
        for row in of_seed:
            low = float(row["entropy"]) < COLLAPSED * math.log(2)
            assert not (low and is_poor(float(row["mean_return"]), first, 18))


@pytest.mark.parametrize("file", PONG, ids=lambda file: file.parent.name)
def test_no_run_of_pong_stays_at_its_lowest_return_for_long(file):
    """A bound: an update whose mean is −21 has only episodes of −21, and another may have some of them."""
    with file.open() as lines:
        found = list(csv.DictReader(lines))
    for seed in {row["seed"] for row in found}:
        differed = 0  # episodes at the last update in which a return differed
        for row in [row for row in found if row["seed"] == seed]:
            if row["episodic_return"] and float(row["episodic_return"]) > -21:
                differed = int(row["episodes"])
            assert int(row["episodes"]) - differed < UNCHANGED


def test_poor_is_less_than_half_way_to_the_threshold_or_no_more_than_at_first_without_one():
    assert is_poor(247, 20, 475)
    assert not is_poor(248, 20, 475)
    assert is_poor(-20, -20.5, 18)
    assert is_poor(20, 20, math.inf)
    assert not is_poor(21, 20, math.inf)


def test_only_a_poor_seed_with_a_full_window_is_said_to_have_collapsed():
    run = make_run("num_seeds=5", "env.window=2", "policy.hidden=4")
    for account, returns in zip(run.accounts.seeds, ([9, 9], [9], [9, 9, 400, 400], [9, 9], [9, 9]), strict=True):
        account.returns.extend(map(float, returns))
    rollout = run.collector.collect(0, np.array([1, 2, 3, 4]))
    entropy = torch.tensor([0.0, 0.0, 0.0, 1.1 * COLLAPSED * math.log(2)])
    (symptom,) = run.health.check(1, rollout, Update({"entropy": entropy}, {}))
    assert symptom.text.startswith("seed 3: the policy has collapsed")
    assert run.health.check(2, rollout, Update({"entropy": entropy}, {})) == []


def test_with_action_masks_the_entropy_is_compared_with_that_of_the_allowed_actions():
    """Of ten steps, learner 0 has a choice of two actions at one, learner 1 of all four at each, learner 2 at none."""
    run = make_run("env=gymnasium", f"env.id={ID}", "num_seeds=3", "env.window=2", "policy.hidden=4")
    for account in run.accounts.seeds:
        account.returns.extend([9.0, 9.0])
    rollout = run.collector.collect(0, np.arange(3))
    mask, masks = torch.zeros_like(rollout.mask), torch.zeros_like(rollout.action_masks)
    mask[:10, :, 0], masks[..., 0] = True, True
    masks[:10, 1, 0] = True
    masks[4, 0, 0, 2] = True
    masks[:, 0, 1:] = True  # of steps that are padding
    rollout = dataclasses.replace(rollout, mask=mask, action_masks=masks)
    highest = torch.tensor([math.log(2) / 10, math.log(4), 0.0])

    def named(fraction: float) -> list[str]:
        health = Health(run.accounts, run.agent)
        return [s.text for s in health.check(1, rollout, Update({"entropy": fraction * COLLAPSED * highest}, {}))]

    (text,) = named(0.9)
    assert text.startswith("seeds 0, 1: the policy has collapsed")
    assert "below 1% of log(number of allowed actions), so" in text
    assert named(1.1) == []


def test_where_both_broke_the_baseline_is_named_as_the_cause(monkeypatch):
    run = make_run("num_seeds=2", "baseline=value", "policy.hidden=4")
    rollout = run.collector.collect(0, np.arange(2))
    credit = run.agent.credit(rollout)
    credit.advantages[:] = math.nan
    credit.returns[:, 1] = math.nan
    monkeypatch.setattr(run.agent, "credit", lambda _: credit)
    first, second = run.health.check(3, rollout, run.learn(rollout, np.arange(2)))
    assert first.text.startswith("seed 0 stopped at update 3: policy_loss is not finite")
    assert second.text.startswith("seed 1 stopped at update 3: value_loss is not finite; a lower baseline")


NEVER_REACHED = ("env=gymnasium", "env.id=MountainCar-v0", "num_seeds=2", "policy.hidden=4")


def test_an_environment_whose_returns_never_change_is_warned_of_once_for_each_seed(tmp_path, capsys):
    train_in(tmp_path / "run", *NEVER_REACHED, f"env.max_episodes={UNCHANGED + 6}", "checkpoint.every_updates=1")
    (text,) = texts(tmp_path / "run")["warnings/unchanged_returns"]
    assert text.startswith(
        f"seeds 0, 1: the last {UNCHANGED} returns are all -200, the lowest so far (update {UNCHANGED // 2}), "
    )
    assert f"WARNING {text}" in (tmp_path / "run" / "train.log").read_text()
    assert f"warning: {text}" in capsys.readouterr().out


def test_a_resumed_run_does_not_warn_of_unchanged_returns_again(tmp_path):
    run = make_run(*NEVER_REACHED, f"env.max_episodes={UNCHANGED + 2}")
    run.execute(track(run, tmp_path / "run", *NEVER_REACHED))
    rollout = run.collector.collect(run.updates, np.arange(2))

    def said(state: dict) -> list[str]:
        resumed = make_run(*NEVER_REACHED, f"env.max_episodes={UNCHANGED + 2}")
        resumed.restore(state)
        return [symptom.kind for symptom in resumed.health.check(resumed.updates, rollout, Update({}, {}))]

    state = run.state()
    assert said(state) == []
    state["health"]["warned"]["unchanged_returns"][:] = False
    assert said(state) == ["unchanged_returns"], "the number of equal returns is that of before"


def entered(*returns: float, threshold: float = 475) -> SeedAccount:
    account = SeedAccount(0)
    for value in returns:
        account.enter(value, 25, threshold)
    return account


def test_equal_returns_are_no_symptom_at_the_best_at_the_threshold_or_before_they_are_enough():
    stuck = [-200.0] * UNCHANGED
    assert is_stuck(entered(*stuck), 475)
    assert is_stuck(entered(*stuck), math.inf)
    assert is_stuck(entered(-90.0, *stuck), 475), "it was better once, and has fallen to its lowest level"
    assert not is_stuck(entered(*stuck[1:]), 475)
    assert not is_stuck(entered(*stuck[:50], -199.0, *stuck[50:]), 475), "the equal ones are not in a row"
    assert not is_stuck(entered(9.0, *[500.0] * 1000, threshold=math.inf), math.inf), "CartPole stays at its best"
    assert not is_stuck(entered(*[500.0] * UNCHANGED), 475), "solved from the first episode"
    assert not is_stuck(entered(*[500.0] * UNCHANGED, threshold=501), 500), "at the threshold of another window"
    assert not is_stuck(entered(*[math.nan] * UNCHANGED), 475)
    failed = entered(*stuck)
    failed.error = "stopped"
    assert not is_stuck(failed, 475)


def test_returns_that_stay_at_different_levels_are_told_apart():
    run = make_run("num_seeds=3", "policy.hidden=4")
    for account, level in zip(run.accounts.seeds, (0.0, -5.0, 0.0), strict=True):
        for _ in range(UNCHANGED):
            account.enter(level, 25, 475)
    rollout = run.collector.collect(1, np.arange(3))
    low, high = run.health.check(1, rollout, Update({}, {}))
    assert low.text.startswith(f"seed 1: the last {UNCHANGED} returns are all -5, ")
    assert high.text.startswith(f"seeds 0, 2: the last {UNCHANGED} returns are all 0, ")


def perceptron_with(activation: str, bias: float) -> StackedMLP:
    """Two learners of two hidden layers; the second one's units of the first layer have that bias."""
    network = StackedMLP(2, 3, 2, hidden=8, layers=2, activation=activation, bias=True)
    with torch.no_grad():
        for weight in network.weights:
            weight.copy_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(0)))
        for biases in network.biases:
            biases.zero_()
        network.biases[0][1] = bias
    return network


DEADLY = [("relu", -50.0, True), ("tanh", 50.0, True), ("leaky_relu", -50.0, False)]


@pytest.mark.parametrize(("activation", "bias", "dies"), DEADLY)
def test_a_layer_is_dead_whose_outputs_are_the_same_for_every_observation(activation, bias, dies):
    x = torch.randn(2, 20, 3, generator=torch.Generator().manual_seed(1))
    network = perceptron_with(activation, bias)
    expected = [[False, False], [dies, False]]
    assert dead_layers(network.bind(), x).tolist() == expected, "what follows a dead layer is not"
    assert dead_layers(network.bind(torch.tensor([1])), x[:1]).tolist() == expected[1:]
    network.biases[0].data.zero_()
    network.biases[0].data[:, :, :7] = bias
    assert not dead_layers(network.bind(), x).any(), "one unit that is alive is enough"
    equal = torch.ones(2, 20, 3)
    assert not dead_layers(network.bind(), equal).any(), "from equal observations nothing follows"


def test_steps_are_spread_over_each_seeds_own_whatever_its_neighbours_played():
    mask = torch.zeros(40, 2, 3, dtype=torch.bool)
    mask[:, 0], mask[:2, 1] = True, True
    index = FlatIndex.of(mask).spread(8)
    assert index.valid.all()
    step_of = index.positions // 6  # [R, 8] the time of each
    assert step_of[0].tolist() == [0, 5, 10, 15, 20, 25, 30, 35]
    assert set(step_of[1].tolist()) == {0, 1}
    assert (index.positions // 3 % 2 == torch.tensor([[0], [1]])).all(), "each from its own seed"


def test_a_dead_layer_is_seen_in_images_too_and_a_linear_policy_has_none():
    network = StackedMLP(1, 50, 1, hidden=4, layers=1, activation="relu", bias=True)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(1.0)
        rows = SparseRows(torch.tensor([3, 7, 7]), torch.tensor([1.0, -1.0, 1.0]), torch.tensor([0, 2]), (1, 2, 50))
        assert dead_layers(network.bind(), rows).tolist() == [[False]]
        network.biases[0].fill_(-9.0)
        assert dead_layers(network.bind(), rows).tolist() == [[True]]
        linear = StackedMLP(1, 50, 1, hidden=0, layers=0, activation="relu", bias=True)
        assert dead_layers(linear.bind(), rows).shape == (1, 0)


def test_dead_layers_of_policy_and_baseline_are_warned_of_once_and_a_resumed_run_does_not_say_it_again(tmp_path):
    overrides = ("num_seeds=3", "env.max_episodes=60", "env.threshold=inf", "baseline=value", "baseline.layers=2")
    run = make_run(*overrides, "tracking.histograms_every=0")
    with torch.no_grad():
        run.agent.policy.network.biases[0][2] = -100
        run.agent.baseline.network.biases[1][0] = -100
    run.execute(track(run, tmp_path / "run", *overrides))
    found = texts(tmp_path / "run")
    (of_policy,) = found["warnings/dead_layer_of_policy"]
    assert of_policy.startswith("seed 2: hidden layer 0 of the policy is dead (update 0)")
    (of_baseline,) = found["warnings/dead_layer_of_baseline"]
    assert of_baseline.startswith("seed 0: hidden layer 1 of the baseline is dead (update 0)")

    def said(health: Health) -> list[str]:
        rollout = run.collector.collect(25, np.arange(3))
        return [symptom.kind for symptom in health.check(25, rollout, Update({"entropy": torch.ones(3)}, {}))]

    other = Health(run.accounts, run.agent)
    assert said(other) == ["dead_layer_of_policy", "dead_layer_of_baseline"]
    resumed = Health(run.accounts, run.agent)
    resumed.restore(run.health.state())
    assert said(resumed) == []


def test_the_new_checks_change_no_bit_of_a_sound_update():
    """Neither a look for symptoms nor the search for what is not finite draws a random number or writes a parameter."""
    runs = [make_run("num_seeds=2", "baseline=value") for _ in range(2)]
    for update in range(3):
        for run in runs:
            one_update(run, update)
        rollout = runs[0].collector.collect(25 * update, np.arange(2))
        runs[0].health.check(25 * update, rollout, Update({"entropy": torch.zeros(2)}, {}))
    for learner in range(2):
        for ours, theirs in zip(parameters(runs[0], learner), parameters(runs[1], learner), strict=True):
            assert torch.equal(ours, theirs)
