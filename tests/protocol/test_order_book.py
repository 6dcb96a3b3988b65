from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxtrot_protocol.errors import BookInvalid
from foxtrot_protocol.order_book import LEVELS_MAX, NUMBER_CHARS_MAX, OrderBook


def book(bids: list[tuple[str, str]], asks: list[tuple[str, str]], depth: int = LEVELS_MAX) -> OrderBook[str]:
    made: OrderBook[str] = OrderBook("BTCUSDT", depth)
    made.snapshot(bids, asks)
    return made


def test_a_snapshot_sorts_both_sides_best_first() -> None:
    made = book([("1", "5"), ("3", "5"), ("2", "5")], [("6", "1"), ("4", "1"), ("10", "1")])
    assert made.best_bids(10) == [("3", "5"), ("2", "5"), ("1", "5")]
    assert made.best_asks(2) == [("4", "1"), ("6", "1")]
    assert (made.bid_count, made.ask_count) == (3, 3)


def test_prices_are_compared_as_numbers_not_as_text() -> None:
    made = book([("9", "1"), ("10", "1"), ("9.5", "1")], [("0.00000010", "1"), ("9.121E-7", "1")])
    assert [price for price, _ in made.best_bids(9)] == ["10", "9.5", "9"]
    assert [price for price, _ in made.best_asks(9)] == ["0.00000010", "9.121E-7"]


def test_equal_prices_in_other_digits_are_one_level_with_the_newest_text() -> None:
    made = book([("0.10", "1.0")], [])
    made.apply([("0.1", "2.50")], [])
    assert made.best_bids(9) == [("0.1", "2.50")]


@pytest.mark.parametrize("nothing", ["0", "0.000", "0E-8", "-0"])
def test_size_zero_removes_and_removing_the_unknown_is_normal(nothing: str) -> None:
    made = book([("1", "1"), ("2", "1")], [("3", "1")])
    made.apply([("1.0", nothing), ("7", nothing)], [("3", nothing)])
    assert made.best_bids(9) == [("2", "1")]
    assert made.best_asks(9) == []


def test_levels_of_size_zero_in_a_snapshot_are_left_out() -> None:
    made = book([("1", "1"), ("2", "1"), ("2", "0")], [])
    assert made.best_bids(9) == [("1", "1")]


def test_a_snapshot_replaces_everything() -> None:
    made = book([("1", "1")], [("2", "1")])
    made.snapshot([], [("5", "1")])
    assert (made.best_bids(9), made.best_asks(9)) == ([], [("5", "1")])


def test_the_worst_levels_beyond_the_depth_are_cut() -> None:
    made = book([("1", "1"), ("2", "1"), ("3", "1")], [("4", "1"), ("5", "1"), ("6", "1")], depth=2)
    assert made.best_bids(9) == [("3", "1"), ("2", "1")]
    assert made.best_asks(9) == [("4", "1"), ("5", "1")]
    made.apply([("2.5", "1")], [("4", "0")])
    assert made.best_bids(9) == [("3", "1"), ("2.5", "1")]
    assert made.best_asks(9) == [("5", "1")]
    made.apply([], [("6", "1")])
    assert made.best_asks(9) == [("5", "1"), ("6", "1")]


def test_levels_that_are_cut_are_returned() -> None:
    made = book([("1", "1"), ("2", "1"), ("3", "1")], [("4", "1"), ("5", "1")])
    assert made.cut(2) == ([("1", "1")], [])
    assert made.cut(2) == ([], [])
    assert made.best_bids(9) == [("3", "1"), ("2", "1")]
    assert made.cut(1) == ([("2", "1")], [("5", "1")])
    made.apply([("2", "7")], [])
    assert made.best_bids(9) == [("3", "1"), ("2", "7")]


@pytest.mark.parametrize("depth", [0, -1, LEVELS_MAX + 1])
def test_a_depth_out_of_range_is_refused(depth: int) -> None:
    with pytest.raises(ValueError, match="depth"):
        OrderBook("BTCUSDT", depth)


