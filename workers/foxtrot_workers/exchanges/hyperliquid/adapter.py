"""Hyperliquid, public subscriptions. Documents: Hyperliquid, "Websocket".

A data frame names its channel, and its coin where the data begin: those bytes tell which parser the frame needs, so
that a frame is decoded once, with the type of its channel.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar
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
)
from foxtrot_protocol.identity import IdentityRule
from foxtrot_workers.adapter import Acknowledged, Adapter, Limits, Pong, Topic, UnrecognizedFrame, VenueFacts
from foxtrot_workers.adapter.route_table import Parser, RouteTable
from foxtrot_workers.adapter.shared_topics import SharedTopics, topic_of
from foxtrot_workers.exchanges.hyperliquid.constants import (
    ADOPTED_MAX,
    BOOK_CHANNELS,
    CHANNELS,
    CONTEXT_CHANNELS,
    FACTS,
    FAST_BOOK_KIND,
    GREETING,
    KINDS,
    LIMITS,
    URL,
)
from foxtrot_workers.exchanges.hyperliquid.instruments import instrument_of, is_possible_symbol
from foxtrot_workers.exchanges.hyperliquid.messages import (
    OtherMessage,
    decode_name,
    decode_names,
    decode_other,
    decode_text,
)
from foxtrot_workers.exchanges.hyperliquid.parsers import Channels, context_wire, make_parser
from foxtrot_workers.exchanges.hyperliquid.requests import Requests, topic_name

__all__ = ["Hyperliquid"]

_BEGINNING = re.compile(
    rb'\s*\{\s*"channel"\s*:\s*"[A-Za-z0-9]+"\s*,\s*"data"\s*:\s*(?:\[\s*)?\{\s*"coin"\s*:\s*"[^"\\]+'
)
"""How a frame begins whose beginning, up to the end of its coin, names its topic."""

_COIN = b'"coin":"'
_COIN_LENGTH = len(_COIN)


class Hyperliquid(Adapter):
    """``exchange = "hyperliquid"``: perpetuals (``BTC``), those of builders (``xyz:TSLA``), spot (``PURR/USDC``)."""

    name: ClassVar[str] = "hyperliquid"
    exchange: ClassVar[str] = "HYPERLIQUID"
    channels: ClassVar[frozenset[str]] = frozenset(CHANNELS)
    url: ClassVar[str] = URL
    symbols_have_dashes: ClassVar[bool] = False
    rest_url: ClassVar[str] = "https://api.hyperliquid.xyz"
    hosts: ClassVar[frozenset[str]] = frozenset({"hyperliquid.xyz", "hyperliquid-testnet.xyz"})
    limits: ClassVar[Limits] = LIMITS
    facts: ClassVar[VenueFacts | None] = FACTS
    identities: ClassVar[Mapping[str, IdentityRule]] = {
        EVENT_MARKET_TRADE: "unique",
        EVENT_BBO: "latest",
        EVENT_BOOK: "latest",  # every message is a full book
        EVENT_TICKER: "latest",
        EVENT_BAR: "latest",
        EVENT_FUNDING: "latest",
        EVENT_MARK_PRICE: "latest",
        EVENT_OPEN_INTEREST: "latest",
    }

    def __init__(self, *, adopt: bool = False) -> None:
        super().__init__(adopt=adopt)
        self._requests = Requests()
        self._shared = SharedTopics()
        self._channels: dict[str, Channels] = {}
        """By topic: the channels that are subscribed; they matter for contexts of assets."""
        self._routes = RouteTable()
        self._by_beginning = self._routes.by_key

    # -- topics and requests

    def topics(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Topic]:
        """Raises ValueError for an unknown channel, an impossible symbol, or channels that exclude each other."""
        unknown = [channel for channel in channels if channel not in CHANNELS]
        if unknown:
            raise ValueError(f"{self.name} has no channel {unknown[0]!r}")
        if BOOK_CHANNELS.issubset(channels):
            raise ValueError(f"only one of {', '.join(sorted(BOOK_CHANNELS))} fits one connection")
        topics: dict[str, Topic] = {}
        for symbol in self.canonical(symbols):
            if not is_possible_symbol(symbol):
                raise ValueError(f"{symbol!r} cannot be a coin of {self.name}")
            for channel in channels:
                wire = topic_name(CHANNELS[channel], symbol)
                if channel in CONTEXT_CHANNELS:
                    wire = context_wire(wire, channel)
                topics.setdefault(wire, Topic(channel, symbol, wire))
        return list(topics.values())

    def address(self, base: str) -> str:
        """Return `base`, with the exchange's path if it has none."""
        parts = urlsplit(base)
        return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/") or "/ws", parts.query, ""))

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        names = self._shared.subscribe(topic.wire for topic in topics)
        for name in names:
            self._note_channels(name)
            if name not in self._routes:
                self._open(name)
        return self._requests.subscribe(names)

    def unsubscribe(self, topics: Sequence[Topic]) -> list[str]:
        names, ended = self._shared.unsubscribe(topic.wire for topic in topics)
        if ended:
            self.notices.append(Acknowledged(tuple(ended), subscribed=False))
        for wire in ended:
            self._note_channels(topic_of(wire))
            self.last_data_ns.pop(wire, None)
        return self._requests.unsubscribe(names)

    def _note_channels(self, name: str) -> None:
        """Tell the parser of a context which of its channels are subscribed."""
        wanted = frozenset(channel or "ticker" for channel in self._shared.channels(name))
        self._channels.setdefault(name, Channels(wanted)).wanted = wanted

    # -- frames

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        try:
            coin = frame.find(_COIN, 0, 64)
            parser = self._by_beginning.get(frame[: frame.find(b'"', coin + _COIN_LENGTH)]) if coin > 0 else None
            if parser is None:
                self._parse_other(frame, receive_ns, out)
            else:
                parser(frame, receive_ns, out)
        except (RecursionError, UnicodeDecodeError) as error:
            raise msgspec.DecodeError(str(error)) from None

    def _parse_other(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        if frame == GREETING:
            return
        other = decode_other(frame)
        if other.channel == "pong":
            self.notices.append(Pong())
        elif other.data is UNSET:
            if not other.coin or other.levels is UNSET:
                raise UnrecognizedFrame(other.channel or "message without channel")
            # a book without the frame around it, as REST sends it
            self._parse_other(b'{"channel":"l2Book","data":%b}' % frame, receive_ns, out)
        elif other.channel == "subscriptionResponse":
            notice = self._requests.take_response(other.data)
            if notice is not None:
                self._acknowledge(notice)
        elif other.channel == "error":
            self._take_error(decode_text(other.data))
        else:
            self._parse_data(other, frame, receive_ns, out)

    def _parse_data(self, other: OtherMessage, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        name = self._topic_of(other)
        if name is None:  # a list without rows
            return
        parser = self._routes.get(name)
        if parser is None and self.adopt and len(self._routes) < ADOPTED_MAX:
            parser = self._open(name)
        if parser is None:
            raise UnrecognizedFrame(other.channel)
        coin = frame.find(_COIN, 0, 64)
        beginning = frame[: frame.find(b'"', coin + _COIN_LENGTH)] if coin > 0 else b""
        if _BEGINNING.fullmatch(beginning):
            self._routes.learn(beginning, name)
        parser(frame, receive_ns, out)

    def _topic_of(self, other: OtherMessage) -> str | None:
        """Return the topic of a data frame; None for a list without rows."""
        data = bytes(other.data) if other.data is not UNSET else b""
        if data[:1] == b"[":
            rows = decode_names(data)
            return topic_name(other.channel, rows[0].coin) if rows else None
        if data[:1] != b"{":
            raise UnrecognizedFrame(other.channel)
        named = decode_name(data)
        if other.channel == "candle":
            return topic_name(f"candle.{named.interval}", named.candle_coin)
        kind = KINDS.get(other.channel, other.channel)
        if kind == "l2Book" and named.fast:
            kind = FAST_BOOK_KIND
        return topic_name(kind, named.coin)

    def _take_error(self, text: str) -> None:
        notice = self._requests.take_error(text)
        if isinstance(notice, Acknowledged):
            self._acknowledge(notice)
        elif notice is not None:
            self.notices.append(msgspec.structs.replace(notice, wires=self._wires(notice.wires)))

    def _acknowledge(self, notice: Acknowledged) -> None:
        wires = self._wires(notice.wires)
        if not notice.subscribed:
            for name in notice.wires:
                self._routes.remove(name)
                self._channels.pop(name, None)
                self._shared.remove(name)
            for wire in wires:
                self.last_data_ns.pop(wire, None)
        self.notices.append(msgspec.structs.replace(notice, wires=wires))

    def _wires(self, names: Sequence[str]) -> tuple[str, ...]:
        return tuple(wire for name in names for wire in self._shared.wires(name) or (name,))

    def _open(self, name: str) -> Parser | None:
        """Accept frames of the topic `name` from now on; None if it cannot be one."""
        channels = self._channels.setdefault(name, Channels(CONTEXT_CHANNELS if self.adopt else frozenset()))
        parser = make_parser(self, name, channels)
        if parser is not None:
            self._routes.add(name, parser)
        return parser

    # -- REST

    def resync(self, topics: Sequence[Topic]) -> list[Topic]:
        return []  # every message is a full book

    def instrument(self, symbol: str) -> str:
        """The name itself says base and quote, but for ``@107`` and ``#12``."""
        return instrument_of(symbol)
