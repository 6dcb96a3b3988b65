"""Checks of frames: repeated, out of order, truncated, damaged, and varied. Pure."""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any

import msgspec

from foxtrot_protocol.events import (
    EVENT_BOOK,
    EVENT_MARKET_TRADE,
    BookDelta,
    BookSnapshot,
    Gap,
    MarketEvent,
    Trade,
)
from foxtrot_workers.adapter import Adapter, UnrecognizedFrame
from foxtrot_workers.testing.samples import (
    RECEIVE_NS,
    AdapterSample,
    NotConforming,
    feed_anything,
    feed_before,
    require,
    short,
    subscribed,
    topic_of,
)
from foxtrot_workers.testing.variations import DAMAGES_PER_FRAME, Variation, damaged, truncations, variations

__all__ = ["check_damage", "check_order", "check_repetition", "check_staleness", "check_variations"]

_SECOND_NS = 1_000_000_000
_TIMES = ("exchange_ns", "receive_ns", "publish_ns", "start_ns", "next_ns", "checksum", "count")
"""Fields that are no numbers of the exchange's text, or not compared with it."""

_DIGITS = 100
"""Digits with which numbers are compared: more than any has."""


def check_repetition(adapter_class: type[Adapter], sample: AdapterSample) -> None:
    """Check that a frame gives the same events on every connection, and that copies can be recognized."""
    one, other = subscribed(adapter_class, sample), subscribed(adapter_class, sample)
    first = feed_anything(one, sample.frame)
    require(
        first == feed_anything(other, sample.frame),
        f"two connections make different events of {short(sample.frame)}",
    )
    again = feed_anything(one, sample.frame)
    require(again == feed_anything(other, sample.frame), f"a repeated frame is read in two ways: {short(sample.frame)}")
    known = {event.trade_id for event in first if isinstance(event, Trade)}
    for event in again:
        if isinstance(event, Trade):
            require(event.trade_id in known, f"a repeated trade has another identifier: {short(sample.frame)}")
        elif not isinstance(event, Gap | BookSnapshot | BookDelta):
            require(event in first, f"a repeated frame makes another event: {event}")
    _check_identities(one, sample, first)


def _check_identities(adapter: Adapter, sample: AdapterSample, events: Sequence[MarketEvent[str]]) -> None:
    """Check that events have the identifiers that their rules need."""
    rules = adapter.identity_rules([sample.channel])
    for event in events:
        if isinstance(event, Trade):
            rule = rules[EVENT_MARKET_TRADE]
            require(
                rule not in ("sequence", "increasing") or (event.trade_id.isascii() and event.trade_id.isdigit()),
                f"rule {rule} needs whole numbers, a trade has {event.trade_id!r}",
            )
            require(rule != "unique" or bool(event.trade_id), "rule unique needs identifiers, a trade has none")
        elif isinstance(event, BookDelta) and rules[EVENT_BOOK] in ("update_ids", "chained"):
            require(
                None not in (event.first_id, event.last_id),
                f"rule {rules[EVENT_BOOK]} needs first_id and last_id of a book update",
            )


def check_order(adapter_class: type[Adapter], samples: Sequence[AdapterSample], rng: random.Random) -> None:
    """Check that frames of all channels may come in any order, to a connection that adopts them."""
    for _ in range(5):
        frames = [frame for sample in samples for frame in (*sample.before, sample.frame, sample.frame)]
        rng.shuffle(frames)
        adapter = adapter_class(adopt=True)
        for frame in frames:
            feed_anything(adapter, frame)


def check_staleness(adapter_class: type[Adapter], sample: AdapterSample) -> None:
    """Check that each data frame, and nothing else, moves the time by which a topic is judged."""
    times_s = adapter_class.limits.stale_channel_s.values()
    require(all(seconds > 0 for seconds in times_s), "limits.stale_channel_s: a time is not positive")
    adapter = subscribed(adapter_class, sample)
    wire = topic_of(adapter_class(), sample).wire
    before = max(adapter.last_data_ns.get(wire, 0), adapter.held_ns.get(wire, 0))
    require(before == 0, f"the topic of {sample.channel} has data before any came")
    for receive_ns in (RECEIVE_NS, RECEIVE_NS + _SECOND_NS):
        out: list[MarketEvent[str]] = []
        adapter.parse(sample.frame, receive_ns, out)
        seen = max(adapter.last_data_ns.get(wire, 0), adapter.held_ns.get(wire, 0))
        gone = any(isinstance(event, Gap) for event in out)  # a repeated update may break its book
        require(seen == receive_ns or gone, f"a frame of {sample.channel} does not move last_data_ns or held_ns")


