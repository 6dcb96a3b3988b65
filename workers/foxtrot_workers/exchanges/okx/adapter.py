"""OKX v5, public and business channels. Documents: OKX API v5, "WebSocket" and "Public Channel".

Every data frame begins with the argument that was subscribed, and these bytes tell which parser the frame needs
(`routes`), so that a frame is decoded once, with the type of its channel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal
from urllib.parse import urlsplit, urlunsplit

import msgspec
from msgspec import UNSET

from foxtrot_protocol.events import (
    EVENT_BAR,
    EVENT_BBO,
    EVENT_BOOK,
    EVENT_FUNDING,
    EVENT_MARK_PRICE,
    EVENT_MARKET_TRADE,
    EVENT_OPEN_INTEREST,
    EVENT_TICKER,
    MarketEvent,
    Trade,
)
from foxtrot_protocol.identity import IdentityRule
from foxtrot_protocol.symbols import SymbolCase
from foxtrot_workers.adapter import (
    Adapter,
    CloseAnnounced,
    Limits,
    Pong,
    RestRequest,
    SendText,
    Topic,
    UnrecognizedFrame,
    VenueFacts,
)
from foxtrot_workers.exchanges.okx.constants import (
    ADOPTED_MAX,
    BOOK_CHANNELS,
    BUSINESS_CHANNELS,
    BUSINESS_PATH,
    CHANNELS,
    CLOSE_CODES,
    FACTS,
    LIMITS,
    PARTIAL_BOOK_CHANNELS,
    PUBLIC_PATH,
)
from foxtrot_workers.exchanges.okx.history import history_request, parse_history
from foxtrot_workers.exchanges.okx.instruments import (
    instrument_of,
    instruments_path,
    is_possible_instrument,
    parse_instruments,
)
from foxtrot_workers.exchanges.okx.liveness import liveness_request, liveness_token
from foxtrot_workers.exchanges.okx.messages import Arg, OtherMessage, arg_of, decode_other, wire_of
from foxtrot_workers.exchanges.okx.parsers import Parser, make_parser
from foxtrot_workers.exchanges.okx.requests import Requests
from foxtrot_workers.exchanges.okx.routes import Routes

__all__ = ["Okx"]


class Okx(Adapter):
    """``exchange = "okx"``.

    Bars are served at another path than everything else: a connection has channels of one path. `topics` decides which
    path `address` names, so it must be called first.
    """

    name: ClassVar[str] = "okx"
    exchange: ClassVar[str] = "OKX"
    channels: ClassVar[frozenset[str]] = frozenset(CHANNELS)
    url: ClassVar[str] = "wss://ws.okx.com:8443" + PUBLIC_PATH
    rest_url: ClassVar[str] = "https://www.okx.com"
    hosts: ClassVar[frozenset[str]] = frozenset({"okx.com", "okex.com"})
    symbol_case: ClassVar[SymbolCase] = "upper"
    limits: ClassVar[Limits] = LIMITS
    facts: ClassVar[VenueFacts | None] = FACTS
    identities: ClassVar[Mapping[str, IdentityRule]] = {
        EVENT_MARKET_TRADE: "increasing",  # a trade may stand for several fills: ids leap
        EVENT_BBO: "latest",
        EVENT_BOOK: "chained",
        EVENT_TICKER: "latest",
        EVENT_BAR: "latest",
        EVENT_FUNDING: "latest",
        EVENT_MARK_PRICE: "latest",
        EVENT_OPEN_INTEREST: "latest",
    }
    backfill_order: ClassVar[Literal["forward", "backward"]] = "backward"

    def __init__(self, *, adopt: bool = False) -> None:
        super().__init__(adopt=adopt)
        self._business = False
        self._requests = Requests(self.limits.topics_per_request)
        self._routes = Routes()
        self._by_beginning = self._routes.by_beginning

    # -- topics and requests

    def topics(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Topic]:
        """Raises ValueError for an unknown channel, an impossible symbol, or channels that exclude each other."""
        unknown = [channel for channel in channels if channel not in CHANNELS]
        if unknown:
            raise ValueError(f"{self.name} has no channel {unknown[0]!r}")
        if len(BOOK_CHANNELS.intersection(channels)) > 1:
            raise ValueError(f"only one of {', '.join(sorted(BOOK_CHANNELS))} fits one connection")
        business = BUSINESS_CHANNELS.intersection(channels)
        if business and not business.issuperset(channels):
            raise ValueError("bar_… channels are served at another address: they need a connection of their own")
        self._business = bool(business)
        topics: dict[str, Topic] = {}
        for symbol in self.canonical(symbols):
            if not is_possible_instrument(symbol):
                raise ValueError(f"{symbol!r} cannot be an instrument of {self.name}")
            for channel in channels:
                wire = f"{CHANNELS[channel]}:{symbol}"
                topics.setdefault(wire, Topic(channel, symbol, wire))
        return list(topics.values())

    def identity_rules(self, channels: Sequence[str]) -> dict[str, IdentityRule]:
        rules = super().identity_rules(channels)
        if PARTIAL_BOOK_CHANNELS.intersection(channels):
            rules[EVENT_BOOK] = "latest"  # every message is a full book
        return rules

    def address(self, base: str) -> str:
        """Return `base` with the path that the topics need; a path that is not OKX's own is kept."""
        parts = urlsplit(base)
        path = parts.path
        if path in ("", "/", PUBLIC_PATH, BUSINESS_PATH):
            path = BUSINESS_PATH if self._business else PUBLIC_PATH
        return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        for topic in topics:
            arg = arg_of(topic.wire)
            if arg not in self._routes:
                self._open(arg)
        return self._requests.subscribe(topics)

    def unsubscribe(self, topics: Sequence[Topic]) -> list[str]:
        return self._requests.unsubscribe(topics)

    # -- frames

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        try:
            parser = self._by_beginning.get(frame[: frame.find(b"}")])
            if parser is None:
                self._parse_other(frame, receive_ns, out)
            else:
                parser(frame, receive_ns, out)
        except (RecursionError, UnicodeDecodeError) as error:
            raise msgspec.DecodeError(str(error)) from None

    def _parse_other(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        if frame == b"pong":
            self.notices.append(Pong())
            return
        if frame == b"ping":
            self.notices.append(SendText("pong"))
            return
        other = decode_other(frame)
        if other.event:
            self._take_answer(other)
            return
        if other.arg is None or other.data is UNSET:
            raise UnrecognizedFrame("message without event, argument and data")
        parser = self._routes.get(other.arg)
        if parser is None and self.adopt and len(self._routes) < ADOPTED_MAX:
            parser = self._open(other.arg)
        if parser is None:
            raise UnrecognizedFrame(other.arg.channel or "argument without channel")
        self._routes.learn(frame, other.arg)
        parser(frame, receive_ns, out)

    def _take_answer(self, other: OtherMessage) -> None:
        event = other.event
        if event in ("subscribe", "unsubscribe") and other.arg is not None:
            self._take_acknowledgement(other.arg, subscribed=event == "subscribe")
        elif event in ("error", "channel-conn-count-error"):
            self.notices.append(self._requests.take_refusal(other, known=self._routes))
        elif event == "notice" and str(other.code) in CLOSE_CODES:
            self.notices.append(CloseAnnounced(f"{other.code}: {other.msg}"))
        elif event != "channel-conn-count":
            raise UnrecognizedFrame(f"event {event} {other.code}")

    def _take_acknowledgement(self, arg: Arg, *, subscribed: bool) -> None:
        wire = wire_of(arg)
        notice = self._requests.take_acknowledgement(wire, subscribed=subscribed)
        if notice is None:
            return
        if not subscribed:
            self._routes.remove(arg)
            self.last_data_ns.pop(wire, None)
        self.notices.append(notice)

    def _open(self, arg: Arg) -> Parser | None:
        """Accept frames of the topic `arg` from now on; None if it cannot be one."""
        parser = make_parser(self, arg)
        if parser is not None:
            self._routes.add(arg, parser)
        return parser

    # -- REST

    def resync(self, topics: Sequence[Topic]) -> list[Topic]:
        snapshots_on_stream = BOOK_CHANNELS - PARTIAL_BOOK_CHANNELS
        return [topic for topic in topics if topic.channel in snapshots_on_stream]

    def backfill_request(self, symbol: str, stream: str, first_id: int, last_id: int) -> RestRequest | None:
        if stream != EVENT_MARKET_TRADE or Arg(CHANNELS["trade"], symbol) not in self._routes:
            return None
        return history_request(symbol, last_id)

    def on_backfill(self, path: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
        return parse_history(self.exchange, body, receive_ns)

    def liveness_request(self, topic: Topic) -> RestRequest | None:
        return liveness_request(topic)

    def liveness_token(self, topic: Topic, body: bytes) -> str:
        return liveness_token(topic, body)

    def instruments_path(self, symbols: Sequence[str]) -> str | None:
        return instruments_path(symbols)

    def instruments(self, body: bytes) -> dict[str, str]:
        return parse_instruments(body)

    def instrument(self, symbol: str) -> str:
        """The name itself says base, quote, date, strike and kind."""
        return instrument_of(symbol)
