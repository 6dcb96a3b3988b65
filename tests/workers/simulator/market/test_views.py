"""A view of limited depth, folded by a client, is the top of the book."""

from __future__ import annotations

from random import Random

import pytest

from foxtrot_workers.simulator.market.book import SimBook
from foxtrot_workers.simulator.market.views import DepthView, Levels


def a_book(levels: int = 30) -> SimBook:
    book = SimBook(0)
    for number in range(levels):
        book.set_bid(1_000 - number, 5)
        book.set_ask(1_001 + number, 5)
    return book


def change(random: Random, book: SimBook) -> None:
    for _ in range(random.randrange(6)):
        lots = random.choice((0, 0, 1, 2, 9))
        book.set_bid(random.randrange(960, 1_001), lots)
        book.set_ask(random.randrange(1_001, 1_042), lots)


def fold(side: dict[int, int], changes: Levels) -> None:
    for price, lots in changes:
        if lots:
            side[price] = lots
        else:
            side.pop(price, None)


@pytest.mark.parametrize("removes", [True, False])
@pytest.mark.parametrize("depth", [1, 5, 25, 1_000])
def test_a_client_that_folds_the_changes_has_the_top(depth: int, removes: bool) -> None:
    random, book, view = Random(depth), a_book(), DepthView(depth, removes=removes)
    view.refresh(book)
    bids, asks = (dict(side) for side in view.top(depth))
    for _ in range(400):
        change(random, book)
        changed_bids, changed_asks = view.changes(book)
        fold(bids, changed_bids)
        fold(asks, changed_asks)
        if not removes:
            bids = dict(sorted(bids.items(), reverse=True)[:depth])
            asks = dict(sorted(asks.items())[:depth])
        assert bids == dict(book.top_bids(depth))
        assert asks == dict(book.top_asks(depth))
        assert view.top(depth) == (book.top_bids(depth), book.top_asks(depth))


def test_changes_come_best_first_and_only_once() -> None:
    book, view = a_book(3), DepthView(10)
    view.refresh(book)
    number = view.number
    book.set_bid(990, 1)
    book.set_bid(1_000, 7)
    book.set_ask(1_002, 0)
    assert view.changes(book) == ([(1_000, 7), (990, 1)], [(1_002, 0)])
    assert view.changes(book) == ([], [])
    assert (view.number, view.update_id) == (number + 1, book.update_id)


def test_changes_outside_the_view_are_none() -> None:
    book, view = a_book(), DepthView(3)
    view.refresh(book)
    before = (view.number, view.update_id)
    book.set_bid(975, 9)
    assert view.changes(book) == ([], [])
    assert (view.number, view.update_id) == before


def test_a_view_that_pauses_begins_again_with_the_present_book() -> None:
    book, view = a_book(3), DepthView(10)
    view.refresh(book)
    view.pause()
    assert not view.is_active
    book.set_bid(1_000, 77)
    view.refresh(book)
    assert view.is_active
    assert view.top(1)[0] == [(1_000, 77)]
    book.set_bid(1_000, 78)
    view.refresh(book)
    assert view.top(1)[0] == [(1_000, 77)], "what is followed already is not skipped"
