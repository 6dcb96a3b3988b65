"""Array frames of recordings; the recordings themselves are replayed by another test where they are present."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from foxtrot_protocol.events import Bar, BookDelta, BookSnapshot, Gap, Quote, Ticker, Trade
from foxtrot_workers.adapter import UnrecognizedFrame
from foxtrot_workers.exchanges.kraken import v1
from foxtrot_workers.exchanges.kraken.adapter import Kraken
from tests.workers.exchanges.connection import replaying
from tests.workers.exchanges.kraken.samples import KrakenBook

PAIR = "XBT/USD"
TIME = "1618678142.557535"
TIME_NS = 1_618_678_142_557_535_000


def level(price: str, size: str, time: str = TIME, *more: str) -> list[str]:
    return [price, size, time, *more]


def snapshot(book: KrakenBook, depth: int = 10) -> list[Any]:
    bids, asks = book.book.best_bids(depth), book.book.best_asks(depth)
    return [1, {"as": [level(*each) for each in asks], "bs": [level(*each) for each in bids]}, f"book-{depth}", PAIR]


def test_trades_have_no_identifier() -> None:
    rows = [["354.11", "0.89594024", TIME, "s", "l", ""], ["354.12", "1", TIME, "b", "m", ""]]
    sold, bought = replaying(Kraken).parse([993, rows, "trade", PAIR])
    assert sold == Trade("KRAKEN", PAIR, TIME_NS, 7, "354.11", "0.89594024", "sell", "")
    assert isinstance(bought, Trade)
    assert bought.side == "buy"


def test_a_spread_is_a_quote() -> None:
    (quote,) = replaying(Kraken).parse([1, ["5698.4", "5700.0", TIME, "1.01", "0.98"], "spread", PAIR])
    assert quote == Quote("KRAKEN", PAIR, TIME_NS, 7, "5698.4", "1.01", "5700.0", "0.98", "")


def test_a_ticker_has_figures_of_24_hours() -> None:
    figures = {"a": ["13.25", 35, "35.7"], "b": ["13.23", 185, "185.1"], "c": ["13.25", "3.7"], "v": ["2", "7"]}
    figures |= {"p": ["1", "2"], "t": [640, 1353], "l": ["13.0", "12.9"], "h": ["13.9", "14.0"], "o": ["13.8", "13.4"]}
    (ticker,) = replaying(Kraken).parse([1, figures, "ticker", PAIR])
    assert ticker == Ticker(
        "KRAKEN", PAIR, 0, 7, "13.25", "13.4", "14.0", "12.9", "7", None, "13.23", "185.1", "13.25", "35.7"
    )


def test_a_bar_begins_an_interval_before_its_end() -> None:
    row = ["1542057314.748456", "1542057360.435743", "3586.7", "3586.8", "3586.6", "3586.7", "3586.6", "0.03", 2]
    (bar,) = replaying(Kraken).parse([42, row, "ohlc-5", PAIR])
    assert isinstance(bar, Bar)
    assert (bar.interval, bar.start_ns, bar.volume) == ("5m", 1_542_057_060_435_743_000, "0.03")
    with pytest.raises(UnrecognizedFrame):
        replaying(Kraken).parse([42, row, "ohlc-2", PAIR])
    with pytest.raises(msgspec.ValidationError):
        replaying(Kraken).parse([42, [*row[:1], "1", *row[2:]], "ohlc-5", PAIR])


class TestBooks:
    def test_a_snapshot_has_no_checksum_and_updates_have(self) -> None:
        wire = replaying(Kraken)
        book = KrakenBook(10, [("9.10", "1.00")], [("9.20", "2.00")])
        (whole,) = wire.parse(snapshot(book))
        assert whole == BookSnapshot(
            "KRAKEN", PAIR, TIME_NS, 7, [("9.10", "1.00")], [("9.20", "2.00")], None, None, None
        )
        book.book.apply([("9.15", "3.00")], [])
        (delta,) = wire.parse(
            [1, {"b": [level("9.15", "3.00", TIME, "r")], "c": str(book.checksum())}, "book-10", PAIR]
        )
        assert isinstance(delta, BookDelta)
        assert (delta.bids, delta.asks, delta.checksum) == ([("9.15", "3.00")], [], book.checksum())

    def test_an_update_of_both_sides_has_two_objects(self) -> None:
        wire = replaying(Kraken)
        book = KrakenBook(10, [("9.10", "1.00")], [("9.20", "2.00")])
        wire.parse(snapshot(book))
        book.book.apply([("9.15", "3.00")], [("9.20", "0.00"), ("9.30", "1.00")])
        asks, bids = [level("9.20", "0.00"), level("9.30", "1.00")], [level("9.15", "3.00")]
        (delta,) = wire.parse([1, {"a": asks}, {"b": bids, "c": str(book.checksum())}, "book-10", PAIR])
        assert isinstance(delta, BookDelta)
        assert (delta.bids, delta.asks) == ([("9.15", "3.00")], [("9.20", "0.00"), ("9.30", "1.00")])

    def test_a_wrong_checksum_loses_the_book(self) -> None:
        wire = replaying(Kraken)
        wire.parse(snapshot(KrakenBook(10, [("9.10", "1.00")], [])))
        (gap,) = wire.parse([1, {"b": [level("9.15", "3.00")], "c": "5"}, "book-10", PAIR])
        assert isinstance(gap, Gap)
        assert "checksum 5 was sent" in gap.cause

    def test_an_update_before_any_snapshot_is_a_gap(self) -> None:
        (gap,) = replaying(Kraken).parse([1, {"b": [level("9.15", "3.00")], "c": "5"}, "book-10", PAIR])
        assert isinstance(gap, Gap)

    def test_books_are_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(v1, "ADOPTED_MAX", 1)
        wire = replaying(Kraken)
        frame = snapshot(KrakenBook(10, [("9.10", "1.00")], []))
        wire.parse(frame)
        wire.parse(frame)
        with pytest.raises(UnrecognizedFrame):
            wire.parse([*frame[:-1], "ETH/USD"])


@pytest.mark.parametrize(
    "frame",
    [
        [],
        [1, 2, 3],
        [1, 2, 3, 4, 5, 6],
        [1, [], "ownTrades", PAIR],
        [1, [], "trade", ""],
        [1, {}, "book", PAIR],
        [1, {}, "book-0", PAIR],
        [1, {}, "book-9999999", PAIR],
    ],
)
def test_unknown_arrays_are_unrecognized(frame: list[Any]) -> None:
    with pytest.raises(UnrecognizedFrame):
        replaying(Kraken).parse(frame)


@pytest.mark.parametrize(
    "frame",
    [
        [1, [], 5, PAIR],
        [1, {}, "trade", PAIR],
        [1, [["1", "2", "x", "b"]], "trade", PAIR],
        [1, [["1", "2", TIME, "x"]], "trade", PAIR],
        [1, {"c": "-1"}, "book-10", PAIR],
        [1, {"c": "x"}, "book-10", PAIR],
    ],
)
def test_wrong_types_are_refused(frame: list[Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        replaying(Kraken).parse(frame)


def test_other_messages_of_recordings_are_no_data() -> None:
    wire = replaying(Kraken)
    for event in ("heartbeat", "systemStatus", "subscriptionStatus", "pong"):
        assert wire.parse({"event": event, "connectionID": 17843232920108168701}) == []
    assert wire.take_notices() == []
