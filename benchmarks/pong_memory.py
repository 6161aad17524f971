"""Peak resident memory of `experiment=pong_text`, whose batches are 64 games, over two updates.

    python -m benchmarks.pong_memory

Stored densely in float32, 64 games of 1,000 to 1,300 steps and 6,400 pixels are 1.6 to 2.1 GB by themselves.
"""

from __future__ import annotations

import contextlib
import io
import resource

from benchmarks.common import machine, prepared


def main() -> None:
    with prepared("experiment=pong_text", "device=cpu", "env.max_episodes=128") as (run, tracker):
        with contextlib.redirect_stdout(io.StringIO()):
            run.execute(tracker)
        assert tracker.updates == 2
        (account,) = run.accounts.seeds
    print(f"{machine()}\n\n{tracker.updates} updates, {account.episodes} games, {account.env_steps:,} steps")
    print(f"\npeak_mb {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}")


if __name__ == "__main__":
    main()
