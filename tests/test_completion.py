"""Shell completion in a real bash, which is installed by the line of the docs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

COMPLETE = """
eval "$(python -m pg_experiments.train -sc install=bash)"
COMP_LINE="$1" COMP_POINT=${#1}
_pg_experiments_complete
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("python -m pg_experiments.train policy.drop", {"policy.dropout="}),
        ("python -m pg_experiments.train env=pong env=po", {"env=pong", "env=pong_v5"}),
        ("python -m pg_experiments.train algorithm=ppo algorithm.clip", {"algorithm.clip_range="}),
        ("python other.py pol", {""}),
    ],
)
def test_bash_completes_options_and_keys_of_the_composed_config(tmp_path, line, words):
    places = [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", COMPLETE, "bash", line],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(places), "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(done.stdout.rstrip("\n").split("\n")) == words
