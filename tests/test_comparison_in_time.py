"""Seeds that are solved stop at much the same return: then a comparison says which of them got there sooner."""

from __future__ import annotations

import pytest

from benchmarks.run_directories import write_run
from pg_experiments.comparison.wording import findings
from tests.test_comparison import compared, curve


def solved_after(updates: int) -> list:
    """A seed that returns 10, and reaches the threshold after so many updates."""
    return list(curve(*[10.0] * updates, 480.0))


@pytest.mark.parametrize("first_is_faster", [True, False])
def test_of_two_that_end_alike_the_one_that_gets_there_in_fewer_steps_is_named(tmp_path, first_is_faster):
    for name, first in (("none", True), ("value", False)):
        start = 30 if first is first_is_faster else 60
        curves = {seed: solved_after(start + seed) for seed in range(8)}
        write_run(tmp_path / name, [f"baseline={name}"], curves)
    (sentence,) = findings(compared(tmp_path))
    faster = "baseline=none" if first_is_faster else "baseline=value"
    assert "not distinguishable by their final return" in sentence
    assert sentence.endswith(f"{faster} reaches mean_return 475 in fewer steps, with probability 1.00 (p < 0.001).")


def test_a_seed_that_never_gets_there_is_later_than_any_and_where_all_are_alike_nothing_is_said(tmp_path):
    for name, never in (("none", 6), ("value", 0)):
        curves = {seed: solved_after(40) if seed >= never else list(curve(*[10.0] * 41)) for seed in range(8)}
        write_run(tmp_path / "a" / name, [f"baseline={name}"], curves)
        write_run(tmp_path / "b" / name, [f"baseline={name}"], {seed: solved_after(40 + seed) for seed in range(8)})
        write_run(
            tmp_path / "c" / name, [f"baseline={name}"], {seed: list(curve(*[10.0 + seed] * 9)) for seed in range(8)}
        )
    # 6 of 8 seeds never: each is later than all of the others, each of the rest as late as any
    assert compared(tmp_path / "a").pairs[0].sooner == pytest.approx(0.75 + 0.25 / 2)
    assert "fewer steps" not in "".join(findings(compared(tmp_path / "b")))
    assert "fewer steps" not in "".join(findings(compared(tmp_path / "c")))
