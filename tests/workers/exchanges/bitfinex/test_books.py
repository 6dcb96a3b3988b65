from __future__ import annotations

import zlib
from typing import Any

import msgspec
import pytest

from foxtrot_protocol.events import BookDelta, BookSnapshot, Gap
from foxtrot_protocol.order_book import OrderBook
from foxtrot_workers.adapter import BookLost, Resubscribe
from foxtrot_workers.exchanges.bitfinex.books import book_checksum, javascript_number, sides_of
from foxtrot_workers.exchanges.bitfinex.constants import CHECKSUMS_WRONG_MAX
from tests.workers.exchanges.bitfinex.samples import BOOK, SUBSCRIBED_BOOK, SYMBOL, Connected
from tests.workers.exchanges.driven import RECEIVE_NS


def _book(**changes: bool) -> Connected:
    return Connected(["book"], [SYMBOL], SUBSCRIBED_BOOK, **changes)


def _signed(checksum: int) -> int:
    return checksum - 2**32 if checksum >= 2**31 else checksum


def test_a_snapshot_and_updates() -> None:
    wire = _book()
    [snapshot] = wire.parse(BOOK)
    assert snapshot == BookSnapshot(
        "BITFINEX", SYMBOL, 0, RECEIVE_NS, [("7254.7", "3.3")], [("7254.9", "0.5")], None, "12", None
    )
    [delta] = wire.parse("[173904, [7254.7, 0, 1], 13, 1618665870435]")
    assert delta == BookDelta(
        "BITFINEX", SYMBOL, 1618665870435_000_000, RECEIVE_NS, [("7254.7", "0")], [], None, "13", None
    )
    [removed_ask] = wire.parse("[173904, [7254.9, 0, -1], 14]")
    assert isinstance(removed_ask, BookDelta)
    assert removed_ask.asks == [("7254.9", "0")]
    [empty] = wire.parse("[173904, [], 15]")
    assert isinstance(empty, BookSnapshot)


def test_an_update_before_the_snapshot_is_a_gap() -> None:
    wire = _book()
    [gap] = wire.parse("[173904, [215350, 0, 1], 18]")
    assert isinstance(gap, Gap)
    assert [type(notice) for notice in wire.take_notices()] == [BookLost, Resubscribe]


def test_a_right_checksum_makes_no_event_and_a_wrong_one_a_gap() -> None:
    wire = _book()
    wire.data(173904, [[7254.7, 3, 3.3], [7254.9, 1, -0.5]], 12)
    checksum = _signed(zlib.crc32(b"7254.7:3.3:7254.9:-0.5"))
    assert wire.data(173904, "cs", checksum, 13) == []
    assert wire.take_notices() == []
    [gap] = wire.parse('[173904, "cs", -890884919, 14]')
    assert isinstance(gap, Gap)
    assert "checksum" in gap.cause
    assert [type(notice) for notice in wire.take_notices()] == [BookLost, Resubscribe]
    assert wire.data(173904, "cs", 5, 15) == []  # until the next snapshot there is nothing to compare
    assert len(wire.data(173904, [[1, 1, 1]], 16)) == 1


def test_the_checksum_alternates_bids_and_asks() -> None:
    book: OrderBook[str] = OrderBook()
    book.snapshot([("5", "1.50"), ("4", "2")], [("6", "0.0000001")])
    assert book_checksum(book) == zlib.crc32(b"5:1.5:6:-1e-7:4:2")
    book.snapshot([(str(price), "1") for price in range(100, 140)], [])
    assert book_checksum(book) == zlib.crc32(":".join(f"{price}:1" for price in range(139, 114, -1)).encode())


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        *(
            ("0", "0"),
            ("5", "5"),
            ("0.10", "0.1"),
            ("3.0", "3"),
            ("100", "100"),
            ("1E2", "100"),
            ("0.000001", "0.000001"),
        ),
        *(("1e-7", "1e-7"), ("0.00000015", "1.5e-7"), ("9.121E-7", "9.121e-7"), ("1e21", "1e+21"), ("-0.50", "-0.5")),
        *(("123456789012345678", "123456789012345678"), ("1.5e22", "1.5e+22"), ("-2E-8", "-2e-8"), ("0.0", "0")),
    ],
)
def test_numbers_are_printed_as_javascript_does(text: str, printed: str) -> None:
    assert javascript_number(text) == printed


@pytest.mark.parametrize("row", [[], [1, 2], [1, "2", 3], [1, -1, 3], [None, 1, 3], [1, 1, []], 5])
def test_another_row_is_refused(row: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        sides_of([row])


@pytest.mark.parametrize("values", [("cs", None), ("cs", "5"), ("cs", 2**40), ("te", [1])])
def test_another_message_is_refused(values: tuple[Any, ...]) -> None:
    wire = _book()
    wire.parse(BOOK)
    with pytest.raises(msgspec.ValidationError):
        wire.data(173904, *values, 13)


def test_a_resubscription_brings_a_fresh_snapshot() -> None:
    wire = _book()
    assert wire.adapter.resync(wire.topics) == wire.topics


def test_a_checksum_that_is_wrong_after_each_snapshot_is_not_compared_any_more() -> None:
    wire = _book()
    for number in range(CHECKSUMS_WRONG_MAX):
        wire.data(173904, [[7254.7, 3, 3.3]], 10 + 2 * number)
        assert len(wire.data(173904, "cs", 1, 11 + 2 * number)) == 1
    wire.data(173904, [[7254.7, 3, 3.3]], 10 + 2 * CHECKSUMS_WRONG_MAX)
    assert wire.data(173904, "cs", 1, 11 + 2 * CHECKSUMS_WRONG_MAX) == []
    assert len(wire.data(173904, [7254.7, 3, 3.4], 12 + 2 * CHECKSUMS_WRONG_MAX)) == 1


def test_what_is_no_number_has_no_checksum() -> None:
    with pytest.raises(msgspec.ValidationError, match="not a number"):
        javascript_number("1.2.3")
