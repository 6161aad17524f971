"""What a wrong key or option on the command line may mean, in the composition at hand.

A suggested key is one that the composed config has. Where only another option has it, this option is suggested.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from pg_experiments.app.arguments import ARGUMENTS
from pg_experiments.app.composing import composing
from pg_experiments.app.option_files import OptionFiles
from pg_experiments.app.synonyms import KEYS, OPTIONS, normalised
from pg_experiments.support.errors import nearest

BY_KEY = {"env.id": "gymnasium", "env.game": "atari"}  # the option for any environment of this kind


class Hints:
    """Suggestions for one composition: that of the options which the overrides choose, of a sweep the first ones.

    Args:
        directories: config directories, the project's first.
        config_name: the primary config.
        overrides: those of the command line; some may be wrong.
    """

    def __init__(self, directories: Sequence[Path], config_name: str, overrides: Sequence[Override]) -> None:
        self.directories = directories
        self.config_name = config_name
        self.overrides = overrides
        self.files = OptionFiles(directories)

    @cached_property
    def config(self) -> DictConfig:
        """The composed config, with Hydra's node; without overrides if one is wrong, and empty if that fails, too."""
        chosen = [text for o in self.overrides if o.key_or_group in self.files.groups and (text := _first(o))]
        for overrides in (chosen, []):
            try:
                with composing(self.directories, self.config_name) as compose:
                    return compose(overrides)
            except Exception:  # a suggestion must not raise an error
                continue
        return OmegaConf.create({})

    @cached_property
    def choices(self) -> dict[str, str]:
        """The chosen option of each group."""
        return dict(OmegaConf.select(self.config, "hydra.runtime.choices") or {})

    @cached_property
    def keys(self) -> list[str]:
        """The keys of the composed config: groups, sections and dotted keys."""
        own = {str(key): value for key, value in self.config.items_ex(resolve=False) if key != "hydra"}
        groups = {key: value for key, value in own.items() if isinstance(value, DictConfig)}
        dotted = [f"{group}.{leaf}" for group, keys in groups.items() for leaf in map(str, keys) if leaf != "name"]
        return [*own, *(group for group in self.files.groups if group not in own), *dotted, *ARGUMENTS]

    @cached_property
    def having(self) -> dict[str, list[str]]:
        """Each dotted key of a group, with the options that have it."""
        groups = [group for group in self.files.groups if group != "experiment"]
        return {f"{group}.{leaf}": having for group in groups for leaf, having in self.files.keys(group).items()}

    def unknown_key(self, name: str, value: str = "") -> str:
        """The message for a key that the composed config does not have, without the key itself."""
        group = name.rpartition(".")[0]
        if "." in group and isinstance(OmegaConf.select(self.config, group), DictConfig):  # a mapping, as env.actions
            return f"no such key; +{name}={value or 'VALUE'} adds it, and {group}={{…}} replaces all of {group}"
        if said := self.meant(name, value):
            where = f" with {self._chosen(said.split()[1].partition('=')[0])}" if said.startswith("choose ") else ""
            return f"no such key{where}; {said}"
        if group in self.files.groups:
            own = [key.partition(".")[2] for key in self.keys if key.startswith(f"{group}.")]
            return f"no such key; {group}={self.choices.get(group)} has {', '.join(sorted(own)) or 'none'}"
        return "no such key; python -m pg_experiments.train --help lists the keys"

    def meant(self, name: str, value: str = "") -> str | None:
        """What a wrong key means: `did you mean …?`, or `choose OPTION for …`; None where nothing is similar."""
        candidates = self._candidates(name)
        there = (keys for keys in candidates if all(map(self._has, keys)) and keys != (name,))
        if (keys := next(there, None)) is not None:
            return self._did_you_mean(keys, value)
        if said := next((said for keys in candidates if (said := self._choose(name, keys))), None):
            return said
        if (option := self.word(name)) is not None:
            return f"did you mean {option}?"
        return self._similar(name, value)

    def of_flag(self, word: str, value: str, similar: bool) -> str | None:
        """What a wrong flag means where it is meant as a key; see `arguments.Suggest`."""
        if word not in self.keys and normalised(word) not in KEYS and not similar:
            return None
        said = self._did_you_mean((word,), value) if word in self.keys else self.meant(word, value)
        single = (said or "").removeprefix("did you mean ").removesuffix("?")
        return f"did you mean {single}={value or 'VALUE'}?" if single in self.keys else said

    def option(self, group: str, name: str) -> str | None:
        """The overrides that a wrong option of a group means, such as `env=atari env.game=breakout`; None: unknown."""
        plain = normalised(name).removeprefix("ale/")
        named = {option.replace("_", ""): option for option in self.files.groups[group]}
        known = OPTIONS.get(group, {}).get(plain) or named.get(plain.replace("_", ""))
        if known in self.files.groups[group] and known != name:  # such as a file that cannot be read
            return f"{group}={known}"
        return self._environment(name) if group == "env" else None

    def said_of_option(self, group: str, name: str) -> str | None:
        """`did you mean GROUP=OPTION?` for a wrong option, with what it needs to be installed; None: unknown."""
        found = self.option(group, name)
        return None if found is None else f"did you mean {found}?{self._installation(found)}"

    def word(self, text: str) -> str | None:
        """The override that a word alone means, such as `env=pong` by `pong`; None where it is no option's name."""
        plain = normalised(text).replace("_", "")
        for group, options in self.files.groups.items():
            for option in options:
                if option.replace("_", "") == plain:
                    return f"{group}={option}"
        return next((f"{group}={table[text]}" for group, table in OPTIONS.items() if text in table), None)

    def _candidates(self, name: str) -> list[tuple[str, ...]]:
        """The keys that a wrong key may mean, each alone or several together, the likeliest first."""
        if name in self.having:
            return [(name,)]
        plain, group = normalised(name), name.partition(".")[0] if "." in name else ""
        every = [*self.keys, *self.having]
        found = KEYS.get(plain) or [(key,) for key in every if key.rpartition(".")[2] == plain]
        in_group = [f"{group}.{keys[0].rpartition('.')[2]}" for keys in found if len(keys) == 1]
        return [(key,) for key in in_group if key in every] or found

    def _similar(self, name: str, value: str) -> str | None:
        """As `meant`, for a name with a mistake in it."""
        group, dot, leaf = name.rpartition(".")
        if group in self.files.groups:
            own = {key.partition(".")[2]: key for key in self.keys if key.startswith(f"{group}.")}
            near = nearest(leaf, own, cutoff=0.6)
            return f"did you mean {own[near]}?" if near else None
        if dot and (near := nearest(name, self.keys, cutoff=0.6)):
            return f"did you mean {near}?"
        leaves = {key.rpartition(".")[2]: key for key in [*self.having, *self.keys]}
        near = nearest(normalised(name), [*leaves, *KEYS], cutoff=0.75)
        if near is None or near == normalised(name):
            return None
        if near in KEYS:
            return self.meant(near, value)
        key = leaves[near]
        return self._did_you_mean((key,), value) if self._has(key) else self._choose(name, (key,))

    def _did_you_mean(self, keys: Sequence[str], value: str) -> str:
        group = keys[0]
        if group not in self.files.groups or len(keys) > 1:
            return f"did you mean {' and '.join(keys)}?"
        if value in self.files.groups[group]:
            return f"did you mean {group}={value}?"
        options = ", ".join(sorted(self.files.groups[group]))
        return self.said_of_option(group, value) or f"did you mean {group}? It is one of {options}"

    def _choose(self, name: str, keys: Sequence[str]) -> str | None:
        """Which options have keys that the composed config lacks; None where no option has them."""
        group = keys[-1].partition(".")[0]
        options = " or ".join(f"{group}={option}" for option in sorted(self.having.get(keys[-1], ())))
        return f"choose {options} for {'it' if keys[-1] == name else ' and '.join(keys)}" if options else None

    def _chosen(self, group: str) -> str:
        """The choice of a group, `policy=linear`; in a sweep over it all of them, as one of the others lacks a key."""
        swept = [str(o.input_line) for o in self.overrides if o.key_or_group == group and o.is_sweep_override()]
        return swept[-1] if swept else f"{group}={self.choices.get(group)}"

    def _environment(self, name: str) -> str | None:
        from pg_experiments.env.names import as_key  # deferred import: Gymnasium is slow

        key, value = as_key(name) or ("", "")
        if not key:
            return None
        leaf = key.partition(".")[2]
        for option in sorted(self.files.groups["env"]):
            values = self.files.values("env", option)
            if values.get(leaf) == value and values.get("name") != option:
                return f"env={option}"
        return f"env={BY_KEY[key]} {key}={value}"

    def _installation(self, overrides: str) -> str:
        """How to install what the environment of the overrides needs; empty where nothing is missing."""
        from pg_experiments.env.names import missing_extra  # deferred import: Gymnasium is slow

        group, _, option = overrides.partition(" ")[0].partition("=")
        id = overrides.partition("env.id=")[2] or (
            self.files.values("env", option).get("id") if group == "env" else None
        )
        command = missing_extra(str(id)) if id else None
        return f" First {command}" if command else ""

    def _has(self, key: str) -> bool:
        if not key.startswith("hydra."):
            return key in self.keys
        group, _, leaf = key.rpartition(".")
        parent: Any = OmegaConf.select(self.config, group)
        return isinstance(parent, DictConfig) and leaf in parent


def among(name: str, keys: Collection[str]) -> str | None:
    """The key that a wrong one means among the given ones; None where none is similar."""
    known = (meant[0] for meant in KEYS.get(normalised(name), ()) if len(meant) == 1 and meant[0] in keys)
    return next(known, None) or nearest(name, keys)


def _first(override: Override) -> str | None:
    """The override as text; of a sweep its first value; None where it chooses no option."""
    try:
        values = list(override.sweep_string_iterator()) if override.is_sweep_override() else [override.value()]
    except Exception:  # such as a glob
        return None
    return f"{override.key_or_group}={values[0]}" if values and isinstance(values[0], str) else None
