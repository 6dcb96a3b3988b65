"""Bitfinex. Documents: Bitfinex API v2, "Public Channels" and "General".

Data frames are arrays that begin with the number of their channel, which the acknowledgement of its subscription gives.
All arrays of a connection share one sequence; where it leaps, every channel may have missed something.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec

from foxtrot_protocol.events import (
    EVENT_BAR,
    EVENT_BOOK,
    EVENT_FUNDING,
    EVENT_LIQUIDATION,
    EVENT_MARK_PRICE,
    EVENT_MARKET_TRADE,
    EVENT_OPEN_INTEREST,
    EVENT_TICKER,
    Gap,
    MarketEvent,
    Trade,
)
from foxtrot_protocol.identity import IdentityRule
from foxtrot_workers.adapter import (
    Acknowledged,
    Adapter,
    BackfillOrder,
    CloseAnnounced,
    Limits,
    Pong,
    RestRequest,
    SendText,
    Topic,
    UnrecognizedFrame,
    VenueFacts,
)
from foxtrot_workers.adapter.chained_book import ChainedBook
from foxtrot_workers.adapter.shared_topics import SharedTopics, shared_wire, topic_of
from foxtrot_workers.exchanges.bitfinex.constants import (
    ADOPTED_MAX,
    ALREADY_SUBSCRIBED,
    BOOK_CHANNELS,
    BOOK_LENGTHS,
    CLOSE_CODES,
    DERIVATIVE_CHANNELS,
    FACTS,
    INTERVALS,
    LIMITS,
    LIQUIDATION_TOPIC,
    OTHER_CHANNELS,
)
from foxtrot_workers.exchanges.bitfinex.history import history_request, parse_history
from foxtrot_workers.exchanges.bitfinex.instruments import (
    instrument_of,
    instruments_path,
    is_derivative,
    is_possible_symbol,
    parse_instruments,
)
from foxtrot_workers.exchanges.bitfinex.liveness import liveness_request, liveness_token
from foxtrot_workers.exchanges.bitfinex.messages import (
    ChannelMessage,
    EventMessage,
    channel_message,
    decode_array,
    decode_event,
)
from foxtrot_workers.exchanges.bitfinex.parsers import make_parser, symbol_of
from foxtrot_workers.exchanges.bitfinex.requests import (
    Requests,
    opening_text,
    refusal_of,
    topic_of_message,
)
from foxtrot_workers.exchanges.bitfinex.routes import Routes
from foxtrot_workers.exchanges.bitfinex.routes import Sequence as FrameSequence

__all__ = ["Bitfinex"]


class Bitfinex(Adapter):
    """``exchange = "bitfinex"``: spot pairs and perpetual contracts."""

    name: ClassVar[str] = "bitfinex"
    exchange: ClassVar[str] = "BITFINEX"
    channels: ClassVar[frozenset[str]] = frozenset({*OTHER_CHANNELS, *BOOK_CHANNELS, *DERIVATIVE_CHANNELS})
    url: ClassVar[str] = "wss://api-pub.bitfinex.com/ws/2"
    symbols_have_dashes: ClassVar[bool] = False
    rest_url: ClassVar[str] = "https://api-pub.bitfinex.com"
    hosts: ClassVar[frozenset[str]] = frozenset({"bitfinex.com"})
    limits: ClassVar[Limits] = LIMITS
    facts: ClassVar[VenueFacts | None] = FACTS
    identities: ClassVar[Mapping[str, IdentityRule]] = {
        EVENT_MARKET_TRADE: "increasing",  # ids count the trades of all pairs
        EVENT_BOOK: "one_side",  # updates have a sequence of their connection only
        EVENT_TICKER: "latest",
        EVENT_BAR: "latest",
        EVENT_FUNDING: "latest",
        EVENT_MARK_PRICE: "latest",
        EVENT_OPEN_INTEREST: "latest",
        EVENT_LIQUIDATION: "content",
    }
    backfill_order: ClassVar[BackfillOrder] = "newest"

    def __init__(self, *, adopt: bool = False) -> None:
        super().__init__(adopt=adopt)
        self._shared = SharedTopics()
        self._requests = Requests()
        self._routes = Routes()
        self._by_number = self._routes.by_number
        self._sequence = FrameSequence()
        self._books: dict[str, ChainedBook] = {}
        self._announced: list[MarketEvent[str]] = []
        """Gaps that are published with the next frame that is not refused."""

    # -- topics and requests

    def topics(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Topic]:
        """Raises ValueError for an unknown channel, an impossible symbol, or channels that exclude each other."""
        unknown = [channel for channel in channels if channel not in self.channels]
        if unknown:
            raise ValueError(f"{self.name} has no channel {unknown[0]!r}")
        if len(BOOK_CHANNELS.intersection(channels)) > 1:
            raise ValueError(f"only one of {', '.join(sorted(BOOK_CHANNELS))} fits one connection")
        topics: dict[str, Topic] = {}
        for symbol in self.canonical(symbols):
            if not is_possible_symbol(symbol):
                raise ValueError(f"{symbol!r} cannot be a symbol of {self.name}: they are like tBTCUSD, tBTCF0:USTF0")
            for channel in channels:
                wire = _wire_of(channel, symbol)
                topics.setdefault(wire, Topic(channel, symbol, wire))
        return list(topics.values())

    def address(self, base: str) -> str:
        return base

    def opening(self) -> list[str]:
        return [opening_text()]

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        names = self._shared.subscribe(topic.wire for topic in topics)
        for name in names:
            if name not in self._routes or name.startswith("status:"):
                self._open(name)
        return self._requests.subscribe(names)

    def unsubscribe(self, topics: Sequence[Topic]) -> list[str]:
        names, ended = self._shared.unsubscribe(topic.wire for topic in topics)
        if ended:
            self._forget(ended)
            self.notices.append(Acknowledged(tuple(ended), subscribed=False))
            for name in dict.fromkeys(map(topic_of, ended)):
                self._open(name)
        return self._requests.unsubscribe(names)

    # -- frames

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        try:
            if frame[:1] == b"[":
                self._take_message(channel_message(decode_array(frame)), receive_ns, out)
            else:
                self._take_event(decode_event(frame))
        except (RecursionError, UnicodeDecodeError) as error:
            raise msgspec.DecodeError(str(error)) from None

    def _take_message(self, message: ChannelMessage, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        missing = self._sequence.missing(message.sequence)
        parser = self._by_number.get(message.number)
        if parser is None and message.kind != "hb":  # which may come before its channel has a topic
            if not missing:  # a leap is announced by the next frame of a known channel
                self._sequence.take(message.sequence)
            raise UnrecognizedFrame(f"message of channel {message.number}")
        if missing and not self._announced:
            self._announce(missing, message, receive_ns)
        events: list[MarketEvent[str]] = []
        if parser is not None and message.kind != "hb":
            parser(message, receive_ns, events)
        if self._announced:
            out.extend(self._announced)
            self._announced.clear()
        out.extend(events)
        self._sequence.take(message.sequence)

    def _announce(self, missing: str, message: ChannelMessage, receive_ns: int) -> None:
        """Announce that any channel may have missed something, and resynchronize the books."""
        out = self._announced
        for topic in self._routes.topics():
            book = self._books.get(topic)
            if book is not None:
                book.lose(missing, message.time_ns, receive_ns, out, self.notices)
            elif topic.startswith("trades:"):
                symbol, stream = symbol_of(topic), EVENT_MARKET_TRADE
                since_ns = self.last_data_ns.get(topic, 0)
                out.append(
                    Gap(
                        self.exchange,
                        symbol,
                        message.time_ns,
                        receive_ns,
                        stream,
                        None,
                        None,
                        since_ns,
                        receive_ns,
                        missing,
                    )
                )

    def _take_event(self, message: EventMessage) -> None:
        match message.event:
            case "subscribed":
                self._take_subscribed(message)
            case "unsubscribed":
                self._take_unsubscribed(message)
            case "error":
                self._take_error(message)
            case "info":
                if not message.code:  # the greeting of a connection, whose sequence begins with it
                    self._sequence = FrameSequence()
                elif message.code in CLOSE_CODES:
                    self.notices.append(CloseAnnounced(f"{message.code}: {message.text}"))
            case "pong":
                self.notices.append(Pong())
            case "conf":
                if message.status not in ("", "OK"):
                    raise UnrecognizedFrame(f"flags were not accepted: {message.status}")
            case event:
                raise UnrecognizedFrame(f"event {event}")

    def _take_subscribed(self, message: EventMessage) -> None:
        topic, number = topic_of_message(message), message.number
        if number is None:
            raise UnrecognizedFrame("acknowledgement without a channel number")
        if topic not in self._routes and self.adopt and len(self._routes) < ADOPTED_MAX:
            self._open(topic)
        if topic not in self._routes:
            raise UnrecognizedFrame(f"acknowledgement of {topic}")
        self._routes.number(number, topic)
        text = self._requests.subscribed(topic, number)
        if text:
            self.notices.append(SendText(text))
        else:
            self.notices.append(Acknowledged(self._shared.wires(topic) or (topic,)))

    def _take_unsubscribed(self, message: EventMessage) -> None:
        number = message.number
        topic = "" if number is None else self._routes.topic(number)
        if number is None or not topic:
            raise UnrecognizedFrame(f"end of channel {number}")
        self._routes.forget_number(number)
        if self._requests.unsubscribed(topic, number):
            self._routes.remove(topic)
            self._books.pop(topic, None)
            wires = self._shared.remove(topic)
            self._forget(wires)
            self.notices.append(Acknowledged(wires or (topic,), subscribed=False))

    def _take_error(self, message: EventMessage) -> None:
        topics, refused = refusal_of(message, self._routes.topics())
        wires = tuple(wire for topic in topics for wire in self._shared.wires(topic) or (topic,))
        if message.code == ALREADY_SUBSCRIBED and wires:
            self.notices.append(Acknowledged(wires))
        else:
            self.notices.append(msgspec.structs.replace(refused, wires=wires))

    def _forget(self, wires: Sequence[str]) -> None:
        for wire in wires:
            self.last_data_ns.pop(wire, None)
            self.held_ns.pop(wire, None)

    def _open(self, topic: str) -> None:
        """Accept messages of `topic` from now on, if it can be one."""
        parser = make_parser(self, topic, self._shared.channels(topic), self._books.__setitem__)
        if parser is not None:
            self._routes.add(topic, parser)

    # -- REST

    def resync(self, topics: Sequence[Topic]) -> list[Topic]:
        return [topic for topic in topics if topic.channel in BOOK_CHANNELS]

    def backfill_request(self, symbol: str, stream: str, first_id: int, last_id: int) -> RestRequest | None:
        if stream != EVENT_MARKET_TRADE or f"trades:{symbol}" not in self._routes:
            return None
        return history_request(symbol)

    def on_backfill(self, path: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
        return parse_history(self.exchange, path, body, receive_ns)

    def liveness_request(self, topic: Topic) -> RestRequest | None:
        return liveness_request(topic)

    def liveness_token(self, topic: Topic, body: bytes) -> str:
        return liveness_token(body)

    def instruments_path(self, symbols: Sequence[str]) -> str | None:
        return instruments_path(symbols)

    def instruments(self, body: bytes) -> dict[str, str]:
        return parse_instruments(body)

    def instrument(self, symbol: str) -> str:
        """The name itself says base, quote and kind."""
        return instrument_of(symbol)


def _wire_of(channel: str, symbol: str) -> str:
    """Return the wire name of a topic. Raises ValueError where the symbol has no such channel."""
    if channel in BOOK_CHANNELS:
        return f"book:{symbol}:P0:F0:{BOOK_LENGTHS[channel]}"
    if channel in DERIVATIVE_CHANNELS or channel == "liquidation":
        if not is_derivative(symbol):
            raise ValueError(f"{symbol!r} is no derivative: it has no {channel}")
        return (
            shared_wire(LIQUIDATION_TOPIC, symbol)
            if channel == "liquidation"
            else shared_wire(f"status:deriv:{symbol}", channel)
        )
    if channel.startswith("bar_"):
        return f"candles:trade:{INTERVALS[channel.removeprefix('bar_')]}:{symbol}"
    return f"{'trades' if channel == 'trade' else channel}:{symbol}"
