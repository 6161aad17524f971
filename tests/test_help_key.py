"""`--help KEY` says what a key is, what it may be, what it is here, and which files have set it."""

from __future__ import annotations

import re

import pytest

from pg_experiments.run.config import GROUPS
from tests.conftest import composed


def test_a_key_is_explained_with_its_comment_its_range_its_value_and_what_has_set_it(train_here):
    done = train_here("--help", "policy.dropout", "env=pong", "policy.dropout=0.1")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "policy.dropout: probability that a hidden unit is dropped at a step, 0 to below 1\n\n"
        "  expected  a number at least 0 and below 1\n"
        "  value     0.1\n"
        "  set by    conf/policy/mlp.yaml                       0.5\n"
        "            conf/tuned/policy/pong_reinforce_mlp.yaml  0.0\n"
        "            the command line                           0.1\n"
    )


def test_a_file_that_sets_a_key_may_say_why(train_here):
    out = train_here("--help", "env.actions", "env=pong").out
    assert "  value     {DOWN: LEFT, UP: RIGHT}\n" in out
    assert "conf/env/atari.yaml  null\n" in out
    assert "conf/env/pong.yaml   {DOWN: LEFT, UP: RIGHT}  # the Bernoulli head gives the probability of" in out


def test_values_of_a_sweep_are_shown_as_such(train_here):
    out = train_here("-m", "--help", "optimizer.learning_rate", "optimizer.learning_rate=0.1,0.01").out
    assert "  value     0.1,0.01\n" in out
    assert "the command line          0.1,0.01  # a sweep\n" in out


def test_a_group_is_explained_with_its_options_and_the_keys_of_the_chosen_one(train_here):
    out = train_here("--help", "optimizer", "optimizer=sgd", "optimizer.momentum=0.9").out
    assert re.findall(r"^  ([* ]) (\w+)  +(\S.*)$", out, re.M)[:4] == [
        (" ", "adam", "Adam."),
        (" ", "adamw", "Adam with decoupled weight decay."),
        (" ", "rmsprop", "RMSprop."),
        ("*", "sgd", "Stochastic gradient descent."),
    ]
    assert re.search(r"^  optimizer\.momentum +0\.9 +momentum factor, 0 to below 1$", out, re.M)
    assert "beta1" not in out


def test_a_section_is_explained_with_its_keys(train_here):
    out = train_here("--help", "checkpoint").out
    assert out.startswith("checkpoint: a checkpoint is saved at the end of a run")
    assert re.search(r"^  checkpoint\.keep +2 +number of newest checkpoints to keep", out, re.M)


def test_a_key_of_an_option_that_is_not_chosen_says_which_option_has_it(train_here):
    out = train_here("--help", "algorithm.clip_range").out
    assert "  of        algorithm=ppo\n  expected  a number above 0 or null\n  default   0.2\n" in out
    assert out.endswith("It has no effect here, with algorithm=reinforce.\n")
    assert "no effect" not in train_here("--help", "algorithm.clip_range", "algorithm=ppo").out


def test_every_key_of_the_composed_config_is_explained_with_its_value(train_here):
    config = composed()
    keys = [f"{group}.{key}" for group in GROUPS for key in config[group] if key != "name"]
    out = train_here("--help", *keys).out
    blocks = dict(
        re.findall(r"^([a-z]\w+\.\w+): .*\n(?:  \S.*\n)*\n  expected  .*\n  value     (.*)\n  set by", out, re.M)
    )
    values = {key: config[key.partition(".")[0]][key.partition(".")[2]] for key in keys}
    assert blocks.keys() == values.keys()
    assert blocks["policy.hidden"] == str(values["policy.hidden"])
    assert blocks["env.max_steps"] == "null"


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("policy.hiden", "policy.hiden: no such key; did you mean policy.hidden?"),
        ("lr", "lr: no such key; did you mean optimizer.learning_rate?"),
        ("clip_coef", "clip_coef: no such key with algorithm=reinforce; choose algorithm=ppo for algorithm.clip_range"),
        ("pong", "pong: no such key; did you mean env=pong?"),
        ("hydra/launcher", "hydra/launcher: is a part of Hydra's own settings; --cfg hydra shows them"),
    ],
)
def test_a_key_that_does_not_exist_is_answered_with_the_nearest(train_here, key, line):
    done = train_here("--help", key)
    assert (done.code, done.out, done.err) == (1, "", f"error: {line}\n")


def test_arguments_that_are_no_keys_and_keys_of_hydras_are_explained(train_here):
    assert train_here("--help", "resume").out.startswith("resume=DIR, or latest: resume this run")
    assert "conf/config.yaml" in train_here("--help", "hydra.run.dir").out


def test_an_option_of_a_user_is_explained_with_the_files_that_it_extends(train_here, tmp_path):
    (tmp_path / "mine" / "policy").mkdir(parents=True)
    (tmp_path / "mine" / "policy" / "small.yaml").write_text("# Small.\ndefaults: [mlp, _self_]\nhidden: 8 # enough\n")
    out = train_here("--config-dir=mine", "--help", "policy.hidden", "policy", "policy=small").out
    assert "  expected  a whole number at least 1\n  value     8\n" in out
    assert "conf/policy/mlp.yaml    128\n            mine/policy/small.yaml  8    # enough\n" in out
    assert "  * small   Small.\n" in out
