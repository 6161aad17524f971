"""Damage to what a file holds: its bytes, its text, and the values of YAML, JSON, CSV and checkpoints."""

from __future__ import annotations

import csv
import io
import json
import os
import pickle
import random
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml

from tests.fuzzing import values
from tests.fuzzing.canaries import PAYLOAD

LARGE = 10_000_000  # bytes of a file that is damaged no further
SPARSE = 3 * 1024**3  # bytes that a sparse file seems to have
BOMB = 3 * 1024**3  # bytes that a compressed member of an archive becomes
ODD_TEXTS = (
    *(
        b"",
        b"\x00",
        b"\xff\xfe\x00",
        b"\xef\xbb\xbf",
        b"\x1b[2J\x1b]0;title\x07",
        b"\xc2\x9b31m",
        b"\r\n\r\n",
        b"\xed\xa0\x80",
    ),
    *(
        b"=1+1",
        b"9" * 5000,
        b"1e400",
        b"x" * 200_000,
        b"," * 5000,
        b'"',
        b"${oc.env:" + values.VARIABLE.encode() + b"}",
    ),
    *(
        b"../../../home/run",
        b"NaN",
        b"-Infinity",
        b"\xd9\xa3",
        b"\xe2\x80\xae",
        b"*a",
        b"&a",
        b"!!binary x",
        b"%YAML 9",
        b"\t",
    ),
)


class _Payload:
    """An object that makes a file where it is unpickled."""

    def __init__(self, file: str) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, (self.file, "w")


def truncate(rng: random.Random, file: Path) -> str:
    size = rng.choice((0, 1, rng.randrange(file.stat().st_size + 1)))
    os.truncate(file, size)
    return f"truncated to {size} bytes"


def flip(rng: random.Random, file: Path) -> str:
    content = bytearray(file.read_bytes() or b"\0")
    for _ in range(count := rng.choice((1, 1, 3, 30))):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    file.write_bytes(content)
    return f"{count} bits flipped"


def splice(rng: random.Random, file: Path) -> str:
    """Put an odd text in the place of a random part."""
    content, odd = file.read_bytes(), rng.choice(ODD_TEXTS)
    begin = rng.randrange(len(content) + 1)
    end = min(len(content), begin + rng.choice((0, 1, 5, 50, 10_000)))
    file.write_bytes(content[:begin] + odd + content[end:])
    return f"bytes {begin} to {end} replaced by {odd[:40]!r}"


def replace(rng: random.Random, file: Path) -> str:
    """An odd text and nothing else."""
    odd = rng.choice((*ODD_TEXTS, rng.randbytes(1000)))
    file.write_bytes(odd)
    return f"replaced by {odd[:40]!r}"


def sparse(rng: random.Random, file: Path) -> str:
    os.truncate(file, SPARSE)
    return f"grown to {SPARSE} bytes, sparse"


def nest(rng: random.Random, file: Path) -> str:
    """Values within values, more than a parser's stack holds."""
    depth = rng.choice((500, 5000, 50_000))
    begin, end = rng.choice((("[", "]"), ('{"a":', "}"), ("- ", "")))
    file.write_text(begin * depth + ("1" if end else "1\n") + end * depth)
    return f"{depth} levels of {begin!r}"


def alias(rng: random.Random, file: Path) -> str:
    """YAML whose aliases multiply, or lead back to themselves."""
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    loop = "a: &a {b: *a}\nenv: &e {id: *e}\nseeds: &s [*s]\n"
    chosen = rng.choice((bomb, loop, f"env:\n  id: &b [*b]\n{bomb}", "&a [*a]\n", "? [a]\n: 1\n", "? {a: 1}\n: 1\n"))
    old = file.read_text(errors="replace") if rng.random() < 0.3 else ""
    file.write_text(old + chosen)
    return f"aliases {chosen[:20]!r}"


