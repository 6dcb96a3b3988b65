from __future__ import annotations

import pytest

from foxtrot_protocol.events import BookDelta, BookSnapshot, Gap
from foxtrot_workers.adapter import BookLost, CloseAnnounced
from foxtrot_workers.exchanges.gemini.adapter import Gemini
from tests.workers.exchanges.connection import replaying
from tests.workers.exchanges.gemini.samples import NS, SYMBOL, connection, depth

WIRE = "btcusd@depth@100ms"


def test_the_first_message_is_the_whole_book_and_each_other_continues_it() -> None:
    wire = connection("book")
    (whole,) = wire.parse(depth(1, 12345676), 5)
    assert whole == BookSnapshot("GEMINI", SYMBOL, NS, 5, [("45000.50", "1.25000000")], [], None, "12345676", None)
    (delta,) = wire.parse(depth(12345677, 12345678, asks=[("45001", "0.00000000")], bids=()), 6)
    assert delta == BookDelta("GEMINI", SYMBOL, NS, 6, [], [("45001", "0.00000000")], "12345677", "12345678", None)
    assert wire.adapter.last_data_ns == {WIRE: 6}


def test_a_gap_asks_for_a_new_connection() -> None:
    wire = connection("book")
    wire.parse(depth(1, 10), 1)
    (gap,) = wire.parse(depth(12, 13), 2)
    assert isinstance(gap, Gap)
    assert wire.take_notices() == [BookLost(WIRE, SYMBOL, gap.cause), CloseAnnounced(gap.cause)]
    assert wire.parse(depth(14, 15), 3) == []
    assert wire.take_notices() == []
    assert wire.adapter.held_ns == {WIRE: 3}


def test_a_second_subscription_on_a_connection_is_not_trusted_to_begin_whole() -> None:
    wire = connection("book")
    wire.parse(depth(1, 10))
    wire.adapter.unsubscribe(wire.topics)
    wire.parse({"id": "2", "status": 200, "result": None})
    wire.adapter.subscribe(wire.topics)
    wire.take_notices()
    (gap,) = wire.parse(depth(20, 21))
    assert isinstance(gap, Gap)
    assert [type(notice) for notice in wire.take_notices()] == [BookLost, CloseAnnounced]


@pytest.mark.parametrize(("query", "kind"), [("?snapshot=-1", BookSnapshot), ("", Gap), ("?snapshot=0", Gap)])
def test_the_address_says_whether_a_recording_begins_with_whole_books(query: str, kind: type) -> None:
    wire = replaying(Gemini)
    assert wire.adapter.address(f"wss://ws.gemini.com{query}") == f"wss://ws.gemini.com{query}"
    (event,) = wire.parse(depth(1, 10))
    assert type(event) is kind
