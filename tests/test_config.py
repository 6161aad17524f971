"""Configs: every option of every group composes, alone and in pairs, and what is wrong is said in one line."""

from __future__ import annotations

import dataclasses
import itertools
import random
import re
from pathlib import Path

import pytest
import torch

from pg_experiments.run.config import GROUPS, check, every_key
from pg_experiments.support.errors import UserError
from tests.conftest import REPOSITORY, composed, make_run, one_update
from tests.sweeps import needs

TINY = ("policy.hidden=8", "env.max_episode_steps=20", "num_seeds=2")
TINY_GAMES = {
    f"env={game}": (
        "policy.hidden=8",
        "env.max_frames=240",
        "env.num_envs=2",
        f"collect={unit}",
        f"collect.{unit}=2",
        "num_seeds=2",
    )
    for game, unit in (("atari", "episodes"), ("pong", "points"), ("pong_v5", "points"))
}

BOOTSTRAPPED = ("returns=n_step", "returns=td", "returns=gae")
ACTOR_CRITICS = ("algorithm=a2c", "algorithm=a3c", "algorithm=ppo")
WITHOUT_VALUES = tuple(
    f"baseline={name}" for name in ("none", "mean", "moving_average", "leave_one_out", "time_dependent", "optimal")
)
FRAGMENTS = ("collect=steps", *ACTOR_CRITICS)
OF_BOX2D = ("env=lunarlander", "env=lunarlander_continuous", "env=bipedalwalker")
OF_MUJOCO = tuple(
    f"env={name}" for name in ("halfcheetah", "hopper", "walker2d", "ant", "inverted_pendulum", "reacher")
)
MODULES = {**dict.fromkeys(OF_BOX2D, "Box2D"), **dict.fromkeys(OF_MUJOCO, "mujoco")}  # of extras
NEEDS = {
    "baseline=shared_value": ("algorithm=a2c", "normalization=none"),
    "returns=trajectory": ("normalization=advantages",),
    **dict.fromkeys(BOOTSTRAPPED, ("baseline=value", "normalization=none")),
    **dict.fromkeys(ACTOR_CRITICS, ("normalization=none",)),
    "collect=steps": ("baseline=value", "baseline.bootstrap=true", "normalization=none"),
    "algorithm=sac": ("algorithm.learning_starts=0", "algorithm.batch_size=16"),
}  # the options without which one is refused
EXCLUDE = (
    ({"returns=trajectory"}, {"normalization=returns", *FRAGMENTS}),
    ({*BOOTSTRAPPED, *FRAGMENTS}, {"normalization=returns"}),
    ({*BOOTSTRAPPED, *FRAGMENTS}, {*WITHOUT_VALUES}),
    (
        {"baseline=shared_value"},
        {"algorithm=reinforce", "algorithm.log_probs=stored", "returns=trajectory", "returns.exact_discount=true"},
    ),
    ({"baseline=shared_value"}, {"normalization=returns", "policy=linear", *TINY_GAMES}),
    ({"policy=gru"}, {*BOOTSTRAPPED, *ACTOR_CRITICS, "collect=steps", "baseline=optimal", *TINY_GAMES}),
    ({*BOOTSTRAPPED}, {"returns.exact_discount=true"}),
    ({*ACTOR_CRITICS}, {"algorithm.log_probs=stored", "returns.exact_discount=true"}),
    ({*TINY_GAMES}, {"normalization=observations", "normalization=running"}),
    ({"normalization=running"}, {"returns=trajectory"}),
    ({*TINY_GAMES}, {"collect=episodes", "collect=steps", "algorithm.log_probs=stored", "policy.head=bernoulli"}),
    ({*MODULES, "env=pendulum", "env=mountaincar_continuous"}, {"policy.head=bernoulli"}),
)  # an option of the one set with one of the other
MLP_ALONE = ("policy.activation", "policy.bias", "policy.layers", "policy.dropout")


