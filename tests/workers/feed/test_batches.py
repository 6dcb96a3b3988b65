"""Batches of both kinds: lists of events, and built ones."""

from __future__ import annotations

import msgspec
import pytest

from foxtrot_protocol.codec import BATCH_BYTES_MAX, BatchEncoder, batch_decoder
from foxtrot_protocol.errors import MessageTooLarge
from foxtrot_protocol.events import BookDelta, FeedStatus, Gap, MarketEvent, Quote, Trade
from foxtrot_protocol.stream_ranges import bounds_of
from foxtrot_workers.feed.batches import Batch, EitherEncoder, events_of
from tests.workers.templates.both_forms import native, needs_compiled

RULES = {"eBook.": "update_ids"}


def trade(number: int, symbol: str = "S", *, trade_id: str | None = None, backfilled: bool = False) -> Trade[str]:
    identifier = str(number) if trade_id is None else trade_id
    return Trade("X", symbol, number, 2, "1.5", "2", "buy", identifier, backfilled=backfilled)


def delta(first: int, last: int) -> BookDelta[str]:
    return BookDelta("X", "S", 1, 2, [("1", "2")] * 20, [], str(first), str(last), None)


def built(events: list[MarketEvent[str]], book_step: int = 1) -> Batch:
    module = native()
    assert module is not None
    builder = module.BatchBuilder(msgspec.msgpack.Encoder().encode, bounds_of, book_step)
    for event in events:
        builder.add(event)
    assert len(builder) == len(events)
    batch: Batch = builder.take()
    assert len(builder) == 0
    return batch


def test_a_list_is_encoded_as_ever() -> None:
    events: list[MarketEvent[str]] = [trade(1), trade(2)]
    assert events_of(events) is events
    encoder = EitherEncoder("w.a", 3, BATCH_BYTES_MAX)
    assert encoder.encode(7, 8, events) == BatchEncoder("w.a", 3).encode(7, 8, events)


@needs_compiled
@pytest.mark.parametrize(
    "events",
    [
        [],
        [trade(1)],
        [trade(number) for number in range(1, 20)],
        [trade(number) for number in range(300)],
        [trade(number, f"S{number % 3}") for number in range(100)],
        [trade(number, f"S{number % 3}") for number in range(70_000)],
        [trade(number, f"S{number}") for number in range(300)],
        [trade(number) for number in (1, 2, 3, 4, 6, 7, 8, 8, 9, 10)],
        [trade(number, backfilled=number == 5) for number in range(1, 12)],
        [trade(1, trade_id=text) for text in ("1", "02", "3", "4", "5", "6", "7", "8")],
        [trade(1, trade_id=text) for text in ("a", "2", "3", "4", "5", "6", "7", "8")],
        [trade(1, trade_id=str(2**62 - 9 + number)) for number in range(9)],
        [trade(1, trade_id=str(2**62 - 8 + number)) for number in range(9)],
        [delta(number, number) for number in range(1, 10)],
        [delta(2 * number, 2 * number + 1) for number in range(1, 10)],
        [delta(number, number + 1) for number in range(1, 10)],
        [delta(number + 3, number) for number in range(1, 10)],
        [Quote("X", "S", 1, 2, "1", "1", None, None, "") for _ in range(9)],
        [Gap("X", "S", 0, 2, "eBook.", None, None, 1, 2, "why" * 100) for _ in range(9)],
        [FeedStatus("X", "S", 0, 2, "t", "flowing", 0.5), *(trade(number) for number in range(20))],
    ],
    ids=lambda events: f"{len(events)}",
)
@pytest.mark.parametrize("rule", ["update_ids", "chained", "one_side"])
def test_a_built_batch_is_what_the_encoder_makes(events: list[MarketEvent[str]], rule: str) -> None:
    step = {"update_ids": 1, "chained": 0}.get(rule, -1)
    batch = built(events, step)
    assert len(batch) == len(events)
    assert events_of(batch) == events
    data = EitherEncoder("w.a", 3, BATCH_BYTES_MAX * 2).encode(2**40, 2**60, batch)
    reference = BatchEncoder("w.a", 3, BATCH_BYTES_MAX * 2, rules={"eBook.": rule})
    assert data == reference.encode(2**40, 2**60, events)


@needs_compiled
def test_a_batch_after_another_begins_its_ranges_afresh() -> None:
    module = native()
    assert module is not None
    builder = module.BatchBuilder(msgspec.msgpack.Encoder().encode, bounds_of, 1)
    encoder, reference = EitherEncoder("w", 1, BATCH_BYTES_MAX), BatchEncoder("w", 1, rules=RULES)
    for start in (1, 50, 20):
        events = [trade(number, f"S{number % 2}") for number in range(start, start + 20)]
        for event in events:
            builder.add(event)
        assert encoder.encode(1, 2, builder.take()) == reference.encode(1, 2, events)


@needs_compiled
def test_a_built_batch_may_be_too_large() -> None:
    batch = built([trade(number) for number in range(20)])
    size = len(EitherEncoder("w", 1, BATCH_BYTES_MAX).encode(1, 2, batch))
    assert len(EitherEncoder("w", 1, size).encode(1, 2, batch)) == size
    with pytest.raises(MessageTooLarge):
        EitherEncoder("w", 1, size - 1).encode(1, 2, batch)


@needs_compiled
def test_a_built_batch_can_be_decoded_by_the_engine() -> None:
    events: list[MarketEvent[str]] = [trade(number) for number in range(20)]
    batch = batch_decoder("text").decode(EitherEncoder("w", 1, BATCH_BYTES_MAX).encode(1, 2, built(events)))
    assert (batch.worker, batch.incarnation, batch.sequence, batch.publish_ns) == ("w", 1, 1, 2)
    assert batch.events == events
