"""BitMEX, which closed on 23 September 2026. Documents: BitMEX, "Websocket API". For recordings only.

A frame names its table at the beginning and its symbols within its rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from foxtrot_protocol.events import EVENT_BOOK, EVENT_MARKET_TRADE, MarketEvent
from foxtrot_protocol.identity import IdentityRule
from foxtrot_protocol.symbols import SymbolCase
from foxtrot_workers.adapter import (
    Acknowledged,
    Adapter,
    Limits,
    Pong,
    Topic,
    UnrecognizedFrame,
    VenueFacts,
)
from foxtrot_workers.adapter.route_table import Parser
from foxtrot_workers.adapter.shared_topics import shared_wire
from foxtrot_workers.exchanges.bitmex.constants import (
    ADOPTED_MAX,
    BOOK_CHANNELS,
    CHANNELS,
    CLOSED,
    FACTS,
    LIMITS,
    SHARED_CHANNELS,
)
from foxtrot_workers.exchanges.bitmex.instruments import is_possible_symbol, parse_instruments
from foxtrot_workers.exchanges.bitmex.messages import decode_other
from foxtrot_workers.exchanges.bitmex.parsers import FACTORIES
from foxtrot_workers.exchanges.bitmex.requests import Requests

__all__ = ["Bitmex"]

_ALL = frozenset({"", *SHARED_CHANNELS})


class Bitmex(Adapter):
    """``exchange = "bitmex"``: recordings of BitMEX."""

    name: ClassVar[str] = "bitmex"
    exchange: ClassVar[str] = "BITMEX"
    channels: ClassVar[frozenset[str]] = frozenset(CHANNELS)
    closed: ClassVar[str] = CLOSED
    url: ClassVar[str] = "wss://ws.bitmex.com/realtime"
    rest_url: ClassVar[str] = "https://www.bitmex.com"
    symbol_case: ClassVar[SymbolCase] = "upper"
    limits: ClassVar[Limits] = LIMITS
    facts: ClassVar[VenueFacts | None] = FACTS
    identities: ClassVar[dict[str, IdentityRule]] = {EVENT_MARKET_TRADE: "unique", EVENT_BOOK: "one_side"}

    def __init__(self, *, adopt: bool = False) -> None:
        super().__init__(adopt=adopt)
        self._requests = Requests(self.limits.topics_per_request)
        self._adopted: set[str] = set()
        self._parsers: dict[str, Parser] = {
            table: make(self, table, self._channels_of) for table, make in FACTORIES.items()
        }

    def topics(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Topic]:
        """Raises ValueError for an unknown channel, an impossible symbol, or channels that exclude each other."""
        unknown = [channel for channel in channels if channel not in CHANNELS]
        if unknown:
            raise ValueError(f"{self.name} had no channel {unknown[0]!r}")
        if len(BOOK_CHANNELS.intersection(channels)) > 1:
            raise ValueError(f"only one of {', '.join(sorted(BOOK_CHANNELS))} fits one connection")
        topics: dict[str, Topic] = {}
        for symbol in self.canonical(symbols):
            if not is_possible_symbol(symbol):
                raise ValueError(f"{symbol!r} cannot be a symbol of {self.name}")
            for channel in channels:
                topic = f"{CHANNELS[channel]}:{symbol}"
                wire = shared_wire(topic, channel) if channel in SHARED_CHANNELS else topic
                topics.setdefault(wire, Topic(channel, symbol, wire))
        return list(topics.values())

    def address(self, base: str) -> str:
        return base

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        return self._requests.subscribe(topics)

    def unsubscribe(self, topics: Sequence[Topic]) -> list[str]:
        texts, ended = self._requests.unsubscribe(topics)
        if ended:
            self._end(Acknowledged(tuple(ended), subscribed=False))
        return texts

    def _end(self, notice: Acknowledged) -> None:
        for wire in notice.wires:
            self.last_data_ns.pop(wire, None)
        self.notices.append(notice)

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        if frame == b"pong":
            self.notices.append(Pong())
            return
        try:
            other = decode_other(frame)
            if other.table:
                parser = self._parsers.get(other.table)
                if parser is None:
                    raise UnrecognizedFrame(other.table)
                parser(frame, receive_ns, out)
                return
        except (RecursionError, UnicodeDecodeError) as error:
            raise msgspec.DecodeError(str(error)) from None
        if other.error or other.subscribe or other.unsubscribe:
            notice = self._requests.take_answer(other)
            if isinstance(notice, Acknowledged) and not notice.subscribed:
                self._end(notice)
            elif notice is not None:
                self.notices.append(notice)
        elif not other.info:
            raise UnrecognizedFrame("message without table, answer and info")

    def _channels_of(self, table: str, symbol: str) -> frozenset[str]:
        """Return the channels of a topic that are published. Raises `UnrecognizedFrame` if it was not subscribed."""
        topic = f"{table}:{symbol}"
        channels = self._requests.shared.channels(topic)
        if channels:
            return channels
        if topic in self._adopted:
            return _ALL
        if self.adopt and is_possible_symbol(symbol) and len(self._adopted) < ADOPTED_MAX:
            self._adopted.add(topic)
            return _ALL
        raise UnrecognizedFrame(topic)

    def resync(self, topics: Sequence[Topic]) -> list[Topic]:
        return [topic for topic in topics if topic.channel in ("book", "book25")]

    def instruments_path(self, symbols: Sequence[str]) -> str:
        return "/api/v1/instrument/active"

    def instruments(self, body: bytes) -> dict[str, str]:
        return parse_instruments(body)
