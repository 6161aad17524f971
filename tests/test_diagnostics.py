"""diagnostics=gradients: what is measured is the gradient that is learned from, and measuring changes nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from pg_experiments import load_run
from pg_experiments.algorithm.gradient_statistics import gradient_statistics
from pg_experiments.diagnostics import GradientNoise
from pg_experiments.run.config import check
from pg_experiments.run.tracking.board import Board
from pg_experiments.run.tracking.metrics import UpdateRecord
from pg_experiments.support.errors import UserError
from pg_experiments.support.files import Directory
from pg_experiments.tensors.rollout import Rollout
from tests.conftest import composed, make_run, rewarded, train_in
from tests.image_env import ID as IMAGE_ID
from tests.masked_env import ID as MASKED_ID
from tests.test_record import events, rows

COLUMNS = ("gradient_variance", "gradient_snr", "gradient_noise_scale", "gradient_mean_norm", "gradient_cosine")
TAGS = ("variance", "snr", "noise_scale", "norm", "cosine")
SGD = ("optimizer=sgd", "optimizer.learning_rate=1", "optimizer.max_grad_norm=null", "num_seeds=2")
WHOLE = (*SGD, "policy.hidden=8", "env.max_episode_steps=30", "collect.episodes=3")
PIECES = (*SGD, "env.max_episode_steps=30", "collect.num_envs=4", "collect.num_steps=20", "algorithm.entropy_bonus=0")
PPO = ("algorithm=ppo", *PIECES, "algorithm.epochs=1", "algorithm.num_minibatches=1")
GAMES = (*SGD, "policy.hidden=8", "env=pong", "env.num_envs=3", "env.max_frames=600")
PIXELS = ("env=gymnasium", f"env.id={IMAGE_ID}", "env.max_episodes=100", "env.threshold=null")
CASES = {
    "reinforce": WHOLE,
    "a sum": (*WHOLE, "algorithm.reduction=sum"),
    "exact discount": (*WHOLE, "algorithm.discount=0.8", "returns.exact_discount=true", "normalization=none"),
    "a learned baseline": (*WHOLE, "baseline=value", "normalization=advantages", "policy.layers=2"),
    "the optimal baseline": (*WHOLE, "baseline=optimal", "normalization=none"),
    "stored outputs": (*WHOLE, "algorithm.log_probs=stored"),
    "layer normalisation": (*WHOLE, "policy.norm=layer"),
    "action masks": (*WHOLE, "env=gymnasium", f"env.id={MASKED_ID}", "env.max_episodes=90", "env.threshold=null"),
    "points": (*GAMES, "collect.points=4"),
    "recurrent": (*WHOLE, "policy=gru", "env=cartpole_masked"),
    "a2c": ("algorithm=a2c", *PIECES, "policy.hidden=8"),
    "a2c of episodes": ("algorithm=a2c", *WHOLE, "collect=episodes", "algorithm.entropy_bonus=0"),
    "ppo": (*PPO, "policy.hidden=8", "normalization.advantages=minibatch"),
    "ppo with a critic of its own": (*PPO, "policy.hidden=8", "baseline.learning_rate=0.01"),
    "ppo, continuous": (*PPO, "policy.hidden=8", "env=pendulum", "normalization=running"),
    "ppo, pixels": (*PPO, *PIXELS, "policy=cnn", "policy.network=small", "collect.num_steps=9"),
    "ppo, games": ("algorithm=ppo", *GAMES, *PPO[-2:], "algorithm.entropy_bonus=0", "collect.num_envs=3"),
    "a3c": ("algorithm=a3c", *PIECES, "policy.hidden=8", "algorithm.workers=2", "algorithm.staleness=0"),
    "a3c of episodes": (
        *("algorithm=a3c", *WHOLE, "collect=episodes", "collect.episodes=4", "algorithm.entropy_bonus=0"),
        *("algorithm.workers=2", "algorithm.staleness=0"),
    ),
}
STEPS = {"a3c": 2, "a3c of episodes": 2}  # gradient steps of an update where there is more than one


def parameters(run) -> Tensor:
    """[R, P]."""
    return torch.cat([p.detach().flatten(1) for p in run.agent.policy.parameters()], 1)


@pytest.mark.parametrize("case", CASES)
def test_the_mean_of_the_gradients_of_a_batchs_columns_is_the_step_that_the_agent_makes(case):
    """The step of gradient ascent with learning rate 1; of A3C the sum of those of its workers."""
    run = make_run(*CASES[case], "diagnostics=gradients")
    active = run.accounts.active
    for update in range(2):
        rollout = run.collector.collect(update, active)
        scaled = run.rewards.scaled(rollout)
        mean = gradient_statistics(run.agent.sample_gradients(scaled)).mean
        before = parameters(run)
        run.agent.learn(scaled, torch.zeros(2, dtype=torch.float64))
        step = (parameters(run) - before).double() / STEPS.get(case, 1)
        size = float(step.abs().max())
        assert size > 0
        torch.testing.assert_close(mean, step, rtol=1e-3, atol=1e-3 * size)


RUN = ("num_seeds=2", "env.max_episodes=24", "env.threshold=inf", "policy.hidden=8", "env.max_episode_steps=40")
EVERY = ("diagnostics=gradients", "diagnostics.every=5")


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """The same run without and with measurements, 12 updates; those with them are at updates 0, 5 and 10."""
    path = tmp_path_factory.mktemp("diagnostics")
    train_in(path / "none", *RUN)
    train_in(path / "gradients", *RUN, *EVERY)
    return path


def test_measuring_changes_no_bit_of_what_is_learned_and_without_it_there_are_no_columns(runs):
    without, measured = rows(runs / "none"), rows(runs / "gradients")
    assert set(measured[0]) - set(without[0]) == set(COLUMNS)
    assert len(without) == 24
    for a, b in zip(without, measured, strict=True):
        assert {**a, "wall_time_s": ""} == {name: b[name] for name in a} | {"wall_time_s": ""}


def test_a_measurement_is_made_every_so_many_updates_from_the_first_and_other_cells_are_empty(runs):
    for row in rows(runs / "gradients"):
        is_measured = int(row["update"]) % 5 == 0
        assert bool(row["gradient_variance"]) == bool(row["gradient_mean_norm"]) == is_measured
        assert bool(row["gradient_cosine"]) == (is_measured and row["update"] != "0"), "the first has none before it"
        assert bool(row["gradient_noise_scale"]) == (is_measured and float(row["gradient_snr"] or 0) > 0)


def test_the_norm_is_that_of_the_gradient_that_is_learned_from(runs):
    for row in rows(runs / "gradients"):
        if row["gradient_mean_norm"]:
            assert float(row["gradient_mean_norm"]) == pytest.approx(float(row["policy_gradient_norm"]), rel=1e-5)


def test_tensorboard_has_the_tags_with_points_at_measurements_alone(runs):
    board, found = events(runs / "gradients"), rows(runs / "gradients")
    assert not [tag for tag in events(runs / "none").Tags()["scalars"] if tag in {f"gradients/{tag}" for tag in TAGS}]
    for tag, column in zip(TAGS, COLUMNS, strict=True):
        pairs = np.array([float(row[column] or "nan") for row in found]).reshape(-1, 2)
        means = [np.nanmean(pair) for pair in pairs if not np.isnan(pair).all()]
        points = board.Scalars(f"gradients/{tag}") if means else []
        assert [point.value for point in points] == pytest.approx(means, rel=1e-5), tag
    seed = events(runs / "gradients" / "seed_1")
    assert len(seed.Scalars("seeds/gradients/variance")) == 3


def test_a_seed_that_stopped_between_measurements_counts_in_tensorboards_mean_with_its_last_one(tmp_path):
    """At three updates; seed 0 stops after the second, which has no measurement."""
    board = Board(Directory(tmp_path), [0, 1], GradientNoise.metrics)
    for update, of_seeds in enumerate(([1.0, 3.0], [math.nan, math.nan], [7.0])):
        learners, counts = np.arange(2)[-len(of_seeds) :], np.full(len(of_seeds), update)
        values = {"gradient_variance": np.array(of_seeds)}
        board.write(UpdateRecord(update, learners, counts, counts, counts, values, 0.0), 1.0)
    board.close()
    assert [(point.step, point.value) for point in events(tmp_path).Scalars("gradients/variance")] == [(0, 2), (2, 4)]


def test_a_sweep_compares_them_and_a_loaded_run_has_them_as_arrays(train_here, run_here, tmp_path):
    sweep = tmp_path / "sweep"
    done = train_here("-m", "policy.hidden=4,8", *RUN[:-2], RUN[-1], *EVERY, "device=cpu", f"hydra.sweep.dir={sweep}")
    assert done.code == 0, done.err
    done = run_here("compare", f"sweep={sweep}", "metric=gradient_snr")
    assert done.code == 0, done.err
    assert "final gradient_snr" in (sweep / "comparison.md").read_text()
    assert (sweep / "curves.png").stat().st_size > 0
    found = load_run(next(sweep.glob("0_*"))).metrics()
    assert found["gradient_variance"].shape == (12, 2)
    assert np.isfinite(found["gradient_variance"]).sum(0).tolist() == [3, 3]


def test_a_row_of_several_updates_has_the_mean_of_its_measurements(tmp_path):
    fragments = ("algorithm=a2c", "collect.num_envs=3", "collect.num_steps=10", "baseline.hidden=8")
    common = (*RUN, *fragments, "env.max_episodes=null", "env.max_steps=600", "diagnostics=gradients")
    train_in(tmp_path / "each", *common, "diagnostics.every=2", "tracking.every_steps=0")
    train_in(tmp_path / "some", *common, "diagnostics.every=2", "tracking.every_steps=150")
    each, some = (
        [float(row["gradient_variance"] or "nan") for row in rows(tmp_path / name) if row["seed"] == "1"]
        for name in ("each", "some")
    )
    assert len(each) == 20
    assert some == pytest.approx(np.nanmean(np.array(each).reshape(4, 5), axis=1))


class Given:
    """An agent whose columns have given gradients."""

    def __init__(self, learners: int, numbers: int) -> None:
        self.policy = torch.nn.ParameterList([torch.nn.Parameter(torch.zeros(learners, numbers))])
        self.gradients = torch.zeros(0)

    def sample_gradients(self, rollout: Rollout) -> Iterator[Tensor]:
        yield self.gradients


def test_the_cosine_is_that_of_a_learners_own_previous_mean():
    agent, batch = Given(3, 2), rewarded(torch.zeros(1, 2, 2))
    measuring = GradientNoise(1, agent)

    def cosines(learners: list[int], means: list[list[float]]) -> list[float]:
        spread = torch.tensor([[0.5, -1.0], [-0.5, 1.0]])
        agent.gradients = torch.tensor(means)[:, None] + spread
        rollout = SimpleNamespace(**vars(batch) | {"learners": torch.tensor(learners)})
        return measuring.measure(0, rollout)["gradient_cosine"].tolist()

    assert all(map(math.isnan, cosines([2, 0], [[1.0, 0.0], [0.0, 3.0]])))
    saved = measuring.state()
    assert cosines([0], [[4.0, 3.0]]) == pytest.approx([0.6])
    assert cosines([2, 0], [[1.0, 1.0], [-4.0, -3.0]]) == pytest.approx([0.5**0.5, -1.0])
    measuring.restore(saved)
    first, second = cosines([1, 2], [[1.0, 1.0], [2.0, 0.0]])
    assert math.isnan(first), "it was never measured"
    assert second == pytest.approx(1.0)


REFUSED = {
    "algorithm=sac": "diagnostics=gradients: algorithm=sac has no gradients of episodes; use algorithm=reinforce, a2c, "
    "a3c, ppo, pathwise or mixed, or the nearest is diagnostics=none",
    "collect.episodes=1": "diagnostics=gradients with collect.episodes=1: estimates the variance between the episodes "
    "of a batch, which needs at least two; the nearest is collect.episodes=2",
    "algorithm=ppo collect.num_envs=1": "which needs at least two; the nearest is collect.num_envs=2",
    "policy.norm=batch": "diagnostics=gradients with policy.norm=batch: an episode has no gradient of its own",
    "diagnostics.every=0": "diagnostics.every=0: expected a whole number at least 1; the nearest is 1",
}


@pytest.mark.parametrize("overrides", REFUSED)
def test_what_has_no_gradients_of_several_columns_is_refused_in_one_line(overrides):
    with pytest.raises(UserError) as caught:
        check(composed("diagnostics=gradients", *overrides.split()))
    assert REFUSED[overrides] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_config_from_before_the_group_is_one_without_diagnostics():
    former = composed()
    del former["diagnostics"]
    assert check(former) == check(composed())
