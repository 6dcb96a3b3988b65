from __future__ import annotations

import random

import pytest

from foxtrot_protocol.events import BookDelta, BookSnapshot, Gap
from foxtrot_protocol.order_book import OrderBook
from foxtrot_workers.adapter import Acknowledged, BookLost, Resubscribe
from foxtrot_workers.exchanges.dydx import books
from foxtrot_workers.exchanges.dydx.adapter import Dydx
from foxtrot_workers.exchanges.dydx.books import UncrossedLevels
from foxtrot_workers.exchanges.dydx.messages import BookChange, BookPicture, PictureLevel
from tests.workers.exchanges.driven import RECEIVE_NS, Driven
from tests.workers.exchanges.dydx.samples import BOOK, BOOK_BATCH, BOOK_UPDATE, V3_BOOK, V3_BOOK_UPDATE, numbered

Levels = list[tuple[str, str]]


def subscribed() -> Driven[Dydx]:
    wire = Driven(Dydx, ["book"], ["BTC-USD"])
    wire.parse(BOOK)
    wire.take_notices()
    return wire


def update(number: int, bids: Levels, asks: Levels) -> str:
    rows = [f'"{name}":{[list(level) for level in side]}' for name, side in (("bids", bids), ("asks", asks)) if side]
    contents = "{" + ",".join(rows).replace("'", '"') + "}"
    head, _, _ = numbered(BOOK_UPDATE, number).partition('"contents":')
    return f'{head}"contents":{contents}}}'


def test_a_book_is_a_snapshot_and_updates() -> None:
    wire = Driven(Dydx, ["book"], ["BTC-USD"])
    snapshot, delta = wire.parse(BOOK) + wire.parse(BOOK_UPDATE)
    assert snapshot == BookSnapshot(
        "DYDX", "BTC-USD", 0, RECEIVE_NS, [("43240.0", "1.5")], [("43250.0", "1.2")], None, None, None
    )
    assert delta == BookDelta(
        "DYDX", "BTC-USD", 0, RECEIVE_NS, [("43240.0", "2.0")], [("43250.0", "0.0")], None, None, None
    )
    assert [type(event) for event in wire.parse(BOOK_BATCH)] == [BookDelta, BookDelta]


def test_an_update_without_a_snapshot_is_a_gap() -> None:
    wire = Driven(Dydx, ["book"], ["BTC-USD"])
    (gap,) = wire.parse(BOOK_UPDATE)
    assert isinstance(gap, Gap)
    assert [type(notice) for notice in wire.take_notices()] == [BookLost, Resubscribe]
    assert wire.adapter.held_ns == {"v4_orderbook:BTC-USD": RECEIVE_NS}


@pytest.mark.parametrize("size", ["abc", "-1", "NaN"])
def test_a_size_that_is_no_number_loses_the_book(size: str) -> None:
    wire = subscribed()
    (gap,) = wire.parse(update(2, [("43240.0", size)], []))
    assert isinstance(gap, Gap)
    assert [type(notice) for notice in wire.take_notices()] == [BookLost, Resubscribe]
    (gap,) = (event for event in subscribed().parse(numbered(BOOK, 2).replace('"1.5"', f'"{size}"')))
    assert isinstance(gap, Gap)


def test_of_two_levels_that_cross_the_older_is_removed() -> None:
    wire = subscribed()
    (delta,) = wire.parse(update(2, [("43255.0", "3")], []))
    assert isinstance(delta, BookDelta)
    assert (delta.bids, delta.asks) == ([("43255.0", "3")], [("43250.0", "0")])
    (delta,) = wire.parse(update(3, [], [("43230.0", "1")]))
    assert isinstance(delta, BookDelta)
    assert (delta.bids, delta.asks) == ([("43255.0", "0"), ("43240.0", "0")], [("43230.0", "1")])


