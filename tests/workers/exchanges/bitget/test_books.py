from __future__ import annotations

import zlib

import msgspec
import pytest

from foxtrot_protocol.events import BookDelta, BookSnapshot, Gap
from foxtrot_protocol.order_book import OrderBook
from foxtrot_workers.adapter import BookLost, Resubscribe
from foxtrot_workers.exchanges.bitget.adapter import Bitget
from foxtrot_workers.exchanges.bitget.books import book_checksum
from foxtrot_workers.exchanges.bitget.variants import BitgetFutures
from tests.workers.exchanges.bitget.samples import BOOK, BOOK_UPDATE, U_BOOK, U_BOOK_UPDATE
from tests.workers.exchanges.driven import RECEIVE_NS, Driven


def test_the_checksum_is_signed_and_alternates_bids_and_asks() -> None:
    book: OrderBook[str] = OrderBook()
    book.snapshot([("27000.0", "2.710"), ("26999.9", "1")], [("27000.5", "8.760")])
    crc = zlib.crc32(b"27000.0:2.710:27000.5:8.760:26999.9:1")
    assert book_checksum(book) == (crc - 2**32 if crc >= 2**31 else crc)
    signs = set()
    for size in range(1, 20):
        book.apply([("27000.0", str(size))], [])
        checksum = book_checksum(book)
        assert -(2**31) <= checksum < 2**31
        signs.add(checksum < 0)
    assert signs == {True, False}


def checked(frame: str, checksum: int) -> str:
    """`frame` with this checksum."""
    before = msgspec.json.decode(frame)["data"][0]["checksum"]
    return frame.replace(f'"checksum": {before}', f'"checksum": {checksum}')


def signed(text: bytes) -> int:
    crc = zlib.crc32(text)
    return crc - 2**32 if crc >= 2**31 else crc


def test_a_book_with_checksums_is_verified() -> None:
    wire = Driven(Bitget, ["book"], ["BTCUSDT"])
    first = signed(b"27000.0:2.710:27000.5:8.760")
    (snapshot,) = wire.parse(checked(BOOK, first))
    assert snapshot == BookSnapshot(
        "BITGET",
        "BTCUSDT",
        1695716059516_000000,
        RECEIVE_NS,
        [("27000.0", "2.710")],
        [("27000.5", "8.760")],
        None,
        "123",
        first,
    )
    second = signed(b"27000.0:2.710")
    (delta,) = wire.parse(checked(BOOK_UPDATE, second))
    assert delta == BookDelta(
        "BITGET", "BTCUSDT", 1695716059616_000000, RECEIVE_NS, [], [("27000.5", "0")], "123", "124", second
    )
    (gap,) = wire.parse(BOOK_UPDATE)
    assert isinstance(gap, Gap)
    assert "checksum" in gap.cause
    lost, again = wire.take_notices()
    assert isinstance(lost, BookLost)
    assert isinstance(again, Resubscribe)
    assert wire.parse(BOOK_UPDATE) == [], "until the next snapshot"
    assert len(wire.parse(BOOK)) == 1


def test_a_checksum_of_zero_is_none() -> None:
    wire = Driven(Bitget, ["book"], ["BTCUSDT"])
    (snapshot,) = wire.parse(BOOK)
    assert isinstance(snapshot, BookSnapshot)
    assert snapshot.checksum is None
    assert len(wire.parse(checked(BOOK_UPDATE, 0))) == 1


def test_updates_of_v3_name_their_predecessor() -> None:
    wire = Driven(BitgetFutures, ["book"], ["BTCUSDT"])
    (snapshot,) = wire.parse(U_BOOK)
    assert isinstance(snapshot, BookSnapshot)
    assert (snapshot.last_id, snapshot.bids) == ("1343064377779269632", [("117000.0", "2.710")])
    (delta,) = wire.parse(U_BOOK_UPDATE)
    assert isinstance(delta, BookDelta)
    assert (delta.first_id, delta.last_id, delta.bids) == (
        "1343064377779269632",
        "1343064377779269700",
        [("117000.0", "0")],
    )
    (gap,) = wire.parse(U_BOOK_UPDATE)
    assert isinstance(gap, Gap)
    assert gap.last_id == "1343064377779269632"
    assert wire.adapter.resync(wire.topics) == wire.topics


def test_an_update_without_changes_is_no_event() -> None:
    wire = Driven(BitgetFutures, ["book"], ["BTCUSDT"])
    wire.parse(U_BOOK)
    quiet = U_BOOK_UPDATE.replace('[["117000.0","0"]]', "[]").replace("1343064377779269700", "1343064377779269632")
    assert wire.parse(quiet) == []
    assert wire.take_notices() == []


def test_an_update_before_its_snapshot_is_a_gap() -> None:
    wire = Driven(Bitget, ["book"], ["BTCUSDT"])
    (gap,) = wire.parse(BOOK_UPDATE)
    assert isinstance(gap, Gap)
    assert wire.adapter.held_ns == {"SPOT:books:BTCUSDT": RECEIVE_NS}


@pytest.mark.parametrize(("old", "new"), [("123", '"x"'), ('"8.760"', "8.760"), ('"asks"', '"x"')])
def test_a_row_that_is_no_book_is_refused(old: str, new: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        Driven(Bitget, adopt=True).parse(BOOK.replace(old, new))


def test_a_snapshot_needs_no_predecessor() -> None:
    assert len(Driven(BitgetFutures, adopt=True).parse(U_BOOK.replace("pseq", "x"))) == 1
