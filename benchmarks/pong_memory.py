"""Peak resident memory of `experiment=pong_text`, whose batches are 64 games, over two updates.

    python -m benchmarks.pong_memory [FILE.json]

Stored densely in float32, 64 games of 1,000 to 1,300 steps and 6,400 pixels are 1.6 to 2.1 GB by themselves.
"""

from __future__ import annotations

import contextlib
import io
import resource
import sys

from benchmarks.common import machine, prepared, write_measured


def main() -> None:
    with prepared("experiment=pong_text", "device=cpu", "env.max_episodes=128") as (run, tracker):
        with contextlib.redirect_stdout(io.StringIO()):
            run.execute(tracker)
        assert tracker.updates == 2
        (account,) = run.accounts.seeds
    print(f"{machine()}\n\n{tracker.updates} updates, {account.episodes} games, {account.env_steps:,} steps")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\npeak_mb {peak_mb:.0f}")
    write_measured(next(iter(sys.argv[1:]), None), peak_mb=peak_mb)


if __name__ == "__main__":
    main()
