"""Coinbase's streams, folded as a client folds them."""

from __future__ import annotations

from foxtrot_workers.simulator.market.publisher import Message
from foxtrot_workers.simulator.venues.coinbase.venue import CoinbaseVenue
from tests.support.simulated_market import PlainBook, SimulatedMarket, json_of

BOOK = "level2_batch:BTC-USDT"


def fold(book: PlainBook, messages: list[Message]) -> None:
    for message in messages:
        rows = json_of(message)["changes"]
        book.apply([row[1:] for row in rows if row[0] == "buy"], [row[1:] for row in rows if row[0] == "sell"])


def test_updates_continue_the_snapshot_and_give_the_whole_book() -> None:
    one = SimulatedMarket(CoinbaseVenue())
    one.drive(100)
    (first,) = one.subscribe(BOOK)
    book = PlainBook(json_of(first)["bids"], json_of(first)["asks"])
    fold(book, one.drive(1_000) + one.settle())
    assert book.equals(one.state())
    one.topics.clear()
    one.drive(50)
    (again,) = one.subscribe(BOOK)
    book = PlainBook(json_of(again)["bids"], json_of(again)["asks"])
    fold(book, one.drive(300) + one.settle())
    assert book.equals(one.state())


def test_matches_are_dense_and_the_last_one_comes_first() -> None:
    one = SimulatedMarket(CoinbaseVenue())
    assert one.subscribe("matches:BTC-USDT") == [], "nothing was traded yet"
    one.drive(100)
    (first,) = one.subscribe("matches:BTC-USDT")
    last = json_of(first)
    assert (last["type"], last["trade_id"]) == ("last_match", one.state().trade_id)
    ids = [json_of(message)["trade_id"] for message in one.drive(300)]
    assert ids == list(range(last["trade_id"] + 1, last["trade_id"] + 1 + len(ids)))


def test_heartbeats_and_batches_of_tickers_come_by_the_clock() -> None:
    one = SimulatedMarket(CoinbaseVenue())
    one.subscribe("heartbeat:BTC-USDT", "ticker_batch:BTC-USDT", "ticker:BTC-USDT")
    kinds: dict[str, int] = {}
    for message in one.drive(1_000, step_ms=20):
        kinds[message.stream] = kinds.get(message.stream, 0) + 1
    assert kinds["heartbeat:BTC-USDT"] == 20
    assert kinds["ticker_batch:BTC-USDT"] in (4, 5)
    assert kinds["ticker:BTC-USDT"] > 50


def test_products_are_known_by_their_name() -> None:
    venue = CoinbaseVenue()
    SimulatedMarket(venue)
    assert venue.publisher.knows("BTC-USDT")
    assert not venue.publisher.knows("BTCUSDT")
    assert venue.publisher.welcome("matches:NO-USD", 0) == []


def test_a_ticker_begins_with_the_last_trade_and_a_heartbeat_with_nothing() -> None:
    one = SimulatedMarket(CoinbaseVenue())
    assert one.subscribe("ticker:BTC-USDT") == [], "nothing was traded yet"
    one.drive(100)
    for topic in ("ticker:BTC-USDT", "ticker_batch:BTC-USDT"):
        (first,) = one.subscribe(topic)
        assert (json_of(first)["type"], json_of(first)["trade_id"]) == ("ticker", one.state().trade_id)
    assert one.subscribe("heartbeat:BTC-USDT") == []


def test_no_update_of_a_book_comes_before_its_snapshot() -> None:
    one = SimulatedMarket(CoinbaseVenue())
    one.topics[BOOK] = None
    assert one.drive(300) + one.settle() == []
    assert len(one.subscribe(BOOK)) == 1
    assert one.drive(300) + one.settle() != []
