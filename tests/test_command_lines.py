"""Odd command lines: each is run, or answered in one line with exit code 1; none gives a traceback or a warning."""

from __future__ import annotations

import pytest

TINY = ("env.max_episodes=2", "policy.hidden=4", "device=cpu")
REFUSED = [
    # what Hydra cannot read
    (
        ["policy.head=ünï"],
        'policy.head=ünï: its value cannot be read; with quotes it is a text, as "pol',
    ),
    (["policy.head='x"], "policy.head='x: its value cannot be read"),
    (["policy.hidden=${"], "policy.hidden=${: its value cannot be read"),
    (["--help", "policy.hidden=${"], "policy.hidden=${: its value cannot be read"),
    (["-m", "seed=1,"], "seed=1,: its value cannot be read"),
    ([""], ": not an override; expected key=value"),
    (["="], "=: not an override; expected key=value"),
    (["=3"], "=3: not an override; expected key=value"),
    (["policy..hidden=3"], "policy..hidden=3: not an override; expected key=value"),
    (["a==b"], "a==b: not an override; expected key=value"),
    (["a\0=3"], "has a control character, or is no UTF-8 text; expected text"),
    (["seed=" + "1" * 20_000], "cannot be read; it has too many digits or brackets"),
    (["policy.hidden=" + "[" * 500 + "]" * 500], "cannot be read; it has too many digits or brackets"),
    (["optimizer=-3"], "optimizer=-3: no such option; expected one of"),
    # interpolations
    (["seed=${b}"], "seed: Interpolation key 'b' not found"),
    (["seed=${oc.env:HOME}"], "seed="),
    (["seed=${oc.env:NO_SUCH_THING}"], "seed: KeyError raised while resolving interpolation"),
    (["policy.hidden=${policy.hidden}"], "policy.hidden: Recursive interpolation detected"),
    # what is added, removed or empty
    (["+x=1"], "x: no such key; known are device, num_seeds, seed"),
    (["~policy.hidden"], "policy.hidden: missing; expected a whole number at least 1"),
    (["~nosuch"], "Could not delete from config. 'nosuch' does not exist."),
    (["policy@x=mlp"], "policy@x: no such key; did you mean policy?"),
    (["seed="], "seed=: expected a whole number at least 0"),
    (["policy="], "policy=: no such option; expected one of "),
    (["policy.head=" + "a" * 5000], "policy.head=aaaa"),
    (["policy.head='\0'"], "policy.head='\ufffd': has a control character, or is no UTF-8 text; expected text"),
    (["-m", "env.id='a\nb','\x1b[31m'"], "env.id='a b','\ufffd[31m': has a control character"),
    ([f"seed={number}" for number in range(1000)] + ["policy.hiden=3"], "policy.hiden: no such key; did you mean"),
    # sweeps
    (["seed=1,2"], "seed=1,2: several values are a sweep; add -m before them"),
    (["seed=range(1,3)"], "seed=range(1,3): several values are a sweep; add -m before them"),
    (["-m", "seed=range(1,1e9)"], "seed=range(1,1e9): a sweep of 999,999,999 jobs; expected at most 100,000 of them"),
    (["-m", f"seed=range(0,{10**40})"], "jobs; expected at most 100,000 of them"),
    (["-m", "seed=range(0,inf)"], "seed=range(0,inf): a sweep of inf jobs; expected at most 100,000 of them"),
    (["-m", "seed=range(0,1,1e-9)"], "seed=range(0,1,1e-9): a sweep of 1,000,000,000 jobs"),
    (["-m", "seed=range(0,1000)", "policy.hidden=range(1,1000)"], "a sweep of 999,000 jobs; expected at most 100,000"),
    (["-m", "seed=range(0,1e9)", "preview=true"], "a sweep of 1,000,000,000 jobs; expected at most 100,000 of them"),
    (["-m", "seed=range(0,1e9)", "hydra.sweep.dir=mine"], "a sweep of 1,000,000,000 jobs; expected at most 100,000"),
    (["-m", "seed=range(5,1)"], "seed=range(5,1): has no values, and the sweep no jobs"),
    (["-m", "seed=range(1,5,0)"], "seed=range(1,5,0): expected a step other than 0"),
    (["-m", "seed=range(nan,5)"], "seed=range(nan,5): expected numbers"),
    (["-m", "seed=interval(0,1)"], "BasicSweeper does not support sweep type : INTERVAL_SWEEP"),
    (["-m", "baseline=glob(zzz*)"], "baseline=glob(zzz*): has no values, and the sweep no jobs"),
    # Hydra's own part
    (["-m", "seed=0,1", "hydra/launcher=nonsense"], "hydra/launcher=nonsense: no such option; expected one of basic"),
    (
        ["-m", "seed=0,1", "hydra.launcher=x"],
        "hydra.launcher: expected the keys of one; hydra/launcher=NAME",
    ),
    (
        ["-m", "seed=0,1", "hydra.launcher.n_jobs=3"],
        "hydra.launcher.n_jobs: no such key of Hydra's, or of its",
    ),
    (["hydra.nosuch=3"], "hydra.nosuch: no such key of Hydra's"),
    (["hydra.mode=x"], "hydra.mode=x: expected RUN or MULTIRUN, and no -m beside it"),
    (["hydra.mode=RUN", "-m", "seed=0,1"], "hydra.mode=RUN: expected RUN or MULTIRUN, and no -m beside it"),
    (["--config-name=x"], "Cannot find primary config 'x'. Check that it's in your config search path."),
    (["--config-dir=nowhere"], "nowhere: not found"),
    (["--cfg", "job", "policy.hiden=3"], "policy.hiden: no such key; did you mean policy.hidden?"),
    # directories
    (["hydra.run.dir="], "hydra.run.dir=: expected a directory; the current one is hydra.run.dir=."),
    (["hydra.run.dir=null"], "hydra.run.dir=null: field 'hydra.run.dir' is not Optional"),
    (["hydra.run.dir=/"], "hydra.run.dir=/: is the root of the file system; expected a directory below it"),
    (["hydra.run.dir=/../"], "hydra.run.dir=/../: is the root of the file system"),
    (["hydra.run.dir=/etc/passwd"], "/etc/passwd: File exists; choose another hydra.run.dir"),
    (["-m", "seed=0,1", "hydra.sweep.dir="], "hydra.sweep.dir=: expected a directory"),
    (["-m", "seed=0,1", "hydra.sweep.dir=/"], "hydra.sweep.dir=/: is the root of the file system"),
    (["-m", "seed=0,1", "hydra.sweep.subdir="], "hydra.sweep.subdir=: is no name; expected what differs between jobs"),
    (
        ["-m", "seed=0,1", "hydra.sweep.subdir=x"],
        "hydra.sweep.subdir=x: is the same for all jobs; expected what",
    ),
    # arguments that are no keys
    (["resume="], "resume=: no run is there"),
    (["resume=/"], "resume=/: no run is there"),
    (["resume=/etc/passwd"], "/etc/passwd"),
    (["resume=" + "a" * 300], "File name too long"),
    (["resume=ünï\x1b[31m"], "resume=ünï\ufffd[31m: no run is there"),
    (["resume=${oc.env:HOME}"], "resume=${oc.env:HOME}: no run is there"),
    (["resume=latest", "policy.hidden"], "policy.hidden: not an override; expected key=value"),
    (["resume=latest", "-m"], "resume=latest: for one run"),
    (["preview=x"], "preview=x: expected true or false; the nearest is true"),
    (["preview="], "preview=: expected true or false; the nearest is true"),
    (["preview=true", "-m", "experiment=search_cartpole"], "preview=true: this sweeper chooses its jobs as it goes"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED, ids=lambda value: str(value)[:50])
def test_it_is_answered_in_one_line(train_here, tmp_path, recwarn, arguments, message):
    done = train_here(*arguments)
    assert done.code == 1
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    assert message in done.err
    assert len(done.err) < 700
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [str(warning.message) for warning in recwarn if "Callback" in str(warning.message)]


WORKS = [
    ["++policy.hidden=4", "--cfg", "job"],
    ["hydra.output_subdir=null", "--cfg", "hydra"],
    ["--cfg", "job", "--resolve", "--package", "policy"],
    ["--info", "searchpath"],
    ["--version"],
    ["-sc", "install=bash"],
    ["--help", "seed=1,2"],
    ["-m", "--help"],
    ["preview=true"],
    ["preview=true", "-m", "baseline=glob(m*)"],
]


@pytest.mark.parametrize("arguments", WORKS, ids=lambda arguments: " ".join(arguments))
def test_it_works_and_writes_nothing(train_here, tmp_path, arguments):
    done = train_here(*arguments)
    assert (done.code, done.err) == (0, "")
    assert done.out
    assert not list(tmp_path.iterdir())


def test_a_job_may_have_its_directory_as_the_current_one(train_here, tmp_path):
    done = train_here("-m", "seed=0,1", "hydra.job.chdir=true", "hydra.sweep.dir=mine", *TINY)
    assert done.code == 0, done.err
    assert {path.parent.name for path in (tmp_path / "mine").rglob("result.json")} == {"0_seed=0", "1_seed=1"}
    assert train_here("hydra.job.chdir=true", "hydra.run.dir=alone", *TINY).code == 0
    assert (tmp_path / "alone" / "result.json").exists()


def test_a_sweep_of_one_may_have_a_directory_of_a_fixed_name(train_here, tmp_path):
    done = train_here("-m", "seed=0", "hydra.sweep.subdir=x", "hydra.sweep.dir=mine", *TINY)
    assert done.code == 0, done.err
    assert (tmp_path / "mine" / "x" / "result.json").exists()
