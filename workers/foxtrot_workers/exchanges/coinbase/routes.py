"""Which parser a frame needs, told by its first bytes: every frame begins with its type."""

from __future__ import annotations

from foxtrot_workers.adapter import Adapter, UnrecognizedFrame
from foxtrot_workers.adapter.route_table import Parser
from foxtrot_workers.exchanges.coinbase.constants import ADOPTED_MAX, CHANNELS
from foxtrot_workers.exchanges.coinbase.instruments import is_possible_product
from foxtrot_workers.exchanges.coinbase.parsers import Adopt, Books, Tickers, Trades

__all__ = ["Routes"]


class Routes:
    """The topics of one connection, by wire name, and the parsers of their frames.

    `by_beginning` is public for the hot path: it maps the beginning of a frame, up to the end of its type, to its
    parser; `by_type` maps the type.
    """

    def __init__(self, adapter: Adapter) -> None:
        self._adopting = adapter.adopt
        trades = Trades(adapter, self._adopter("trade"))
        tickers = Tickers(adapter, self._adopter("ticker"))
        books = Books(adapter, self._adopter("book"))
        self._channels: dict[str, Trades | Tickers | Books] = {
            CHANNELS["trade"]: trades,
            CHANNELS["ticker"]: tickers,
            CHANNELS["book"]: books,
        }
        self.by_type: dict[str, Parser] = {
            "match": trades.parse,
            "last_match": trades.parse,
            "ticker": tickers.parse,
            "snapshot": books.parse_start,
            "l2update": books.parse_change,
        }
        self.by_beginning: dict[bytes, Parser] = {
            b'{"type":"%b"' % kind.encode(): parser for kind, parser in self.by_type.items()
        }
        self._wires: set[str] = set()

    def __contains__(self, wire: object) -> bool:
        return wire in self._wires

    def add(self, wire: str) -> None:
        """Accept frames of the topic `wire` from now on; a topic that is accepted already stays as it is."""
        if wire not in self._wires:
            channel, _, product = wire.partition(":")
            self._channels[channel].open(product, wire)
            self._wires.add(wire)

    def remove(self, wire: str) -> None:
        """Refuse frames of the topic `wire` from now on."""
        if wire in self._wires:
            channel, _, product = wire.partition(":")
            self._channels[channel].close(product)
            self._wires.discard(wire)

    def _adopter(self, channel: str) -> Adopt:
        def adopt(product: str) -> None:
            if not self._adopting or len(self._wires) >= ADOPTED_MAX or not is_possible_product(product):
                raise UnrecognizedFrame(f"{channel} {product}")
            self.add(f"{CHANNELS[channel]}:{product}")

        return adopt
