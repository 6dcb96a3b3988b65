"""The simulated book keeps its order and refuses to cross."""

from __future__ import annotations

from random import Random

import pytest

from foxtrot_workers.simulator.market.book import Changes, SimBook


def _book() -> SimBook:
    book = SimBook(update_id=100)
    book.changes = (Changes(101), Changes(101))
    for price, lots in ((10, 1), (8, 2), (9, 3)):
        book.set_bid(price, lots)
    for price, lots in ((14, 4), (12, 5), (13, 6)):
        book.set_ask(price, lots)
    return book


def test_levels_come_best_first() -> None:
    book = _book()
    assert book.top_bids(2) == [(10, 1), (9, 3)]
    assert book.top_asks(10) == [(12, 5), (13, 6), (14, 4)]
    assert (book.best_bid, book.best_ask) == (10, 12)


def test_each_change_takes_one_update_id_and_is_remembered() -> None:
    book = _book()
    assert book.update_id == 106
    book.set_bid(10, 0)
    book.set_bid(7, 0)
    book.set_ask(12, 9)
    assert book.update_id == 109
    assert book.changes[0].bids == {10: 0, 8: 2, 9: 3, 7: 0}
    assert book.changes[1].asks == {14: 4, 12: 9, 13: 6}
    assert (book.best_bid, book.best_ask) == (9, 12)


def test_removing_an_unknown_ask_changes_no_level() -> None:
    book = _book()
    book.set_ask(99, 0)
    assert book.top_asks(10) == [(12, 5), (13, 6), (14, 4)]


def test_a_crossing_level_is_refused() -> None:
    book = _book()
    with pytest.raises(AssertionError):
        book.set_bid(12, 1)
    with pytest.raises(AssertionError):
        book.set_ask(10, 1)


@pytest.mark.parametrize("seed", range(5))
def test_any_sequence_equals_a_plain_dictionary(seed: int) -> None:
    random, book = Random(seed), SimBook(0)
    bids: dict[int, int] = {}
    asks: dict[int, int] = {}
    for _ in range(500):
        price, lots = random.randrange(1, 50), random.randrange(0, 4)
        book.set_bid(price, lots)
        bids[price] = lots
        price, lots = random.randrange(51, 99), random.randrange(0, 4)
        book.set_ask(price, lots)
        asks[price] = lots
    assert book.top_bids(99) == sorted(((p, q) for p, q in bids.items() if q), reverse=True)
    assert book.top_asks(99) == sorted((p, q) for p, q in asks.items() if q)
