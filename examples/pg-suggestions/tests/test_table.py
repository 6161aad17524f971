"""What a run has learned stands in the table beside the rules."""

import os
import subprocess
import sys
from pathlib import Path

from pg_suggestions.proposals import proposals
from pg_suggestions.scores import score
from pg_suggestions.table import HEAD, learned, rows

TRAIN = ["-m", "pg_experiments.train", "--plugin", "pg_suggestions"]  # the flag, for it need not be installed
OPTIONS = ["experiment=suggestions", "env.max_episodes=8"]


def test_a_runs_seeds_are_a_row_of_the_table(tmp_path):
    here = os.pathsep.join([str(Path(__file__).parent.parent), *sys.path])
    done = subprocess.run(
        [sys.executable, *TRAIN, *OPTIONS, "num_seeds=2", "hydra.run.dir=run"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": here},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    run = str(tmp_path / "run")
    features = proposals("evaluation").features[:1000]
    one, other = (rule(features) for rule in learned(run))
    assert one.shape == other.shape == (1000,)
    assert (one != other).any(), "each seed has a policy of its own"
    table = list(rows([run]))
    assert {row.count("|") for row in table} == {HEAD.splitlines()[0].count("|")}
    assert [row.split("|")[1].strip() for row in table][-1] == run
    assert f"{score(*learned(run)).reward().value:.2f} [" in table[-1]
    assert table[-1].endswith(" of 2 |")