def check_damage(adapter_class: type[Adapter], sample: AdapterSample, rng: random.Random) -> None:
    """Check truncated and damaged frames: they raise only what is permitted, and leave the adapter usable."""
    adapter, adopting = subscribed(adapter_class, sample), adapter_class(adopt=True)
    feed_before(adopting, sample)
    for part in truncations(sample.frame, rng):
        for each in (adapter, adopting):
            events = feed_anything(each, part)
            require(not events, f"a truncated frame makes events: {short(part)}")
    for _ in range(DAMAGES_PER_FRAME):
        frame = damaged(sample.frame, rng)
        feed_anything(adapter, frame)
        feed_anything(adopting, frame)
    # still usable: a book that a damaged frame broke may wait for a snapshot, all else continues
    adapter.parse(sample.frame, RECEIVE_NS, [])


def check_variations(adapter_class: type[Adapter], sample: AdapterSample, rng: random.Random) -> None:
    """Check what other instruments and other days may bring (`variations`)."""
    usual = feed_anything(subscribed(adapter_class, sample), sample.frame)
    for variation in variations(sample.frame, rng):
        adapter = subscribed(adapter_class, sample)
        events = feed_anything(adapter, variation.frame)
        try:
            adapter.parse(sample.frame, RECEIVE_NS, [])
        except (msgspec.DecodeError, UnrecognizedFrame) as error:
            raise NotConforming(f"not usable after {variation.kind} in {short(variation.frame)}: {error}") from error
        if variation.kind == "unknown field":
            require(events == usual, f"an unknown field changes the events: {short(variation.frame)}")
        elif variation.kind in ("exponent", "more digits") and len(events) == len(usual):
            once = sample.frame.count(variation.was.encode()) == 1
            for event, before in zip(events, usual, strict=True):
                _check_numbers(variation, event, before, once=once)
        elif variation.kind == "huge number":
            _check_identifiers(variation, events, usual)


def _check_numbers(variation: Variation, event: MarketEvent[str], before: MarketEvent[str], *, once: bool) -> None:
    """Check that each number of `event` is what it was, or what the variation made of it, to the last digit.

    `once`: the number that was varied is nowhere else in the frame.
    """
    if type(event) is not type(before):
        return
    was, now = Decimal(variation.was), Decimal(variation.now)
    numbers, usual = _numbers(event), _numbers(before)
    with localcontext() as context:
        context.prec = _DIGITS
        for number, other in zip(numbers, usual, strict=False):
            require(
                number in (other, now) or number - other == now - was,
                f"{variation.kind}: {variation.now} became {number}: {short(variation.frame)}",
            )
    kept = variation.kind != "more digits" or not once or was not in usual or now in numbers
    require(kept, f"{variation.now} has lost digits, in a binary float? {short(variation.frame)}")


def _numbers(event: MarketEvent[str]) -> list[Decimal]:
    """Return all numbers of an event that are text."""
    found: list[Decimal] = []
    values: list[Any] = [
        value for name, value in msgspec.structs.asdict(event).items() if name not in _TIMES and not name.endswith("id")
    ]
    while values:
        value = values.pop(0)
        if isinstance(value, list | tuple):
            values[:0] = value
        elif isinstance(value, str):
            try:
                found.append(Decimal(value))
            except InvalidOperation:
                continue
    return found


def _check_identifiers(
    variation: Variation, events: Sequence[MarketEvent[str]], usual: Sequence[MarketEvent[str]]
) -> None:
    known = {event.trade_id for event in usual if isinstance(event, Trade)}
    for event in events:
        if isinstance(event, Trade) and variation.was in known:
            require(
                event.trade_id in known or variation.now in event.trade_id,
                f"the identifier {variation.now} became {event.trade_id}",
            )
