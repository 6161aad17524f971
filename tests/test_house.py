"""The house stands as it is drawn: no import goes up a floor."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import REPOSITORY

PACKAGE = REPOSITORY / "pg_experiments"
FILES = [file for file in sorted(PACKAGE.rglob("*.py")) if file != PACKAGE / "__init__.py"]
COMMANDS = {"train", "evaluate", "compare", "variance"}


class Room(NamedTuple):
    """A row of the map in CONTRIBUTING.md."""

    may_import: set[str]
    libraries: set[str]  # that no other room imports


def read_map() -> dict[str, Room]:
    rooms = {}
    text = (REPOSITORY / "CONTRIBUTING.md").read_text()
    table = text[text.index("| in `pg_experiments/` |") :].partition("\n\n")[0]
    for line in table.splitlines()[2:]:
        names, _, may_import, libraries = (re.findall(r"`(\w+)`", cell) for cell in line.strip("|").split("|"))
        for name in names:
            rooms[name] = Room({*may_import, name}, set(libraries) - COMMANDS)
    for name in COMMANDS:
        rooms[name] = Room(set(rooms), {"hydra", "omegaconf"} if name == "train" else set())
    return rooms


ROOMS = read_map()


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")


def imports(file: Path) -> set[str]:
    """Everything that a file imports, modules of the project by their full names."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return found


def room(module: str) -> str:
    return module.split(".")[1] if module.count(".") else ""


def test_every_room_is_on_the_map_and_there_are_few_of_them():
    there = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert there - {"__init__"} == set(ROOMS)
    assert len(ROOMS) <= 20


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_module_imports_what_the_map_allows(file):
    own = room(module_of(file))
    for module in imports(file):
        if module.startswith("pg_experiments.") and room(module) in ROOMS:
            assert room(module) in ROOMS[own].may_import, f"{own} imports {module}"
    tops = {module.split(".")[0] for module in imports(file)}
    for other, of_other in ROOMS.items():
        if other != own:
            assert not (tops & of_other.libraries) - ROOMS[own].libraries, f"{other} alone imports that"
    if own in ("tensors", "returns", "normalization", "optimizer"):
        assert not tops & {"gymnasium", "logging", "rich"}, "the mathematics knows no environment and prints nothing"
    if own == "comparison":
        assert "torch" not in tops, "a comparison reads files, and needs no run"
    if own == "tensors" and file.stem != "compiled":
        assert "numba" not in tops


def imports_at_once(file: Path) -> set[str]:
    """What is imported as soon as the file itself is: not inside of functions, and not for annotations alone."""
    found = set()
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return found


def test_no_two_modules_import_each_other():
    files = {module_of(file): file for file in FILES}
    graph = {name: imports_at_once(file) & set(files) - {name} for name, file in files.items()}
    while leaves := [name for name, others in graph.items() if not others & set(graph)]:
        for name in leaves:
            del graph[name]
    assert not graph, f"a circle through {sorted(graph)}"


def test_a_file_is_one_idea():
    for file in FILES:
        assert len(file.read_text().splitlines()) <= 300, file
