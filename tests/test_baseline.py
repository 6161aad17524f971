"""Baselines by hand: over what each averages, whose network is asked, what is fitted to what."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from pg_experiments.baseline import (
    Baseline,
    EpisodeGradients,
    LeaveOneOut,
    MeanBaseline,
    MovingAverage,
    MovingAverageOption,
    OptimalBaseline,
    TimeDependent,
    ValueBaseline,
    ValueOption,
    explained_variance,
)
from pg_experiments.run.config import check
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.learners import Learners
from pg_experiments.tensors.rollout import Rollout
from pg_experiments.tensors.stacked import StackedMLP
from pg_experiments.tensors.streams import Purpose
from tests.conftest import composed, make_run, rewarded, rollout_of, spaces, unused

# two seeds of two episodes; the second seed's are of one step and of two
RETURNS = torch.tensor([[[1.0, 3.0], [10.0, 30.0]], [[5.0, 7.0], [math.nan, 50.0]]])
MASK = torch.tensor([[[True, True], [True, True]], [[True, True], [False, True]]])


def batch(learners: tuple[int, ...] = (0, 1)) -> Rollout:
    generator = torch.Generator().manual_seed(0)
    observations = torch.randn(2, 2, 2, 4, generator=generator)
    rollout = rollout_of(observations, torch.zeros(2, 2, 2, dtype=torch.int64), RETURNS, MASK)
    finals = rollout.finals._replace(observations=torch.randn(2, 2, 4, generator=generator))
    return dataclasses.replace(rollout, learners=torch.tensor(learners), finals=finals)


def value_baseline(**changes) -> ValueBaseline:
    """Of three learners."""
    values = {"hidden": 8, "layers": 1, "activation": "tanh", "initialisation": "torch", "learning_rate": 0.01}
    return ValueOption(**{**values, "steps": 1, "bootstrap": True, **changes}).build(
        spaces(4, 2)[0], None, Learners([0, 1, 2]), torch.device("cpu")
    )


def test_the_mean_is_over_all_steps_that_a_seed_has_played_and_over_no_other_seeds():
    assert MeanBaseline().values(batch(), RETURNS, unused).flatten().tolist() == [4, 30]


# two seeds of three episodes; the first seed's are of 3, 1 and 2 steps, the second's of 1, 3 and 2
LENGTHS = torch.tensor([[3, 1, 2], [1, 3, 2]])
STEPS = torch.arange(3).view(-1, 1, 1) < LENGTHS
OF_STEPS = torch.arange(18.0).view(3, 2, 3).square()
OF_OTHERS: dict[str, type[Baseline]] = {
    "leave_one_out": LeaveOneOut,
    "time_dependent": TimeDependent,
    "optimal": OptimalBaseline,
}


def gradients_of(mask: torch.Tensor = STEPS) -> EpisodeGradients:
    """Gradients of a policy whose scores [T, R, E, P] are random numbers."""
    scores = torch.randn(3, 2, 3, 5, generator=torch.Generator().manual_seed(1))
    return lambda advantages: torch.where(mask[..., None], advantages[..., None] * scores, 0.0).sum(0)


def values_of(name: str, returns: torch.Tensor, mask: torch.Tensor = STEPS) -> torch.Tensor:
    found = OF_OTHERS[name]().values(rewarded(torch.zeros(mask.shape), mask), returns, gradients_of(mask))
    assert found.dtype == returns.dtype
    return found.expand_as(returns)


def test_leave_one_out_is_the_mean_over_all_steps_of_the_other_episodes():
    values = values_of("leave_one_out", torch.where(STEPS, OF_STEPS, torch.nan))
    for r in range(2):
        for e in range(3):
            others = torch.cat([OF_STEPS[: LENGTHS[r, i], r, i] for i in range(3) if i != e])
            torch.testing.assert_close(values[:, r, e], others.mean().expand(3))


def test_a_time_dependent_baseline_is_the_mean_over_the_other_episodes_that_have_this_step():
    values = values_of("time_dependent", torch.where(STEPS, OF_STEPS, torch.nan))
    for t in range(3):
        for r in range(2):
            for e in range(3):
                others = [float(OF_STEPS[t, r, i]) for i in range(3) if i != e and t < LENGTHS[r, i]]
                assert values[t, r, e] == pytest.approx(sum(others) / len(others) if others else 0.0)
    assert values[2, 0, 0] == 0, "no other episode has a third step"


def test_the_optimal_baseline_weighs_the_other_episodes_by_their_scores():
    values = values_of("optimal", OF_STEPS)
    with_returns, scores = gradients_of()(OF_STEPS), gradients_of()(torch.ones_like(OF_STEPS))
    for r in range(2):
        for e in range(3):
            others = [i for i in range(3) if i != e]
            product = sum(float(with_returns[r, i] @ scores[r, i]) for i in others)
            expected = product / sum(float(scores[r, i] @ scores[r, i]) for i in others)
            torch.testing.assert_close(values[:, r, e], torch.tensor(expected).expand(3))


def test_without_scores_the_optimal_baseline_is_zero():
    rollout = rewarded(torch.zeros(STEPS.shape), STEPS)
    values = OptimalBaseline().values(rollout, OF_STEPS, lambda advantages: torch.zeros(2, 3, 5))
    assert values.tolist() == torch.zeros(2, 3).tolist()


@pytest.mark.parametrize("name", OF_OTHERS)
def test_nothing_of_an_episode_changes_a_bit_of_its_own_baseline(name):
    """Neither its returns, whether finite or not, nor its length."""
    before = values_of(name, OF_STEPS)[:, 0, 2]
    for other in (1e30, math.inf, math.nan):
        returns = OF_STEPS.clone()
        returns[:, 0, 2] = other
        assert torch.equal(values_of(name, returns)[:, 0, 2], before)
        assert not torch.equal(values_of(name, returns)[:, 0, 0], values_of(name, OF_STEPS)[:, 0, 0])
    longer = STEPS.clone()
    longer[2, 0, 2] = True
    assert torch.equal(values_of(name, OF_STEPS, longer)[:, 0, 2], before)


@pytest.mark.parametrize("name", OF_OTHERS)
def test_a_seeds_baseline_has_nothing_of_its_neighbours(name):
    before = values_of(name, OF_STEPS)
    returns = OF_STEPS.clone()
    returns[:, 1] = math.nan
    assert torch.equal(values_of(name, returns)[:, 0], before[:, 0])


def test_a_run_gives_the_optimal_baseline_the_gradients_of_the_learners_that_take_part():
    overrides = ("baseline=optimal", "normalization=none", "policy.hidden=4", "num_seeds=3", "collect.episodes=3")
    agent_run = make_run(*overrides, "policy.dropout=0.25")
    together = agent_run.collector.collect(0, torch.arange(3).numpy())
    alone = agent_run.collector.collect(0, torch.tensor([2]).numpy())
    T = len(alone.mask)
    values = [agent_run.agent.credit(rollout).values for rollout in (together, alone)]
    torch.testing.assert_close(values[0][:T, 2], values[1][:, 0], rtol=1e-4, atol=0)
    assert len(values[1].unique()) == 3, "a constant for each episode"


@pytest.mark.parametrize("name", OF_OTHERS)
def test_a_batch_without_other_episodes_is_refused_with_the_nearest_that_has_some(name):
    with pytest.raises(UserError, match=rf"^baseline={name} with collect.episodes=1: .*nearest is collect.episodes=2$"):
        check(composed(f"baseline={name}", "collect.episodes=1"))
    check(composed(f"baseline={name}", "collect.episodes=2"))


@pytest.mark.parametrize("name", OF_OTHERS)
def test_points_of_one_game_are_refused(name):
    with pytest.raises(UserError, match=rf"^baseline={name} with .*; the nearest is baseline=mean$"):
        check(composed("env=pong", f"baseline={name}"))


def test_a_gradient_for_each_episode_is_refused_for_images():
    games = ("env=pong", "collect=episodes", "collect.episodes=8", "env.num_envs=8")
    check(composed(*games, "baseline=leave_one_out"))
    with pytest.raises(UserError, match="too large for images; the nearest is baseline=mean"):
        check(composed(*games, "baseline=optimal"))


def test_a_moving_average_is_kept_for_each_learner_whoever_takes_part():
    average = MovingAverage(torch.full((3,), 0.25))
    average.learn(batch((0, 2)), RETURNS, skip=())
    assert average.batches.tolist() == [1, 0, 1]
    assert average.values(batch((2, 1)), RETURNS, unused).flatten().tolist() == [30, 0]
    average.learn(batch((2, 1)), RETURNS, skip=())  # the first's mean, 4, is now the last learner's
    torch.testing.assert_close(average.average, torch.tensor([0.75 * 4, 0.75 * 30, 0.25 * 0.75 * 30 + 0.75 * 4]))
    assert average.batches.tolist() == [1, 1, 2]


def test_each_moving_average_has_a_decay_of_its_own():
    learners = Learners([0, 1, 2], {"baseline.decay": (0.5, 0.25, 0.75)})
    average = MovingAverageOption(decay=0.9).build(spaces(4, 2)[0], None, learners, torch.device("cpu"))
    average.learn(batch((2, 1)), RETURNS, skip=())
    torch.testing.assert_close(average.average, torch.tensor([0, 0.75 * 30, 0.25 * 4]))
    assert average.values(batch((1, 2)), RETURNS, unused).flatten().tolist() == [30, 4]


def test_the_value_loss_is_the_mean_square_of_the_error_over_each_seeds_own_steps():
    baseline = value_baseline()
    for parameter in baseline.parameters():
        parameter.data.zero_()
    losses = sum(baseline.losses(batch(), RETURNS))
    assert losses.tolist() == pytest.approx([(1 + 9 + 25 + 49) / 4, (100 + 900 + 2500) / 3])


def test_values_and_their_losses_are_those_of_the_learners_that_took_part():
    baseline = value_baseline()
    rollout = batch((2, 0))
    values = baseline.values(rollout, RETURNS, unused)
    for r, learner in enumerate((2, 0)):
        (w0, w1), (b0, b1) = ([p[learner] for p in of] for of in (baseline.network.weights, baseline.network.biases))
        expected = (torch.tanh(rollout.observations[:, r] @ w0 + b0) @ w1 + b1).squeeze(-1)
        torch.testing.assert_close(values[:, r][MASK[:, r]], expected[MASK[:, r]])
        error = (expected - RETURNS[:, r])[MASK[:, r]]
        torch.testing.assert_close(sum(baseline.losses(rollout, RETURNS))[r], error.square().mean())


def test_a_truncated_episode_goes_on_with_the_value_that_its_own_learner_gives_to_what_stood_there():
    baseline = value_baseline()
    rollout = batch((1, 2))
    rollout = dataclasses.replace(rollout, terminated=torch.zeros_like(MASK), truncated=rollout.terminated)
    expected = baseline.network.bind(rollout.learners)(rollout.finals.observations).squeeze(-1)
    values = baseline.final_values(rollout)
    for r in range(2):
        for e in range(2):
            last = int(MASK[:, r, e].sum()) - 1
            torch.testing.assert_close(values[last, r, e], expected[r, e])
    assert int((values != 0).sum()) == 4
    assert value_baseline(bootstrap=False).final_values(rollout) is None


def test_the_value_networks_first_step_is_as_long_as_its_own_learning_rate():
    """Adam's first step is the learning rate in every coordinate whose gradient is not tiny."""
    baseline = value_baseline(learning_rate=0.003)
    before = [p.detach().clone() for p in baseline.parameters()]
    baseline.learn(batch((0, 1)), torch.where(MASK, RETURNS, 0.0), skip=())
    moved = max(float((p - old).detach().abs().max()) for p, old in zip(baseline.parameters(), before, strict=True))
    assert moved == pytest.approx(0.003, rel=1e-3)


