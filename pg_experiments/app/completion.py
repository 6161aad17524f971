"""Shell completion for `python -m pg_experiments.train` and `pg-train`, in bash, zsh and fish.

Hydra computes the candidates (`-sc query=SHELL`). The scripts here replace Hydra's, which complete an installed command
or `python FILE.py`, but not `python -m MODULE`.
"""

from __future__ import annotations

import os
import re

MODULE = re.compile(r"^\s*\S*python[\d.]*\s+-m\s+pg_experiments\.train(?=\s|$)")
BASH = """\
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
ZSH = """\
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
_pg_experiments_complete()
{
    local line="${(j: :)words[1,CURRENT]}"
    local -a run choices
    case "$line" in
        *python*" -m pg_experiments.train "*) run=("${words[1]}" -m pg_experiments.train) ;;
        *pg-train" "*) run=("${words[1]}") ;;
        *) if (( $+functions[_python] )); then _python "$@"; else _default "$@"; fi; return ;;
    esac
    choices=("${(@f)$(COMP_LINE="$line" COMP_POINT=${#line} "${run[@]}" -sc query=fish 2>/dev/null)}")
    compadd -S '' -- "${choices[@]}"
}
compdef _pg_experiments_complete pg-train python python3"""
FISH = """\
function __pg_experiments_complete
    set -lx COMP_LINE (commandline -cp)
    set -l words (commandline -opc)
    if test "$words[2..3]" = "-m pg_experiments.train"
        command $words[1..3] -sc query=fish 2>/dev/null
    else
        command $words[1] -sc query=fish 2>/dev/null
    end
end
complete -c pg-train -f -a '(__pg_experiments_complete)'
for python in python python3
    complete -c $python -n '__fish_seen_subcommand_from pg_experiments.train' -f -a '(__pg_experiments_complete)'
end"""
SCRIPTS = {"install=bash": BASH, "install=zsh": ZSH, "install=fish": FISH}  # by argument of `-sc`; Hydra handles others


def rewrite_line() -> None:
    """Replace `python -m pg_experiments.train` by `pg-train` in the line that Hydra is to complete."""
    if "COMP_LINE" in os.environ:
        os.environ["COMP_LINE"] = MODULE.sub("pg-train", os.environ["COMP_LINE"])
