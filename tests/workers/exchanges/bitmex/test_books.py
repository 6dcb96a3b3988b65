from __future__ import annotations

import msgspec
import pytest

from foxtrot_protocol.events import BookDelta, BookSnapshot, Gap
from foxtrot_workers.adapter import BookLost, Resubscribe
from foxtrot_workers.exchanges.bitmex.adapter import Bitmex
from tests.workers.exchanges.bitmex.samples import DELETE, INSERT, PARTIAL, UPDATE
from tests.workers.exchanges.driven import RECEIVE_NS, Driven

IDS = ("54899972480", "51999982703", "40199991245", "56799989301")
SYMBOLS = ("SOLUSDT", "UNIUSDT", "BCHUSD")


def of_book(frame: str, side: str = "Sell") -> str:
    """`frame` of the book and level of `PARTIAL`."""
    for symbol in SYMBOLS:
        frame = frame.replace(symbol, "XRPU21")
    for number in IDS:
        frame = frame.replace(number, IDS[3])
    return frame.replace('"Buy"', f'"{side}"')


def test_updates_and_deletions_name_levels_by_id() -> None:
    wire = Driven(Bitmex, ["book"], ["XRPU21"])
    assert wire.parse(of_book(UPDATE)) == [], "before the whole book"
    assert wire.adapter.held_ns == {"orderBookL2:XRPU21": RECEIVE_NS}
    (snapshot,) = wire.parse(PARTIAL)
    assert snapshot == BookSnapshot("BITMEX", "XRPU21", 0, RECEIVE_NS, [], [("0.00010699", "3000")], None, None, None)
    (delta,) = wire.parse(of_book(UPDATE))
    assert delta == BookDelta("BITMEX", "XRPU21", 0, RECEIVE_NS, [], [("0.00010699", "123")], None, None, None)
    (delta,) = wire.parse(of_book(DELETE))
    assert isinstance(delta, BookDelta)
    assert delta.asks == [("0.00010699", "0")]
    (gap,) = wire.parse(of_book(UPDATE))
    assert isinstance(gap, Gap)
    assert "unknown level 56799989301" in gap.cause
    lost, again = wire.take_notices()
    assert isinstance(lost, BookLost)
    assert isinstance(again, Resubscribe)
    assert wire.parse(of_book(INSERT)) == []


def test_a_level_is_inserted_with_its_price() -> None:
    wire = Driven(Bitmex, ["book"], ["XRPU21"])
    wire.parse(PARTIAL)
    (delta,) = wire.parse(INSERT.replace("SOLUSDT", "XRPU21").replace('"Sell"', '"Buy"'))
    assert isinstance(delta, BookDelta)
    assert (delta.bids, delta.asks) == ([("27.52", "991")], [])
    (delta,) = wire.parse(
        UPDATE.replace("UNIUSDT", "XRPU21")
        .replace(IDS[1], IDS[0])
        .replace('"size": 123', '"size": 5, "price": 27.53, "timestamp": "2024-11-24T08:26:22.356Z"')
    )
    assert isinstance(delta, BookDelta)
    assert (delta.asks, delta.exchange_ns) == ([("27.53", "5")], 1732436782356_000000)


def test_a_whole_book_may_be_empty() -> None:
    wire = Driven(Bitmex, ["book"], ["XRPU21"])
    (snapshot,) = wire.parse(PARTIAL.partition('"data"')[0] + '"data": []}')
    assert isinstance(snapshot, BookSnapshot)
    assert (snapshot.bids, snapshot.asks) == ([], [])


@pytest.mark.parametrize("frame", [PARTIAL.replace('"size": 3000, ', ""), of_book(UPDATE).replace(', "size": 123', "")])
def test_a_level_without_a_size_is_refused(frame: str) -> None:
    wire = Driven(Bitmex, ["book"], ["XRPU21"])
    wire.parse(PARTIAL)
    with pytest.raises(msgspec.ValidationError):
        wire.parse(frame)
    assert len(wire.parse(of_book(UPDATE))) == 1, "the book is as it was"
