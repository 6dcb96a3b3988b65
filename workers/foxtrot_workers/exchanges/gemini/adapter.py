"""Gemini, public market streams; recordings of the archived feeds are read too. Documents: developer.gemini.com."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from foxtrot_protocol.events import EVENT_BBO, EVENT_BOOK, EVENT_MARKET_TRADE, MarketEvent, Trade
from foxtrot_protocol.identity import IdentityRule
from foxtrot_protocol.symbols import SymbolCase
from foxtrot_workers.adapter import (
    Acknowledged,
    Adapter,
    CloseAnnounced,
    Limits,
    Pong,
    RestRequest,
    Topic,
    UnrecognizedFrame,
    VenueFacts,
)
from foxtrot_workers.exchanges.gemini.archived import ArchivedFrames
from foxtrot_workers.exchanges.gemini.constants import (
    ADOPTED_MAX,
    CHANNELS,
    FACTS,
    INSTRUMENTS_PATH,
    LIMITS,
    PING_ID,
    SNAPSHOT,
)
from foxtrot_workers.exchanges.gemini.history import history_request, parse_history
from foxtrot_workers.exchanges.gemini.instruments import instrument_of, is_possible_symbol, parse_instruments
from foxtrot_workers.exchanges.gemini.liveness import liveness_request, liveness_token
from foxtrot_workers.exchanges.gemini.messages import decode_other
from foxtrot_workers.exchanges.gemini.parsers import Parsers
from foxtrot_workers.exchanges.gemini.requests import Requests
from foxtrot_workers.exchanges.gemini.routes import by_first_key, by_keys

__all__ = ["Gemini"]

_FIRST_KEY_CHARS = 5

_ARCHIVED_PATH = "/v1/marketdata/"
"""Path of market data v1; the symbol follows."""


class Gemini(Adapter):
    """``exchange = "gemini"``."""

    name: ClassVar[str] = "gemini"
    exchange: ClassVar[str] = "GEMINI"
    channels: ClassVar[frozenset[str]] = frozenset(CHANNELS)
    url: ClassVar[str] = "wss://ws.gemini.com"
    rest_url: ClassVar[str] = "https://api.gemini.com"
    symbol_case: ClassVar[SymbolCase] = "lower"
    limits: ClassVar[Limits] = LIMITS
    facts: ClassVar[VenueFacts | None] = FACTS
    identities: ClassVar[Mapping[str, IdentityRule]] = {
        EVENT_MARKET_TRADE: "increasing",  # the identifiers of all symbols are one sequence
        EVENT_BBO: "latest",
        EVENT_BOOK: "update_ids",
    }

    def __init__(self, *, adopt: bool = False) -> None:
        super().__init__(adopt=adopt)
        self._requests = Requests(self.limits.topics_per_request)
        self._parsers = Parsers(self, self._adopt)
        self._by_first_key = by_first_key(self._parsers)
        self._archived = ArchivedFrames(self)

    # -- topics and requests

    def topics(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Topic]:
        """Raises ValueError for an unknown channel or an impossible symbol."""
        unknown = [channel for channel in channels if channel not in CHANNELS]
        if unknown:
            raise ValueError(f"{self.name} has no channel {unknown[0]!r}")
        topics: dict[str, Topic] = {}
        for symbol in self.canonical(symbols):
            if not is_possible_symbol(symbol):
                raise ValueError(f"{symbol!r} cannot be a symbol of {self.name}")
            for channel in channels:
                wire = CHANNELS[channel].format(symbol)
                topics.setdefault(wire, Topic(channel, symbol, wire))
        return list(topics.values())

    def address(self, base: str) -> str:
        """Return `base` with the demand for whole books, unless it says what it wants."""
        parts = urlsplit(base)
        query = dict(parse_qsl(parts.query))
        if self.adopt:
            self._parsers.starts_whole = query.get(SNAPSHOT, "0") != "0"
            _, found, symbol = parts.path.partition(_ARCHIVED_PATH)
            self._archived.symbol = symbol.strip("/") if found else ""
            return base
        query.setdefault(SNAPSHOT, "-1")
        self._parsers.starts_whole = query[SNAPSHOT] != "0"
        return urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(query), ""))

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        for topic in topics:
            if topic.wire not in self._parsers.wires:
                self._parsers.open(topic.wire)
        return self._requests.subscribe(topics)

    def unsubscribe(self, topics: Sequence[Topic]) -> list[str]:
        return self._requests.unsubscribe(topics)

    # -- frames

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        try:
            parser = self._by_first_key.get(frame[:_FIRST_KEY_CHARS])
            if parser is not None:
                try:
                    parser(frame, receive_ns, out)
                    return
                except msgspec.ValidationError:
                    pass  # perhaps another kind of message, whose keys come in another order
            self._parse_other(frame, receive_ns, out)
        except (RecursionError, UnicodeDecodeError) as error:
            raise msgspec.DecodeError(str(error)) from None

    def _parse_other(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        other = decode_other(frame)
        parser = by_keys(self._parsers, other)
        if parser is not None:
            parser(frame, receive_ns, out)
        elif other.type and self.adopt:
            self._archived.parse(other.type, frame, receive_ns, out)
        elif other.id == PING_ID:
            self.notices.append(Pong())
        elif other.status is not None:
            notice = self._requests.take_answer(other)
            if notice is not None:
                if isinstance(notice, Acknowledged) and not notice.subscribed:
                    self._forget(notice.wires)
                self.notices.append(notice)
        else:
            raise UnrecognizedFrame(other.type or other.event or "message of an unknown kind")

    def _forget(self, wires: Sequence[str]) -> None:
        for wire in wires:
            self._parsers.close(wire)
            self.last_data_ns.pop(wire, None)
            self.held_ns.pop(wire, None)

    def _adopt(self, wire: str) -> None:
        symbol = wire.partition("@")[0]
        known = wire in {stream.format(symbol) for stream in CHANNELS.values()}  # a symbol may have "@" in it
        if not self.adopt or len(self._parsers.wires) >= ADOPTED_MAX or not known or not is_possible_symbol(symbol):
            raise UnrecognizedFrame(wire)
        self._parsers.open(wire)

    # -- REST

    def resync(self, topics: Sequence[Topic]) -> list[Topic]:
        """Ask for a new connection: only there books begin whole."""
        if any(topic.channel == "book" for topic in topics):
            self.notices.append(CloseAnnounced("a whole book comes on a new connection only"))
        return []

    def backfill_request(self, symbol: str, stream: str, first_id: int, last_id: int) -> RestRequest | None:
        if stream != EVENT_MARKET_TRADE or CHANNELS["trade"].format(symbol) not in self._parsers.wires:
            return None
        return history_request(symbol, first_id)

    def on_backfill(self, path: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
        return parse_history(self.exchange, path, body, receive_ns)

    def liveness_request(self, topic: Topic) -> RestRequest | None:
        return liveness_request(topic)

    def liveness_token(self, topic: Topic, body: bytes) -> str:
        return liveness_token(topic, body)

    def instruments_path(self, symbols: Sequence[str]) -> str | None:
        return INSTRUMENTS_PATH

    def instruments(self, body: bytes) -> dict[str, str]:
        return parse_instruments(body)

    def instrument(self, symbol: str) -> str:
        """The name itself says base and quote."""
        return instrument_of(symbol)
