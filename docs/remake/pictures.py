"""Pictures of pages, and pages that a benchmark writes itself, whose commands write them where they belong."""

from __future__ import annotations

from docs.remake.artefact import Artefact

ARTEFACTS = (
    Artefact(
        "screenshots",  # of TensorBoard and of a report, whose sweep is that of `comparing`
        (
            "python -m pg_experiments.train -m policy.hidden=16,64,256 num_seeds=16 hydra.sweep.dir=multirun/widths",
            "python -m docs.screenshots multirun/widths multirun/comparing",
        ),
    ),
    Artefact(
        "pong_video",
        (
            "python -m pg_experiments.train env=pong hydra.run.dir=outputs/pong",
            "python -m pg_experiments.evaluate run=outputs/pong video=true",
            "python -m docs.poster outputs/pong/videos/seed_0_greedy_return_21.mp4 docs/pong.gif start=8 seconds=10",
        ),
    ),
    Artefact("ladder", ("python -m benchmarks.ladder",)),  # docs/ladder.md, from docs/results/ladder_*.csv
)
