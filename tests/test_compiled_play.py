"""The compiled loop plays the batches of the collector that plays through Gymnasium."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from pg_experiments.collect import Collector, CompiledEpisodeCollector, EpisodeCollector
from pg_experiments.collect.compiled_episodes import FIRST_ROWS
from pg_experiments.collect.compiled_player import NOTICE, Columns, Games
from pg_experiments.policy.compiled_heads import BERNOULLI, CATEGORICAL, choose
from pg_experiments.run.run import Run
from pg_experiments.tensors import compiled_dense as dense
from pg_experiments.tensors.networks import TANH
from pg_experiments.tensors.rollout import Rollout
from pg_experiments.tensors.sequences import Sequences, SequenceSteps
from pg_experiments.tensors.streams import episode_seeds
from tests.conftest import REPOSITORY, make_run

CPU = torch.device("cpu")
PER_STEP = ("observations", "actions", "rewards", "terminated", "truncated", "dropout_masks")
ACROBOT = ("env=acrobot", "env.max_episode_steps=150")
MOUNTAIN_CAR = ("env=gymnasium", "env.id=MountainCar-v0", "env.max_episodes=100")


def through_gymnasium(run: Run) -> EpisodeCollector:
    """The collector that plays the same batches through Gymnasium."""
    return EpisodeCollector(
        run.env,
        run.agent.policy,
        seeds=run.learners.seeds,
        episodes=run.config.collect.episodes,
        device=CPU,
        keep_graph=False,
    )


def rebuilt(run: Run) -> Collector:
    """The collector of the run's policy and environments as they are now."""
    return run.config.collect.build(
        run.env, run.agent.policy, run.learners, env=run.config.env, device=CPU, keep_graph=False
    )


def assert_same(ours: Rollout, theirs: Rollout) -> None:
    """The same bits; the states of a recurrent network up to rounding."""
    assert torch.equal(ours.learners, theirs.learners)
    assert torch.equal(ours.mask, theirs.mask)
    for name in PER_STEP:
        x, y = getattr(ours, name), getattr(theirs, name)
        if y is None:
            assert x is None
            continue
        if isinstance(y, SequenceSteps):
            assert isinstance(x, SequenceSteps)
            torch.testing.assert_close(x.states, y.states, rtol=1e-5, atol=1e-5)
            assert (x.fresh is None) == (y.fresh is None)
            assert y.fresh is None or torch.equal(x.fresh, y.fresh)
            x, y = x.observations, y.observations
        assert (x.dtype, x.shape) == (y.dtype, y.shape), name
        assert torch.equal(x[ours.mask], y[ours.mask]), name
    for ours_of, theirs_of in zip(ours.finals, theirs.finals, strict=True):
        if isinstance(theirs_of, Sequences):
            assert isinstance(ours_of, Sequences)
            torch.testing.assert_close(ours_of.states, theirs_of.states, rtol=1e-5, atol=1e-5)
            ours_of, theirs_of = ours_of.observations, theirs_of.observations
        assert torch.equal(ours_of, theirs_of)


