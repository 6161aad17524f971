"""Shell completion: Hydra's, made to work for `python -m pg_experiments.train` as well as for `pg-train`.

Hydra's script for bash and zsh completes an installed command or `python FILE.py`, but not `python -m MODULE`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

MODULE = re.compile(r"^\s*\S*python[\d.]*\s+-m\s+pg_experiments\.train(?=\s|$)")
SCRIPT = """\
_pg_experiments_complete()
{
    local words=($COMP_LINE) run
    case "$COMP_LINE" in
        *python*" -m pg_experiments.train "*) run="${words[0]} -m pg_experiments.train" ;;
        *pg-train" "*) run="${words[0]}" ;;
        *) return ;;
    esac
    local choices="$(COMP_LINE="$COMP_LINE" COMP_POINT="$COMP_POINT" $run -sc query=bash 2>/dev/null)"
    COMPREPLY=($(compgen -W "$choices" -- "${COMP_LINE##* }"))
}
COMP_WORDBREAKS=${COMP_WORDBREAKS//=}
complete -o nospace -o default -F _pg_experiments_complete pg-train python python3"""


def installs(overrides: Sequence[str]) -> bool:
    """Whether `-sc` asks for the script of bash or zsh, which is `SCRIPT`; Hydra answers the rest."""
    return list(overrides) in (["install=bash"], ["install=zsh"])


def rewrite_line() -> None:
    """Replace `python -m pg_experiments.train` by `pg-train` in the line that Hydra is to complete."""
    if "COMP_LINE" in os.environ:
        os.environ["COMP_LINE"] = MODULE.sub("pg-train", os.environ["COMP_LINE"])
