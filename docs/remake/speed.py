"""Environment steps per second of CartPole, Pong, actor-critics and Pendulum, from JSON files of their benchmarks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from docs.remake.artefact import RESULTS, Artefact, table

CARTPOLE = {
    "plain loop": "a plain loop: one environment, one `Categorical` per step",
    "ours, num_seeds=1": "`num_seeds=1`",
    "ours, num_seeds=32": "`num_seeds=32`",
}
PONG = {
    "bare emulator": "ale-py's vector environment alone, random actions, 32 environments, 2 threads",
    "training": "the whole training loop of `experiment=pong`: playing, learning, recording",
    "training that waits": "the same, strictly on-policy (`collect.unfinished=wait`)",
    "plain loop": 'the plain loop of "Pong from Pixels": one environment, NumPy',
}
ACTOR_CRITIC = {"a2c": "A2C, 5 steps per update", "ppo": "PPO, 128 steps, 4 epochs of 4 mini-batches"}

CONTINUOUS = {
    "ppo": "PPO, 128 steps, 4 epochs of 4 mini-batches",
    "sac 64": "SAC, networks of 64 units",
    "sac 256": "SAC, networks of 256 units",
}


def _sides(name: str) -> dict[str, dict[str, Any]]:
    sides: dict[str, dict[str, Any]] = _read(name)["sides"]
    return sides


def _read(name: str) -> dict[str, Any]:
    measured: dict[str, Any] = json.loads((RESULTS / "speed" / f"{name}.json").read_text())
    return measured


def _speed(side: dict[str, Any]) -> str:
    return f"{side['steps_per_second']:,.0f}"


def cartpole() -> dict[str, str]:
    sides = _sides("cartpole")
    rows = [(words, _speed(sides[side]), f"{sides[side]['ratio']:.0f}") for side, words in CARTPOLE.items()]
    return {
        "speed_cartpole.table": table(("training on CartPole", ">steps/s", ">× plain loop"), rows),
        "speed_cartpole.stopping": f"{sides['(32, stopping when solved)']['steps_per_second']:,.0f}",
    }


def pong() -> dict[str, str]:
    sides, useful = _sides("pong"), _read("pong")["useful"]
    ratios = {side: "" if side == "training" else f"{sides[side]['ratio']:.2g}" for side in PONG}
    ratios["training that waits"] = f"{sides['training that waits']['ratio']:.2f}"
    rows = [(words, _speed(sides[side]), ratios[side]) for side, words in PONG.items()]
    return {
        "speed_pong.table": table(("agent steps per second on Pong", ">steps/s", ">training over it"), rows),
        "speed_pong.useful": f"{useful:.1%}".replace("%", " %"),
    }


def actor_critic() -> dict[str, str]:
    return {"speed_actor_critic.table": _against_theirs("actor_critic", ACTOR_CRITIC, 32)}


def continuous() -> dict[str, str]:
    return {"speed_continuous.table": _against_theirs("continuous", CONTINUOUS, 16)}


def _against_theirs(benchmark: str, names: Mapping[str, str], seeds: int) -> str:
    """The table of a benchmark against Stable-Baselines3, whose sides begin with these names."""
    sides, columns = _sides(benchmark), ("num_seeds=1", f"num_seeds={seeds}")
    rows = []
    for name, words in names.items():
        theirs, *ours = (sides[f"{name}, {side}"] for side in ("Stable-Baselines3", *columns))
        rows.append((words, _speed(theirs), *(f"{_speed(side)} ({side['ratio']:.1f} times)" for side in ours)))
    return table(("", ">Stable-Baselines3", *(f">`{column}`" for column in columns)), rows)


def roofline() -> dict[str, str]:
    rows = [
        (
            f"{name.upper()}, `{seeds.strip()}`",
            f"{side['target']}",
            f"{side['operations'] / 1000:.0f}",
            f"{side['steps_per_second']:,.0f}",
            f"{side['needed']:.1f}",
            f"{side['peak']:.0f} ({side['cores']})",
            f"{side['needed'] / side['peak']:.0%}".replace("%", " %"),
        )
        for (name, _, seeds), side in ((key.partition(","), side) for key, side in _sides("roofline").items())
    ]
    head = ("", ">asked", ">kFLOP per step", ">steps/s", ">GFLOP/s needed", ">at most (cores)", ">share")
    return {"speed_roofline.table": table(head, rows)}


ARTEFACTS = tuple(
    Artefact(f"speed_{name}", (f"python -m benchmarks.{name} docs/results/speed/{name}.json",), values=values)
    for name, values in {
        "cartpole": cartpole,
        "pong": pong,
        "actor_critic": actor_critic,
        "continuous": continuous,
        "roofline": roofline,
    }.items()
)
