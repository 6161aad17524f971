"""Shell completion in real shells, installed by the lines of docs/command_line.md. Missing shells are skipped."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from tests.conftest import REPOSITORY

MODULE = "python -m pg_experiments.train"
WORDS = [
    (f"{MODULE} policy.drop", ["policy.dropout="]),
    ("pg-train env=pong env=po", ["env=pong", "env=pong_v5"]),
    ("pg-train algorithm=ppo algorithm.clip", ["algorithm.clip_range="]),
]
BASH = f"""
eval "$({MODULE} -sc install=bash)"
COMP_LINE="$1" COMP_POINT=${{#1}}
_pg_experiments_complete
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
FISH = f"""
eval ({MODULE} -sc install=fish | string collect)
complete -C $argv[1]
"""


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    """That of a shell which finds this Python as `python`, and the repository's `pg-train`."""
    (command := tmp_path / "pg-train").write_text(
        f"#!{sys.executable}\nfrom pg_experiments.train.__main__ import main\n\nmain()\n"
    )
    command.chmod(0o755)
    path = os.pathsep.join([str(tmp_path), str(Path(sys.executable).parent), os.environ["PATH"]])
    packages = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"PATH": path, "PYTHONPATH": packages, "HOME": str(tmp_path), "TERM": "dumb"}


def require(shell: str) -> None:
    """Skip the test where the shell is not installed."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")


@pytest.mark.parametrize(("line", "words"), [*WORDS, ("python other.py pol", [""])])
def test_bash_completes_options_and_keys_of_the_composed_config(tmp_path, environment, line, words):
    command = ["bash", "-c", BASH, "bash", line]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert sorted(done.stdout.rstrip("\n").split("\n")) == words


@pytest.mark.parametrize(("line", "words"), [*WORDS, ("python other.py pol", [])])
def test_fish_completes_them_too(tmp_path, environment, line, words):
    require("fish")
    command = ["fish", "--no-config", "-c", FISH, line]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert sorted(done.stdout.split()) == words


def test_zsh_completes_them_too_as_far_as_all_candidates_agree(tmp_path, environment):
    """Only an interactive zsh completes. Here Ctrl-X prints the line that TAB has completed."""
    require("zsh")
    shell = pexpect.spawn("zsh", ["-f", "-i"], cwd=tmp_path, env=environment, encoding="utf-8", timeout=60)
    shell.sendline('show() { print -r -- "<$BUFFER>"; BUFFER= }; zle -N show; bindkey "^X" show')
    shell.sendline(f'eval "$({MODULE} -sc install=zsh)"')
    for line, words in WORDS:
        shell.send(f"{line}\t\x18")
        shell.expect_exact(f"<{line.rpartition(' ')[0]} {words[0]}>")
    shell.close(force=True)
