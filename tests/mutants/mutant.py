"""What a mutant is: one exact text in one file, another text in its place, and the tests that must fail then."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Mutant:
    """A mistake that somebody could make."""

    group: str  # of the mathematics or of the run: credit, optimizer, …
    file: str  # from the root of the repository
    name: str  # what is wrong in the mutant
    old: str  # is in the file exactly once
    new: str
    caught_by: str | tuple[str, ...]  # ids of tests; at least one of them must fail
    equivalent: str | None = None  # why it behaves as the original does, where it does

    def __str__(self) -> str:
        return f"{self.group}: {self.name} ({self.file})"

    @property
    def tests(self) -> tuple[str, ...]:
        """The ids of the tests that must catch it."""
        return (self.caught_by,) if isinstance(self.caught_by, str) else self.caught_by

    def mutated(self, root: Path) -> str:
        """The text of the file with the mistake in it. Raises ValueError unless `old` is there exactly once."""
        text = (root / self.file).read_text(encoding="utf-8")
        count = text.count(self.old)
        if count != 1:
            raise ValueError(f"{self.name}: {self.file} has this {count} times, expected once:\n{self.old}")
        return text.replace(self.old, self.new)
