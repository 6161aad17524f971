"""`python -m benchmarks.short_corridor > FILE`: other algorithms on the short corridor, as plain loops.

REINFORCE as the book has it, whose parameters change at each step of an episode, and ε-greedy action values, whose
policies prefer one action in all states. Sutton and Barto, "Reinforcement Learning", 2nd edition, sections 5.4, 6.4,
13.1, 13.3 and 13.4. Writes `curve,seed,episode,return` of 100 seeds and 1,000 episodes each.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable, Iterator

SEEDS, EPISODES = 100, 1000
LIMIT = 1000  # steps, as the environment has
FIRST = 1.47  # logit of left, and minus that of right: right has the probability 0.05
LEAST = 0.05  # probability of an action, as in the book's program: otherwise episodes of single seeds do not end
EPSILON = 0.1  # an ε-greedy policy takes its less preferred action with probability 0.05
STEP_SIZE = 0.01  # of action values

Probability = Callable[[], float]


def steps(probability: Probability, rng: random.Random) -> Iterator[tuple[bool, bool]]:
    """Plays an episode. Yields whether each action is `right`, and whether it reaches the goal."""
    state = 0
    for _ in range(LIMIT):
        right = rng.random() < probability()
        state = state + 1 if right != (state == 1) else max(0, state - 1)
        yield right, state == 3
        if state == 3:
            return


def reinforce(rng: random.Random, step_size: float, value_step_size: float = 0.0) -> Iterator[int]:
    """Yields the return of each episode of REINFORCE (with a baseline, where its step size is not 0)."""
    left, right, value = FIRST, -FIRST, 0.0

    def probability() -> float:
        return min(max(1 / (1 + math.exp(left - right)), LEAST), 1 - LEAST)

    for _ in range(EPISODES):
        p = probability()
        episode = [action for action, _ in steps(lambda p=p: p, rng)]  # type: ignore[misc]
        for t, action in enumerate(episode):
            error = t - len(episode) - value  # G_t − v
            value += value_step_size * error
            change = step_size * error * (action - probability())
            left, right = left - change, right + change
        yield -len(episode)


def action_values(rng: random.Random, bootstrap: bool) -> Iterator[int]:
    """Yields the return of each episode of ε-greedy control: Sarsa, or Monte Carlo without `bootstrap`."""
    values = [0.0, 0.0]  # of left and right, in all states

    def probability() -> float:
        best = 0.5 if values[0] == values[1] else float(values[1] > values[0])
        return EPSILON / 2 + (1 - EPSILON) * best

    for _ in range(EPISODES):
        episode: list[bool] = []
        for action, at_goal in steps(probability, rng):
            if bootstrap and episode:
                values[episode[-1]] += STEP_SIZE * (-1 + values[action] - values[episode[-1]])
            if bootstrap and at_goal:
                values[action] += STEP_SIZE * (-1 - values[action])
            episode.append(action)
        if not bootstrap:
            for t, action in enumerate(episode):
                values[action] += STEP_SIZE * (t - len(episode) - values[action])
        yield -len(episode)


CURVES: dict[str, Callable[[random.Random], Iterator[int]]] = {
    "book": lambda rng: reinforce(rng, 2.0**-13),
    "book_baseline": lambda rng: reinforce(rng, 2.0**-9, 2.0**-6),
    "sarsa": lambda rng: action_values(rng, bootstrap=True),
    "monte_carlo": lambda rng: action_values(rng, bootstrap=False),
}


def main() -> None:
    sys.stdout.write("curve,seed,episode,return\n")
    for name, play in CURVES.items():
        for seed in range(SEEDS):
            for episode, total in enumerate(play(random.Random(seed))):
                sys.stdout.write(f"{name},{seed},{episode},{total}\n")


if __name__ == "__main__":
    main()
