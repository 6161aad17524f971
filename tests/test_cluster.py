"""Sweeps on a cluster: two node processes of Ray, and SLURM's commands played by scripts."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.sweeps import TINY, end, needs, statuses, sweep, wait_for

QUIET = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
# An array of jobs that all run at once. What submitit asks of SLURM is all that these know. Jobs run a copy of the
# script, as SLURM's do: submitit moves its own as soon as sbatch returns.
SBATCH = """\
cp "$1" script.sh
export SLURM_NTASKS=1 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NODEID=0 SLURM_JOB_NUM_NODES=1 SLURM_JOB_NODELIST=here
for task in $(seq 0 $(grep -oP '^#SBATCH --array=0-\\K[0-9]+' "$1")); do
    SLURM_JOB_ID=$((77 + task)) SLURM_ARRAY_JOB_ID=77 SLURM_ARRAY_TASK_ID=$task bash script.sh > "job$task.log" 2>&1 &
done
echo "Submitted batch job 77"
"""
SRUN = """\
while [[ $1 == --* ]]; do case $1 in --output | --error) shift 2 ;; *) shift ;; esac; done
exec "$@"
"""
SACCT = 'echo "JobID|State|NodeList"; for task in 0 1; do echo "77_$task|RUNNING|here"; done\n'


@contextmanager
def ray_node(directory: Path, *arguments: str, **environment: str) -> Iterator[Path]:
    """A node of Ray's as processes of its own, which end with it. Yields its log."""
    log = directory / f"node{len(list(directory.glob('node*.log')))}.log"
    ray = str(Path(sys.executable).parent / "ray")
    command = [ray, "start", "--block", "--num-cpus=1", "--object-store-memory=80000000", *arguments]
    with log.open("w") as out:
        process = subprocess.Popen(
            command, env=os.environ | QUIET | environment, stdout=out, stderr=out, text=True, start_new_session=True
        )
    try:
        wait_for(lambda: "Ray runtime started" in log.read_text())
        yield log
    finally:
        end(process)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@needs("hydra_plugins.hydra_ray_launcher", "ray")
def test_a_ray_cluster_of_two_nodes_runs_jobs_on_both(tmp_path):
    """Each node has its own LIMIT in its environment, which its jobs take as their limit of steps."""
    address = f"127.0.0.1:{free_port()}"
    port = address.rpartition(":")[2]
    with (
        TemporaryDirectory(prefix="ray") as folder,  # a short path: Ray's sockets lie in it
        ray_node(
            tmp_path, "--head", f"--port={port}", f"--temp-dir={folder}", "--include-dashboard=false", LIMIT="1000001"
        ),
        ray_node(tmp_path, f"--address={address}", LIMIT="1000002"),
    ):
        limit = 'env.max_steps="${oc.decode:${oc.env:LIMIT}}"'
        reach = f"hydra.launcher.ray.init.address={address}"
        done = sweep(tmp_path, "hydra/launcher=ray", reach, "seed=0,1,2,3", limit, *TINY, **QUIET)
    assert done.returncode == 0, done.stderr
    assert set(statuses(tmp_path).values()) == {"done"}
    logs = [log.read_text() for log in tmp_path.glob("sweep/*/train.log")]
    assert len(logs) == 4
    on = [sum(f"max_steps={limit}" in log for log in logs) for limit in (1000001, 1000002)]
    assert sum(on) == 4
    assert min(on) > 0


@needs("hydra_plugins.hydra_submitit_launcher", "slurm")
def test_slurm_is_asked_for_an_array_of_jobs_of_one_core_each_which_leave_runs_as_ever(tmp_path):
    """SLURM is not here; its commands are scripts that take what is submitted and run it."""
    commands = tmp_path / "commands"
    commands.mkdir()
    for name, script in {"sbatch": SBATCH, "srun": SRUN, "sacct": SACCT, "scancel": ""}.items():
        (commands / name).write_text(f"#!{shutil.which('bash')}\n{script}")
        (commands / name).chmod(0o755)
    partition = ("hydra.launcher.partition=long", "hydra.launcher.gpus_per_node=1")
    path = f"{commands}{os.pathsep}{os.environ['PATH']}"
    done = sweep(tmp_path, "hydra/launcher=submitit_slurm", "seed=0,1", *partition, *TINY, PATH=path)
    assert done.returncode == 0, done.stderr
    assert statuses(tmp_path) == {"0_seed=0": "done", "1_seed=1": "done"}
    asked = set((tmp_path / "script.sh").read_text().splitlines())
    assert asked >= {
        "#SBATCH --array=0-1%2",
        "#SBATCH --cpus-per-task=1",
        "#SBATCH --gpus-per-node=1",
        "#SBATCH --mem=4GB",
        "#SBATCH --partition=long",
        "#SBATCH --time=240",
    }
