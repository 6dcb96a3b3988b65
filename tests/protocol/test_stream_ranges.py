"""What a batch says of its streams is true, and said only where it is worth it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from foxtrot_protocol import stream_ranges
from foxtrot_protocol.codec import BatchEncoder, batch_decoder
from foxtrot_protocol.events import EVENT_BOOK, BookDelta, BookSnapshot, Gap, Quote, Trade
from foxtrot_protocol.stream_ranges import EVENTS_PER_RANGE_MIN, IDENTIFIER_MAX, RANGES_MAX, StreamRange, StreamRanges


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_ranges, "EVENTS_PER_RANGE_MIN", 1)


def trade(number: int | str, symbol: str = "X", exchange: str = "E", *, backfilled: bool = False) -> Any:
    return Trade(exchange, symbol, 1, 2, "1", "1", "buy", str(number), backfilled=backfilled)


def quote(number: int | str) -> Any:
    return Quote("E", "X", 1, 2, "1", "1", "2", "1", str(number))


def delta(first: int | str | None, last: int | str | None) -> Any:
    first, last = (None if each is None else str(each) for each in (first, last))
    return BookDelta("E", "X", 1, 2, [], [], first, last, None)


def described(*events: Any, book: str = "update_ids") -> tuple[list[StreamRange], bytes | None]:
    found = StreamRanges({EVENT_BOOK: book}).describe(events)
    assert found is not None
    return found


NO_CLAIM = (None, None)


@pytest.mark.parametrize(
    ("events", "claim"),
    [
        ([trade(5), trade(6), trade(9)], (5, 9)),
        ([trade("007"), trade(8)], (7, 8)),
        ([trade(0)], (0, 0)),
        ([trade(5), trade(5)], NO_CLAIM),
        ([trade(6), trade(5), trade(7)], NO_CLAIM),
        ([trade(5), trade("x"), trade(7)], NO_CLAIM),
        ([trade("x"), trade(7)], NO_CLAIM),
        ([trade(""), trade(7)], NO_CLAIM),
        ([trade(-5), trade(7)], NO_CLAIM),
        ([trade(5), trade(IDENTIFIER_MAX)], NO_CLAIM),
        ([trade(IDENTIFIER_MAX - 1)], (IDENTIFIER_MAX - 1,) * 2),
        ([trade(IDENTIFIER_MAX)], NO_CLAIM),
        ([trade(5), trade(6, backfilled=True)], NO_CLAIM),
        ([trade(5, backfilled=True), trade(6)], NO_CLAIM),
        ([quote(5), quote(8)], (5, 8)),
        ([quote("")], NO_CLAIM),
        ([delta(5, 7), delta(8, 8)], (5, 8)),
        ([delta(5, 7), delta(9, 9)], NO_CLAIM),
        ([delta(5, 7), delta(7, 9)], NO_CLAIM),
        ([delta(5, 4)], NO_CLAIM),
        ([delta(None, 4)], NO_CLAIM),
        ([delta(4, None)], NO_CLAIM),
        ([BookSnapshot("E", "X", 1, 2, [], [], None, "7", None)], NO_CLAIM),
        ([Gap("E", "X", 0, 1, "eBook.", "1", "2", 1, 1, "why")], NO_CLAIM),
    ],
)
def test_a_claim_is_made_of_identifiers_that_rise(events: list[Any], claim: tuple[int | None, int | None]) -> None:
    (found,), order = described(*events)
    assert (found.count, found.first, found.last) == (len(events), *claim)
    assert order is None


def test_chained_updates_begin_where_the_one_before_ended() -> None:
    assert described(delta(5, 7), delta(7, 9), book="chained") == ([StreamRange(2, 5, 9, 0)], None)
    assert described(delta(5, 7), delta(8, 9)) == ([StreamRange(2, 5, 9, 1)], None)


def test_updates_have_no_claim_under_other_rules() -> None:
    assert described(delta(5, 7), book="latest") == ([StreamRange(1, None, None)], None)
    assert StreamRanges({}).describe([delta(5, 7)]) == ([StreamRange(1, None, None)], None)


def test_streams_are_in_order_of_appearance_and_each_event_has_its_place() -> None:
    ranges, order = described(trade(5), trade(1, "Y"), quote(3), trade(2, "Y"), trade(6), trade(6, exchange="F"))
    assert ranges == [StreamRange(2, 5, 6), StreamRange(2, 1, 2), StreamRange(1, 3, 3), StreamRange(1, 6, 6)]
    assert order == bytes([0, 1, 2, 1, 0, 3])


def test_a_stream_without_a_claim_does_not_spoil_others_nor_the_next_batch() -> None:
    ranges = StreamRanges({})
    assert ranges.describe([trade(5), trade(4), quote(1)]) == (
        [StreamRange(2, None, None), StreamRange(1, 1, 1)],
        b"\0\0\1",
    )
    assert ranges.describe([trade(5), trade(6)]) == ([StreamRange(2, 5, 6)], None)


def test_batches_of_few_events_for_each_stream_are_not_described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_ranges, "EVENTS_PER_RANGE_MIN", EVENTS_PER_RANGE_MIN)
    some = [trade(number) for number in range(EVENTS_PER_RANGE_MIN)]
    ranges = StreamRanges({})
    assert ranges.describe(some[:-1]) is None
    assert ranges.describe(some) is not None
    assert ranges.describe([*some, quote(1)]) is None


def test_as_many_streams_are_described_as_have_a_place_in_one_byte() -> None:
    many = [trade(1, f"S{number}") for number in range(RANGES_MAX + 1)]
    assert StreamRanges({}).describe(many) is None
    assert StreamRanges({}).describe([*many, *many]) is None
    found = StreamRanges({}).describe(many[1:])
    assert found is not None
    assert found[1] == bytes(range(RANGES_MAX))


@pytest.mark.parametrize("rules", [None, {EVENT_BOOK: "chained"}])
def test_batches_with_and_without_come_back(rules: dict[str, str] | None) -> None:
    events = [trade(5), quote(7), trade(6)]
    batch = batch_decoder("text").decode(BatchEncoder("w", 1, rules=rules).encode(1, 7, events))
    assert batch.events == events
    assert (batch.streams, batch.order) == ((None, None) if rules is None else described(*events))


def test_a_batch_without_ends_with_its_events() -> None:
    assert len(msgspec.msgpack.decode(BatchEncoder("w", 1).encode(1, 7, [trade(5)]))) == 6
