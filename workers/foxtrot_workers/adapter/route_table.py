"""Which parser a frame needs, told by a part of its bytes: one look-up for each frame of a connection. Pure.

A venue says which part names the topic (the beginning, the end, a channel number). The first frame with an unfamiliar
part (other key order, white space) is decoded to find its topic, and its part is then remembered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from foxtrot_protocol.events import MarketEvent

__all__ = ["SPELLINGS_MAX", "Parser", "RouteTable"]

Parser: TypeAlias = Callable[[bytes, int, list[MarketEvent[str]]], None]
"""Called with a data frame, its receive time (nanoseconds since 1970), and the list that events are appended to.
Raises `msgspec.DecodeError`."""

SPELLINGS_MAX = 40_000
"""Parts of frames that are remembered, of all topics together."""


class RouteTable:
    """Parsers of one connection, by wire name of the topic and by the part of a frame that names it.

    `by_key` is public for the hot path.
    """

    def __init__(self) -> None:
        self.by_key: dict[bytes, Parser] = {}
        self._by_wire: dict[str, Parser] = {}
        self._keys: dict[str, list[bytes]] = {}
        """The keys of `by_key` that belong to a topic."""

    def __len__(self) -> int:
        return len(self._by_wire)

    def __contains__(self, wire: object) -> bool:
        return wire in self._by_wire

    def get(self, wire: str) -> Parser | None:
        """Return the parser of a topic; None if there is none."""
        return self._by_wire.get(wire)

    def add(self, wire: str, parser: Parser, *keys: bytes) -> None:
        """Send frames of the topic `wire`, and frames with these `keys`, to `parser`."""
        self._by_wire[wire] = parser
        for key in keys:
            self.learn(key, wire)

    def learn(self, key: bytes, wire: str) -> None:
        """Remember that frames with `key` are of the topic `wire`, which has a parser, as long as there is room."""
        if len(self.by_key) < SPELLINGS_MAX and key not in self.by_key:
            self.by_key[key] = self._by_wire[wire]
            self._keys.setdefault(wire, []).append(key)

    def remove(self, wire: str) -> None:
        """Forget a topic."""
        self._by_wire.pop(wire, None)
        for key in self._keys.pop(wire, ()):
            self.by_key.pop(key, None)
