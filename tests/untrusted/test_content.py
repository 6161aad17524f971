"""What a stranger's run holds is neither executed nor looked up."""

from __future__ import annotations

import os
import pickle

import pytest
import torch
import yaml

from pg_experiments import load_run
from pg_experiments.support.errors import UserError
from tests.in_process import run_command
from tests.saved_runs import Malice, checkpoint_of


@pytest.mark.parametrize("how", ["torch", "pickle"])
@pytest.mark.parametrize("where", ["newest", "named"])
def test_a_checkpoint_executes_nothing(here, how, where):
    marker, file = here / "executed", checkpoint_of(here / "run")
    if how == "torch":
        torch.save({"format": 1, "update": 1, "policy": Malice(marker)}, file)
        torch.load(file, weights_only=False)
    else:
        file.write_bytes(pickle.dumps(Malice(marker)))
        pickle.loads(file.read_bytes())
    marker.rmdir()  # reading the file without restrictions has made it
    named = f"checkpoint={'last' if where == 'newest' else file}"
    assert run_command("evaluate", "run=run", named, "episodes=1").error
    assert not marker.exists()
    with pytest.raises(UserError):
        load_run(here / "run")
    assert not marker.exists()


STRANGE = [
    ("policy: !!python/object/apply:os.mkdir [{marker}]", "is no plain YAML"),
    ("!!python/object/apply:os.mkdir [{marker}]", "is no plain YAML"),
    ("{{policy: {{_target_: os.mkdir, path: '{marker}'}}}}", "policy.name=null: expected one of"),
    ("_target_: os.mkdir", "_target_: no such key"),
    ("seed: ${{oc.env:HOME}}", "seed=${oc.env:HOME}: expected a whole number"),
    ("env: {{id: '${{oc.env:HOME}}'}}", "another configuration (env.id is CartPole-v1, not ${oc.env:HOME})"),
    ("env: {{id: 'os:CartPole-v1'}}", "another configuration (env.id is CartPole-v1, not os:CartPole-v1)"),
    ('device: "\\e[31m\\n\\n"', "device="),
    ("[1, 2]", "expected a group of keys"),
    ("", "expected a group of keys"),
    ("a: [", "is no plain YAML"),
    ("[" * 5000, "is no plain YAML"),
    ("\x00", "is no plain YAML"),
]


@pytest.mark.parametrize(("text", "expected"), STRANGE)
def test_a_config_executes_and_looks_up_nothing(here, text, expected):
    marker = here / "executed"
    file = here / "run" / ".hydra" / "config.yaml"
    written = text.format(marker=marker)
    changed = written
    if written.startswith(("seed", "env", "device", "_target_")):
        whole, changes = yaml.safe_load(file.read_text()), yaml.safe_load(written)
        for key, value in changes.items():
            whole[key] = {**whole[key], **value} if isinstance(value, dict) else value
        changed = yaml.safe_dump(whole)
    elif written.startswith("{"):
        changed = yaml.safe_dump(yaml.safe_load(file.read_text()) | yaml.safe_load(written))
    file.write_text(changed)
    ended = run_command("evaluate", "run=run", "episodes=1")
    assert expected in ended.error
    (line,) = ended.err.splitlines()
    assert os.environ["HOME"] not in line.replace(str(here), "")
    assert "\x1b" not in line
    assert not marker.exists()
