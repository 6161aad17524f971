"""How often the 95 % intervals of a comparison hold the true value, by simulation.

    python -m benchmarks.interval_coverage

The first table is of the probability of improvement: `used` is the interval of `probability_of_improvement`; beside it
rliable's percentile bootstrap; Newcombe's method 5 alone; and DeLong's variance on the logit scale with Student's t and
the variance of one half pair where the groups do not overlap, after Perme and Manevski, "Confidence intervals for the
Mann–Whitney test" (2019). Each cell has the coverage over `SAMPLES` samples, whose standard error at 0.95 is 0.005, and
the mean width in brackets. The second table is of the stratified bootstrap of the interquartile mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import t as student

from pg_experiments.comparison.statistics import (
    NORMAL_QUANTILE,
    band,
    interquartile_mean,
    probability_of_improvement,
)

SAMPLES = 2000
RESAMPLES = 1000
SIZES = ((3, 3), (5, 5), (8, 8), (10, 10), (16, 16), (32, 32), (5, 16), (16, 5))
THETAS = np.linspace(0, 1, 2001)  # where Newcombe's condition is looked at
Draw = Callable[[np.random.Generator, int], np.ndarray]
Interval = Callable[[np.ndarray, np.ndarray], tuple[float, float]]


def normal(mean: float, deviation: float = 1.0) -> Draw:
    return lambda rng, count: rng.normal(mean, deviation, count)


def exponential(shift: float) -> Draw:
    return lambda rng, count: shift + rng.exponential(size=count)


def solved(probability: float) -> Draw:
    """Seeds of CartPole: a fraction has 475 exactly, the others less."""
    return lambda rng, count: np.where(rng.random(count) < probability, 475.0, rng.uniform(20, 400, count))


def two_levels(probability: float) -> Draw:
    """Seeds that end around 10, or around −10 with the probability."""
    return lambda rng, count: np.where(rng.random(count) < probability, -10.0, 10.0) + rng.normal(size=count)


SCENARIOS: dict[str, tuple[Draw, Draw]] = {
    **{f"normal, {d} sd apart": (normal(d), normal(0)) for d in (0, 0.5, 1, 2, 3)},
    **{f"exponential, {d} sd apart": (exponential(d), exponential(0)) for d in (0, 0.5, 1, 2, 3)},
    "normal, sd 1 and 5, equal means": (normal(0), normal(0, 5)),
    "normal, sd 1 and 5, 6 apart": (normal(6), normal(0, 5)),
    "solved 0.95 and 0.6, else below": (solved(0.95), solved(0.6)),
    "solved 0.8 and 0.3, else below": (solved(0.8), solved(0.3)),
    "0.1 about 0, and 0.5 of 10 and -10": (normal(0, 0.1), two_levels(0.5)),
    "0.1 about 0, and 0.8 of 10 and -10": (normal(0, 0.1), two_levels(0.8)),
}


def truth(first: Draw, second: Draw) -> float:
    """P(X > Y) + P(X = Y) / 2, from 10⁶ of each."""
    rng = np.random.default_rng(1)
    x, y = first(rng, 10**6), np.sort(second(rng, 10**6))
    return float(((np.searchsorted(y, x) + np.searchsorted(y, x, "right")) / 2).mean() / len(y))


def used(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    found = probability_of_improvement([x], [y])
    return found.low, found.high


def wins(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (1 + np.sign(x[:, None] - y)) / 2


def bootstrapped(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    rng, (m, n) = np.random.default_rng(0), (len(x), len(y))
    of_x, of_y = (rng.multinomial(k, np.full(k, 1 / k), RESAMPLES) / k for k in (m, n))
    low, high = np.percentile(((of_x @ wins(x, y)) * of_y).sum(1), (2.5, 97.5))
    return float(low), float(high)


def newcombe(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    others = (len(x) + len(y)) / 2 - 1
    variance = 1 + others * ((1 - THETAS) / (2 - THETAS) + THETAS / (1 + THETAS))
    variance *= THETAS * (1 - THETAS) / (len(x) * len(y))
    near = THETAS[np.abs(wins(x, y).mean() - THETAS) <= NORMAL_QUANTILE * np.sqrt(variance) + 1e-9]
    return float(near[0]), float(near[-1])


def logit(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    won, half_a_pair = wins(x, y), 0.5 / (len(x) * len(y))
    value = min(max(float(won.mean()), half_a_pair), 1 - half_a_pair)
    a, b = won.mean(1).var(ddof=1) / len(x), won.mean(0).var(ddof=1) / len(y)
    variance = max(a + b, value * (1 - value) / (len(x) * len(y)))
    freedom = (a + b) ** 2 / (a**2 / (len(x) - 1) + b**2 / (len(y) - 1)) if a + b else min(len(x), len(y)) - 1
    reach = student.ppf(0.975, freedom) * math.sqrt(variance) / (value * (1 - value))
    middle = math.log(value / (1 - value))
    low, high = (1 / (1 + math.exp(-end)) for end in (middle - reach, middle + reach))
    return 0.0 if won.max() == 0 else low, 1.0 if won.min() == 1 else high


METHODS: dict[str, Interval] = {"used": used, "bootstrap": bootstrapped, "Newcombe": newcombe, "logit": logit}


def coverage(
    interval: Interval, first: Draw, second: Draw, sizes: tuple[int, int], value: float, samples: int
) -> tuple[float, float]:
    """How often the interval holds the value, and its mean width."""
    rng = np.random.default_rng(0)
    ends = np.array([interval(first(rng, sizes[0]), second(rng, sizes[1])) for _ in range(samples)])
    held = (ends[:, 0] <= value + 1e-3) & (ends[:, 1] >= value - 1e-3)  # the truth is known to 0.001
    return float(held.mean()), float((ends[:, 1] - ends[:, 0]).mean())


def with_strata(layout: Sequence[tuple[int, int]], shifts: Sequence[float], samples: int) -> float:
    """How often the interval holds the mean over strata of normal seeds, each stratum with a shift of its own."""
    rng = np.random.default_rng(0)
    value = float(np.mean([truth(normal(shift), normal(0)) for shift in shifts]))
    held = 0
    for _ in range(samples):
        x = [rng.normal(shift, size=m) for (m, _), shift in zip(layout, shifts, strict=True)]
        found = probability_of_improvement(x, [rng.normal(size=n) for _, n in layout])
        held += found.low <= value <= found.high
    return held / samples


def main() -> None:
    print(f"{'probability of improvement':<36}{'truth':>6}{'seeds':>8}" + "".join(f"{name:>14}" for name in METHODS))
    for name, (first, second) in SCENARIOS.items():
        value = truth(first, second)
        for sizes in SIZES:
            found = [coverage(method, first, second, sizes, value, SAMPLES) for method in METHODS.values()]
            cells = "".join(f"{f'{held:.3f} ({width:.2f})':>14}" for held, width in found)
            print(f"{name:<36}{value:>6.3f}{f'{sizes[0]}, {sizes[1]}':>8}{cells}", flush=True)
    print("\nwith strata, used")
    for layout, shifts in (
        ([(3, 3)] * 3, [1, 1, 1]),
        ([(3, 3)] * 3, [0, 1, 3]),
        ([(5, 5), (3, 8)], [0, 2]),
        ([(1, 1)] * 8, [1] * 8),
        ([(1, 1)] * 8, [0, 3] * 4),
        ([(1, 3)] * 5, [2] * 5),
    ):
        print(f"{f'{layout}, {shifts} sd':<100}{with_strata(layout, shifts, SAMPLES):>8.3f}", flush=True)
    print(f"\n{'interquartile mean':<20}" + "".join(f"{f'{n} seeds':>10}" for n in (3, 5, 8, 10, 16, 32)))
    for name, draw in {"normal": normal(0), "exponential": exponential(0), "solved 0.8": solved(0.8)}.items():
        value = float(interquartile_mean(draw(np.random.default_rng(1), 10**6)))
        rates = []
        for n in (3, 5, 8, 10, 16, 32):
            low, high = band(interquartile_mean, [draw(np.random.default_rng(0), SAMPLES * n).reshape(SAMPLES, n)])
            rates.append(np.mean((low <= value + 1e-3) & (high >= value - 1e-3)))
        print(f"{name:<20}" + "".join(f"{rate:>10.3f}" for rate in rates), flush=True)


if __name__ == "__main__":
    main()
