"""Names of other libraries are answered with the key or option that they mean, and only with one that there is."""

from __future__ import annotations

import re
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from pg_experiments.app.command_line import config_directory, parse_overrides
from pg_experiments.app.hints import Hints, among
from pg_experiments.app.synonyms import KEYS, OPTIONS
from pg_experiments.env import names
from pg_experiments.support.identity import RESUMABLE
from tests.conftest import composed

CONF = Path(config_directory())
ENVIRONMENTS = sorted(file.stem for file in (CONF / "env").glob("*.yaml"))
ALGORITHMS = sorted(file.stem for file in (CONF / "algorithm").glob("*.yaml"))
NOT_OF_A_RUN = {"resume", "preview", "hydra.run.dir"}  # arguments of the command, and Hydra's own


@cache
def keys_of(*overrides: str) -> set[str]:
    """The dotted keys and the groups of a composed config."""
    config: dict[str, Any] = composed(*overrides)
    dotted = {f"{group}.{key}" for group, keys in config.items() if isinstance(keys, dict) for key in keys}
    return {*config, *dotted, *NOT_OF_A_RUN}


@cache
def hints(*overrides: str) -> Hints:
    return Hints([CONF], "config", parse_overrides(list(overrides)))


@pytest.mark.parametrize(("env", "algorithm"), list(product(ENVIRONMENTS, ALGORITHMS)))
def test_every_synonym_leads_to_a_key_of_the_composed_config_or_to_the_option_that_has_it(env, algorithm):
    chosen = (f"env={env}", f"algorithm={algorithm}")
    here = hints(*chosen)
    for name in KEYS:
        said = here.unknown_key(name)
        if meant := re.fullmatch(r"no such key; did you mean ([\w.]+)(?: and ([\w.]+))?\?(?: It is one of .*)?", said):
            there = keys_of(*chosen)
            keys = meant.groups()
        else:
            meant = re.fullmatch(r"no such key with [\w=]+; choose (.*) for ([\w.]+)(?: and ([\w.]+))?", said)
            assert meant is not None, (name, said)
            options, *keys = meant.groups()
            there = set.intersection(*(keys_of(option) for option in options.split(" or ")))
            assert not {*filter(None, keys)} <= keys_of(*chosen), (name, said)
        assert {*filter(None, keys)} <= there, (name, said)


MEANT = {
    "lr": "did you mean optimizer.learning_rate?",
    "learning_rate": "did you mean optimizer.learning_rate?",
    "Learning-Rate": "did you mean optimizer.learning_rate?",
    "gamma": "did you mean algorithm.discount?",
    "gama": "did you mean algorithm.discount?",
    "env.gamma": "did you mean algorithm.discount?",
    "policy.hiden": "did you mean policy.hidden?",
    "n_layers": "did you mean policy.layers?",
    "policy.n_layers": "did you mean policy.layers?",
    "hidden_sizes": "did you mean policy.hidden and policy.layers?",
    "total_timesteps": "did you mean env.max_steps?",
    "n_seeds": "did you mean num_seeds?",
    "num_sed": "did you mean num_seeds?",
    "batch_size": "did you mean collect.episodes?",
    "adam": "did you mean optimizer=adam?",
    "use_gae": "did you mean returns=gae?",
    "clip_coef": "with algorithm=reinforce; choose algorithm=ppo for algorithm.clip_range",
    "algorithm.clip_range": "with algorithm=reinforce; choose algorithm=ppo for it",
    "critic_lr": "with baseline=none; choose baseline=value for baseline.learning_rate",
    "baseline.lr": "with baseline=none; choose baseline=value for baseline.learning_rate",
    "lambda": "with returns=reward_to_go; choose returns=gae for returns.gae_lambda",
    "policy.frobnicate": (
        "policy=mlp has activation, bias, dropout, head, hidden, initial_std, initialisation, layers, max_std, "
        "min_std, norm, std"
    ),
    "baseline.frobnicate": "baseline=none has none",
    "frobnicate": "python -m pg_experiments.train --help lists the keys",
}


@pytest.mark.parametrize("name", MEANT)
def test_a_wrong_key_is_answered_with_what_it_means_for_reinforce_on_cartpole(name):
    assert hints().unknown_key(name).removeprefix("no such key").removeprefix("; ").strip() == MEANT[name]


def test_a_key_that_two_options_may_mean_is_that_of_the_chosen_one():
    assert (
        hints("algorithm=ppo")
        .unknown_key("batch_size")
        .endswith("did you mean collect.num_envs and collect.num_steps?")
    )
    assert hints("env=pong").unknown_key("batch_size").endswith("did you mean collect.points?")
    assert hints("env=pong").unknown_key("num_envs").endswith("did you mean env.num_envs?")
    assert hints("env=pong", "algorithm=ppo").unknown_key("num_envs").endswith("did you mean collect.num_envs?")
    assert hints("algorithm=ppo,a2c").unknown_key("clip_eps").endswith("did you mean algorithm.clip_range?")