@pytest.mark.parametrize(
    ("bids", "asks", "crossed"),
    [
        ([], [], False),
        ([("1", "1")], [], False),
        ([], [("1", "1")], False),
        ([("1", "1")], [("1.1", "1")], False),
        ([("1.10", "1")], [("1.1", "1")], True),
        ([("2", "1")], [("1", "1")], True),
    ],
)
def test_crossed(bids: list[tuple[str, str]], asks: list[tuple[str, str]], crossed: bool) -> None:
    assert book(bids, asks).crossed is crossed


BAD_NUMBERS = ["", "abc", "NaN", "sNaN", "Infinity", "-1", "1e65", "1e-66", "1" * (NUMBER_CHARS_MAX + 1), "1 2"]


@pytest.mark.parametrize("bad", BAD_NUMBERS)
def test_what_is_no_number_empties_the_book_rather_than_half_updating_it(bad: str) -> None:
    for bids, asks in (([("2", "1"), (bad, "1")], []), ([("2", bad)], []), ([], [("3", bad)])):
        made = book([("1", "1")], [("4", "1")])
        with pytest.raises(BookInvalid) as raised:
            made.apply(bids, asks)
        assert raised.value.symbol == "BTCUSDT"
        assert (made.bid_count, made.ask_count) == (0, 0)
        assert made.best_bids(9) == []
        made.snapshot([("1", "1")], [])
        assert made.best_bids(9) == [("1", "1")]


def test_floats_and_decimals_are_folded_as_they_are() -> None:
    floats: OrderBook[float] = OrderBook()
    floats.snapshot([(0.1, 1.0), (0.3, 1.0)], [(0.5, 2.0)])
    floats.apply([(0.3, 0.0)], [(0.4, 1.0)])
    assert floats.best_bids(9) == [(0.1, 1.0)]
    assert floats.best_asks(9) == [(0.4, 1.0), (0.5, 2.0)]
    decimals: OrderBook[Decimal] = OrderBook()
    decimals.snapshot([(Decimal("0.10"), Decimal(1))], [])
    decimals.apply([(Decimal("0.1"), Decimal(0))], [])
    assert decimals.best_bids(9) == []


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1.0, 1e65, 1e-66])
def test_a_float_that_is_no_price_empties_the_book(bad: float) -> None:
    for bids, asks in (([(bad, 1.0)], []), ([(1.0, bad)], []), ([], [(3.0, bad)])):
        floats: OrderBook[float] = OrderBook("BTCUSDT")
        floats.snapshot([(0.1, 1.0)], [])
        with pytest.raises(BookInvalid, match="not a possible price"):
            floats.apply(bids, asks)
        assert floats.bid_count == 0


def test_a_crossed_book_of_floats() -> None:
    floats: OrderBook[float] = OrderBook()
    floats.snapshot([(2.0, 1.0)], [(2.5, 1.0)])
    assert not floats.crossed
    floats.apply([(2.5, 1.0)], [(3.0, -0.0)])
    assert floats.crossed


prices = st.integers(1, 40).map(lambda n: f"{n / 8:.{n % 4 + 3}f}")
sizes = st.sampled_from(["0", "0.0", "1", "2.50"])
changes = st.lists(st.tuples(prices, sizes), max_size=12)


@given(st.tuples(changes, changes), st.lists(st.tuples(changes, changes), max_size=6), st.integers(1, 50))
def test_the_fold_is_that_of_a_plain_dictionary(
    first: tuple[list[tuple[str, str]], list[tuple[str, str]]],
    rest: list[tuple[list[tuple[str, str]], list[tuple[str, str]]]],
    depth: int,
) -> None:
    """Against the slow and obvious way, for a depth that nothing falls out of."""
    made: OrderBook[str] = OrderBook()
    made.snapshot(*first)
    plain: list[dict[Decimal, tuple[str, str]]] = [{}, {}]
    for update in [first, *rest]:
        if update is not first:
            made.apply(*update)
        for side, levels in zip(plain, update, strict=True):
            for price, size in levels:
                if Decimal(size):
                    side[Decimal(price)] = (price, size)
                else:
                    side.pop(Decimal(price), None)
    bids = [plain[0][key] for key in sorted(plain[0], reverse=True)]
    asks = [plain[1][key] for key in sorted(plain[1])]
    assert (made.best_bids(depth), made.best_asks(depth)) == (bids[:depth], asks[:depth])
    assert (made.bid_count, made.ask_count) == (len(bids), len(asks))