def tags(rng: random.Random, file: Path) -> str:
    """YAML that a loader which executes tags, or a library that looks names up, would make a file of."""
    payload = str(file_of_payload(file))
    tag = rng.choice(
        (
            f"!!python/object/apply:builtins.open ['{payload}', 'w']",
            f"!!python/object/new:builtins.open ['{payload}', 'w']",
            f"{{_target_: builtins.open, file: '{payload}', mode: w, _args_: ['{payload}', 'w']}}",
            f"{{_target_: pathlib.Path.touch, _args_: [{{_target_: pathlib.Path, _args_: ['{payload}']}}]}}",
            "!!python/name:os.system",
            "${oc.env:" + values.VARIABLE + "}",
            "!!timestamp 2001-99-99",
            "!!set {a, b}",
            "!nope 1",
            "2001-01-01",
        )
    )
    kept = file.read_text(errors="replace").splitlines()
    lines = [index for index, line in enumerate(kept) if ": " in line or line.startswith("- ")]
    if lines and rng.random() < 0.8:
        index = rng.choice(lines)
        kept[index] = kept[index].partition(": ")[0] + f": {tag}" if ": " in kept[index] else f"- {tag}"
    else:
        kept = [tag]
    file.write_text("\n".join(kept) + "\n")
    return f"tag {tag.replace(payload, 'PAYLOAD')}"


def file_of_payload(file: Path) -> Path:
    """The file that a payload makes: beside the working directory, which is called `work`."""
    work = next(parent for parent in file.parents if parent.name == "work")
    return work.parent / PAYLOAD


def change(rng: random.Random, file: Path) -> str:
    """Another value, or key, somewhere in YAML, JSON, CSV or a checkpoint; elsewhere an odd text."""
    if file.suffix == ".yaml":
        content = yaml.safe_load(file.read_text())
        content, told = _changed(rng, content, values.data)
        file.write_text(yaml.safe_dump(content, sort_keys=False))
    elif file.suffix == ".json":
        content, told = _changed(rng, json.loads(file.read_text()), values.data)
        file.write_text(json.dumps(content))
    elif file.suffix == ".csv":
        told = _change_table(rng, file)
    elif file.suffix == ".pt":
        content, told = _changed(rng, torch.load(file, weights_only=True), _tensor_or_data)
        torch.save(content, file)
    else:
        told = splice(rng, file)
    return told


def _changed(rng: random.Random, content: Any, value: Callable[[random.Random], object]) -> tuple[Any, str]:
    """The content with one change at a random depth, and what it was."""
    places = list(_places(content, ()))
    if not places:
        return value(rng), "replaced as a whole"
    for_all = rng.random() < 0.03
    parent, key, name = rng.choice(places)
    odd = value(rng)
    if for_all:
        return odd, f"is now {_short(odd)}"
    kind = rng.choice(("set", "set", "set", "set", "delete", "add"))
    if kind == "delete":
        del parent[key]
    elif kind == "add" and isinstance(parent, dict):
        key = rng.choice(("nope", "", "\x1b[31m", "é", "name", "x" * 300, 1, None, True, 1.5, "a.b", "_target_"))
        parent[key] = odd
    else:
        parent[key] = odd
    return content, f"{kind} {name or 'it'} {_short(odd) if kind != 'delete' else ''}"


def _places(content: Any, path: tuple[str, ...]) -> Any:
    items: Any = ()
    if isinstance(content, dict):
        items = list(content.items())
    elif isinstance(content, list):
        items = list(enumerate(content))[:20]
    for key, value in items:
        yield content, key, ".".join((*path, str(key)))
        yield from _places(value, (*path, str(key)))