def options() -> list[str]:
    """Every option of every group, as an override; without those of games of points and of images alone."""
    found = sorted(REPOSITORY.glob("conf/*/*.yaml"))
    named = [f"{file.parent.name}={file.stem}" for file in found if file.parent.name in GROUPS]
    return [option for option in named if option not in ("collect=points", "policy=cnn")]


def values() -> list[str]:
    """Values of the keys that change what is computed."""
    return [
        *(f"policy.activation={name}" for name in ("relu", "leaky_relu", "tanh")),
        *(f"policy.initialisation={name}" for name in ("torch", "xavier", "orthogonal")),
        *("policy.head=bernoulli", "policy.bias=false", "policy.layers=2", "policy.dropout=0"),
        *(f"optimizer.schedule={name}" for name in ("constant", "linear", "cosine", "exponential")),
        *("optimizer.max_grad_norm=0.5", "optimizer.weight_decay=0.001", "returns.exact_discount=true"),
        *("algorithm.log_probs=stored", "algorithm.entropy_bonus=0.01", "algorithm.discount=1", "device=auto"),
    ]


def make_an_update(*overrides: str) -> None:
    for needed in dict.fromkeys(itertools.chain(*(NEEDS.get(override, ()) for override in overrides))):
        if not any(override.split("=")[0] == needed.split("=")[0] for override in overrides):
            overrides = (*overrides, needed)
    for module in {MODULES[override] for override in overrides if override in MODULES}:
        pytest.importorskip(module, reason=f"{module} is not installed")
    linear = "policy=linear" in overrides
    game = next((TINY_GAMES[override] for override in overrides if override in TINY_GAMES), None)
    tiny = [tiny for tiny in game or TINY if not (linear and "hidden" in tiny)]
    run = make_run(*tiny, *overrides)
    before = [p.detach().clone() for p in run.agent.policy.parameters()]
    learned = one_update(run)
    assert learned["policy_gradient_norm"].isfinite().all()
    after = list(run.agent.policy.parameters())
    assert all(p.isfinite().all() for p in after)
    assert any(not torch.equal(old, new) for old, new in zip(before, after, strict=True))


@pytest.mark.parametrize("override", [*options(), *values()])
def test_every_option_composes_and_makes_an_update(override):
    make_an_update(override)


def random_pairs(count: int) -> list[tuple[str, str]]:
    pairs = [
        pair
        for pair in itertools.combinations([*options(), *values()], 2)
        if pair[0].split("=")[0] != pair[1].split("=")[0]
        and "algorithm=sac" not in pair  # tests/test_sac.py has what it can be combined with
        and not any(set(pair) & one and set(pair) & other for one, other in EXCLUDE)
        and not ("policy=linear" in pair and any(p.startswith("policy.") and "head" not in p for p in pair))
        and not ("policy=gru" in pair and any(p.startswith(MLP_ALONE) for p in pair))
    ]
    return random.Random(0).sample(pairs, count)


@pytest.mark.parametrize("pair", random_pairs(60), ids="+".join)
def test_random_pairs_of_options_compose_and_make_an_update(pair):
    make_an_update(*pair)


