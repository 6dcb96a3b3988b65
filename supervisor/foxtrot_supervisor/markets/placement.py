"""Placement of a connection's symbols on shards: workers with a socket each. Pure.

Placement is stable: a symbol that is added or removed moves no other. All channels of a symbol are on one shard, since
its book and its trades belong together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

__all__ = ["SHARDS_MAX", "Placement", "add", "place", "split"]

Placement: TypeAlias = Mapping[int, Sequence[str]]
"""Symbols by the number of their shard; numbers begin with 1."""

SHARDS_MAX: Final = 500
"""Largest number of shards of one connection."""


def place(wanted: Iterable[str], present: Placement, symbols_max: int) -> dict[int, list[str]]:
    """Return the placement of `wanted`.

    Args:
        wanted: all symbols of the connection, in order, without duplicates.
        present: the placement so far; {} for a new connection.
        symbols_max: largest number of symbols on one shard, at least 1.

    A symbol that is placed stays where it is, also on a shard with more than `symbols_max`, since moving it would
    interrupt it. A new symbol goes to the fullest shard that has room, so that new shards are few and old ones
    fill up; a shard without symbols is left out, and its number is used again by the next new shard. New shards of a
    connection that has none are filled evenly. Raises ValueError beyond `SHARDS_MAX`.
    """
    symbols = list(wanted)
    remaining = set(symbols)
    shards: dict[int, list[str]] = {}
    for number, placed in sorted(present.items()):
        kept = [symbol for symbol in placed if symbol in remaining]
        remaining.difference_update(kept)
        if kept:
            shards[number] = kept
    added = [symbol for symbol in symbols if symbol in remaining]
    left = _fill(added, shards, symbols_max)
    count = -(-len(left) // symbols_max)
    for part in range(count):
        shards[_free_number(shards)] = left[part::count]
    return dict(sorted(shards.items()))


def add(wanted: Iterable[str], present: Mapping[str, Sequence[str]], symbols_max: int) -> dict[str, list[str]]:
    """Return which of `wanted` go to which of the shards `present` (symbols by name), without new shards.

    Symbols that are placed already are left out. Raises ValueError if there is no room for all of them.
    """
    placed = {symbol for symbols in present.values() for symbol in symbols}
    numbers = dict(enumerate(sorted(present)))
    shards = {number: list(present[name]) for number, name in numbers.items()}
    left = _fill([symbol for symbol in wanted if symbol not in placed], shards, symbols_max)
    if left:
        raise ValueError(f"no worker has room for {len(left)} more symbols: add them to the configuration, then reload")
    added = {name: shards[number][len(present[name]) :] for number, name in numbers.items()}
    return {name: symbols for name, symbols in added.items() if symbols}


def split(present: Placement, number: int) -> dict[int, list[str]]:
    """Return `present` with every second symbol of shard `number` moved to a new shard.

    Raises KeyError for a shard that is not there, ValueError for one with a single symbol or beyond `SHARDS_MAX`.
    """
    symbols = list(present[number])
    if len(symbols) < 2:
        raise ValueError(f"shard {number} has one symbol only")
    shards = {each: list(placed) for each, placed in present.items()}
    shards[number], shards[_free_number(shards)] = symbols[::2], symbols[1::2]
    return dict(sorted(shards.items()))


def _fill(symbols: list[str], shards: dict[int, list[str]], symbols_max: int) -> list[str]:
    """Put `symbols` into shards with room, the fullest first; return those for which there is none."""
    position = 0
    for number in sorted(shards, key=lambda each: (-len(shards[each]), each)):
        room = max(0, symbols_max - len(shards[number]))
        shards[number] = shards[number] + symbols[position : position + room]
        position += room
    return symbols[position:]


def _free_number(shards: Mapping[int, object]) -> int:
    for number in range(1, SHARDS_MAX + 1):
        if number not in shards:
            return number
    raise ValueError(f"more than {SHARDS_MAX} shards would be needed")
