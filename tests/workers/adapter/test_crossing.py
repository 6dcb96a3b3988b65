"""A book that stays crossed is noticed."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest

from foxtrot_protocol import compiled
from foxtrot_protocol.events import BookDelta, BookSnapshot
from foxtrot_protocol.order_book import OrderBook
from foxtrot_workers.adapter import crossing
from foxtrot_workers.adapter.crossing import CROSSED_MAX_S, MERGED_TOGETHER, CrossingCheck, PurePriceSide

Levels = list[tuple[str, str]]

_S = 1_000_000_000

_native = compiled.load("foxtrot_workers.adapter._price_side")
SIDES: list[Any] = [PurePriceSide] if _native is None else [PurePriceSide, _native.PriceSide]


@pytest.fixture(autouse=True, params=SIDES, ids=lambda side: side.__name__)
def _in_each_form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crossing, "PriceSide", request.param)


class Book:
    """A `CrossingCheck`; times in seconds."""

    def __init__(self, bids: Levels | None = None, asks: Levels | None = None) -> None:
        self.check = CrossingCheck()
        self.snapshot(0.0, [("99.0", "1"), ("98.0", "1")] if bids is None else bids, asks or [("101.0", "1")])

    def snapshot(self, time_s: float, bids: Levels, asks: Levels) -> None:
        self.check.snapshot(BookSnapshot("EX", "X", 0, round(time_s * _S), bids, asks, None, None, None))

    def update(self, time_s: float, bids: Levels | None = None, asks: Levels | None = None) -> str:
        event = BookDelta("EX", "X", 0, round(time_s * _S), bids or [], asks or [], None, None, None)
        return self.check.update(event)

    def found(self, start_s: float, end_s: float) -> float | None:
        """The time at which updates that change nothing find the book crossed; None if they do not."""
        time_s = start_s
        while time_s < end_s:
            if self.update(time_s):
                return time_s
            time_s += 0.125
        return None


def test_a_book_that_stays_crossed_is_found_within_two_seconds() -> None:
    book = Book()
    assert book.update(0.5, bids=[("101.0", "2")]) == ""
    assert book.update(1.0) == ""
    assert book.update(1.9) == ""
    assert book.update(2.0) == "crossed for 1.0 s: the best bid is 101.0, the best ask 101.0"


def test_a_crossed_snapshot_is_found_too() -> None:
    book = Book([("102", "1")], [("101", "1")])
    assert book.found(0.0, 3.0) == 2.0


def test_a_book_crossed_for_a_moment_is_not() -> None:
    book = Book()
    for second in range(1, 60):
        assert book.update(second, bids=[("101.5", "1")]) == ""
        assert book.update(second + 0.5, bids=[("101.5", "0")]) == ""
        assert book.update(second + 0.6, bids=[("101.5", "1")]) == ""
        assert book.update(second + 0.9, bids=[("101.5", "0.000")]) == ""


def test_removed_levels_do_not_count_whatever_their_zero_looks_like() -> None:
    book = Book()
    for zero in ("0", "0.0", "0.00000000", "0E-8"):
        book.update(0.1, bids=[("103", "1"), ("102", "1")])
        book.update(0.2, bids=[("103", zero), ("102", zero)])
    assert book.found(0.3, 10.0) is None


def test_an_empty_side_crosses_nothing() -> None:
    book = Book([], [("1", "1")])
    assert book.update(1.0, asks=[("1", "0")]) == ""
    assert book.found(1.0, 5.0) is None
    book.update(5.0, bids=[("3", "1")])
    assert book.found(5.0, 9.0) is None
    book.update(9.0, asks=[("2", "1")])
    assert book.found(9.0, 12.0) is not None


def test_a_level_that_was_removed_and_came_back_counts() -> None:
    book = Book()
    book.update(0.1, bids=[("102", "1")])
    book.update(1.2, bids=[("102", "0")])
    assert book.update(2.5) == ""
    book.update(2.6, bids=[("102", "1")])
    assert book.found(2.7, 6.0) is not None


@pytest.mark.parametrize("bound", [1.0, 2.0])
def test_prices_of_several_spellings_are_one_level(bound: float) -> None:
    book = Book([("99.00", "1")], [("100.10", "1"), ("200", "1")])
    book.update(bound / 2, bids=[("100.1", "1")])
    book.update(bound / 2, bids=[("100.100", "0")])
    book.update(bound / 2, asks=[("100.1", "0")])
    assert book.found(bound, 5.0) is None
    book.update(5.0, bids=[("2E+2", "3")])
    assert book.found(5.0, 9.0) is not None


def test_within_one_check_the_last_size_of_a_price_counts_in_each_spelling() -> None:
    book = Book([("99.00", "1")], [("100.10", "1"), ("200", "1")])
    for price, size in (("150.10", "1"), ("150.1", "2"), ("150.10", "0")):
        book.update(0.5, bids=[(price, size)])
    assert book.found(1.0, 5.0) is None
    for price, size in (("150.10", "1"), ("150.1", "0"), ("150.10", "2")):
        book.update(5.0, bids=[(price, size)])
    assert book.found(5.0, 9.0) is not None


def test_prices_that_no_float_tells_apart_are_compared_as_decimals() -> None:
    assert Book([("1.0000000000000000001", "1")], [("1.0000000000000000002", "1")]).found(0.0, 5.0) is None
    assert Book([("1.0000000000000000002", "1")], [("1.0000000000000000002", "1")]).found(0.0, 5.0) is not None


def test_each_finding_doubles_the_time_until_the_next() -> None:
    book = Book([("102", "1")], [("101", "1")])
    limits = []
    now_s = 0.0
    for _ in range(9):
        found_s = book.found(now_s, now_s + 100.0)
        assert found_s is not None
        limits.append(found_s - now_s - 1.0)  # a snapshot is checked after a second
        now_s = found_s
        book.snapshot(now_s, [("102", "1")], [("101", "1")])
    assert limits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 64.0, 64.0]
    book.snapshot(now_s, [("100", "1")], [("101", "1")])
    assert book.found(now_s, now_s + CROSSED_MAX_S + 2.0) is None
    now_s += CROSSED_MAX_S + 2.0
    book.update(now_s, bids=[("102", "1")])
    found_s = book.found(now_s, now_s + 100.0)
    assert found_s is not None
    assert found_s - now_s <= 2.0


@pytest.mark.parametrize(("bids", "asks"), [([("x", "1")], []), ([], [("", "1")]), ([("100", "?")], [])])
def test_what_is_not_a_number_is_a_defect(bids: Levels, asks: Levels) -> None:
    book = Book()
    assert book.update(0.5, bids, asks) == ""
    assert "cannot be used" in book.update(1.0)


def test_what_follows_a_defect_before_it_is_reported_changes_nothing() -> None:
    book = Book()
    for price in ("x", *["97"] * (2 * MERGED_TOGETHER), "y"):
        assert book.update(0.5, [(price, "1")]) == ""
    assert "'x'" in book.update(1.0) or "a price of x" in book.update(1.0)


def test_a_clock_that_stands_still_or_goes_back_is_no_loophole() -> None:
    book = Book()
    book.snapshot(1_000.0, [("99", "1")], [("101", "1")])
    book.update(1.0, bids=[("102", "1")])
    for _ in range(MERGED_TOGETHER):
        assert book.update(1.0) == ""
    assert book.update(1.5) == ""
    assert book.update(2.0) != ""


def test_updates_given_together_count_as_those_given_one_by_one() -> None:
    book = Book()
    assert not book.check.is_due(_S - 1)
    crossed = BookDelta("EX", "X", 0, 5, [("102.0", "1")], [], None, None, None)
    book.check.extend([crossed] + [BookDelta("EX", "X", 0, 5, [], [], None, None, None)] * (2 * MERGED_TOGETHER))
    assert book.check.is_due(_S)
    assert book.check.is_due(-1), "a clock that went back"
    assert book.found(1.0, 3.0) == 2.0


def test_a_size_that_is_no_number_counts_when_its_level_is_the_best_whatever_is_forgotten_before() -> None:
    book = Book(asks=[("101.0", "1"), ("102.0", "one")])
    for price in range(5_000):
        assert book.update(price, asks=[(str(1000 + price), "1")]) == ""
        assert book.update(price, asks=[(str(1000 + price), "0")]) == ""
    assert "cannot be used" in book.update(6_000, asks=[("101.0", "0")])


def test_removed_levels_are_forgotten() -> None:
    book = Book()
    for price in range(100_000):
        book.update(price, asks=[(str(1000 + price), "1")])
        book.update(price, asks=[(str(1000 + price), "0")])
    asks: Any = book.check.asks
    assert len(asks) < 3_000
    if isinstance(asks, PurePriceSide):
        assert len(asks._heap) == len(asks._prices) == len(asks)


@pytest.mark.parametrize("seed", range(20))
def test_it_says_of_random_books_what_the_whole_book_says(seed: int) -> None:
    """After each check the best prices are those of `OrderBook`."""
    chance = random.Random(seed)
    book, whole = Book([], []), OrderBook[str]()
    book.snapshot(0.0, [], [])
    middle = 10_000
    for second in range(1, 200):
        middle += chance.randint(-30, 30)
        bids = [(f"{middle - chance.randint(0, 60)}.{chance.choice(('0', '00', '5'))}", chance.choice("012"))]
        asks = [(f"{middle + chance.randint(-2, 60)}.{chance.choice(('0', '00', '5'))}", chance.choice("012"))]
        gone = [(price, "0.0") for price, _ in whole.best_bids(chance.randint(0, 3))]
        for changed in (bids, gone):
            book.update(10.0 * second, changed, asks)
            whole.apply(changed, asks)
        book.update(10.0 * second + 5.0)
        sides = ((book.check.bids, whole.best_bids(1)), (book.check.asks, whole.best_asks(1)))
        for side, best in sides:
            price = side.best()
            assert (price is None) == (not best)
            assert price is None or Decimal(price) == Decimal(best[0][0])


def test_both_forms_of_a_side_find_the_same_best_prices() -> None:
    if len(SIDES) == 1:
        pytest.skip("there is no compiled form")
    chance = random.Random(7)
    prices = [f"{chance.uniform(0, 10 ** chance.randint(-8, 12)):.{chance.randint(0, 20)}f}" for _ in range(300)]
    sizes = ["1", "0", "0.000", "12.5", "0.1", "00"]
    for sign in (-1.0, 1.0):
        pure, native = (side(sign) for side in SIDES)
        for _ in range(3_000):
            changes = [
                [(chance.choice(prices), chance.choice(sizes)) for _ in range(chance.randint(0, 4))] for _ in range(2)
            ]
            best = pure.best()
            if best is not None:
                changes.append([(best, chance.choice(sizes))])
            pure.merge(changes)
            native.merge(changes)
            assert pure.best() == native.best()


def test_a_price_without_end_is_a_defect() -> None:
    for price in ("nan", "inf", "1e999"):
        book = Book()
        assert book.update(0.5, bids=[(price, "1")]) == ""
        assert "cannot be used" in book.update(1.0)
