"""The market of one symbol, from batches."""

from __future__ import annotations

import pytest

from foxtrot_protocol.codec import BatchEncoder, batch_decoder
from foxtrot_protocol.events import BookDelta, BookSnapshot, Gap, MarketEvent, Quote, Ticker, Trade
from foxtrot_protocol.framing import Batch
from foxtrot_supervisor.client import market_view
from foxtrot_supervisor.client.market_view import PARTIAL_OLD_NS, TRADES_MAX, MarketView, Top


def trade(number: int, symbol: str = "BTCUSDT") -> Trade[str]:
    return Trade("SIM", symbol, 1, 2, "100.10", "0.5", "buy", str(number))


def snapshot(receive_ns: int = 5) -> BookSnapshot[str]:
    bids, asks = [("99", "1"), ("98", "2")], [("101", "3"), ("102", "4")]
    return BookSnapshot("SIM", "BTCUSDT", 1, receive_ns, bids, asks, None, "1", None)


def delta(receive_ns: int = 6) -> BookDelta[str]:
    return BookDelta("SIM", "BTCUSDT", 1, receive_ns, [("99", "0")], [("100.5", "7")], None, "2", None)


def encoded(*events: MarketEvent[str], worker: str = "one.a") -> bytes:
    return BatchEncoder(worker, 1).encode(1, 3, list(events))


def batch(*events: MarketEvent[str], worker: str = "one.a") -> Batch[str]:
    decoded: Batch[str] = batch_decoder("text").decode(encoded(*events, worker=worker))
    return decoded


def test_the_first_symbol_of_a_worker_is_chosen_and_all_are_listed() -> None:
    view = MarketView(worker="one.a")
    assert not view.feed(batch(trade(1), worker="two.a"))
    assert view.feed(batch(trade(1, "ETHUSDT"), trade(2, "BTCUSDT")))
    assert (view.exchange, view.symbol) == ("SIM", "ETHUSDT")
    assert view.symbols == {("SIM", "ETHUSDT"), ("SIM", "BTCUSDT")}
    assert view.last == trade(1, "ETHUSDT")
    assert view.events_total == 1


def test_batches_without_the_symbol_need_no_decoding() -> None:
    view = MarketView(worker="one.a", symbol="BTCUSDT")
    assert view.may_concern(encoded(trade(1)))
    assert not view.may_concern(encoded(trade(1, "ETHUSDT")))
    assert not view.may_concern(encoded(trade(1), worker="two.a"))
    assert not view.feed(batch(trade(1, "ETHUSDT")))
    assert view.symbols == set()


def test_another_exchange_is_not_shown() -> None:
    view = MarketView(exchange="OKX", symbol="BTCUSDT")
    assert not view.feed(batch(trade(1)))


def test_trades_of_twins_count_once_and_the_latest_stay() -> None:
    view = MarketView(symbol="BTCUSDT")
    for number in range(TRADES_MAX + 1):
        view.feed(batch(trade(number)))
        view.feed(batch(trade(number), worker="one.b"))
    assert [each.trade_id for each in view.trades] == [str(number) for number in range(1, TRADES_MAX + 1)]


def test_the_book_follows_its_updates() -> None:
    view = MarketView(symbol="BTCUSDT")
    assert (view.top, view.spread(), view.bids) == (None, None, [])
    view.feed(batch(snapshot(), delta()))
    assert view.bids == [("98", "2")]
    assert view.asks == [("100.5", "7"), ("101", "3"), ("102", "4")]
    assert view.top == Top("98", "2", "100.5", "7", 6)
    assert view.spread() == 2.5


def change(receive_ns: int, *bids: tuple[str, str]) -> BookDelta[str]:
    return BookDelta("SIM", "BTCUSDT", 1, receive_ns, list(bids), [], None, "2", None)


