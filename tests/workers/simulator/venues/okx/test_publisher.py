"""OKX's streams, folded as a client folds them."""

from __future__ import annotations

from foxtrot_workers.simulator.market.publisher import Message
from foxtrot_workers.simulator.venues.okx.venue import OkxVenue
from tests.support.simulated_market import PlainBook, SimulatedMarket, json_of

BOOKS = "channel=books/instId=BTC-USDT"
TRADES = "channel=trades/instId=BTC-USDT"


def fold(book: PlainBook, last: int, messages: list[Message]) -> int:
    for message in messages:
        frame = json_of(message)
        (row,) = frame["data"]
        assert frame["action"] == "update"
        assert row["prevSeqId"] == last == message.first_id
        last = row["seqId"]
        book.apply(row["bids"], row["asks"])
    return last


def test_updates_continue_the_snapshot_and_give_the_book() -> None:
    one = SimulatedMarket(OkxVenue(), depth_start=300)
    one.drive(100)
    (first,) = one.subscribe(BOOKS)
    (row,) = json_of(first)["data"]
    assert (json_of(first)["action"], row["prevSeqId"]) == ("snapshot", -1)
    book = PlainBook(row["bids"], row["asks"], depth=400)
    last = fold(book, row["seqId"], one.drive(1_000) + one.settle())
    assert book.equals(one.state())
    # a second subscriber joins what is published: the same numbers
    one.drive(20)
    (joined,) = one.subscribe(BOOKS)
    (row,) = json_of(joined)["data"]
    other = PlainBook(row["bids"], row["asks"], depth=400)
    later = one.drive(200) + one.settle()
    assert fold(other, row["seqId"], later) > last
    assert other.equals(one.state())


def test_after_a_time_without_subscribers_the_snapshot_is_new() -> None:
    one = SimulatedMarket(OkxVenue())
    one.subscribe(BOOKS)
    one.drive(100)
    one.topics.clear()
    one.drive(300)
    (first,) = one.subscribe(BOOKS)
    (row,) = json_of(first)["data"]
    book = PlainBook(row["bids"], row["asks"], depth=400)
    assert book.equals(one.state())
    fold(book, row["seqId"], one.drive(100) + one.settle())
    assert book.equals(one.state())


def test_a_trade_stands_for_its_fills() -> None:
    one = SimulatedMarket(OkxVenue())
    one.subscribe(TRADES, "channel=trades-all/instId=BTC-USDT")
    merged, single = [], []
    for message in one.drive(1_000):
        (row,) = json_of(message)["data"]
        (merged if "count" in row else single).append((int(row["tradeId"]), row.get("count"), message.first_id))
    ids = [number for number, _, _ in single]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert [number for last, count, _ in merged for number in range(last - int(count or 1) + 1, last + 1)] == ids
    assert all(first == last - int(count or 1) + 1 for last, count, first in merged)
    assert any(count != "1" for _, count, _ in merged)


def test_identifiers_that_restart_are_chained_too() -> None:
    one = SimulatedMarket(OkxVenue())
    (first,) = one.subscribe(BOOKS)
    (row,) = json_of(first)["data"]
    book = PlainBook(row["bids"], row["asks"], depth=400)
    last = fold(book, row["seqId"], one.drive(100))
    one.market.restart_identifiers()
    after = fold(book, last, one.drive(100) + one.settle())
    assert after < last
    assert book.equals(one.state())


def test_the_best_levels_and_five_levels_are_whole() -> None:
    one = SimulatedMarket(OkxVenue())
    one.subscribe("channel=bbo-tbt/instId=BTC-USDT", "channel=books5/instId=BTC-USDT")
    sizes = {(message.stream.split("/")[0], len(json_of(message)["data"][0]["bids"])) for message in one.drive(500)}
    assert sizes == {("channel=bbo-tbt", 1), ("channel=books5", 5)}


def test_instruments_are_known_by_their_name() -> None:
    venue = OkxVenue()
    SimulatedMarket(venue)
    assert venue.publisher.knows("BTC-USDT")
    assert not venue.publisher.knows("BTCUSDT")


def test_no_update_of_a_book_comes_before_its_snapshot() -> None:
    one = SimulatedMarket(OkxVenue())
    one.topics[BOOKS] = None
    assert one.drive(300) + one.settle() == []
    assert len(one.subscribe(BOOKS)) == 1
    assert one.drive(300) + one.settle() != []