@pytest.mark.parametrize(
    "overrides",
    [
        ("collect.episodes=4",),
        ("collect.episodes=1", "policy.head=bernoulli", "policy.activation=tanh"),
        ("num_seeds=3", "collect.episodes=4", "policy.layers=2", "policy.hidden=33", "policy.dropout=0.3"),
        ("num_seeds=3", "collect.episodes=1", "policy.hidden=5", "policy.activation=leaky_relu"),
        ("num_seeds=3", "policy.head=bernoulli", "policy.bias=false", "policy.dropout=0"),
        ("num_seeds=3", "policy=linear", "collect.episodes=3", "seed=8589934590"),
        ("policy=linear", "policy.head=bernoulli", "policy.bias=true", "env.max_episode_steps=12"),
        (*ACROBOT, "num_seeds=3", "collect.episodes=2"),
        (*MOUNTAIN_CAR, "policy.hidden=8", "baseline=value"),
        (*ACROBOT, "num_seeds=3", "collect.episodes=2", "normalization.observations=bounds"),
        ("num_seeds=3", "collect.episodes=4", "normalization=observations", "normalization.observation_clip=1.5"),
        (*MOUNTAIN_CAR, "policy.hidden=8", "normalization=running"),
        ("env=cartpole_masked", "policy=gru", "policy.hidden=9", "num_seeds=3", "collect.episodes=3"),
        ("policy=gru", "policy.hidden=8", "normalization=observations", "collect.episodes=2"),
    ],
    ids=" ".join,
)
def test_whole_batches_equal_those_through_gymnasium_over_several_updates(overrides):
    """Outputs and noise may be rounded differently; none of these actions hangs on that."""
    run = make_run(*overrides)
    assert isinstance(run.collector, CompiledEpisodeCollector)
    other = through_gymnasium(run)
    R = len(run.learners)
    for update in range(5):
        active = np.arange(R) if update != 2 else np.arange(0, R, 2)
        rollout = run.collector.collect(update, active)
        assert_same(rollout, other.collect(update, active))
        run.learn(rollout, active)


@pytest.mark.parametrize(
    "overrides",
    [
        ("env.id=Pendulum-v1",),
        ("env.id=Pendulum-v1", "policy=gru", "policy.hidden=8"),
        ("env.id=Pendulum-v1", "policy=linear", "policy.head=squashed_gaussian", "policy.bias=true"),
        ("env.id=MountainCarContinuous-v0", "policy.std=state_dependent", "policy.initial_std=3", "policy.dropout=0"),
        ("env.id=MountainCarContinuous-v0", "policy.head=squashed_gaussian", "policy.layers=2", "policy.hidden=9"),
    ],
    ids=" ".join,
)
def test_batches_of_continuous_actions_equal_those_through_gymnasium_up_to_rounding(overrides):
    """Actions, and so all that follows, hang on the rounding of the outputs."""
    run = make_run("env=gymnasium", *overrides, "env.max_episode_steps=60", "collect.episodes=2", "num_seeds=2")
    assert isinstance(run.collector, CompiledEpisodeCollector)
    other, active = through_gymnasium(run), np.arange(2)
    for update in range(2):
        ours, theirs = run.collector.collect(update, active), other.collect(update, active)
        assert torch.equal(ours.mask, theirs.mask)
        for name in ("observations", "actions", "rewards"):
            x, y = (
                of.observations if isinstance(of, SequenceSteps) else of
                for of in (getattr(ours, name), getattr(theirs, name))
            )
            assert x.dtype == y.dtype
            torch.testing.assert_close(x, y, rtol=1e-4, atol=1e-4)
        assert ours.actions.std() > 0.1
        run.learn(ours, active)
    run.agent.policy = run.agent.policy.greedy()
    greedy = rebuilt(run).collect(0, active).actions
    torch.testing.assert_close(greedy, through_gymnasium(run).collect(0, active).actions, rtol=1e-4, atol=1e-4)


def test_learners_with_dropout_of_their_own_drop_units_as_often_through_both():
    run = make_run("num_seeds=3", "policy.hidden=16")
    run.agent.policy.network.drop_below[:] = torch.tensor([0, 20_000, 60_000])
    active = np.array([1, 2])
    ours, theirs = run.collector.collect(0, active), through_gymnasium(run).collect(0, active)
    assert_same(ours, theirs)
    kept = [ours.dropout_masks[:, r][ours.mask[:, r]].float().mean() for r in range(2)]
    assert kept[0] > 2 * kept[1]


@pytest.mark.parametrize("head", ["categorical", "bernoulli"])
def test_a_greedy_policy_plays_without_noise_through_both(head):
    run = make_run(f"policy.head={head}", "collect.episodes=3", "num_seeds=2")
    run.agent.policy = run.agent.policy.greedy()
    collector = rebuilt(run)
    assert isinstance(collector, CompiledEpisodeCollector)
    rollout = collector.collect(1, np.arange(2))
    assert rollout.dropout_masks is None
    assert_same(rollout, through_gymnasium(run).collect(1, np.arange(2)))


