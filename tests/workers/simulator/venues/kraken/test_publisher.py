"""Kraken's streams, folded as a client folds them: cut to the depth, proven by the checksum."""

from __future__ import annotations

from decimal import Decimal
from zlib import crc32

import pytest

from foxtrot_workers.simulator.market.publisher import Message
from foxtrot_workers.simulator.venues.kraken.venue import KrakenVenue
from tests.support.simulated_market import PlainBook, SimulatedMarket, json_of


def checksum(book: PlainBook, price_decimals: int) -> int:
    sides = (sorted(book.asks.items()), sorted(book.bids.items(), reverse=True))
    text = ""
    for side in sides:
        for price, size in side[:10]:
            for number, decimals in ((price, price_decimals), (size, 8)):
                text += f"{number:.{decimals}f}".replace(".", "").lstrip("0")
    return crc32(text.encode())


def levels(rows: list[dict[str, Decimal]]) -> list[tuple[Decimal, Decimal]]:
    return [(row["price"], row["qty"]) for row in rows]


def fold(book: PlainBook, messages: list[Message], price_decimals: int) -> int:
    checked = 0
    for message in messages:
        (row,) = json_of(message)["data"]
        book.apply(levels(row["bids"]), levels(row["asks"]), cut=True)
        assert checksum(book, price_decimals) == row["checksum"]
        checked += 1
    return checked


@pytest.mark.parametrize("depth", [10, 25, 100, 500])
def test_every_update_has_the_right_checksum(depth: int) -> None:
    one = SimulatedMarket(KrakenVenue(), depth_start=60)
    one.drive(100)
    decimals = one.state().instrument.price_decimals
    topic = f"book/{depth}/BTC/USDT"
    for _ in range(2):
        (first,) = one.subscribe(topic)
        (row,) = json_of(first)["data"]
        book = PlainBook(levels(row["bids"]), levels(row["asks"]), depth)
        assert checksum(book, decimals) == row["checksum"]
        assert fold(book, one.drive(700) + one.settle(), decimals) > 50
        assert book.equals(one.state())
        one.topics.clear()
        one.drive(50)


def test_trades_are_dense_and_past_ones_are_a_snapshot() -> None:
    one = SimulatedMarket(KrakenVenue())
    one.drive(500)
    (first,) = one.subscribe("trade/BTC/USDT")
    past = [row["trade_id"] for row in json_of(first)["data"]]
    assert (json_of(first)["type"], len(past), past[-1]) == ("snapshot", 50, one.state().trade_id)
    ids = []
    for message in one.drive(300):
        found = [row["trade_id"] for row in json_of(message)["data"]]
        assert (found[0], found[-1]) == (message.first_id, message.last_id)
        ids += found
    assert ids == list(range(past[-1] + 1, past[-1] + 1 + len(ids)))


def test_a_ticker_follows_trades_or_the_best_levels() -> None:
    one = SimulatedMarket(KrakenVenue())
    first = one.subscribe("ticker/trades/BTC/USDT", "ticker/bbo/BTC/USDT")
    assert [json_of(message)["type"] for message in first] == ["snapshot", "snapshot"]
    count = {"ticker/trades/BTC/USDT": 0, "ticker/bbo/BTC/USDT": 0}
    for message in one.drive(1_000):
        count[message.stream] += 1
    assert min(count.values()) > 50
    assert count["ticker/bbo/BTC/USDT"] != count["ticker/trades/BTC/USDT"]


def test_pairs_are_known_by_their_name() -> None:
    venue = KrakenVenue()
    SimulatedMarket(venue)
    assert venue.publisher.knows("BTC/USDT")
    assert not venue.publisher.knows("XBT/USDT")
    assert venue.publisher.welcome("trade/NO/USD", 0) == []


def test_no_update_of_a_book_comes_before_its_snapshot() -> None:
    one = SimulatedMarket(KrakenVenue())
    one.topics["book/10/BTC/USDT"] = None
    assert one.drive(300) + one.settle() == []
    assert len(one.subscribe("book/10/BTC/USDT")) == 1
    assert one.drive(300) + one.settle() != []
