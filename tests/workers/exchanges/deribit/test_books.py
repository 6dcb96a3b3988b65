from __future__ import annotations

from foxtrot_protocol.events import BookDelta, BookSnapshot, Gap
from foxtrot_workers.adapter import BookLost, Resubscribe
from foxtrot_workers.exchanges.deribit.adapter import Deribit
from tests.workers.exchanges.deribit.samples import CHANGE, INSTRUMENT, PICTURE, SNAPSHOT, frame
from tests.workers.exchanges.driven import RECEIVE_NS, Driven

TOPIC = "book.BTC-PERPETUAL.100ms"


def test_a_snapshot_and_a_change() -> None:
    wire = Driven(Deribit, ["book"], [INSTRUMENT])
    snapshot = BookSnapshot(
        "DERIBIT",
        INSTRUMENT,
        1699999999000_000_000,
        RECEIVE_NS,
        [("42500.0", "1000.0")],
        [("42501.0", "800.0")],
        None,
        "123456789",
        None,
    )
    delta = BookDelta(
        "DERIBIT",
        INSTRUMENT,
        1699999999500_000_000,
        RECEIVE_NS,
        [("42500.0", "950.0")],
        [("42501.0", "0")],
        "123456789",
        "123456790",
        None,
    )
    assert wire.parse(frame(TOPIC, SNAPSHOT)) == [snapshot]
    assert wire.parse(frame(TOPIC, {**SNAPSHOT, "prev_change_id": None})) == [snapshot]
    assert wire.parse(frame(TOPIC, CHANGE)) == [delta]
    assert wire.adapter.last_data_ns == {TOPIC: RECEIVE_NS}


def test_a_missing_change_invalidates_the_book_until_the_next_snapshot() -> None:
    wire = Driven(Deribit, ["book"], [INSTRUMENT])
    wire.parse(frame(TOPIC, SNAPSHOT))
    [gap] = wire.parse(frame(TOPIC, {**CHANGE, "prev_change_id": 123456790}))
    assert isinstance(gap, Gap)
    assert [type(notice) for notice in wire.take_notices()] == [BookLost, Resubscribe]
    assert wire.parse(frame(TOPIC, CHANGE)) == []
    assert wire.adapter.held_ns == {TOPIC: RECEIVE_NS}
    assert [type(event) for event in wire.parse(frame(TOPIC, SNAPSHOT))] == [BookSnapshot]


def test_a_picture_is_a_snapshot() -> None:
    [book] = Driven(Deribit, ["book10"], [INSTRUMENT]).parse(frame("book.BTC-PERPETUAL.none.10.100ms", PICTURE))
    assert isinstance(book, BookSnapshot)
    assert (book.bids, book.last_id) == ([("89532.5", "254900.0")], "136725664747")


def test_only_books_of_changes_need_a_fresh_snapshot() -> None:
    for channel, again in (("book", 1), ("book_agg2", 1), ("book20", 0)):
        wire = Driven(Deribit, [channel], [INSTRUMENT])
        assert len(wire.adapter.resync(wire.topics)) == again
