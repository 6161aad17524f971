"""Main effects of a sweep's factors, and the interactions that are named."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from benchmarks.run_directories import write_run
from pg_experiments.comparison.comparison import compare_runs
from pg_experiments.comparison.interaction import interaction_p
from tests.comparisons import compared, curve, level


def sweep(directory, levels: dict[tuple[int, str], float], spread: float, seeds: int = 6) -> None:
    """A run for each width and baseline, whose seeds end near a level."""
    rng = np.random.default_rng(3)
    for (width, baseline), value in levels.items():
        curves = {seed: curve(10, value + spread * rng.normal()) for seed in range(seeds)}
        write_run(directory / f"{width}{baseline}", [f"policy.hidden={width}", f"baseline={baseline}"], curves)


def test_what_no_configuration_shows_the_factors_do_and_they_come_first(tmp_path):
    """A width that adds 21 to returns that spread by 50, with each of four baselines."""
    for number, baseline in enumerate(("none", "mean", "leave_one_out", "optimal")):
        for width in (8, 16):
            curves = {seed: curve(10, 100.0 + 10 * seed + 21 * (width == 16) + 0.1 * number) for seed in range(6)}
            write_run(tmp_path / f"{width}{baseline}", [f"policy.hidden={width}", f"baseline={baseline}"], curves)
    comparison = compare_runs([tmp_path])
    assert all(pair.lead.evidence in ("none", "too few seeds") for pair in comparison.configurations.pairs)
    width, baseline = comparison.factors
    assert (width.key, width.others, baseline.key) == ("policy.hidden", ("baseline",), "baseline")
    assert comparison.headline[0].startswith(
        "policy.hidden, averaged over baseline: 16 has a higher final return than 8 (probability "
    )
    assert comparison.headline[2].startswith("baseline, averaged over policy.hidden: its 4 values cannot be told apart")


def test_a_factor_is_what_by_its_key_gives(tmp_path):
    sweep(tmp_path, {(w, b): w + len(b) for w in (8, 16, 32) for b in ("none", "value")}, spread=5)
    for factor in compare_runs([tmp_path]).factors:
        alone = compared(tmp_path, by=factor.key)
        assert factor.summary.pairs == alone.pairs
        assert [row.finals for row in factor.summary.rows] == [row.finals for row in alone.rows]


def test_each_factor_is_corrected_for_the_pairs_of_its_values_alone(tmp_path):
    sweep(tmp_path, {(w, b): w + len(b) for w in (8, 16, 32) for b in ("none", "value")}, spread=5)
    comparison = compare_runs([tmp_path])
    assert [factor.summary.tests for factor in comparison.factors] == [3, 1]
    assert comparison.configurations.tests == 15


def test_a_sweep_over_one_key_has_no_factor_beside_its_configurations(tmp_path):
    for width in (8, 16):
        write_run(tmp_path / f"{width}", [f"policy.hidden={width}"], level(50))
    assert compare_runs([tmp_path]).factors == ()


def test_a_search_that_uses_each_value_once_has_no_factors(tmp_path):
    for width, rate in ((8, 0.1), (16, 0.01), (32, 0.001)):
        name = [f"policy.hidden={width}", f"optimizer.learning_rate={rate}"]
        write_run(tmp_path / f"{width}", name, level(50))
    assert compare_runs([tmp_path]).factors == ()


def test_a_factor_that_helps_with_one_setting_and_harms_with_another_is_named(tmp_path):
    sweep(tmp_path, {(8, "none"): 100, (16, "none"): 200, (8, "value"): 400, (16, "value"): 300}, spread=1)
    comparison = compare_runs([tmp_path])
    (one,) = comparison.factors[0].interactions
    assert (one.least, one.most, one.clear) == (("baseline=value", 0.0), ("baseline=none", 1.0), True)
    sentence = next(sentence for sentence in comparison.headline if "policy.hidden depends" in sentence)
    assert sentence == (
        "The effect of policy.hidden depends on the other settings: 16 is better than 8 with probability 1.00 at "
        "baseline=none, and 0.00 at baseline=value (p < 0.001 for equal probabilities)."
    )
    assert sentence in compare_runs([tmp_path], by="policy.hidden").headline


def test_a_factor_that_helps_with_every_setting_alike_has_no_interaction(tmp_path):
    sweep(tmp_path, {(8, "none"): 100, (16, "none"): 200, (8, "value"): 300, (16, "value"): 400}, spread=1)
    assert [factor.interactions for factor in compare_runs([tmp_path]).factors] == [(), ()]


def test_cochrans_q_by_hand():
    """Two strata of 4 and 4 seeds, all above in one and all below in the other: the common probability is 1/2.

    Newcombe's variance is then 1/4 · (1 + 3 · 2/3) / 16, and Q = 2 · (1/2)² / variance.
    """
    low, high = np.arange(4.0), np.arange(4.0) + 10
    q = 0.5 / (0.25 * 3 / 16)
    assert interaction_p([low, high], [high, low]) == pytest.approx(chi2.sf(q, 1))
    assert interaction_p([low, low], [high, high]) == 1.0
    assert interaction_p([low], [high]) is None
    assert interaction_p([low, low[:3]], [high, high]) is None, "three seeds are too few"


@pytest.mark.parametrize(("sizes", "shift"), [((8, 8), 0.0), ((8, 8), 0.7), ((4, 4), 0.7), ((5, 5, 5, 5), 1.5)])
def test_differences_that_are_equal_in_all_strata_are_called_an_interaction_at_most_10_times_of_100(sizes, shift):
    """400 sweeps. A test that is wrong 10 times of 100 is wrong more than 60 times with a probability below 0.001."""
    rng = np.random.default_rng(4)
    found = 0
    for _ in range(400):
        levels = rng.normal(0, 5, len(sizes))
        x = [rng.normal(at, 1, size) for at, size in zip(levels, sizes, strict=True)]
        y = [rng.normal(at + shift, 1, size) for at, size in zip(levels, sizes, strict=True)]
        found += (interaction_p(x, y) or 1.0) < 0.1
    assert found <= 60
