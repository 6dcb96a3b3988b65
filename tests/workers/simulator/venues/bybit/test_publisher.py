"""Bybit's streams, folded as a client folds them."""

from __future__ import annotations

import pytest

from foxtrot_workers.simulator.market.publisher import Message
from foxtrot_workers.simulator.venues.bybit.venue import BybitVenue
from tests.support.simulated_market import PlainBook, SimulatedMarket, json_of


def simulated(category: str = "spot", **options: int) -> SimulatedMarket:
    venue = BybitVenue()
    venue.session(f"/v5/public/{category}", "")
    return SimulatedMarket(venue, **options)


def book_of(first: Message, depth: int) -> tuple[PlainBook, int]:
    frame = json_of(first)
    assert frame["type"] == "snapshot"
    return PlainBook(frame["data"]["b"], frame["data"]["a"], depth), frame["data"]["u"]


def fold(book: PlainBook, last: int, messages: list[Message]) -> int:
    for message in messages:
        frame = json_of(message)
        data = frame["data"]
        if frame["type"] == "snapshot":
            book.bids.clear()
            book.asks.clear()
        else:
            assert data["u"] == last + 1
        last = data["u"]
        book.apply(data["b"], data["a"])
    return last


@pytest.mark.parametrize("depth", [50, 200, 1000])
def test_deltas_continue_the_snapshot_and_give_the_book(depth: int) -> None:
    one = simulated(depth_start=120)
    one.drive(100)
    topic = f"spot/orderbook.{depth}.BTCUSDT"
    (first,) = one.subscribe(topic)
    book, last = book_of(first, depth)
    last = fold(book, last, one.drive(1_000) + one.settle())
    assert book.equals(one.state())
    one.topics.clear()
    one.drive(50)
    (again,) = one.subscribe(topic)
    book, number = book_of(again, depth)
    assert number > last
    fold(book, number, one.drive(300) + one.settle())
    assert book.equals(one.state())


def test_twins_are_sent_the_same_updates() -> None:
    one = simulated()
    topic = "spot/orderbook.50.BTCUSDT"
    book, last = book_of(one.subscribe(topic)[0], 50)
    last = fold(book, last, one.drive(200))
    twin, number = book_of(one.subscribe(topic)[0], 50)
    assert number == last
    later = one.drive(200) + one.settle()
    assert fold(book, last, later) == fold(twin, number, later)
    assert book.equals(one.state())
    assert twin.equals(one.state())


def test_the_best_level_is_always_whole_and_comes_again_when_it_rests() -> None:
    one = simulated()
    topic = "spot/orderbook.1.BTCUSDT"
    one.subscribe(topic)
    frames = [json_of(message) for message in one.drive(500)]
    assert {(frame["type"], len(frame["data"]["b"]), len(frame["data"]["a"])) for frame in frames} == {
        ("snapshot", 1, 1)
    }
    updates = [frame["data"]["u"] for frame in frames]
    assert updates == list(range(updates[0], updates[0] + len(updates)))
    last = one.settle()
    again = [json_of(message) for message in one.settle()]
    assert [frame["data"]["u"] for frame in again] == [json_of(last[-1])["data"]["u"]] if last else True


def test_a_restart_begins_with_a_snapshot_numbered_one() -> None:
    one = simulated()
    topic = "spot/orderbook.50.BTCUSDT"
    book, last = book_of(one.subscribe(topic)[0], 50)
    last = fold(book, last, one.drive(100))
    one.market.restart_identifiers()
    later = one.drive(200) + one.settle()
    assert (json_of(later[0])["type"], json_of(later[0])["data"]["u"]) == ("snapshot", 1)
    fold(book, last, later)
    assert book.equals(one.state())


@pytest.mark.parametrize("category", ["spot", "linear"])
def test_trades_carry_the_identifiers_of_their_category(category: str) -> None:
    one = simulated(category)
    topic = f"{category}/publicTrade.BTCUSDT"
    one.subscribe(topic)
    numbers = []
    for message in one.drive(500):
        rows = json_of(message)["data"]
        texts = [row["i"] for row in rows]
        found = [int(text) if category == "spot" else int(text.rpartition("-")[2], 16) for text in texts]
        assert (found[0], found[-1]) == (message.first_id, message.last_id)
        numbers += found
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_a_category_without_a_connection_publishes_nothing() -> None:
    one = simulated("spot")
    one.subscribe("linear/publicTrade.BTCUSDT")
    assert one.drive(300) == []


def test_a_ticker_of_futures_names_what_has_changed() -> None:
    one = simulated("linear")
    (first,) = one.subscribe("linear/tickers.BTCUSDT")
    fields = json_of(first)["data"]
    deltas = 0
    for message in one.drive(1_000):
        frame = json_of(message)
        deltas += frame["type"] == "delta"
        changed = {key: value for key, value in frame["data"].items() if key != "symbol"}
        assert all(fields[key] != value for key, value in changed.items())
        fields.update(changed)
    assert deltas > 20
    spot = simulated("spot")
    spot.subscribe("spot/tickers.BTCUSDT")
    assert {json_of(message)["type"] for message in spot.drive(1_000)} == {"snapshot"}


def test_topics_are_known_by_category() -> None:
    venue = simulated().venue
    assert isinstance(venue, BybitVenue)
    assert venue.publisher.knows("linear", "kline.5.BTCUSDT")
    assert not venue.publisher.knows("inverse", "publicTrade.BTCUSDT")
    assert not venue.publisher.knows("spot", "orderbook.500.BTCUSDT")
