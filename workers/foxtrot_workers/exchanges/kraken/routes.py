"""Which parser a frame needs, told by its first bytes: every data frame of v2 begins with its channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from foxtrot_workers.adapter import Adapter, UnrecognizedFrame
from foxtrot_workers.adapter.route_table import Parser
from foxtrot_workers.exchanges.kraken.constants import ADOPTED_MAX, BOOK_DEPTHS
from foxtrot_workers.exchanges.kraken.instruments import is_possible_symbol
from foxtrot_workers.exchanges.kraken.parsers import Bars, Books, ChannelParser, Tickers, Trades

__all__ = ["Routes"]

_ADOPTED = {"trade": "trade", "ticker": "ticker-trades", "book": "book"}
"""By channel: the first part of wire names adopted in replay. Rows name neither trigger nor depth: a ticker stays a
ticker, and the depth of a book is seen in its snapshot."""


class Routes:
    """The topics of one connection, by wire name, and the parsers of their frames.

    `by_beginning` is public for the hot path: it maps the beginning of a frame, up to the end of its channel, to its
    parser; `by_channel` maps the channel's name.
    """

    def __init__(self, adapter: Adapter) -> None:
        self._adopting = adapter.adopt
        self._parsers: dict[str, ChannelParser[Any]] = {
            "trade": Trades(adapter, self._adopter("trade")),
            "book": Books(adapter, self._adopter("book")),
            "ticker": Tickers(adapter, self._adopter("ticker")),
            "ohlc": Bars(adapter, self._adopter("ohlc")),
        }
        self.by_channel: dict[str, Parser] = {name: parser.parse for name, parser in self._parsers.items()}
        self.by_beginning: dict[bytes, Parser] = {
            b'{"channel":"%b"' % name.encode(): parser for name, parser in self.by_channel.items()
        }
        self._wires: set[str] = set()

    def __contains__(self, wire: object) -> bool:
        return wire in self._wires

    def add(self, wire: str) -> None:
        """Accept frames of the topic `wire` from now on; a topic that is accepted already stays as it is."""
        if wire not in self._wires:
            name, value, symbol = _split(wire)
            self._parsers[name].open(symbol, value, wire)
            self._wires.add(wire)

    def remove(self, wire: str) -> None:
        """Refuse frames of the topic `wire` from now on."""
        if wire in self._wires:
            name, value, symbol = _split(wire)
            self._parsers[name].close(symbol, value)
            self._wires.discard(wire)

    def adopt_book(self, symbol: str, depth: int) -> None:
        """Accept the book of `symbol`, whose subscription with `depth` a recording shows."""
        if depth in BOOK_DEPTHS.values():
            self._adopt(f"book-{depth}:{symbol}", symbol)

    def _adopter(self, name: str) -> Callable[[str, int], None]:
        def adopt(symbol: str, value: int) -> None:
            self._adopt(f"{_ADOPTED.get(name, f'{name}-{value}')}:{symbol}", symbol)

        return adopt

    def _adopt(self, wire: str, symbol: str) -> None:
        if not self._adopting or len(self._wires) >= ADOPTED_MAX or not is_possible_symbol(symbol):
            raise UnrecognizedFrame(wire)
        self.add(wire)


def _split(wire: str) -> tuple[str, str, str]:
    """Return channel, parameter and symbol of a wire name ``CHANNEL[-PARAMETER]:SYMBOL``."""
    channel, _, symbol = wire.partition(":")
    name, _, value = channel.partition("-")
    return name, value, symbol