REFUSED = {
    "returns=trajectory collect=steps normalization=none": "collect=steps: a batch has pieces of episodes, whose "
    "returns are to be continued with V(s); use returns=gae with baseline=value, or baseline=value "
    "baseline.bootstrap=true",
    "returns=trajectory collect=steps normalization=none baseline=value baseline.bootstrap=true": "returns=trajectory "
    "with collect=steps: a batch has pieces of episodes, whose whole return is not known; the nearest is returns=gae",
    "algorithm=ppo algorithm.num_minibatches=7": "algorithm.num_minibatches=7: does not divide the 512 steps of a "
    "batch (collect.num_envs × collect.num_steps) evenly; the nearest is 8",
    "algorithm=ppo algorithm.num_minibatches=513": "num_minibatches=513: does not divide the 512 steps of a batch "
    "(collect.num_envs × collect.num_steps) evenly; the nearest is 512",
    "algorithm=ppo collect.num_steps=999999999989 algorithm.num_minibatches=500000000000": "evenly; the nearest is 4",
    "algorithm=ppo baseline=mean": "algorithm=ppo: needs a critic, which is V(s); the nearest is baseline=value",
    "algorithm=a2c baseline=moving_average returns=reward_to_go collect=episodes": "algorithm=a2c: needs a critic",
    "returns=gae baseline=none normalization=none": "returns=gae: continues a return with V(s), which this baseline "
    "does not learn; the nearest is baseline=value",
    "returns=td baseline=value normalization=returns": "returns=td with normalization.returns=episode: V(s) must be in "
    "the environment's units to continue a return; use normalization=advantages or normalization=none",
    "algorithm=a2c normalization=returns returns=reward_to_go collect=episodes": "algorithm=a2c with "
    "normalization.returns=episode: the advantages of an actor-critic are in the environment's units",
    "normalization.advantages=minibatch": "normalization.advantages=minibatch: this algorithm learns from "
    "the batch as a whole; the nearest is batch",
    "algorithm=a2c normalization.advantages=minibatch": "the nearest is batch",
    "env=pong normalization.observations=running": "normalization.observations=running: observations of pong are lists "
    "of the pixels that changed, of which most have none; the nearest is none",
    "baseline=value baseline.learning_rate=null": "baseline.learning_rate=null: this algorithm trains V(s) by "
    "itself; expected a number above 0, as 0.01",
    "algorithm=ppo baseline.steps=2": "baseline.steps=2: V(s) and the policy share one gradient step where "
    "baseline.learning_rate=null; give V(s) a learning rate, or the nearest is 1",
    "algorithm=ppo algorithm.clip_range=-0.1": "algorithm.clip_range=-0.1: expected a number above 0 or null; the "
    "nearest is just above 0",
    "algorithm=ppo baseline.clip_range=0": "baseline.clip_range=0: expected a number above 0 or null",
    "algorithm=ppo algorithm.target_kl=0": "algorithm.target_kl=0: expected a number above 0 or null",
    "algorithm=ppo algorithm.epochs=0": "algorithm.epochs=0: expected a whole number at least 1; the nearest is 1",
    "algorithm=ppo returns.gae_lambda=1.5": "returns.gae_lambda=1.5: expected a number at least 0 and at most 1; the "
    "nearest is 1",
    "returns=n_step returns.n=0 baseline=value normalization=none": "returns.n=0: expected a whole number at least 1",
    "algorithm=a3c collect.num_envs=8 algorithm.workers=3": "algorithm.workers=3: does not divide "
    "collect.num_envs=8 evenly; the nearest is 2",
    "algorithm=a3c collect.num_envs=8 algorithm.workers=12": "does not divide collect.num_envs=8 evenly; the nearest "
    "is 8",
    "algorithm=a3c collect=episodes collect.episodes=5 algorithm.workers=4": "algorithm.workers=4: does not divide "
    "collect.episodes=5 evenly; the nearest is 5",
    "algorithm=a3c collect.num_envs=8 baseline.learning_rate=0.01": "baseline.learning_rate=0.01: the workers of "
    "algorithm=a3c compute one gradient for policy and V(s); the nearest is null",
    "algorithm=a3c collect.num_envs=8 algorithm.staleness=-1": "algorithm.staleness=-1: expected a whole number at "
    "least 0; the nearest is 0",
    "algorithm=a3c env=pong collect=points": "algorithm=a3c: divides the environments among workers; the nearest is "
    "collect=steps",
    "algorithm=a3c baseline=mean": "algorithm=a3c: needs a critic, which is V(s); the nearest is baseline=value",
    "baseline=shared_value normalization=none": "baseline=shared_value: V(s) and the policy are trained together, as "
    "by algorithm=a2c or ppo; the nearest is baseline=value",
    "algorithm=ppo baseline=shared_value policy=linear": "baseline=shared_value: shares the hidden layers of "
    "policy=mlp, gru or cnn, and this policy has none of that kind; the nearest is baseline=value",
    "algorithm=a2c collect.num_envs=0": "collect.num_envs=0: expected a whole number at least 1; the nearest is 1",
}


