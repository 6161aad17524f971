"""Random command lines: of `train` over every key of its configs, of `compare` and of `evaluate`.

Whatever is valid among them ends within a second or two: each begins with limits, and a size is either small, or so
large that it has to be refused.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple, get_args, get_origin

from pg_experiments.app.command_line import config_directory
from pg_experiments.app.composing import composing, plain
from pg_experiments.run.config import every_key
from pg_experiments.support.identity import flat
from tests.fuzzing import values, vocabulary
from tests.fuzzing.values import words

LIMITS = ("env.max_episodes=6", "env.max_steps=90", "policy.hidden=4", "device=cpu")
ATARI = ("pong", "pong_v5", "atari")
SMALL_PONG = ("env.num_envs=1", "collect.points=1", "env.max_frames=400")
LONG = (*ATARI, "pong_karpathy", "pong_text")  # options whose defaults are no small run
COMPARED = words("report.html comparison.md comparison.csv comparison_pairs.csv")
COMPARED += words("curves.png to_threshold.png performance_profile.png")
BY = ["", *(f"_by_{key}" for key in vocabulary.COMPARE["by"] if key)]
MAKES = frozenset(  # what `compare` writes, which may be in the working directory
    f"{stem}{by}.{end}" for stem, end in (name.split(".") for name in COMPARED) for by in BY
)
PLACES = ("hydra.run.dir", "hydra.sweep.dir", "hydra.sweep.subdir", "hydra.job.name", "hydra.run", "hydra.sweep")


class Line(NamedTuple):
    """A command line."""

    arguments: list[str]
    allowed: frozenset[str] | None  # names that it may make in the working directory; None: any


@cache
def _options() -> dict[str, list[str]]:
    """The options of every group."""
    found: dict[str, list[str]] = {}
    for file in sorted(Path(config_directory()).glob("*/*.yaml")):
        found.setdefault(file.parent.name, []).append(file.stem)
    return found


@cache
def _keys() -> list[str]:
    return sorted(every_key())


@cache
def _keys_of_default() -> list[str]:
    """The keys that a run without overrides has."""
    with composing([Path(config_directory())]) as compose:
        return sorted(key for key in flat(plain(compose([]))) if key in every_key())


def train(rng: random.Random) -> Line:
    """A command line of `train`."""
    env = rng.choice(ATARI) if rng.random() < 0.04 else rng.choice(("", "", "", "acrobot", "gymnasium", "cartpole"))
    odd = [rng.choice(OVERRIDES)(rng) for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3, 5)))]
    arguments = [*([f"env={env}"] if env else []), *LIMITS, *(SMALL_PONG if env in ATARI else ()), *odd]
    mode = rng.choices(("run", "sweep", "preview", "flag", "resume"), (45, 25, 10, 12, 8))[0]
    if mode == "resume":
        arguments = [f"resume={_existing(rng)}", *odd[:1]]
    if mode == "preview":
        arguments.append("preview=true")
    if mode == "sweep" or (mode == "preview" and rng.random() < 0.7):
        arguments.append(_swept(rng))
        arguments.insert(rng.randrange(len(arguments) + 1), "-m")
    if mode == "flag" or rng.random() < 0.05:
        arguments += [part for _ in range(rng.choice((1, 1, 2))) for part in rng.choice(vocabulary.FLAGS).split(" ")]
    if mode in ("run", "sweep") and len(odd) <= 1 and rng.random() < 0.2:
        arguments.append(f"hydra.{mode}.dir={rng.choice(vocabulary.DIRECTORIES)}")
    if rng.random() < 0.05:
        rng.shuffle(arguments)
    if rng.random() < 0.05:
        arguments.append(rng.choice(arguments))
    return Line(arguments, None if any(word.lstrip("+").startswith(PLACES) for word in arguments) else frozenset())


def _valid_key(rng: random.Random) -> str:
    key = rng.choice(_keys())
    if key in _options():
        return _option(rng)
    if key in vocabulary.SIZES:
        return f"{key}={rng.choice((*vocabulary.SMALL, *vocabulary.ABSURD))}"
    return f"{key}={values.text(rng)}"


def _likely_value(rng: random.Random) -> str:
    """A key of the default run, with a value of its type, which is valid more often than not."""
    key = rng.choice(_keys_of_default())
    choices = get_args(every_key()[key]) if get_origin(every_key()[key]) is Literal else ()
    return f"{key}={rng.choice([*map(str, choices)] or [*vocabulary.SMALL, '0.5', '1e-3', 'true', 'false', 'null'])}"


def _option(rng: random.Random) -> str:
    group = rng.choice(sorted(_options()))
    options = [option for option in _options()[group] if option not in LONG]
    return f"{group}={rng.choice(options) if rng.random() < 0.7 else values.text(rng)}"


def _mistyped_key(rng: random.Random) -> str:
    key = list(rng.choice(_keys()))
    for _ in range(rng.choice((1, 1, 2))):
        position = rng.randrange(len(key))
        key[position] = rng.choice(("", key[position] * 2, rng.choice("aé.\x1b\n=_/@~+-"), key[position].upper()))
    return f"{_prefix(rng)}{''.join(key)}={rng.choice(vocabulary.SMALL)}"


def _key_of_hydra(rng: random.Random) -> str:
    key = rng.choice(vocabulary.HYDRA_KEYS)
    return f"{_prefix(rng)}{key}={rng.choice(vocabulary.DIRECTORIES) if key.endswith('dir') else values.text(rng)}"


def _prefix(rng: random.Random) -> str:
    return rng.choice(("", "", "", "+", "++", "~"))


def _junk(rng: random.Random) -> str:
    return rng.choice(vocabulary.JUNK)


OVERRIDES: tuple[Callable[[random.Random], str], ...] = (
    *(
        _valid_key,
        _valid_key,
        _valid_key,
        _likely_value,
        _likely_value,
        _likely_value,
        _option,
        _option,
        _mistyped_key,
        _key_of_hydra,
        _junk,
    ),
)


def _swept(rng: random.Random) -> str:
    """An override that makes a sweep of a few jobs, if it is valid."""
    if rng.random() < 0.2:
        key = rng.choice(("policy.activation", "seed", "env.id", "optimizer.learning_rate"))
        return f"{key}={values.text(rng)},{values.text(rng)}"
    return rng.choice(vocabulary.SWEPT)


def _existing(rng: random.Random) -> str:
    """A run's directory, or what is none."""
    return rng.choice(vocabulary.RUNS) if rng.random() < 0.6 else rng.choice((*vocabulary.NO_RUNS, values.text(rng)))