OF_OPTIONS = {
    "algorithm=vpg": "algorithm=reinforce",
    "algorithm=pg": "algorithm=reinforce",
    "algorithm=PPO": "algorithm=ppo",
    "baseline=critic": "baseline=value",
    "baseline=movingaverage": "baseline=moving_average",
    "optimizer=Adam": "optimizer=adam",
    "optimizer=torch.optim.AdamW": "optimizer=adamw",
    "optimizer=RMS-prop": "optimizer=rmsprop",
    "returns=rtg": "returns=reward_to_go",
    "policy=MlpPolicy": "policy=mlp",
    "normalization=whiten": "normalization=returns",
    "collect=rollout": "collect=steps",
    "env=CartPole-v1": "env=cartpole",
    "env=CartPole": "env=cartpole",
    "env=CartPole-v0": "env=gymnasium env.id=CartPole-v0",
    "env=Acrobot-v1": "env=acrobot",
    "env=ShortCorridor-v0": "env=short_corridor",
    "env=pg/CartPoleMasked-v1": "env=cartpole_masked",
    "env=mountain_car": "env=gymnasium env.id=MountainCar-v0",
    "env=breakout": "env=atari env.game=breakout",
    "env=BreakoutNoFrameskip-v4": "env=atari env.game=breakout",
    "env=ALE/SpaceInvaders-v5": "env=atari env.game=space_invaders",
    "env=PongNoFrameskip-v4": "env=pong",
    "env=ALE/Pong-v5": "env=pong_v5",
    "env=LunarLander-v2": "env=lunarlander",
    "env=frobnicate": None,
    "optimizer=frobnicate": None,
}


@pytest.mark.parametrize("given", OF_OPTIONS)
def test_a_wrong_option_is_answered_with_the_one_that_it_means(given):
    group, _, option = given.partition("=")
    meant = hints().option(group, option)
    assert meant == OF_OPTIONS[given]
    if meant is not None:
        assert keys_of(*meant.split())


def test_every_other_name_of_an_option_leads_to_an_option_that_there_is():
    here = hints()
    for group, table in OPTIONS.items():
        assert set(table.values()) <= set(here.files.groups[group])
        assert not set(table) & set(here.files.groups[group])


def test_an_environment_whose_library_is_not_installed_says_what_to_install(monkeypatch, train_here):
    monkeypatch.setattr(names, "find_spec", lambda name: None)
    said = train_here("env=LunarLander-v3").err
    command = "pip install 'pg-experiments[box2d]', or in a clone pip install -e '.[box2d]'"
    assert said.endswith(f"did you mean env=lunarlander? First {command}\n")
    assert names.missing_extra("CartPole-v1") is None


ON_THE_COMMAND_LINE = {
    ("lr=0.1",): "lr: no such key; did you mean optimizer.learning_rate?",
    ("algorithm=ppo", "clip_coef=0.1"): "clip_coef: no such key; did you mean algorithm.clip_range?",
    ("env_id=CartPole-v1",): "env_id: no such key; did you mean env=cartpole?",
    ("env_id=frobnicate",): "env_id: no such key; did you mean env? It is one of acrobot, ant, atari,",
    ("env=ALE/Pong-v5",): "env=ALE/Pong-v5: no such option; did you mean env=pong_v5?",
    ("pong",): "pong: not an override; did you mean env=pong?",
    ("CartPole-v1",): "CartPole-v1: not an override; did you mean env=cartpole?",
    ("--lr", "0.1"): "--lr: no such flag; did you mean optimizer.learning_rate=0.1?",
    ("--env", "Pong"): "--env: no such flag; did you mean env=pong?",
    ("--algo=ppo",): "--algo=ppo: no such flag; did you mean algorithm=ppo?",
    ("--clip-coef=0.1",): "--clip-coef=0.1: no such flag; choose algorithm=ppo for algorithm.clip_range",
    ("--clip-coef=0.1", "algorithm=ppo"): "no such flag; did you mean algorithm.clip_range=0.1?",
    ("-m", "policy=linear", "policy.dropout=0,0.5"): "no such key with policy=linear; choose policy=mlp for it",
    ("-m", "policy=linear,mlp", "policy.dropout=0,0.5"): "with policy=linear,mlp; choose policy=mlp for it",
}


@pytest.mark.parametrize("arguments", ON_THE_COMMAND_LINE, ids=" ".join)
def test_the_command_answers_in_one_line(train_here, arguments):
    done = train_here(*arguments)
    assert done.code == 1
    assert ON_THE_COMMAND_LINE[arguments] in done.err
    assert done.err.count("\n") == 1


def test_among_given_keys_a_synonym_goes_before_a_similar_name():
    assert among("total_timesteps", RESUMABLE) == "env.max_steps"
    assert among("env.max_episode", RESUMABLE) == "env.max_episodes"
    assert among("lr", RESUMABLE) is None
