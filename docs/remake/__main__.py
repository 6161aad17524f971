"""`python -m docs.remake`: writes the numbers of the pages from the raw data in docs/results/.

    python -m docs.remake              writes the pages; nothing is trained
    python -m docs.remake NAME …       first makes the raw data and pictures of these anew, which takes minutes to hours
    python -m docs.remake --list       the names, with the commands that make their raw data

A mark in a page says which number stands there: `<!-- number: NAME -->20 of 32<!-- end -->`.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from contextlib import nullcontext

from docs.remake import ARTEFACTS, every_value
from docs.remake.marked import ROOT, pages, written


def main(names: list[str]) -> None:
    if names == ["--list"]:
        for artefact in ARTEFACTS.values():
            print(artefact.name, *artefact.commands or ["(as published: no command makes it anew)"], sep="\n  ")
        return
    if unknown := [name for name in names if name not in ARTEFACTS]:
        sys.exit(f"error: {unknown[0]}: no such name; expected {', '.join(ARTEFACTS)}")
    for name in names:
        for command in ARTEFACTS[name].commands:
            _run(command)
        ARTEFACTS[name].keep()
    values = every_value()
    for page in pages():
        text = page.read_text()
        if (new := written(text, values)) != text:
            page.write_text(new)
            print(f"{page.relative_to(ROOT)}: written")


def _run(command: str) -> None:
    """Run `python …`, or `python … > FILE`."""
    print(f"$ {command}", flush=True)
    words, _, file = command.partition(" > ")
    with (ROOT / file).open("w") if file else nullcontext() as output:
        subprocess.run([sys.executable, *shlex.split(words)[1:]], cwd=ROOT, stdout=output, check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
