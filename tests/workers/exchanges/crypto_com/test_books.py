from __future__ import annotations

from typing import Any

import msgspec
import pytest

from foxtrot_protocol.events import BookDelta, BookSnapshot, Gap, MarketEvent
from foxtrot_workers.adapter import BookLost, Resubscribe
from foxtrot_workers.exchanges.crypto_com.adapter import CryptoCom
from tests.workers.exchanges.connection import Connection, replaying
from tests.workers.exchanges.crypto_com.samples import NS, SPOT, connection, frame, old_frame, update, whole

WIRE = f"book.{SPOT}.50"


def book() -> Connection:
    return connection("book", symbols=[SPOT])


def changed(wire: Connection, row: dict[str, Any], receive_ns: int = 7) -> list[MarketEvent[str]]:
    return wire.parse(frame(WIRE, row, channel="book.update"), receive_ns)


def test_updates_follow_their_predecessor() -> None:
    wire = book()
    (snapshot,) = wire.parse(frame(WIRE, whole(78795598162080)), 5)
    levels = [("43737.46", "0.14096")], [("43755.46", "0.10000")]
    assert snapshot == BookSnapshot("CRYPTO_COM", SPOT, NS, 5, *levels, None, "78795598162080", None)
    (delta,) = changed(wire, update(78795598162080, 78795598253024), 6)
    ids = "78795598162080", "78795598253024"
    assert delta == BookDelta("CRYPTO_COM", SPOT, NS, 6, [("43737.46", "0")], [], *ids, None)
    assert wire.adapter.last_data_ns == {WIRE: 6}


def test_a_gap_loses_the_book_until_its_next_snapshot() -> None:
    wire = book()
    wire.parse(frame(WIRE, whole(10)), 1)
    wire.take_notices()
    (gap,) = changed(wire, update(11, 12), 2)
    assert isinstance(gap, Gap)
    assert wire.take_notices() == [BookLost(WIRE, SPOT, gap.cause), Resubscribe(WIRE, gap.cause)]
    assert changed(wire, update(12, 13), 3) == []
    assert wire.adapter.held_ns == {WIRE: 3}
    assert len(wire.parse(frame(WIRE, whole(20)), 4)) == 1
    assert len(changed(wire, update(20, 22), 5)) == 1


def test_a_quiet_book_shows_that_it_is_alive() -> None:
    wire = book()
    wire.parse(frame(WIRE, whole(10)), 1)
    assert changed(wire, update(10, 10, bids=()), 2) == []
    assert len(changed(wire, update(10, 12, bids=()), 3)) == 1, "its identifier has changed"
    assert len(changed(wire, update(12, 13), 4)) == 1
    assert wire.adapter.last_data_ns == {WIRE: 4}


def test_levels_may_be_missing() -> None:
    wire = book()
    (snapshot,) = wire.parse(frame(WIRE, whole(asks=None)))
    assert isinstance(snapshot, BookSnapshot)
    assert snapshot.asks == []
    assert wire.parse(frame(WIRE)) == []


class TestApiV2:
    """Recordings of 2021 and 2022."""

    @pytest.mark.parametrize("topic", ["book.ETH_CRO.150", "book.ETH_CRO"])
    def test_each_message_is_a_whole_book(self, topic: str) -> None:
        wire = replaying(CryptoCom)
        row = '{"bids":[[11746.4880,128,8]],"asks":[[11747.488,2.5e-7,12]],"t":1659311999933,"s":%d}'
        for number in (788293808, 788293811):
            (event,) = wire.parse(old_frame(topic, row % number))
            assert isinstance(event, BookSnapshot)
            assert event.bids == [("11746.4880", "128")]
            assert event.asks == [("11747.488", "2.5e-7")]
            assert (event.symbol, event.last_id) == ("ETH_CRO", str(number))
            assert event.exchange_ns == 1_659_311_999_933_000_000

    def test_updates_have_a_sequence_and_name_no_predecessor(self) -> None:
        wire = replaying(CryptoCom)
        topic = "book.DOT_USDT.150"
        wire.parse(old_frame(topic, '{"bids":[[7.1,2,1]],"asks":[],"t":1659312000000,"s":763793120}'))
        row = '{"update":{"bids":[[7.1,0,0]],"asks":[[7.2,3,1]]},"t":1659312000046,"s":763793123}'
        (delta,) = wire.parse(old_frame(topic, row, channel="book.update"))
        assert isinstance(delta, BookDelta)
        assert (delta.bids, delta.asks, delta.last_id) == ([("7.1", "0")], [("7.2", "3")], "763793123")

    def test_a_price_that_is_no_number_is_refused(self) -> None:
        with pytest.raises(msgspec.ValidationError):
            replaying(CryptoCom).parse(old_frame("book.A_B", '{"bids":[[null,1,1]],"asks":[],"t":1}'))