def compare(rng: random.Random) -> Line:
    """A command line of `compare`."""
    first = [f"sweep={rng.choice(('multirun/sweep', 'outputs', '.'))}"] if rng.random() < 0.9 else []
    return Line([*first, *_key_values(rng, vocabulary.COMPARE)], MAKES)


def evaluate(rng: random.Random) -> Line:
    """A command line of `evaluate`."""
    run = rng.choice(vocabulary.RUNS[:3]) if rng.random() < 0.6 else _existing(rng)
    first = [f"run={run}"] if rng.random() < 0.95 else []
    return Line([*first, "episodes=2", *_key_values(rng, vocabulary.EVALUATE)], frozenset())


def _key_values(rng: random.Random, choices: Mapping[str, Sequence[str]]) -> list[str]:
    arguments = []
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        key = rng.choice(sorted(choices))
        value = rng.choice(choices[key]) if rng.random() < 0.7 else values.text(rng)
        if rng.random() < 0.1:
            key = rng.choice((key[:-1], key.upper(), f"--{key}", f"{key}\x1b[31m", "", "é", f"+{key}", f" {key}"))
        arguments.append(f"{key}={value}")
    if rng.random() < 0.1:
        odd = ("--help", "-h", "--nope", "", "=", "x", "\x1b[31m", "\udcff", "a\nb", "-", "--", "é")
        arguments.append(rng.choice(odd))
    return arguments