def test_a_learner_plays_the_same_bits_with_any_other_learners_on_any_threads():
    """And whether its batch fits the rows that are allocated first or not."""
    overrides = ("policy.hidden=16", "collect.episodes=2")
    run = make_run("num_seeds=3", *overrides)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        threaded = make_run("num_seeds=3", *overrides)
    finally:
        torch.set_num_threads(before)
    if len(os.sched_getaffinity(0)) > 1:
        assert threaded.collector.player._threads is not None
    for update in range(3):
        whole = run.collector.collect(update, np.arange(3))
        again = threaded.collector.collect(update, np.arange(3))
        assert_same(whole, again)
        for learner in range(3):
            alone = make_run(f"seed={learner}", *overrides)
            for ours, theirs in zip(alone.agent.policy.parameters(), run.agent.policy.parameters(), strict=True):
                ours.data.copy_(theirs[learner : learner + 1])
            mine = alone.collector.collect(update, np.arange(1))
            mask = mine.mask[:, 0]
            for name in PER_STEP:
                assert torch.equal(getattr(mine, name)[:, 0][mask], getattr(whole, name)[: len(mask), learner][mask])
        run.learn(whole, np.arange(3))
        threaded.agent.policy.load_state_dict(run.agent.policy.state_dict())


def test_a_batch_longer_than_the_allocated_rows_is_continued():
    run = make_run(*MOUNTAIN_CAR)
    assert run.collector._rows == FIRST_ROWS < 200
    first, second = (run.collector.collect(0, np.arange(1)) for _ in range(2))
    assert run.collector._rows == len(first.mask) == 200
    assert_same(first, second)


def test_an_environment_begins_one_episode_after_another():
    """A column then has several, as fragments need. The seed of each follows from its number."""
    run = make_run("num_seeds=2", "collect.episodes=2", "policy.hidden=8")
    collector, active = run.collector, np.arange(2)
    games = Games.new(np.zeros((2, 2), dtype=np.int64), 3, 4, 0, 4)
    columns, rows = collector._play(0, active, games)
    columns = Columns(*(c[:, :rows] if c is columns.flags else c[:rows] for c in columns))
    steps, terminated, truncated = columns.flags
    ends = terminated | truncated
    assert (ends.sum(0) == 3).all()
    for r in range(2):
        for e in range(2):
            last = np.flatnonzero(ends[:, r, e])
            assert steps[:, r, e].sum() == last[-1] + 1, "no step is left out between episodes, and none comes after"
            begins = [0, *(last[:-1] + 1)]
            seeds = [episode_seeds(r, number, 2)[e] for number in range(3)]
            for seed, begin in zip(seeds, begins, strict=True):
                first, _ = run.config.env.single().reset(seed=seed)
                assert np.array_equal(columns.observations[begin, r, e], first)
            assert np.isfinite(games.finals[r, e]).all()
            assert (np.abs(games.finals[r, e][:, 2]) > 0.2).any()


def test_what_has_no_compiled_form_is_played_through_gymnasium():
    assert isinstance(make_run("algorithm.log_probs=stored").collector, EpisodeCollector)
    run = make_run()
    run.env.compiled_form, form = None, run.env.compiled_form
    assert isinstance(rebuilt(run), EpisodeCollector)
    run.env.compiled_form = form
    assert isinstance(rebuilt(run), CompiledEpisodeCollector)
    run.agent.policy.head.rule = None
    assert isinstance(rebuilt(run), EpisodeCollector)


def test_a_network_says_by_itself_that_it_has_no_compiled_form():
    run = make_run()
    run.agent.policy.network.has_dense_form = False
    assert isinstance(rebuilt(run), EpisodeCollector)