@pytest.mark.parametrize("overrides", REFUSED)
def test_options_that_do_not_fit_are_refused_in_one_line_with_the_nearest_that_do(overrides):
    with pytest.raises(UserError) as caught:
        check(composed(*overrides.split()))
    assert REFUSED[overrides] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_key_of_another_algorithm_is_named_with_the_algorithm_that_has_it(train_here):
    done = train_here("algorithm=ppo", "algorithm.log_probs=stored", "device=cpu")
    assert done.code == 1
    assert done.err == "error: algorithm.log_probs: no such key with algorithm=ppo; choose algorithm=reinforce for it\n"


EXPERIMENTS = sorted((REPOSITORY / "conf" / "experiment").glob("*.yaml"))
assert EXPERIMENTS
NEEDS_OPTUNA = needs("hydra_plugins.hydra_optuna_sweeper", "optuna")  # of the experiments, those named search_… do


@pytest.mark.parametrize("file", EXPERIMENTS, ids=lambda file: file.stem)
def test_every_experiment_opens_with_its_own_command(file):
    assert re.search(rf"python -m pg_experiments\.train .*experiment={file.stem}\b", file.read_text())


@pytest.mark.parametrize(
    "experiment",
    [pytest.param(file.stem, marks=NEEDS_OPTUNA if file.stem.startswith("search") else ()) for file in EXPERIMENTS],
)
def test_every_experiment_composes(experiment):
    check(composed(f"experiment={experiment}"))


def test_values_tuned_for_an_environment_are_picked_and_the_command_line_wins():
    assert composed("env=acrobot")["policy"]["dropout"] == 0.0
    assert composed("env=acrobot", "policy.dropout=0.2")["policy"]["dropout"] == 0.2
    assert composed("env=acrobot", "policy=linear")["policy"]["name"] == "linear"
    assert composed()["policy"]["dropout"] == 0.5


def yaml_files() -> list[Path]:
    return sorted(REPOSITORY.glob("conf/**/*.yaml"))


