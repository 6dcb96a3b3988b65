from __future__ import annotations

from foxtrot_protocol.events import BookDelta, BookSnapshot
from foxtrot_supervisor.chaos.harness.book_check import BookCheck

# Kraken, guide "Book checksum", the book of its example: 974947235
ASKS = [(f"0.0{price}", "0.00000500") for price in range(5005, 5055, 5)]
BIDS = [(f"0.0{price}", "0.00000500") for price in (5000, 4995, 4990, 4980, 4975, 4970, 4965, 4960, 4955, 4950)]
CHECKSUM = 974947235


def snapshot(checksum: int | None = None, symbol: str = "A") -> BookSnapshot[str]:
    return BookSnapshot("K", symbol, 1, 1, BIDS, ASKS, None, None, checksum)


def delta(bids: list[tuple[str, str]], checksum: int | None = None, symbol: str = "A") -> BookDelta[str]:
    return BookDelta("K", symbol, 1, 1, bids, [], None, None, checksum)


def test_a_book_with_the_right_checksum_is_possible() -> None:
    check = BookCheck()
    assert check.take(snapshot(CHECKSUM))
    assert check.take(delta([("0.05001", "1"), ("0.05001", "0")], CHECKSUM))


def test_a_wrong_checksum_is_found() -> None:
    check = BookCheck()
    assert not check.take(snapshot(CHECKSUM + 1))
    assert check.take(snapshot(CHECKSUM))
    assert not check.take(delta([("0.05001", "1")], CHECKSUM))


def test_a_crossed_book_is_found() -> None:
    check = BookCheck()
    assert check.take(snapshot())
    assert not check.take(delta([("0.05005", "1")]))
    assert check.take(delta([("0.05005", "0")]))


def test_an_update_before_any_snapshot_is_found_and_so_is_what_is_no_number() -> None:
    check = BookCheck()
    assert not check.take(delta([("1", "1")]))
    assert check.take(snapshot())
    assert not check.take(delta([("1", "1")], symbol="B"))
    assert not check.take(delta([("x", "1")]))
