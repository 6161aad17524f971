"""Odd values: texts for a command line, and plain data for files."""

from __future__ import annotations

import random

from tests.fuzzing.verdict import SECRET


def words(text: str) -> list[str]:
    """The words of a text that lie between its spaces."""
    return text.split()


VARIABLE = "FUZZ_SECRET"  # environment variable whose value is SECRET
SECRET_OF = {VARIABLE: SECRET}

NUMBERS = [
    *words(
        "0 1 2 -1 0.5 1e-9 1e30 -1e30 1e400 1e-400 nan -nan inf -inf 1e15 0x10 0b1 1_0 1. .5 +1 00 1e --1 ² NaN 1,5"
    ),
    *words("9007199254740993 4294967296 18446744073709551616 2147483648 Infinity"),
    *("9" * 30, "9" * 400, "-" + "9" * 400, "9" * 5000),
]
WORDS = [
    *words("null true false True None ~ abc none ??? é 日本語 ﬁ 🎲 %s {} = == : a:b a=b ! * &a # @ $ \\ / .. ~root"),
    *("", " ", "a b", "a" * 300, "../../../../up"),
]
CONTROLS = [
    *("\x1b[31mred", "\x1b]0;title\x07", "\x07", "\x08", "\x7f", "\x9b31m", "a\nb", "a\rb", "\t", "\u2028"),
    *("\u202eabc", "\udcff", "\x01\x02", "\ufeff", "\u200b"),
]  # fmt: skip
GRAMMAR = [
    *words("[1,2] [ ] [[[[]]]] {a:1} { } {a:{b:[1]}} ' \" 'a 'a,b' \"\\\" ( )"),
    *words("range(1,3) range(0,1000000000) shuffle(1,2) sort(2,1) tag(a,choice(1,2)) int(1.5) float(abc) str(1)"),
    *words(
        "json_str('{') bool(2) extend_list(1) range(0,1e400) range(nan,1) glob(*) interval(0,1) choice(1,2) choice()"
    ),
    *("1 2", "[" * 500, "[" * 500 + "]" * 500, "{a:" * 300 + "1" + "}" * 300),
]
INTERPOLATIONS = [
    *words("${seed} ${nope} ${oc.env:HOME} ${oc.env:NOPE} ${oc.env:NOPE,1} ${ ${} ${env} ${.} ${..} ${hydra:run.dir}"),
    *words("${now:%Y} ${policy.hidden} ${oc.decode:1} ${oc.create:{a:1}} ${nope:1} \\${seed} ${oc.select:nope}"),
    *words("${oc.dict.keys:env} ${${seed}} ${hydra:nope} ${oc.env:FUZZ_SECRET}"),
]
TEXTS = (NUMBERS, NUMBERS, WORDS, CONTROLS, GRAMMAR, INTERPOLATIONS)

NAN = float("nan")
DATA: list[object] = [
    *(None, True, False, 0, 1, -1, 2, 0.5, NAN, float("inf"), -float("inf"), 1e308, 10**15, -(10**30), 10**400),
    *(2**53 + 1, 10**4000, [], {}, [[[]]], {"a": {"b": 1}}, [None], [1, "a"], [0] * 5000, {"": 1}, {"\x1b[31m": 1}),
    *words("abc nan 1 é =1+1 ../../../home/run /etc/passwd ${oc.env:FUZZ_SECRET} ${seed} ??? done running failed"),
    *("", "\x1b[31mred", "\x9b31m\x07", "\u202eabc", "a\nb\rc", "\ud800", "\x00", "x" * 200_000),
]


def text(rng: random.Random) -> str:
    """An odd text for a command line."""
    return rng.choice(rng.choice(TEXTS))


def data(rng: random.Random) -> object:
    """An odd value for a file."""
    return rng.choice(DATA)