@pytest.mark.parametrize("is_greedy", [False, True])
def test_the_heads_compiled_choice_is_that_of_the_heads(is_greedy):
    """Compared without a compiler, for outputs that are not finite, too."""
    rng = np.random.default_rng(0)
    run = make_run("policy.head=categorical")
    categorical, bernoulli = run.agent.policy.head, make_run("policy.head=bernoulli").agent.policy.head
    special = np.array([np.nan, np.inf, -np.inf, 0.0, 0.0], dtype=np.float32)
    for head, rule, K in ((categorical, CATEGORICAL, 3), (bernoulli, BERNOULLI, 1)):
        for trial in range(300):
            outputs = rng.normal(size=K).astype(np.float32)
            if trial % 3 == 0:
                outputs[rng.integers(K)] = rng.choice(special)
            uniform = rng.random(K, dtype=np.float32)
            noise = torch.zeros(K) if is_greedy else head.noise(torch.from_numpy(uniform))
            expected = head.sample(torch.from_numpy(outputs), noise)
            assert choose(rule, is_greedy, outputs, uniform) == int(expected)


SUMS = """
import numpy as np
from inner import twice
from pg_experiments.tensors.compiled import compiled
@compiled("int64", returns="int64", helpers=(twice,))
def total(x):
    return twice(x) + 1
"""
INNER = """
from pg_experiments.tensors.compiled import helper
@helper
def twice(x):
    return {factor} * x
"""


def test_compiled_code_is_cached_until_the_file_of_a_helper_changes(tmp_path):
    """Numba looks at the file of the compiled function alone."""
    (tmp_path / "sums.py").write_text(SUMS)
    environment = os.environ | {
        "NUMBA_CACHE_DIR": str(tmp_path / "keep"),
        "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{tmp_path}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    code = "import sums; sums.total.ready(lambda: print('compiling')); print(sums.total(4))"

    def output(factor: int) -> str:
        (tmp_path / "inner.py").write_text(INNER.format(factor=factor))
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        return done.stdout

    assert output(2) == "compiling\n9\n"
    assert output(2) == "9\n"
    assert output(3) == "compiling\n13\n"
    assert output(2) == "9\n", "entries of both versions are kept"


def test_a_run_says_that_it_compiles_and_compiles_once_on_a_machine(command, tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "keep"))
    runs = [command("env.max_episodes=2", f"hydra.run.dir=run_{number}") for number in range(2)]
    assert [run.returncode for run in runs] == [0, 0], runs[0].stderr
    assert [NOTICE in run.stdout for run in runs] == [True, False]


def test_the_compiled_tanh_is_within_5_units_in_the_last_place():
    x = np.concatenate([np.linspace(-12, 12, 20_001), [np.nan, np.inf, -np.inf, 1e-30]]).astype(np.float32)
    found, exact = tanh_of(x), np.tanh(x.astype(np.float64))
    units = np.spacing(np.abs(exact).astype(np.float32))
    assert np.nanmax(np.abs(found - exact) / units) <= 5
    assert np.array_equal(np.isnan(found), np.isnan(x))
    assert np.nanmax(np.abs(found)) <= 1


def tanh_of(x: np.ndarray) -> np.ndarray:
    """The compiled activation, without a compiler."""
    found = x.copy()
    dense.activate(found, TANH)
    return found


def test_rows_that_are_added_to_columns_are_empty():
    columns = Columns.zeros(4, (2, 3), 5, 6, 7)
    for array in columns:
        array[...] = 1
    larger = columns.twice()
    for before, after in zip(columns, larger, strict=True):
        assert after.dtype == before.dtype
        rows = after.swapaxes(0, 1) if before is columns.flags else after
        assert rows[:4].all()
        assert not rows[4:].any()


def test_the_stacked_networks_form_is_a_copy():
    network = make_run("num_seeds=2").agent.policy.network
    form = network.dense_form(torch.arange(2))
    before = form.parameters.copy()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1)
    assert np.array_equal(form.parameters, before)