@pytest.mark.parametrize("file", yaml_files(), ids=lambda file: f"{file.parent.name}/{file.name}")
def test_every_key_of_every_yaml_has_a_comment_or_its_option_says_it(file):
    lines = file.read_text().splitlines()
    assert lines[0].startswith("#"), "a file opens by saying what it is"
    for line in lines:
        if re.match(r"\w+: \S", line) and not line.startswith(("name:", "#")) and file.parent.parent.name == "conf":
            inherits = "defaults:" in lines
            assert "#" in line or inherits, line


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_the_yaml_of_an_option_has_the_keys_of_its_class(group):
    for file in sorted((REPOSITORY / "conf" / group).glob("*.yaml")):
        games = ("env=pong",) if file.stem == "points" else ()
        keys = composed(f"{group}={file.stem}", *games)[group]
        option = GROUPS[group][keys["name"]]
        assert set(keys) - {"name"} == {field.name for field in dataclasses.fields(option)}, file
        assert {f"{group}.{key}" for key in keys} - {f"{group}.name"} <= set(every_key())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"policy": {"hidden": "abc"}}, "policy.hidden=abc: expected a whole number at least 1"),
        ({"policy": {"hidden": -4}}, "policy.hidden=-4: expected a whole number at least 1; the nearest is 1"),
        ({"policy": {"hidden": 1.5}}, "policy.hidden=1.5: expected a whole number at least 1; the nearest is 2"),
        ({"policy": {"hidden": True}}, "policy.hidden=true: expected a whole number at least 1"),
        ({"policy": {"hidden": None}}, "policy.hidden=null: expected a whole number at least 1"),
        ({"policy": {"dropout": 1.5}}, "expected a number at least 0 and below 1; the nearest is just below 1"),
        ({"policy": {"dropout": float("nan")}}, "policy.dropout=nan: expected a number"),
        ({"policy": {"head": "bernouli"}}, "squashed_gaussian; the nearest is bernoulli"),
        ({"policy": {"hiden": 3}}, "policy.hiden: no such key; did you mean policy.hidden?"),
        ({"policy": {"name": "mpl"}}, "policy.name=mpl: expected one of mlp, cnn, gru, linear"),
        ({"policy": 3}, "policy=3: expected a group of keys"),
        ({"policy": {"name": ["mlp"]}}, "policy.name=['mlp']: expected one of"),
        ({"env": {"max_steps": 0}}, "env.max_steps=0: expected a whole number at least 1 or null; the nearest is 1"),
        ({"env": {"max_episodes": None}}, "a run needs at least one limit"),
        ({"num_seeds": 0}, "num_seeds=0: expected a whole number at least 1; the nearest is 1"),
        ({"num_seds": 2}, "num_seds: no such key; did you mean num_seeds?"),
        ({"returns": {"name": "trajectory"}}, "returns=trajectory with normalization.returns=episode"),
        (
            {
                "returns": {"name": "trajectory"},
                "normalization": {"returns": "batch"},
                "collect": {"episodes": 1},
            },
            "returns=trajectory with normalization.returns=batch and collect.episodes=1",
        ),
        (
            {
                "returns": {"name": "trajectory"},
                "normalization": {"returns": "none", "advantages": "batch"},
                "collect": {"episodes": 1},
            },
            "returns=trajectory with normalization.advantages=batch and collect.episodes=1",
        ),
        ({"optimizer": {"learning_rate": float("inf")}}, "optimizer.learning_rate=inf: expected a number above 0"),
        ({"optimizer": {"learning_rate": float("inf")}}, "at most 1e+30; the nearest is 1e+30"),
        ({"policy": {"hidden": -(10**400)}}, "expected a whole number at least 1; the nearest is 1"),
        ({"policy": {"dropout": 10**5000}}, "policy.dropout=a value of type int with more than 4,300 digits: expected"),
        ({"policy": {"head": "x" * 9999}}, f"policy.head={'x' * 99}…: expected one of auto, categorical, bernoulli"),
        ({"policy": {"y" * 9999: 1}}, f"policy.{'y' * 99}…: no such key"),
        ({"device": "gpu"}, "device=gpu: expected one of auto, cpu, cuda"),
        ({"collect": {"episodes": 501}}, "expected at most env.max_episodes=500; the nearest is 500"),
        (
            {"optimizer": {"learning_rate": 0}},
            "expected a number above 0 and at most 1e+30; the nearest is just above 0",
        ),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected_and_the_nearest_that_is_right(changes, message):
    config = composed()
    for key, change in changes.items():
        config[key] = {**config[key], **change} if isinstance(change, dict) else change
    with pytest.raises(UserError) as caught:
        check(config)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_of_a_number_that_is_none_only_what_is_expected_is_said():
    config = composed()
    config["optimizer"]["learning_rate"] = float("nan")
    with pytest.raises(UserError) as caught:
        check(config)
    assert str(caught.value) == "optimizer.learning_rate=nan: expected a number above 0 and at most 1e+30"


def test_a_missing_key_is_named():
    config = composed()
    del config["policy"]["hidden"]
    with pytest.raises(UserError, match=r"policy\.hidden: missing; expected a whole number at least 1"):
        check(config)


def test_a_strangers_config_executes_nothing():
    config = composed()
    config["policy"] = {"_target_": "os.system", "name": "mlp", **config["policy"], "_args_": ["echo owned"]}
    with pytest.raises(UserError, match="no such key"):
        check(config)
