"""Kraken spot, public channels of WebSocket v2; recordings of v1 are read too. Documents: Kraken API Center.

A frame names its channel in its first bytes, which tell the parser (`routes`), and the symbol in each row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec

from foxtrot_protocol.events import (
    EVENT_BAR,
    EVENT_BBO,
    EVENT_MARKET_TRADE,
    EVENT_TICKER,
    MarketEvent,
    Trade,
)
from foxtrot_protocol.identity import IdentityRule
from foxtrot_protocol.instruments import Instrument
from foxtrot_workers.adapter import (
    Acknowledged,
    Adapter,
    Limits,
    Pong,
    Refused,
    RestRequest,
    SystemStatus,
    Topic,
    UnrecognizedFrame,
    VenueFacts,
)
from foxtrot_workers.exchanges.kraken.constants import BOOK_DEPTHS, CHANNELS, FACTS, INSTRUMENTS_PATH, LIMITS, V1_EVENTS
from foxtrot_workers.exchanges.kraken.history import History
from foxtrot_workers.exchanges.kraken.instruments import (
    instrument_of,
    is_possible_symbol,
    listed_instruments,
    parse_instruments,
)
from foxtrot_workers.exchanges.kraken.liveness import liveness_request, liveness_token
from foxtrot_workers.exchanges.kraken.messages import OtherMessage, decode_other
from foxtrot_workers.exchanges.kraken.requests import Requests
from foxtrot_workers.exchanges.kraken.routes import Routes
from foxtrot_workers.exchanges.kraken.system import STATUS
from foxtrot_workers.exchanges.kraken.v1 import RecordedFrames

__all__ = ["Kraken"]


class Kraken(Adapter):
    """``exchange = "kraken"``.

    Symbols are those of v2 (``BTC/USD``). Frames name neither the depth of a book nor what triggers a ticker: a
    connection has one depth, and quotes or tickers.
    """

    name: ClassVar[str] = "kraken"
    exchange: ClassVar[str] = "KRAKEN"
    channels: ClassVar[frozenset[str]] = frozenset(CHANNELS)
    url: ClassVar[str] = "wss://ws.kraken.com/v2"
    symbols_have_dashes: ClassVar[bool] = False
    rest_url: ClassVar[str] = "https://api.kraken.com"
    hosts: ClassVar[frozenset[str]] = frozenset({"beta-ws.kraken.com"})
    limits: ClassVar[Limits] = LIMITS
    facts: ClassVar[VenueFacts | None] = FACTS
    identities: ClassVar[Mapping[str, IdentityRule]] = {
        EVENT_MARKET_TRADE: "sequence",  # "Trades": the identifier is a sequence number of its book
        EVENT_BBO: "latest",
        EVENT_TICKER: "latest",
        EVENT_BAR: "latest",
    }

    def __init__(self, *, adopt: bool = False) -> None:
        super().__init__(adopt=adopt)
        self._requests = Requests(self.limits.topics_per_request)
        self._routes = Routes(self)
        self._by_beginning = self._routes.by_beginning
        self._recorded = RecordedFrames(self)
        self._history = History(self.exchange)

    # -- topics and requests

    def topics(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Topic]:
        """Raises ValueError for an unknown channel, an impossible symbol, or channels that exclude each other."""
        unknown = [channel for channel in channels if channel not in CHANNELS]
        if unknown:
            raise ValueError(f"{self.name} has no channel {unknown[0]!r}")
        if len(set(BOOK_DEPTHS).intersection(channels)) > 1:
            raise ValueError(f"only one of {', '.join(sorted(BOOK_DEPTHS))} fits one connection")
        if {"quote", "ticker"} <= set(channels):
            raise ValueError("quote and ticker are one stream of the exchange: only one of them fits one connection")
        topics: dict[str, Topic] = {}
        for symbol in self.canonical(symbols):
            if not is_possible_symbol(symbol):
                raise ValueError(f"{symbol!r} cannot be a symbol of {self.name}")
            for channel in channels:
                wire = f"{CHANNELS[channel]}:{symbol}"
                topics.setdefault(wire, Topic(channel, symbol, wire))
        return list(topics.values())

    def address(self, base: str) -> str:
        return base

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        for topic in topics:
            self._routes.add(topic.wire)
        return self._requests.subscribe(topics)

    def unsubscribe(self, topics: Sequence[Topic]) -> list[str]:
        return self._requests.unsubscribe(topics)

    # -- frames

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        try:
            parser = self._by_beginning.get(frame[: frame.find(b",")])
            if parser is None:
                self._parse_other(frame, receive_ns, out)
            else:
                parser(frame, receive_ns, out)
        except (RecursionError, UnicodeDecodeError) as error:
            raise msgspec.DecodeError(str(error)) from None

    def _parse_other(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        if frame.startswith(b"["):
            if not self.adopt:
                raise UnrecognizedFrame("an array, as WebSocket v1 sends them")
            self._recorded.parse(frame, receive_ns, out)
            return
        other = decode_other(frame)
        parser = self._routes.by_channel.get(other.channel)
        if parser is not None:
            parser(frame, receive_ns, out)
        elif other.method in ("subscribe", "unsubscribe"):
            self._take_answer(other)
        elif other.method == "pong":
            self.notices.append(Pong())
        elif other.rate_error is not None:
            self.notices.append(Refused((), other.rate_error, "later", exact=False))
        elif other.channel not in ("heartbeat", "status") and not (self.adopt and other.event in V1_EVENTS):
            raise UnrecognizedFrame(other.channel or other.method or other.event or "message without channel")

    def _take_answer(self, other: OtherMessage) -> None:
        result = other.result
        if self.adopt and result is not None and result.channel == "book" and result.depth is not None:
            self._routes.adopt_book(result.symbol, result.depth)
        notice = self._requests.take_answer(other, self._routes)
        if notice is None:
            return
        if isinstance(notice, Acknowledged) and not notice.subscribed:
            for wire in notice.wires:
                self._routes.remove(wire)
                self.last_data_ns.pop(wire, None)
        self.notices.append(notice)

    # -- REST

    def backfill_page(
        self, symbol: str, stream: str, first_id: int, last_id: int, start_ns: int, end_ns: int
    ) -> RestRequest | None:
        if stream != EVENT_MARKET_TRADE or f"{CHANNELS['trade']}:{symbol}" not in self._routes:
            return None
        return self._history.request(symbol, first_id, start_ns)

    def on_backfill(self, path: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
        return self._history.parse(path, body, receive_ns)

    def liveness_request(self, topic: Topic) -> RestRequest | None:
        return liveness_request(topic)

    def liveness_token(self, topic: Topic, body: bytes) -> str:
        return liveness_token(body)

    def system_status(self) -> SystemStatus:
        return STATUS

    def instruments_path(self, symbols: Sequence[str]) -> str | None:
        return INSTRUMENTS_PATH

    def instruments(self, body: bytes) -> dict[str, str]:
        return parse_instruments(body)

    def listed(self, body: bytes) -> list[Instrument]:
        return listed_instruments(body)

    def instrument(self, symbol: str) -> str:
        return instrument_of(symbol)