def _tensor_or_data(rng: random.Random) -> object:
    if rng.random() < 0.5:
        return values.data(rng)
    return rng.choice(
        (
            *(
                torch.zeros(0),
                torch.zeros(1),
                torch.zeros(3, 4, 5),
                torch.full((1, 4, 4), torch.nan),
                torch.ones(2, 2).int(),
            ),
            *(
                torch.zeros(1).expand(10**9),
                torch.tensor(True),
                torch.eye(3).to_sparse(),
                torch.zeros(2, dtype=torch.complex64),
            ),
            *(torch.zeros(4, device="meta"), torch.zeros(1, 4, 4).half(), torch.tensor([2**62])),
        )
    )


def _change_table(rng: random.Random, file: Path) -> str:
    rows = list(csv.reader(io.StringIO(file.read_text())))
    row = rng.randrange(len(rows))
    column = rng.randrange(len(rows[row]))
    odd = rng.choice(values.NUMBERS + values.WORDS + ("x" * 200_000, "=1", "\x1b[31m", "a\nb", '"', "\x00"))
    kind = rng.choice(("cell", "cell", "cell", "column", "drop", "double", "shuffle", "header"))
    if kind == "cell":
        rows[row][column] = odd
    elif kind == "column":
        for other in rows[1:]:
            other[column % len(other)] = odd
    elif kind == "drop":
        del rows[row][column]
    elif kind == "double":
        rows.insert(row, list(rows[row]))
    elif kind == "shuffle":
        rng.shuffle(rows)
    else:
        del rows[0]
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    file.write_text(text.getvalue(), errors="surrogatepass")
    return f"{kind} of row {row}, column {column}: {_short(odd)}"


def payload(rng: random.Random, file: Path) -> str:
    """A pickle that makes a file where it is loaded."""
    odd = _Payload(str(file_of_payload(file)))
    kind = rng.choice(("pickle", "torch", "within", "legacy"))
    if kind == "pickle":
        file.write_bytes(pickle.dumps(odd))
    elif kind == "within" and file.suffix == ".pt":
        torch.save(torch.load(file, weights_only=True) | {"best": odd}, file)
    else:
        torch.save(odd, file, _use_new_zipfile_serialization=kind != "legacy")
    return f"a payload ({kind})"


def bomb(rng: random.Random, file: Path) -> str:
    """A small archive with a member that becomes gigabytes."""
    part = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeros = bytes(16 * 1024**2)
    chunk = part.compress(zeros) + part.flush(zlib.Z_FULL_FLUSH)
    name = rng.choice(("archive/data.pkl", "archive/data/0", "x"))
    with zipfile.ZipFile(file, "w") as archive:
        info = zipfile.ZipInfo(name)
        with archive.open(info, "w", force_zip64=True) as member:
            for _ in range(BOMB // len(zeros)):
                member.write(chunk)
        info.compress_type, info.file_size = zipfile.ZIP_DEFLATED, BOMB
    return f"an archive whose {name} becomes {BOMB} bytes"


def _short(value: object) -> str:
    shown = ascii(value) if not isinstance(value, int) or abs(value) < 10**50 else "a very long number"
    return shown if len(shown) <= 60 else f"{shown[:60]}…"


ANY = (truncate, truncate, flip, flip, splice, splice, splice, replace)
PLAIN = (nest, alias, tags, tags, tags)
CHANGES = {".yaml": PLAIN, ".json": (nest, tags), ".pt": (payload, payload, payload, bomb), ".csv": (nest,)}


def damage(rng: random.Random, file: Path) -> str:
    """Damage one regular file. Returns what was done."""
    if file.stat().st_size > LARGE:
        return truncate(rng, file)
    if rng.random() < 0.03:
        return sparse(rng, file)
    chosen = rng.choices((ANY, CHANGES.get(file.suffix, ANY), (change,)), (30, 30, 40))[0]
    try:
        return rng.choice(chosen)(rng, file)
    except (ValueError, yaml.YAMLError, RuntimeError, TypeError, AttributeError, IndexError, LookupError):
        return splice(rng, file)  # damaged before, so that it cannot be read as what it was, or not to be written so
