"""What is wrong with a configuration: a list of problems, and the error that carries it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

__all__ = ["ConfigInvalid", "Problem"]


class Problem(Struct, frozen=True):
    """One mistake: at `key` (a dotted path; empty for the file as a whole), for `reason`."""

    key: str
    reason: str


class ConfigInvalid(Exception):
    """The configuration cannot be used; `problems` lists every mistake in it, `source` names the file."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source = source
        self.problems = list(problems)
        super().__init__("\n".join(self.lines()))

    def lines(self) -> list[str]:
        """Return one line per problem: ``FILE: key: reason``."""
        return [": ".join(part for part in (self.source, p.key, p.reason) if part) for p in self.problems]
