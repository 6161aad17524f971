"""Verdicts on pairs of groups: which way they go, how many seeds they take, and for how many they are corrected."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.run_directories import write_run
from pg_experiments.comparison.permutation import holm, permutation_p
from pg_experiments.comparison.statistics import NORMAL_QUANTILE, probability_of_improvement
from pg_experiments.comparison.summary import CLEAR
from tests.comparisons import compared, curve, level


def test_p_values_are_corrected_for_all_pairs_those_of_returns_and_those_of_time_each_by_themselves(tmp_path):
    """Three groups of six seeds, each somewhat better than the one before, and sooner at the threshold."""
    for width, (start, late) in {"8": (10, 9), "16": (13, 6), "32": (14, 5)}.items():
        curves = {
            seed: curve(*[1.0] * (late + seed), 480.0) if seed < 4 else curve(1.0, start + 2.0 * seed)
            for seed in range(6)
        }
        write_run(tmp_path / width, [f"policy.hidden={width}"], curves)
    summary = compared(tmp_path)
    assert [measure.name for measure in summary.measures] == ["steps to mean_return 475", "final return"]
    for number, measure in enumerate(summary.measures):
        corrected = [pair.contrasts[number].p for pair in summary.pairs]
        values = [measure.values(strata) for _, strata in summary.outcomes.groups]
        raw = [permutation_p(values[pair.first], values[pair.second]) for pair in summary.pairs]
        assert corrected == pytest.approx(holm(raw))
        assert corrected != pytest.approx(raw)


@pytest.mark.parametrize(("value", "verdict"), [(90, "better"), (10, "worse"), (50.05, "not distinguishable")])
def test_three_seeds_are_enough_against_ten(tmp_path, value, verdict):
    write_run(tmp_path / "0", ["baseline=none"], level(50, 10))
    write_run(tmp_path / "1", ["baseline=mean"], level(value, 3))
    (pair,) = compared(tmp_path).pairs
    assert (pair.seeds, pair.lead.verdict) == ((10, 3), verdict)
    assert (pair.lead.p < CLEAR) == (verdict != "not distinguishable")


def test_where_the_seeds_spread_the_interval_is_of_the_sample_variance_of_their_placements():
    """(P − θ)² = z² θ (1 − θ) S at its lower end, where S is larger than what Newcombe's formula has for 10 and 5."""
    x, y = np.arange(10.0), np.array([-1, 2.5, 4.5, 6.5, 20])
    found = probability_of_improvement([x], [y])
    above, below = (x[:, None] > y).mean(1), (y[:, None] > x).mean(1)
    variance = above.var(ddof=1) / 10 + below.var(ddof=1) / 5
    spread = variance / (found.value * (1 - found.value))
    of_low = NORMAL_QUANTILE**2 * found.low * (1 - found.low) * spread
    assert (found.value - found.low) ** 2 == pytest.approx(of_low, rel=1e-5)
