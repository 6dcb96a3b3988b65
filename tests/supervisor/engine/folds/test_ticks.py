"""Ticks: their content after each kind of event, when they are emitted, and that nothing stale is shown."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxtrot_protocol.event_lines import BookView
from foxtrot_protocol.events import (
    BookDelta,
    BookSnapshot,
    FeedStatus,
    Gap,
    MarkPrice,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from foxtrot_protocol.tick_data import TickData
from foxtrot_supervisor.engine.folds import ticks as tick_fold
from foxtrot_supervisor.engine.folds.ticks import TickFold
from foxtrot_workers.replay import replay

S = 1_000_000_000
T0 = 20_000 * 86_400 * S  # a midnight


def trade(at_s: float, price: Any = 100.0, size: Any = 1.0, **more: Any) -> Trade[Any]:
    at_ns = T0 + int(at_s * S)
    return Trade("SIM", "BTC", more.pop("exchange_ns", at_ns), at_ns + 1000, price, size, "buy", "1", **more)


def quote(at_s: float, bid: Any, ask: Any, size: Any = 1.0) -> Quote[Any]:
    at_ns = T0 + int(at_s * S)
    return Quote("SIM", "BTC", at_ns, at_ns + 1000, bid, size, ask, size, "")


def snapshot(at_s: float, bids: list[Any], asks: list[Any], symbol: str = "BTC") -> BookSnapshot[Any]:
    at_ns = T0 + int(at_s * S)
    return BookSnapshot(
        "SIM", symbol, at_ns, at_ns + 1000, [(b, 1.0) for b in bids], [(a, 2.0) for a in asks], None, None, None
    )


def delta(at_s: float, bids: list[tuple[Any, Any]], asks: list[tuple[Any, Any]]) -> BookDelta[Any]:
    at_ns = T0 + int(at_s * S)
    return BookDelta("SIM", "BTC", at_ns, at_ns + 1000, bids, asks, None, None, None)


def gap(stream: str = "eBook.", exchange: str = "SIM", symbol: str = "BTC", filled: bool = False) -> Gap:
    return Gap(exchange, symbol, 0, T0 + 1000 * S, stream, None, None, 0, 0, "test", filled)


def status(at_s: float, state: Any, age_s: float) -> FeedStatus:
    return FeedStatus("SIM", "BTC", 0, T0 + int(at_s * S), "btc@depth", state, age_s)


def last(fold: TickFold, *events: Any, source: str = "") -> TickData:
    """Return the tick of the last of `events` that gave one."""
    ticks = [tick for event in events if (tick := fold.fold(event, source)) is not None]
    return ticks[-1]


def bids(tick: TickData) -> list[float]:
    return [getattr(tick, f"bid_price_{level}") for level in range(1, 6)]


def asks(tick: TickData) -> list[float]:
    return [getattr(tick, f"ask_price_{level}") for level in range(1, 6)]


def test_a_trade_gives_last_price_and_the_days_figures() -> None:
    tick = last(TickFold("change"), trade(0, 100.0), trade(1, 90.0, 2.0), trade(2, 110.0, 0.5), trade(3, 105.0))
    assert (tick.last_price, tick.last_volume) == (105.0, 1.0)
    assert (tick.open_price, tick.high_price, tick.low_price) == (100.0, 110.0, 90.0)
    assert (tick.volume, tick.turnover) == (4.5, 100.0 + 180.0 + 55.0 + 105.0)
    assert (tick.symbol, tick.exchange, tick.vt_symbol, tick.gateway_name, tick.name) == (
        "BTC",
        "SIM",
        "BTC.SIM",
        "SIM",
        "BTC",
    )
    assert tick.datetime == datetime.fromtimestamp(T0 / S + 3, UTC)
    assert tick.localtime is not None
    assert tick.localtime.tzinfo is UTC
    assert tick.localtime.microsecond == 1


def test_day_figures_restart_at_midnight_utc_and_ignore_trades_of_the_day_before() -> None:
    fold = TickFold("change", gateway_name="mine")
    tick = last(fold, trade(-5, 1.0), trade(1, 7.0, 2.0), trade(-1, 500.0))
    assert (tick.open_price, tick.high_price, tick.volume, tick.gateway_name) == (7.0, 7.0, 2.0, "mine")


def test_the_tickers_day_figures_take_precedence() -> None:
    ticker = Ticker("SIM", "BTC", T0 + 1, T0 + 2, 99.0, 90.0, 120.0, 80.0, 1000.0, 95000.0, 98.0, 1.0, 100.0, None)
    fold = TickFold("change")
    tick = last(fold, ticker)
    assert (tick.last_price, tick.open_price, tick.high_price, tick.low_price) == (99.0, 90.0, 120.0, 80.0)
    assert (tick.volume, tick.turnover) == (1000.0, 95000.0)
    assert (tick.bid_price_1, tick.bid_volume_1, tick.ask_price_1, tick.ask_volume_1) == (98.0, 1.0, 100.0, 0.0)
    tick = last(fold, trade(1, 300.0))
    assert (tick.last_price, tick.high_price, tick.volume) == (300.0, 120.0, 1000.0)
    older = Ticker("SIM", "BTC", T0 + 3, T0 + 4, 5.0, None, 121.0, None, None, None)
    tick = last(fold, older)
    assert (tick.last_price, tick.high_price, tick.volume) == (300.0, 121.0, 1000.0)
    assert fold.fold(older) is None, "nothing is new"
    assert fold.fold(ticker) is not None
    # with quotes of its own the ticker's are not needed
    tick = last(fold, quote(2, 50.0, 60.0), ticker)
    assert (tick.bid_price_1, tick.ask_price_1) == (50.0, 60.0)


def test_with_a_ticker_without_figures_the_day_is_summed_from_trades() -> None:
    fold = TickFold("change")
    fold.fold(Ticker("SIM", "BTC", T0, T0, 5.0, None, None, None, None, None))
    assert last(fold, trade(1, 7.0, 2.0)).volume == 2.0


def test_open_interest() -> None:
    fold = TickFold("change")
    assert last(fold, OpenInterest("SIM", "BTC", T0, T0, 77.0)).open_interest == 77.0
    assert fold.fold(OpenInterest("SIM", "BTC", T0, T0 + 1, 77.0)) is None


def test_five_levels_of_the_book_follow_its_changes() -> None:
    fold = TickFold("change")
    tick = last(fold, snapshot(0, [10, 9, 8, 7, 6, 5], [11, 12, 13]))
    assert bids(tick) == [10, 9, 8, 7, 6]
    assert asks(tick) == [11, 12, 13, 0, 0]
    assert (tick.bid_volume_5, tick.ask_volume_3, tick.ask_volume_4) == (1.0, 2.0, 0.0)
    tick = last(fold, delta(1, [(10, 0)], [(10.5, 3.0)]))
    assert bids(tick) == [9, 8, 7, 6, 5]
    assert (asks(tick)[0], tick.ask_volume_1) == (10.5, 3.0)
    assert fold.fold(delta(2, [(1, 5.0)], [])) is None  # far below: a tick would look the same
    assert bids(last(fold, snapshot(3, [4], [5]))) == [4, 0, 0, 0, 0]


def test_an_update_before_the_first_snapshot_shows_nothing() -> None:
    fold = TickFold("change")
    assert fold.fold(delta(0, [(10, 1.0)], [])) is None
    assert bids(last(fold, trade(1))) == [0.0] * 5


def test_a_newer_quote_gives_the_best_level_and_the_book_those_behind() -> None:
    fold = TickFold("change")
    tick = last(fold, snapshot(0, [10, 9, 8], [11, 12, 13]), quote(1, 9.0, 11.5))
    assert bids(tick) == [9, 8, 0, 0, 0]
    assert asks(tick) == [11.5, 12, 13, 0, 0]
    tick = last(fold, quote(2, 10.5, None))
    assert bids(tick) == [10.5, 10, 9, 8, 0]
    assert asks(tick) == [0.0] * 5
    tick = last(fold, delta(3, [(10, 0)], []))
    assert (bids(tick)[0], asks(tick)[0]) == (9, 11)


def test_a_quote_alone_is_level_one() -> None:
    tick = last(TickFold("change"), quote(0, 10.0, 11.0, 3.0))
    assert (bids(tick), asks(tick)) == ([10.0, 0, 0, 0, 0], [11.0, 0, 0, 0, 0])
    assert (tick.bid_volume_1, tick.bid_volume_2) == (3.0, 0.0)


def test_by_change_an_unchanged_state_gives_no_tick() -> None:
    fold = TickFold("change")
    fold.fold(quote(0, 10.0, 11.0))
    assert fold.fold(quote(1, 10.0, 11.0)) is None
    assert fold.fold(quote(2, 10.0, 12.0)) is not None
    assert fold.fold(MarkPrice("SIM", "BTC", 1, 2, 3.0)) is None
    assert fold.ticks_total == 2


def test_by_trade_only_a_trade_gives_one_with_the_newest_levels() -> None:
    fold = TickFold("trade")
    assert fold.fold(quote(0, 10.0, 11.0)) is None
    assert fold.fold(snapshot(1, [9], [11])) is None
    tick = fold.fold(trade(2))
    assert tick is not None
    assert bids(tick)[0] == 9


def test_by_interval_the_newest_state_is_emitted_once_per_interval() -> None:
    fold = TickFold("interval", S // 2)
    assert fold.fold(trade(0, 1.0)) is not None
    assert fold.fold(trade(0.1, 2.0)) is None
    assert fold.fold(trade(0.2, 3.0)) is None
    assert fold.due(T0 + S // 4) == []
    (tick,) = fold.due(T0 + S)
    assert (tick.last_price, tick.volume) == (3.0, 3.0)
    same = Ticker("SIM", "BTC", T0 + 2 * S, T0 + 2 * S, 3.0, None, None, None, None, None)
    assert fold.fold(same) is None
    assert fold.due(T0 + 9 * S) == []
    assert fold.fold(trade(10, 4.0)) is not None
    assert TickFold("change").due(T0) == []


def test_a_backfilled_or_older_trade_changes_no_price() -> None:
    fold = TickFold("change")
    fold.fold(trade(5, 100.0))
    assert fold.fold(trade(4, 1.0)) is None
    assert fold.fold(trade(6, 2.0, backfilled=True)) is None
    tick = last(fold, trade(7, 101.0, exchange_ns=0))
    assert (tick.last_price, tick.volume, tick.low_price) == (101.0, 4.0, 1.0)


def test_time_never_goes_back() -> None:
    fold = TickFold("change")
    first = last(fold, quote(5, 1.0, 2.0))
    second = last(fold, quote(4, 1.0, 3.0))
    assert second.datetime == first.datetime
    assert second.localtime == first.localtime


def test_after_a_gap_the_book_is_empty_until_its_snapshot_and_a_tick_shows_it_at_once() -> None:
    for rule in ("change", "trade", "interval"):
        fold = TickFold(rule)  # type: ignore[arg-type]  # each of them
        fold.fold(snapshot(0, [10, 9], [11]))
        (tick,) = fold.lose(gap())
        assert bids(tick) == asks(tick) == [0.0] * 5
        assert tick.localtime == datetime.fromtimestamp(T0 / S + 1000, UTC)
        assert fold.lose(gap()) == []
        assert fold.fold(delta(1, [(10, 5.0)], [])) is None
    tick = last(TickFold("change"), snapshot(2, [7], [8]))
    assert bids(tick)[0] == 7


def test_after_a_gap_in_the_book_a_live_quote_is_still_shown() -> None:
    fold = TickFold("change")
    fold.fold(snapshot(0, [10, 9], [11]))
    fold.fold(quote(1, 10.0, 11.0))
    (tick,) = fold.lose(gap())
    assert bids(tick) == [10, 0, 0, 0, 0]
    (tick,) = fold.lose(gap("eBbo."))
    assert bids(tick) == [0.0] * 5


def test_a_gap_without_a_symbol_affects_all_instruments() -> None:
    fold = TickFold("change")
    fold.fold(snapshot(0, [10], [11]))
    fold.fold(snapshot(0, [20], [21], symbol="ETH"))
    assert fold.lose(gap(symbol="XRP")) == []
    assert fold.lose(gap("eMarketTrade.")) == []
    assert fold.lose(gap("", exchange="OKX", symbol="")) == []
    assert fold.lose(gap(filled=True)) == []
    assert [tick.symbol for tick in fold.lose(gap("", exchange="", symbol=""))] == ["BTC", "ETH"]


def test_data_of_a_stale_topic_are_hidden_until_its_next_event() -> None:
    fold = TickFold("change")
    fold.fold(snapshot(0, [10], [11]))
    fold.fold(quote(29, 10.0, 11.0))
    (tick,) = fold.lose(status(30, "stale", 29.6))  # the book's: the quote has spoken a second ago
    assert bids(tick) == [10, 0, 0, 0, 0]
    assert fold.lose(status(30, "stale", 29.6)) == []
    tick = last(fold, delta(31, [(9, 1.0)], []))  # nothing was missed: it goes on where it was
    assert bids(tick)[:2] == [10, 9]
    (tick,) = fold.lose(status(62, "stale", 30.0))
    assert bids(tick) == [0.0] * 5
    for state in ("asked", "acknowledged", "flowing"):
        assert fold.lose(status(99, state, 90.0)) == []


def test_data_of_a_lost_source_are_not_shown() -> None:
    fold = TickFold("change")
    fold.fold(snapshot(0, [10], [11]), "books")
    fold.fold(quote(0, 10.0, 11.0), "quotes")
    assert fold.lose_source("trades", T0) == []
    (tick,) = fold.lose_source("quotes", T0 + S)
    assert bids(tick)[0] == 10
    (tick,) = fold.lose_source("books", T0 + S)
    assert bids(tick) == [0.0] * 5
    assert fold.fold(delta(2, [(10, 5.0)], []), "books") is None


def test_numbers_of_any_kind_become_floats() -> None:
    for make in (str, Decimal):
        fold = TickFold("change")
        book = BookSnapshot(
            "SIM", "BTC", 1, 2, [(make("1.50"), make("2"))], [(make("1.6"), make("3"))], None, None, None
        )
        tick = last(fold, book, trade(1, make("1.55"), make("0.5")), quote(2, make("1.51"), make("1.6"), make("9")))
        assert (tick.bid_price_1, tick.bid_price_2, tick.ask_price_1, tick.last_price) == (1.51, 1.5, 1.6, 1.55)
        assert all(type(getattr(tick, name)) is float for name in ("bid_price_1", "ask_volume_2", "volume", "turnover"))


def test_an_invalid_number_drops_the_book_and_nothing_else() -> None:
    fold = TickFold("change")
    fold.fold(snapshot(0, [10], [11]))
    assert fold.fold(trade(1, "abc")) is None
    assert fold.fold(quote(1, "abc", None)) is None
    assert bids(last(fold, trade(1)))[0] == 10
    tick = fold.fold(delta(2, [("abc", 1.0)], []))
    assert tick is not None
    assert bids(tick) == [0.0] * 5
    assert fold.fold(snapshot(3, ["abc"], [])) is None
    assert fold.malformed_total == 4


def test_instruments_are_bounded_and_can_be_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tick_fold, "INSTRUMENTS_MAX", 1)
    fold = TickFold("change")
    assert fold.fold(trade(0)) is not None
    assert fold.fold(snapshot(0, [1], [2], symbol="ETH")) is None
    assert (len(fold), fold.refused_total) == (1, 1)
    fold.forget("SIM", "BTC")
    fold.forget("SIM", "BTC")
    assert fold.fold(snapshot(0, [1], [2], symbol="ETH")) is not None
    fold.keep_only({("SIM", "BTC")})
    assert len(fold) == 0


levels = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 3)), max_size=6)


@given(st.lists(st.tuples(levels, levels), min_size=1, max_size=20))
def test_the_levels_are_the_best_of_all_updates(changes: list[tuple[Any, Any]]) -> None:
    fold = TickFold("change")
    first, *others = changes
    fold.fold(BookSnapshot("SIM", "BTC", 1, 1, *_floats(first), None, None, None))
    sides: tuple[dict[float, float], dict[float, float]] = ({}, {})
    for at, change in enumerate([first, *others]):
        if at:
            fold.fold(BookDelta("SIM", "BTC", at, at, *_floats(change), None, None, None))
        for side, said in zip(sides, _floats(change), strict=True):
            side.update(said)
    tick = last(fold, trade(1))
    want_bids = sorted((price for price, size in sides[0].items() if size), reverse=True)[:5]
    want_asks = sorted(price for price, size in sides[1].items() if size)[:5]
    assert bids(tick) == want_bids + [0.0] * (5 - len(want_bids))
    assert asks(tick) == want_asks + [0.0] * (5 - len(want_asks))


def _floats(change: tuple[Any, Any]) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    below, above = change
    return (
        [(float(price), float(size)) for price, size in below],
        [(float(price + 100), float(size)) for price, size in above],
    )


SHARED = Path(__file__).parents[5] / "shared" / "data"


@pytest.mark.skipif(not SHARED.is_dir(), reason="the recordings are not on this machine")
@pytest.mark.parametrize("name", ["binance/2021-08-14-spot", "binance_us/2021-10-11", "okx/2021-07-22-tbt"])
def test_on_recorded_frames_the_levels_are_those_of_the_whole_book(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fold, view = TickFold("change"), BookView(5)
    latest: dict[tuple[str, str], TickData] = {}
    compared = []

    def look(recording: Any, event: Any) -> Any:
        ticks = fold.lose(event) if isinstance(event, Gap | FeedStatus) else [fold.fold(event)]
        latest.update({(tick.exchange, tick.symbol): tick for tick in ticks if tick is not None})
        if isinstance(event, Gap) and event.stream == "eBook.":
            view.lose(event.exchange, event.symbol)
        if isinstance(event, BookSnapshot | BookDelta) and (book := view.fold(event)) is not None:
            tick = latest[event.exchange, event.symbol]
            for shown, levels in ((bids(tick), book.best_bids(5)), (asks(tick), book.best_asks(5))):
                assert shown == [float(price) for price, _ in levels] + [0.0] * (5 - len(levels))
            compared.append(tick)
        return line(recording, event)

    line = replay._Recording._line
    monkeypatch.setattr(replay._Recording, "_line", look)
    assert sum(1 for _ in replay.replay_lines([SHARED / f"{name}.jsonl.gz"])) > 200
    assert len(compared) > 100
    assert fold.malformed_total == 0


@pytest.mark.parametrize("zero", ["0", "0E-8", "00.0", ".0", "-0"])
def test_a_side_of_zero_in_any_spelling_is_empty(zero: str) -> None:
    fold = TickFold("change")
    full = fold.fold(Quote("SIM", "BTC", T0, T0, "1.5", "2", "1.6", "3", ""))
    assert full is not None
    for side in ((zero, "2", "1.7", "3"), ("1.4", zero, "1.7", "3")):
        tick = fold.fold(Quote("SIM", "BTC", T0 + 1, T0 + 1, *side, ""))
        assert tick is None or (tick.bid_price_1, tick.bid_volume_1, tick.ask_price_1) == (0.0, 0.0, 1.7)
