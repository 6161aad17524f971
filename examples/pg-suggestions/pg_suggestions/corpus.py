"""The data: source files of Python's standard library as tokens, in three parts that share no file."""

from __future__ import annotations

import keyword
import sysconfig
import token
import tokenize
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import Literal, NamedTuple

Part = Literal["model", "training", "evaluation"]

# Modules and packages that Python 3.11 to 3.13 have. A package belongs to one part as a whole, since its files
# resemble each other.
MODULES: dict[Part, tuple[str, ...]] = {
    "model": (
        *("argparse", "ast", "collections", "concurrent", "configparser", "contextlib", "dataclasses", "enum"),
        *("functools", "imaplib", "inspect", "ipaddress", "json", "logging", "pydoc", "random", "shutil"),
        *("threading", "typing", "unittest"),
    ),
    "training": (
        *("base64", "calendar", "code", "doctest", "filecmp", "fractions", "ftplib", "http", "mailbox", "mimetypes"),
        *("modulefinder", "ntpath", "optparse", "pickle", "pickletools", "pkgutil", "plistlib", "poplib", "profile"),
        *("pstats", "pyclbr", "runpy", "shelve", "site", "socketserver", "ssl", "tempfile", "timeit", "trace"),
        *("tracemalloc", "weakref", "zipfile"),
    ),
    "evaluation": (
        *("bz2", "cmd", "compileall", "difflib", "fileinput", "hashlib", "hmac", "lzma", "netrc", "operator", "pdb"),
        *("platform", "posixpath", "queue", "shlex", "smtplib", "subprocess", "symtable", "sysconfig", "tarfile"),
        *("textwrap", "tomllib", "traceback", "urllib", "uuid", "warnings", "wave", "webbrowser", "zipapp"),
        "zoneinfo",
    ),
}


class Kind(IntEnum):
    """What a token is."""

    NAME = 0
    KEYWORD = 1
    OPERATOR = 2
    NUMBER = 3
    STRING = 4
    NEWLINE = 5  # the end of a logical line


class Token(NamedTuple):
    """A token of a source file."""

    text: str
    kind: Kind
    depth: int  # blocks that it is indented by


KINDS = {token.NAME: Kind.NAME, token.OP: Kind.OPERATOR, token.NUMBER: Kind.NUMBER, token.NEWLINE: Kind.NEWLINE}
LAYOUT = {token.INDENT: 1, token.DEDENT: -1}  # change of depth
LEFT_OUT = {token.COMMENT, token.NL, token.ENCODING, token.ENDMARKER}


def files(part: Part) -> list[Path]:
    """The source files of a part, sorted by module and path.

    Raises:
        FileNotFoundError: this Python comes without one of the modules.
    """
    return [file for module in MODULES[part] for file in _files_of(module)]


def read(file: Path) -> list[Token]:
    """The tokens of a source file, without comments, blank lines and the marks of indentation."""
    with tokenize.open(file) as source:
        return list(_tokens(tokenize.generate_tokens(source.readline)))


def _files_of(module: str) -> list[Path]:
    library = Path(sysconfig.get_path("stdlib"))
    if (single := library / f"{module}.py").is_file():
        return [single]
    found = sorted(file for file in (library / module).rglob("*.py") if "test" not in file.parts)
    if not found:
        raise FileNotFoundError(f"{library}: no sources of the module {module}, which the data are made from")
    return found


def _tokens(tokens: Iterator[tokenize.TokenInfo]) -> Iterator[Token]:
    depth = 0
    for type_, text, *_ in tokens:
        if type_ in LAYOUT:
            depth += LAYOUT[type_]
        elif type_ not in LEFT_OUT:
            yield Token("\n" if type_ == token.NEWLINE else text, _kind(type_, text), depth)


def _kind(type_: int, text: str) -> Kind:
    if type_ == token.NAME and keyword.iskeyword(text):
        return Kind.KEYWORD
    return KINDS.get(type_, Kind.STRING)  # strings, and the parts of f-strings from Python 3.12 on