def test_a_value_network_starts_from_random_numbers_of_its_own():
    ours = value_baseline().network
    for purpose, same in ((Purpose.BASELINE_PARAMETERS, True), (Purpose.POLICY_PARAMETERS, False)):
        other = StackedMLP(3, 4, 1, hidden=8, layers=1, activation="tanh", bias=True)
        other.initialise(Learners([0, 1, 2]), purpose, "torch", 1.0)
        assert torch.equal(ours.weights[0], other.weights[0]) == same


def test_explained_variance_is_none_for_a_constant_one_for_the_returns_and_counts_no_offset():
    mask = torch.ones(2, 2, 2, dtype=torch.bool)
    returns = torch.tensor([[[1.0, 3.0], [10.0, 30.0]], [[5.0, 7.0], [20.0, 50.0]]])
    assert explained_variance(torch.full_like(returns, 100.0), returns, mask).tolist() == [0, 0]
    assert explained_variance(returns + 100, returns, mask).tolist() == [1, 1]
    assert explained_variance(returns / 2, returns, mask).tolist() == pytest.approx([0.75, 0.75])
    assert explained_variance(returns * torch.tensor([[1.0], [0.0]]), returns, mask).tolist() == [1, 0]
    assert explained_variance(torch.zeros_like(RETURNS), RETURNS, MASK).tolist() == [0, 0], "padding counts nowhere"
    assert explained_variance(returns, torch.ones_like(returns), mask).isnan().all()


def test_a_run_fits_its_values_to_the_returns_that_it_credits():
    """Not to the advantages: with the values of before subtracted, a second fit would undo the first."""
    run = make_run("baseline=value", "normalization=none", "policy.hidden=4", "baseline.hidden=4")
    rollout = run.collector.collect(0, torch.arange(1).numpy())
    returns, values, _ = run.agent.credit(rollout)
    metrics = run.learn(rollout, torch.arange(1).numpy()).metrics
    expected = (values - returns)[rollout.mask].square().mean()
    torch.testing.assert_close(metrics["value_loss"][0], expected)