@pytest.mark.parametrize(
    ("bid_size", "ask_size", "bids", "asks"),
    [
        ("1", "2", [("50", "0")], [("49", "2")]),
        ("2", "1", [("50", "2")], [("49", "0")]),
        ("2", "2.0", [("50", "0")], [("49", "0")]),
    ],
)
def test_of_two_levels_of_one_age_the_smaller_is_removed(
    bid_size: str, ask_size: str, bids: Levels, asks: Levels
) -> None:
    levels = UncrossedLevels("X")
    levels.replace(BookPicture(), 1)
    assert levels.apply(BookChange([("50", bid_size)], [("49", ask_size)]), 2) == (bids, asks)


def test_a_crossed_snapshot_is_uncrossed() -> None:
    bids = [PictureLevel("101", "1"), PictureLevel("99", "5")]
    asks = [PictureLevel("100", "2"), PictureLevel("102", "7")]
    assert UncrossedLevels("X").replace(BookPicture(bids, asks), 1) == (
        [("99", "5")],
        [("100", "2"), ("102", "7")],
    )


@pytest.mark.parametrize("seed", range(20))
def test_consumers_never_see_a_crossed_book(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books, "AGES_MAX", 12)  # fewer than there are prices
    chance = random.Random(seed)
    levels, consumer = UncrossedLevels("X"), OrderBook[str]()
    picture = BookPicture([PictureLevel("100", "1")], [PictureLevel("99", "1"), PictureLevel("105", "2")])
    consumer.snapshot(*levels.replace(picture, 0))
    for age in range(1, 500):
        sides = [
            [(str(chance.randint(90, 110)), chance.choice(("0", "1", "2.5"))) for _ in range(chance.randint(0, 3))]
            for _ in range(2)
        ]
        change = BookChange(*sides)
        consumer.apply(*levels.apply(change, age))
        assert not consumer.crossed
        kept = levels._book
        assert {price for price, _ in kept.best_bids(50)} <= levels._bid_ages.keys(), (
            "only removed levels are forgotten"
        )
        assert consumer.best_bids(50) == kept.best_bids(50)
        assert consumer.best_asks(50) == kept.best_asks(50)


def test_the_book_that_is_crossed_by_nature_is_never_found_crossed() -> None:
    wire = subscribed()
    for second in range(2, 20):
        frame = update(second, [("43255.0", "3")], []) if second % 2 else update(second, [], [("43230.0", "1")])
        events = wire.parse(frame, RECEIVE_NS + second * 1_000_000_000)
        assert [type(event) for event in events] == [BookDelta]


class TestVersion3:
    """In recordings: an update applies to a level unless a later one has set that already."""

    def test_an_older_update_does_not_apply(self) -> None:
        wire = Driven(Dydx, adopt=True)
        assert [type(event) for event in wire.parse(V3_BOOK) + wire.parse(V3_BOOK_UPDATE)] == [BookSnapshot, BookDelta]
        older = V3_BOOK_UPDATE.replace('"125090042"', '"125090041"').replace('["5","0"]', '["5","9"],["4","1"]')
        (delta,) = wire.parse(numbered(older, 3))
        assert isinstance(delta, BookDelta)
        assert delta.bids == [("4", "1")]
        assert wire.parse(numbered(V3_BOOK_UPDATE, 4)) == []
        assert wire.take_notices() == [Acknowledged(("v3_orderbook:1INCH-USD",))]

    def test_sides_have_offsets_of_their_own(self) -> None:
        wire = Driven(Dydx, adopt=True)
        wire.parse(V3_BOOK)
        both = V3_BOOK_UPDATE.replace('[["5","0"]]', '[["7","1"]]').replace('"asks":[]', '"asks":[["7","0"]]')
        (delta,) = wire.parse(both)
        assert isinstance(delta, BookDelta)
        assert (delta.bids, delta.asks) == ([("7", "1")], [("7", "0")])

    def test_forgotten_offsets_hold_no_update_back(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(books, "AGES_MAX", 3)
        wire = Driven(Dydx, adopt=True)
        wire.parse(V3_BOOK)
        for number in range(2, 20):
            (delta,) = wire.parse(numbered(V3_BOOK_UPDATE.replace('["5","0"]', f'["{number}.5","1"]'), number))
            assert isinstance(delta, BookDelta)
            assert delta.bids == [(f"{number}.5", "1")]
