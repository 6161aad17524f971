"""`python -m pg_suggestions.table RUN ...`: what rules and learned policies earn in files that are new to them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

import numpy as np
from pg_experiments import load_run

from pg_suggestions.environment import SHOW
from pg_suggestions.proposals import proposals
from pg_suggestions.rules import Rule, always, calibrated, logistic, never
from pg_suggestions.scores import Estimate, Scores, score

HEAD = """\
| rule | reward an episode | above the 25 % rule | above the regression | accepted of shown | shown | over seeds |
| --- | --- | --- | --- | --- | --- | --- |"""


def learned(run: str) -> list[Rule]:
    """What each seed of a run has learned, taking the more probable action."""
    seeds = load_run(run).seeds
    return [_rule(run, seed) for seed in seeds]


def rows(runs: Sequence[str]) -> Iterator[str]:
    """The table's rows: the rules, then the runs."""
    training = proposals("training")
    references = (score(calibrated(training)), score(logistic(training)))
    yield _row("always", score(always), references)
    yield _row("never", score(never), references)
    yield _row("calibrated 25 % rule", references[0], references)
    yield _row("25 % of a logistic regression", references[1], references)
    for run in runs:
        rules = learned(run)
        of_seeds = [score(rule).rewards.mean() for rule in rules]
        deviation = f"± {np.std(of_seeds, ddof=1):.2f} of {len(rules)}" if len(rules) > 1 else ""
        yield _row(run, score(*rules), references, deviation)


def _rule(run: str, seed: int) -> Rule:
    policy = load_run(run, checkpoint="last", seed=seed).policy
    return lambda features: np.equal(policy(features), SHOW)


def _row(name: str, scores: Scores, references: Sequence[Scores], deviation: str = "") -> str:
    above = ["" if scores is reference else _say(scores.advantage(reference)) for reference in references]
    share = _say(scores.acceptance(), percent=True) if scores.shown.any() else ""
    return f"| {' | '.join([name, _say(scores.reward()), *above, share, _say(scores.number_shown()), deviation])} |"


def _say(estimate: Estimate, *, percent: bool = False) -> str:
    value, low, high = (f"{100 * x:.1f}" if percent else f"{x:.2f}" for x in estimate)
    unit = " %" if percent else ""
    return f"{value}{unit} [{low}, {high}]"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m pg_suggestions.table", description=__doc__)
    parser.add_argument("runs", nargs="*", metavar="RUN", help="directory of a run with this environment")
    runs = parser.parse_args().runs
    print(HEAD)
    for row in rows(runs):
        print(row, flush=True)


if __name__ == "__main__":
    main()
