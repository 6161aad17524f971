"""`python -m pg_experiments.evaluate` as people run it: fresh episodes, the same each time; mistakes."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Box, Discrete
from scipy.stats import trim_mean

import pg_experiments
from pg_experiments import evaluate as evaluation
from pg_experiments.comparison import statistics
from pg_experiments.evaluation.episodes import AT_ONCE, play
from pg_experiments.evaluation.summary import Numbers
from pg_experiments.support.errors import UserError
from pg_experiments.tensors.streams import Purpose, episode_seeds, evaluation_seed
from tests.conftest import a_process
from tests.in_process import run_command
from tests.saved_runs import SMALL_PONG, change_checkpoint, checkpoint_of, save_run, worse_in_the_end


def content(run: Path) -> dict[str, Any]:
    return json.loads((run / "evaluation.json").read_text())


@pytest.fixture(scope="module")
def cartpole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cartpole") / "run"
    overrides = ("num_seeds=2", "policy.hidden=16", "env.max_episodes=60", "policy.dropout=0.2")
    return worse_in_the_end(save_run(folder, *overrides))


@pytest.fixture
def copied(cartpole, tmp_path) -> Path:
    return shutil.copytree(cartpole, tmp_path / "run")


def test_both_ways_of_acting_of_every_seed_are_in_one_table_and_in_one_file(copied):
    done = run_command("evaluate", f"run={copied}", "episodes=12")
    assert (done.code, done.err) == (0, "")
    rows = [line.split()[:2] for line in done.out.splitlines() if line.split()[1:2] in (["greedy"], ["sampling"])]
    assert rows == [[who, way] for who in ("all",) for way in ("greedy", "sampling")] + [
        [seed, way] for way in ("greedy", "sampling") for seed in ("0", "1")
    ]
    assert "evaluation.json" in done.out
    data = content(copied)
    assert (data["format"], data["episodes"], data["checkpoint"], data["update"]) == (1, 12, "best", 30)
    best = torch.load(checkpoint_of(copied), weights_only=True)["best"]["update"].tolist()
    assert list(data["ways"]) == ["greedy", "sampling"]
    for way in data["ways"].values():
        assert [(seed["seed"], seed["update"]) for seed in way["seeds"]] == list(enumerate(best))
        returns = np.array([seed["returns"] for seed in way["seeds"]])
        assert returns.shape == (2, 12)
        assert [seed["lengths"] for seed in way["seeds"]] == returns.tolist(), "a reward of 1 for each step"
        for numbers, of in ((way["all"], returns), *zip(way["seeds"], returns, strict=True)):
            assert numbers["mean"] == pytest.approx(of.mean())
            assert numbers["std"] == pytest.approx(of.std(ddof=1))
            assert numbers["interquartile_mean"] == pytest.approx(trim_mean(of, 0.25, axis=None))
            low, high = numbers["interquartile_mean_low"], numbers["interquartile_mean_high"]
            assert low < numbers["interquartile_mean"] < high
            assert (numbers["worst"], numbers["best"]) == (of.min(), of.max())
            assert numbers["mean_length"] == pytest.approx(of.mean())


def test_the_same_command_gives_the_same_bytes_and_a_seed_by_itself_the_same_episodes(copied):
    first = run_command("evaluate", f"run={copied}", "episodes=10")
    text = (copied / "evaluation.json").read_bytes()
    again = a_process("-m", "pg_experiments.evaluate", f"run={copied}", "episodes=10")
    assert again == first == (0, first.out, "")
    assert (copied / "evaluation.json").read_bytes() == text
    both = content(copied)["ways"]
    of_one = (f"run={copied}", "episodes=10", "seed=1", "greedy=false", "checkpoint=best")
    assert run_command("evaluate", *of_one).code == 0
    alone = content(copied)["ways"]
    assert list(alone) == ["sampling"]
    assert alone["sampling"]["seeds"] == both["sampling"]["seeds"][1:]
    assert not list(copied.glob(".*.tmp"))


def test_the_last_or_a_named_checkpoint_is_another_policy(copied):
    file = checkpoint_of(copied)
    returns = {}
    for which in ("best", "last", str(file)):
        arguments = (f"run={copied}", "episodes=10", "greedy=false", f"checkpoint={which}")
        assert run_command("evaluate", *arguments).code == 0
        data = content(copied)
        assert data["checkpoint"] == which
        returns[which] = [seed["returns"] for seed in data["ways"]["sampling"]["seeds"]]
    assert returns["last"] == returns[str(file)] != returns["best"]


def test_episodes_are_those_that_one_plays_by_hand_with_the_loaded_policy(cartpole):
    run = pg_experiments.load_run(cartpole, seed=1)
    env = run.make_env()
    expected = []
    for seed in episode_seeds(evaluation_seed(1), 0, 5):
        observation, over, total = env.reset(seed=seed)[0], False, 0.0
        while not over:
            observation, reward, terminated, truncated, _ = env.step(run.policy(observation))
            total, over = total + reward, terminated or truncated
        expected.append(total)
    assert play(run, 5, greedy=True).returns.tolist() == expected


def test_no_random_number_of_an_evaluation_is_one_of_the_training():
    assert evaluation_seed(0) >= 2**32, "no seed that one would give"
    assert len({evaluation_seed(seed) for seed in range(1000)}) == 1000
    assert Purpose.EVALUATION == 6
    trained = {s for update in range(50) for s in episode_seeds(0, update, 2)}
    assert not trained & set(episode_seeds(evaluation_seed(0), 0, 100))


def test_more_episodes_than_are_played_at_once_are_all_different(cartpole):
    run = pg_experiments.load_run(cartpole, seed=0)
    count = 2 * AT_ONCE + 3
    played = play(run, count, greedy=False)
    assert len(played.returns) == len(played.lengths) == count
    thirds = [tuple(played.returns[start : start + count // 3]) for start in range(0, count - 2, count // 3)]
    assert len(set(thirds)) == 3


def test_episodes_end_by_the_environments_own_time_limit(tmp_path):
    path = save_run(tmp_path / "run", "env.max_episode_steps=6", "env.max_episodes=2")
    assert play(pg_experiments.load_run(path), 4, greedy=True).lengths.tolist() == [6] * 4


def test_pong_is_evaluated_in_whole_games_that_are_the_same_again(tmp_path):
    path = save_run(tmp_path / "run", *SMALL_PONG, "env.max_frames=700")
    run = pg_experiments.load_run(path)
    for greedy in (True, False):
        played, again = play(run, 3, greedy=greedy), play(run, 3, greedy=greedy)
        assert played.lengths.tolist() == [175] * 3, "700 frames, every fourth"
        assert np.array_equal(played.returns, again.returns)
        assert (played.returns <= 0).all()
        assert (played.returns < 0).any()


def test_an_interval_of_all_seeds_resamples_each_seeds_episodes_by_themselves(cartpole):
    runs = [pg_experiments.load_run(cartpole, seed=seed) for seed in (0, 1)]
    played = [play(run, 20, greedy=False) for run in runs]
    strata = [one.returns for one in played]
    assert Numbers.of(played).interquartile_mean == statistics.estimate(statistics.interquartile_mean, strata)
    single = Numbers.of([play(runs[0], 1, greedy=True)]).as_data()
    assert single["std"] is single["interquartile_mean_low"] is single["interquartile_mean_high"] is None


def test_sampling_is_the_policy_of_the_training(tmp_path):
    """400 episodes each of a policy that learns nothing: their means differ by 4 standard errors once in 16,000."""
    overrides = ("env.max_episodes=400", "optimizer.learning_rate=1e-12", "policy.dropout=0.5", "env.threshold=1000")
    path = save_run(tmp_path / "run", *overrides)
    rows = list(csv.DictReader((path / "metrics.csv").open()))
    trained = np.array([float(row["episodic_return"]) for row in rows])  # of 2 episodes each
    played = play(pg_experiments.load_run(path, checkpoint="last"), 400, greedy=False).returns
    error = np.sqrt(trained.var(ddof=1) / len(trained) + played.var(ddof=1) / len(played))
    assert abs(trained.mean() - played.mean()) < 4 * error


MISTAKES = [
    ((), "run: missing; expected a run's directory"),
    (("run=",), "run: missing; expected a run's directory"),
    (("run=nowhere",), "nowhere: no such directory"),
    (("run=rum",), "rum: no such directory; did you mean run?"),
    (("run=empty",), "empty: holds no run, which would have a result.json"),
    (("run=sweep",), "sweep: is no run itself, but holds 1; choose one of them, such as sweep/run"),
    (("run=begun",), "begun: the run has no checkpoint"),
    (("run",), "run: expected key=value, as run=run"),
    (("run=run", "epsiodes=3"), "epsiodes: no such key; did you mean episodes?"),
    (("run=run", "episodes=2147483648"), "and at most 1000000; the nearest is 1000000"),
    (("run=run", "episodes=0"), "episodes=0: expected a whole number at least 1 and at most 1000000; the nearest is 1"),
    (
        ("run=run", "episodes=2.5"),
        "episodes=2.5: expected a whole number at least 1 and at most 1000000; the nearest is 2",
    ),
    (("run=run", "episodes=many"), "episodes=many: expected a whole number"),
    (("run=run", "greedy=maybe"), "greedy=maybe: expected true or false or null"),
    (("run=run", "seed=-1"), "seed=-1: expected a whole number at least 0 or null; the nearest is 0"),
    (("run=run", "seed=7"), "seed=7: the run has the seeds 0 to 1; the nearest is 1"),
    (("run=run", "checkpoint=lats"), "lats: no such checkpoint"),
    (("run=run", "checkpoint=text.pt"), "text.pt: is damaged"),
    (("run=run", "checkpoint=empty.pt"), "empty.pt: is damaged"),
    (("run=run", "checkpoint=other.pt"), "other.pt: the checkpoint is of another configuration ("),
    (("run=strange",), "strange/checkpoints/update_00000030.pt: best.update: expected a tensor"),
    (("run=strange", "checkpoint=last"), "strange/checkpoints/update_00000030.pt: agent: expected a group of keys"),
    (("run=small",), "small/checkpoints/update_00000030.pt: best.update: expected torch.int64 of 2 learners, not"),
    (("run=run", "video=yes"), "video=yes: expected true or false"),
    (
        ("run=run", "video.seconds=0"),
        "video.seconds=0: expected a number above 0 and at most 3600; the nearest is just",
    ),
    (("run=run", "video.seconds=nan"), "video.seconds=nan: expected a number above 0"),
    (("run=run", "video.secnods=5"), "video.secnods: no such key; did you mean video.seconds?"),
    (("run=run", "episodes=1", "greedy=true"), "evaluation.json"),
]


@pytest.fixture(scope="module")
def folders(cartpole, tmp_path_factory) -> Path:
    """A run whose `evaluation.json` cannot be written, for a directory stands in its place; and what is no run."""
    folder = tmp_path_factory.mktemp("folders")
    shutil.copytree(cartpole, folder / "run")
    shutil.copytree(cartpole, folder / "sweep" / "run")
    (folder / "run" / "evaluation.json" / "in the way").mkdir(parents=True)
    (folder / "empty").mkdir()
    shutil.copytree(cartpole, folder / "begun", ignore=shutil.ignore_patterns("checkpoints"))
    (folder / "text.pt").write_text("no checkpoint")
    (folder / "empty.pt").write_bytes(b"")
    wide = save_run(folder / "wide", "policy.hidden=32", "env.max_episodes=2")
    shutil.copy(checkpoint_of(wide), folder / "other.pt")
    shutil.copytree(cartpole, folder / "strange")
    change_checkpoint(folder / "strange", agent=3, best={"mean_return": torch.zeros(2)})
    shutil.copytree(cartpole, folder / "small")
    change_checkpoint(folder / "small", best=torch.load(checkpoint_of(wide), weights_only=True)["best"])
    return folder


@pytest.mark.parametrize(("arguments", "expected"), MISTAKES)
def test_a_mistake_is_answered_in_one_line(folders, monkeypatch, arguments, expected):
    monkeypatch.chdir(folders)
    done = run_command("evaluate", *arguments)
    assert expected in done.error
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize("arguments", [("run=run", "epsiodes=3"), ("run=strange",)], ids=" ".join)
def test_a_mistake_is_answered_in_the_same_way_by_a_process(folders, monkeypatch, arguments):
    """One is noticed before anything heavy is imported, one after it."""
    monkeypatch.chdir(folders)
    done = a_process("-m", "pg_experiments.evaluate", *arguments, cwd=folders)
    assert done == run_command("evaluate", *arguments)
    assert done.error


def test_help_and_mistakes_come_before_anything_heavy_is_imported():
    script = (
        "import sys; from pg_experiments import evaluate; sys.argv = ['evaluate', '--help']; evaluate.main();"
        "evaluate.parse(['run=outputs/1', 'video.seconds=5']);"
        "heavy = {'torch', 'hydra', 'matplotlib', 'scipy', 'numpy', 'gymnasium', 'rich'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    done = a_process("-c", script)
    assert done.code == 0, done.err
    for key in ("run=", "episodes=", "greedy=", "seed=", "checkpoint=", "video=", "video.seconds=", "dropout"):
        assert key in done.out


def test_an_evaluation_needs_no_hydra(copied):
    script = (
        "import sys; sys.modules['hydra'] = sys.modules['omegaconf'] = None; from pg_experiments import evaluate;"
        f"evaluate.evaluate(evaluate.parse(['run={copied}', 'episodes=2']))"
    )
    done = a_process("-c", script)
    assert done.code == 0, done.err


def test_of_a_damaged_newest_checkpoint_is_warned_and_the_one_before_is_evaluated(copied):
    checkpoint_of(copied).with_name("update_00000031.pt").write_bytes(b"cut off")
    done = a_process("-m", "pg_experiments.evaluate", f"run={copied}", "episodes=2", "greedy=true", "checkpoint=last")
    assert done.code == 0, done.err
    (warning,) = done.err.splitlines()
    assert "update_00000031.pt: is damaged" in warning
    assert content(copied)["update"] == 30


class Paying(gymnasium.Env):
    """Ends after a step, and pays what it is told to."""

    observation_space = Box(-1, 1, (2,), np.float32)
    action_space = Discrete(2)
    reward = 1.0

    def reset(self, *, seed=None, options=None):
        return np.zeros(2, np.float32), {}

    def step(self, action):
        return np.zeros(2, np.float32), self.reward, True, False, {}


def test_returns_that_are_not_finite_are_said_and_not_written(tmp_path, monkeypatch):
    monkeypatch.setitem(
        gymnasium.registry,
        "Paying-v0",
        EnvSpec("Paying-v0", entry_point=Paying, max_episode_steps=9, disable_env_checker=True),
    )
    run = save_run(tmp_path / "run", "env=gymnasium", "env.id=Paying-v0", "policy.hidden=4", "env.max_episodes=4")
    monkeypatch.setattr(Paying, "reward", float("inf"))
    with pytest.raises(UserError, match="seed=0: the return of an episode is not a finite number"):
        evaluation.evaluate(evaluation.parse([f"run={run}", "episodes=2"]))
    assert not (run / "evaluation.json").exists()
