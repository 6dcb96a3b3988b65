"""Samples for the conformance suite, and what its checks share. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import msgspec
from msgspec import Struct

from foxtrot_protocol.codec import BatchEncoder, batch_decoder
from foxtrot_protocol.events import MarketEvent
from foxtrot_workers.adapter import Adapter, Notice, Topic, UnrecognizedFrame

__all__ = [
    "NESTING",
    "RECEIVE_NS",
    "AdapterSample",
    "BackfillSample",
    "NotConforming",
    "check_events",
    "feed_anything",
    "feed_before",
    "require",
    "short",
    "subscribed",
    "topic_of",
]

RECEIVE_NS = 1_700_000_000_000_000_000

NESTING = 100_000


class NotConforming(AssertionError):
    """The adapter breaks the contract of `foxtrot_workers.adapter`; the text names the rule."""


class AdapterSample(Struct, frozen=True):
    """A frame of `channel` for `symbol`, and the least number of events it makes on a new connection.

    `distinct`: False where frames do not say that they are of this channel, so that replay reads them as another's.
    `before`: frames that come before it and make no events, such as the acknowledgement that gives a channel a number.
    """

    channel: str
    symbol: str
    frame: bytes
    events: int = 1
    distinct: bool = True
    before: tuple[bytes, ...] = ()


class BackfillSample(Struct, frozen=True):
    """The answer to the first request for the trades `first_id` to `last_id`; it must contain all of them."""

    channel: str
    symbol: str
    first_id: int
    last_id: int
    body: bytes


def feed_anything(adapter: Adapter, frame: bytes) -> list[MarketEvent[str]]:
    """Feed `frame`, any bytes; return its events, which can all be sent.

    The adapter may refuse the frame with the errors of the contract, and must then have made no events.

    Raises:
        NotConforming: it raised another error, or made an event or a notice that is not allowed.
    """
    out: list[MarketEvent[str]] = []
    try:
        adapter.parse(frame, RECEIVE_NS, out)
    except (msgspec.DecodeError, UnrecognizedFrame):
        require(not out, f"a frame that was refused has made events: {short(frame)}")
    except Exception as error:
        raise NotConforming(f"parse raised {type(error).__name__} ({error}) for {short(frame)}") from error
    check_events(adapter, out)
    for notice in adapter.notices:
        require(isinstance(notice, get_args(Notice)), f"{notice!r} is not a notice")
    adapter.notices.clear()
    return out


def feed_before(adapter: Adapter, sample: AdapterSample) -> None:
    """Feed the frames that come before the sample; they must make no events."""
    for frame in sample.before:
        require(not feed_anything(adapter, frame), f"a frame before the sample makes events: {short(frame)}")


def check_events(adapter: Adapter, events: Sequence[MarketEvent[str]]) -> None:
    """Check that events are of this exchange, were received now, and can be sent."""
    for event in events:
        require(event.exchange == adapter.exchange, f"event of exchange {event.exchange!r}")
        require(event.receive_ns == RECEIVE_NS, "receive_ns is not the argument of parse")
        require(0 <= event.exchange_ns < 2**63, f"exchange_ns {event.exchange_ns} is out of range")
    try:
        data = BatchEncoder("worker.a", 1).encode(1, 0, events)
        same = batch_decoder("text").decode(data).events == list(events)
    except Exception as error:
        raise NotConforming(f"events cannot be sent: {type(error).__name__}: {error}") from error
    require(same, "events differ after encoding and decoding")


def topic_of(adapter: Adapter, sample: AdapterSample) -> Topic:
    """Return the topic of `sample`."""
    return adapter.topics([sample.channel], [sample.symbol])[0]


def subscribed(adapter_class: type[Adapter], sample: AdapterSample) -> Adapter:
    """Return an adapter that is subscribed to the topic of `sample`, as it is before the sample comes."""
    adapter = adapter_class()
    adapter.subscribe([topic_of(adapter, sample)])
    feed_before(adapter, sample)
    return adapter


def require(condition: bool, reason: str) -> None:
    """Raise `NotConforming` with `reason` unless `condition` holds."""
    if not condition:
        raise NotConforming(reason)


def short(frame: bytes) -> str:
    """Return the beginning of a frame, for messages."""
    return repr(frame[:200])
