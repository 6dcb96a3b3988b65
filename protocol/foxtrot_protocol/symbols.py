"""Symbols as venues write and compare them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

__all__ = ["NEAREST_MAX", "SymbolCase", "canonical_symbol", "describe_unknown", "nearest_symbols"]

SymbolCase: TypeAlias = Literal["upper", "lower", "exact"]
"""How a venue writes its symbols; it compares them without regard to case unless this is ``exact``."""

NEAREST_MAX = 3


def canonical_symbol(symbol: str, case: str) -> str:
    """`symbol` as the venue writes it; `case` is a `SymbolCase`, anything else counts as ``exact``."""
    if case == "upper":
        return symbol.upper()
    return symbol.lower() if case == "lower" else symbol


def nearest_symbols(symbol: str, known: Iterable[str]) -> list[str]:
    """At most `NEAREST_MAX` of `known` that are spelled most like `symbol`, the nearest first."""
    import difflib  # rarely needed, and a worker's memory counts

    names = sorted(known)
    bare = {name: "".join(filter(str.isalnum, name)).upper() for name in names}
    wanted = "".join(filter(str.isalnum, symbol)).upper()
    same = [name for name in names if bare[name] == wanted]
    similar = difflib.get_close_matches(wanted, set(bare.values()), n=NEAREST_MAX)
    ranked = [*same, *(name for match in similar for name in names if bare[name] == match)]
    return list(dict.fromkeys(ranked))[:NEAREST_MAX]


def describe_unknown(venue: str, symbol: str, known: Iterable[str]) -> str:
    """Sentence that says that `venue` has no `symbol`, with the nearest of the `known` ones."""
    nearest = nearest_symbols(symbol, known)
    hint = f" (nearest: {', '.join(nearest)})" if nearest else ""
    return f"{venue} has no symbol {symbol}{hint}"
