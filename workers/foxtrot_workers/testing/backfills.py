"""Checks of past trades: their requests, their answers, and how gaps are filled from them. Pure."""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec

from foxtrot_protocol.commands import Backfill
from foxtrot_protocol.events import EVENT_MARKET_TRADE, Trade
from foxtrot_workers.adapter import Adapter, RestRequest, Topic
from foxtrot_workers.feed.backfill import Backfiller, CommitPart
from foxtrot_workers.testing.samples import (
    NESTING,
    RECEIVE_NS,
    AdapterSample,
    BackfillSample,
    NotConforming,
    check_events,
    require,
    short,
    topic_of,
)
from foxtrot_workers.testing.variations import DAMAGES_PER_FRAME, damaged

__all__ = ["check_backfill", "check_backfill_samples"]

HOSTILE_HISTORIES = (
    b"",
    b"{}",
    b"[]",
    b"null",
    b"\xff",
    b"[" * NESTING,
    b'{"unknown":' + b"[" * NESTING,  # a field that a decoder skips is nested without end
    b'[{"unknown":' + b"[" * NESTING,
    b'[{"id":{}}]',
    b'{"data":[[]]}',
)


def check_backfill_samples(
    adapter_class: type[Adapter], samples: Sequence[AdapterSample], backfills: Sequence[BackfillSample]
) -> None:
    """Check that each channel whose past trades can be fetched has a sample, and needs a subscription."""
    sampled = {backfill.channel for backfill in backfills}
    for sample in samples:
        adapter = adapter_class()
        topic = topic_of(adapter, sample)
        asked = adapter.backfill_page(topic.symbol, EVENT_MARKET_TRADE, 1, 2, RECEIVE_NS, RECEIVE_NS)
        require(asked is None, f"past trades of {topic.symbol} are requested without a subscription")
        adapter.subscribe([topic])
        asked = adapter.backfill_page(topic.symbol, EVENT_MARKET_TRADE, 1, 2, RECEIVE_NS, RECEIVE_NS)
        require(asked is None or sample.channel in sampled, f"no BackfillSample for the channel {sample.channel}")


def check_backfill(adapter_class: type[Adapter], sample: BackfillSample, rng: random.Random) -> None:
    """Check the request for past trades, its answer, and the gap that is filled from it."""
    adapter = adapter_class()
    topic = adapter.topics([sample.channel], [sample.symbol])[0]
    adapter.subscribe([topic])
    rule = adapter.identities.get(EVENT_MARKET_TRADE)
    require(rule in ("sequence", "increasing"), f"identities name {rule!r} for trades: no gap in them would be found")
    request = _past_request(adapter, topic, sample.first_id, sample.last_id)
    require(request.path.startswith("/") and request.weight >= 1, f"{request} is not a usable request")
    require(
        request == _past_request(adapter, topic, sample.first_id, sample.last_id),
        "the same trades are requested in two ways",
    )
    others = [
        _past_request(adapter, topic, 1, 1, RECEIVE_NS - 86_400 * 10**9),
        _past_request(adapter, topic, 2**63, 2**63 + 10**6, RECEIVE_NS + 86_400 * 10**9),
    ]
    paths = {request.path, *(other.path for other in others)}
    if adapter.backfill_order == "newest":
        require(len(paths) == 1, "the newest trades are requested in several ways")
    else:
        require(len(paths) == 3, "different trades are requested in the same way")
    trades = _past_trades(adapter, request.path, sample.body)
    require(bool(trades), f"no past trades in {short(sample.body)}")
    wanted = sample.last_id - sample.first_id + 1
    backfiller = Backfiller(adapter, "conformance", 1)
    bounds = str(sample.first_id), str(sample.last_id)
    command = Backfill(1, topic.symbol, EVENT_MARKET_TRADE, *bounds, RECEIVE_NS, RECEIVE_NS)
    backfiller.ask(command, 0.0)
    effects = backfiller.answered(request.path, 200, sample.body, RECEIVE_NS, 0.0)
    events = [event for effect in effects if isinstance(effect, CommitPart) for event in effect.events]
    found = sum(isinstance(event, Trade) for event in events)
    require(
        found == wanted if rule == "sequence" else 0 < found <= wanted,
        f"{found} of {wanted} past trades: {effects[-1]}",
    )
    for body in HOSTILE_HISTORIES:
        _past_trades(adapter, request.path, body)
    for _ in range(DAMAGES_PER_FRAME):
        _past_trades(adapter, request.path, damaged(sample.body, rng))


def _past_request(
    adapter: Adapter, topic: Topic, first_id: int, last_id: int, time_ns: int = RECEIVE_NS
) -> RestRequest:
    request = adapter.backfill_page(topic.symbol, EVENT_MARKET_TRADE, first_id, last_id, time_ns, time_ns)
    if request is None:
        raise NotConforming(f"backfill_request is None for trades {first_id} to {last_id} of {topic.wire}")
    return request


def _past_trades(adapter: Adapter, path: str, body: bytes) -> list[Trade[str]]:
    """Return the trades that the adapter reads from any `body`; [] if it refuses it with an error of the contract."""
    try:
        trades = adapter.on_backfill(path, body, RECEIVE_NS)
    except (msgspec.DecodeError, ValueError):
        return []
    except Exception as error:
        raise NotConforming(f"on_backfill raised {type(error).__name__} ({error}) for {short(body)}") from error
    require(all(isinstance(trade, Trade) for trade in trades), "on_backfill returns events that are not trades")
    check_events(adapter, trades)
    return trades
