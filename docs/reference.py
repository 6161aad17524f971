"""A hook of MkDocs: the keys of all options, on the page `reference.md`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pg_experiments.app.command_line import config_directory
from pg_experiments.app.keys import Key, keys_outside_groups, options
from pg_experiments.app.option_files import OptionFiles

MARK = "<!-- keys of conf/ -->"


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Put the keys where the page has its mark. MkDocs calls it for every page."""
    return markdown.replace(MARK, reference()) if page.file.src_uri == "reference.md" else markdown


def reference() -> str:
    """All keys in Markdown: a section for each group, and a table for each option."""
    files = OptionFiles([Path(config_directory())])
    return "\n".join(_lines(files))


def _lines(files: OptionFiles) -> Iterator[str]:
    yield from ("## Outside of groups", "", *_table(keys_outside_groups(files)), "")
    for group in files.groups:
        yield from (f"## {group}", "")
        for option in options(files, group):
            yield from (f"### {group}={option.name}", "", _escaped(option.description), "")
            if option.keys:
                yield from (*_table(option.keys), "")


def _table(keys: Any) -> Iterator[str]:
    yield from ("| key | default | expected | what it does |", "| --- | --- | --- | --- |")
    for key in keys:
        yield f"| `{key.name}` | `{_yaml(key.default)}` | {_escaped(key.type)} | {_escaped(_said(key))} |"


def _said(key: Key) -> str:
    """What the key does, and why its value is what it is."""
    return "; ".join(filter(None, (key.comment, key.reason)))


def _yaml(value: Any) -> str:
    """A value as it is written on the command line."""
    words = {None: "null", True: "true", False: "false"}
    return words[value] if value is None or isinstance(value, bool) else str(value)


def _escaped(text: str) -> str:
    """A comment as text, not as Markdown or HTML."""
    for character in "\\|<*_`[":
        text = text.replace(character, f"\\{character}" if character != "<" else "&lt;")
    return text
