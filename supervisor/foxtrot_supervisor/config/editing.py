"""Edits of a configuration file that keep everything else in it: comments, order, blank lines. Pure.

The editor is `tomlkit`; the result is read again by the ordinary reader before anything is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from foxtrot_supervisor.markets.selection import is_pattern

__all__ = ["CannotEdit", "with_symbols"]

_BOM = "\ufeff"
_EXCLUDED = "!"


class CannotEdit(Exception):
    """The file cannot be edited; the text says why, and what to do."""


def with_symbols(text: str, connection: str, added: Sequence[str], removed: Sequence[str]) -> str:
    """Return the configuration `text` with other symbols of one connection.

    Args:
        text: the whole file.
        connection: its name in the file.
        added: symbols to be subscribed. One that is excluded (``!SYMBOL``) is no longer excluded.
        removed: symbols that are not to be subscribed. One that only a pattern selects is excluded.

    Raises:
        CannotEdit: if the connection or a symbol to remove is not found.
    """
    import tomlkit

    try:
        document = tomlkit.parse(text.removeprefix(_BOM))
    except Exception as error:  # ParseError and others; the file was read by another parser before
        raise CannotEdit(f"it cannot be edited: {error}") from None
    entries = _entries(document, connection)
    for symbol in added:
        place = _place(entries, _EXCLUDED + symbol)
        if place is not None:
            del entries[place]
        elif _place(entries, symbol) is None:
            _append(entries, symbol)
    for symbol in removed:
        place = _place(entries, symbol)
        if place is not None:
            del entries[place]
        elif any(is_pattern(str(entry)) for entry in entries):
            if _place(entries, _EXCLUDED + symbol) is None:
                _append(entries, _EXCLUDED + symbol)
        else:
            raise CannotEdit(f"connection {connection!r} has no symbol {symbol!r} there: edit it by hand")
    return (_BOM if text.startswith(_BOM) else "") + str(tomlkit.dumps(document))


def _entries(document: Any, connection: str) -> Any:
    tables = document.get("connections")
    if not isinstance(tables, list):
        raise CannotEdit("it has no connections")
    found = [table for table in tables if isinstance(table, dict) and table.get("name") == connection]
    if len(found) != 1 or not isinstance(found[0].get("symbols"), list):
        raise CannotEdit(f"it has no connection {connection!r} with symbols")
    return found[0]["symbols"]


def _place(entries: Any, symbol: str) -> int | None:
    """Return the index of `symbol`, in whatever case it stands there."""
    wanted = symbol.casefold()
    return next((place for place, entry in enumerate(entries) if str(entry).casefold() == wanted), None)


def _append(entries: Any, symbol: str) -> None:
    """Append in the layout of the list: on a line of its own if the list has one for each entry."""
    lines = entries.as_string().splitlines()
    if len(lines) > 2 and len(entries) <= len(lines):
        first = lines[1]
        entries.add_line(symbol, indent=first[: len(first) - len(first.lstrip())])
    else:
        entries.append(symbol)