def test_without_a_snapshot_the_book_has_what_the_updates_of_one_connection_say() -> None:
    view = MarketView(symbol="BTCUSDT")
    view.feed(batch(change(5, ("99", "1"), ("98", "2"))))
    assert (view.bids, view.is_partial) == ([("99", "1"), ("98", "2")], True)
    view.feed(batch(change(6, ("99", "0")), worker="two.a"))
    assert view.bids[0] == ("99", "1"), "another connection may be behind"
    view.feed(batch(change(6, ("99", "0"))))
    assert view.bids == [("98", "2")]
    view.feed(batch(change(7 + PARTIAL_OLD_NS, ("90", "1")), worker="two.a"))
    assert view.bids == [("90", "1")], "the first connection is gone"
    view.feed(batch(change(8 + PARTIAL_OLD_NS, ("no number", "1")), worker="two.a"))
    assert (view.bids, view.is_partial) == ([], False)
    view.feed(batch(snapshot(), worker="two.a"))
    view.feed(batch(change(9 + PARTIAL_OLD_NS, ("97", "1"))))
    assert (view.bids, view.is_partial) == ([("99", "1"), ("98", "2")], False)
    view.dropped()
    view.feed(batch(change(5, ("97", "1"))))
    assert (view.bids, view.is_partial) == ([("97", "1")], True)


def test_the_latest_of_quote_and_book_is_the_top() -> None:
    view = MarketView(symbol="BTCUSDT")
    view.feed(batch(snapshot(5), Quote("SIM", "BTCUSDT", 1, 9, "99.5", "1", None, None, "")))
    assert view.top == Top("99.5", "1", None, None, 9)
    assert view.spread() is None
    view.feed(batch(delta(10)))
    assert view.top == Top("98", "2", "100.5", "7", 10)


def test_a_ticker_with_prices_is_a_quote() -> None:
    view = MarketView(symbol="X")
    view.feed(batch(Ticker("SIM", "X", 1, 2, "5", None, None, None, None, None)))
    assert view.top is None
    view.feed(batch(Ticker("SIM", "X", 1, 2, "5", None, None, None, None, None, "4", "1", "6", "2")))
    assert view.top == Top("4", "1", "6", "2", 2)


@pytest.mark.parametrize("stream", ["", "eBook."])
def test_after_a_gap_the_book_is_unknown_until_its_next_snapshot(stream: str) -> None:
    view = MarketView(symbol="BTCUSDT")
    view.feed(batch(snapshot()))
    view.feed(batch(Gap("SIM", "BTCUSDT", 1, 2, "eMarketTrade.", None, None, 0, 0, "")))
    assert view.bids
    view.feed(batch(Gap("SIM", "BTCUSDT", 1, 2, stream, None, None, 0, 0, "")))
    assert view.bids == []
    view.feed(batch(delta()))
    assert view.bids == []
    assert view.is_partial, "the update has asks only"
    view.feed(batch(snapshot()))
    assert (len(view.bids), view.is_partial) == (2, False)


def test_a_stream_with_a_hole_has_no_books() -> None:
    view = MarketView(symbol="BTCUSDT")
    view.feed(batch(snapshot()))
    view.dropped()
    assert view.bids == []


def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(market_view, "SYMBOLS_MAX", 2)
    monkeypatch.setattr(market_view, "CONNECTIONS_MAX", 2)
    view = MarketView()
    view.feed(batch(*(trade(1, symbol) for symbol in ("A", "B", "C"))))
    assert view.symbols == {("SIM", "A"), ("SIM", "B")}
    view = MarketView(symbol="BTCUSDT")
    for worker in ("one.a", "two.a", "three.a"):
        view.feed(batch(snapshot(), worker=worker))
    view.feed(batch(delta(), worker="one.a"))
    assert view.bids == [("99", "1"), ("98", "2")], "the book of the first is no longer followed"


def test_twins_are_one_stream_with_one_book() -> None:
    """The engine passes on the first copy of each event, whichever side it came from."""
    view = MarketView(worker="one.a", symbol="BTCUSDT")
    view.feed(batch(snapshot(), worker="one.a"))
    view.feed(batch(change(6, ("99", "0")), worker="one.b"))
    view.feed(batch(change(7, ("97", "3")), worker="one.a"))
    view.feed(batch(change(8, ("96", "3")), worker="two.a"))
    assert (view.bids, view.is_partial) == ([("98", "2"), ("97", "3")], False)
    assert view.may_concern(encoded(trade(1), worker="one.b"))
