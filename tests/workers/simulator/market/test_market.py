"""The market is consistent with itself: whatever it publishes follows from one book and one tape."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest

from foxtrot_workers.simulator.market.market import Market, MarketOptions
from foxtrot_workers.simulator.market.publisher import Message
from foxtrot_workers.simulator.venues.binance.publisher import BinancePublisher
from foxtrot_workers.simulator.venues.binance.rest import answer
from tests.support.sim_client import FoldedBook

_START_MS = 1_700_000_000_000


def _drive(market: Market, acts: int, step_ms: int = 7, start_ms: int = _START_MS) -> list[Message]:
    found: list[Message] = []
    now_ms = start_ms
    for _ in range(acts):
        now_ms += step_ms
        if now_ms >= market.next_due_ms:
            found += market.advance(now_ms)
        found += market.act(now_ms)
    return found


def _snapshot(market: Market, symbol: str, limit: int = 5000) -> dict[str, Any]:
    found = answer(market, "/api/v3/depth", {"symbol": symbol, "limit": str(limit)}, 0)
    assert found.status == 200
    document: dict[str, Any] = json.loads(found.body)
    return document


def _market(seed: int = 1, symbols: tuple[str, ...] = ("BTCUSDT", "ETHUSDT"), **options: Any) -> Market:
    return Market(symbols, seed, _START_MS, BinancePublisher(), MarketOptions(**options))


def test_the_same_seed_gives_the_same_messages() -> None:
    assert _drive(_market(5), 3_000) == _drive(_market(5), 3_000)
    assert _drive(_market(5), 300) != _drive(_market(6), 300)


def test_subscriptions_do_not_change_the_market() -> None:
    everything, one = _market(), _market()
    one.publisher.wanted = frozenset({"btcusdt@trade"})
    all_messages, few = _drive(everything, 2_000), _drive(one, 2_000)
    named = [m for m in all_messages if m.stream == "btcusdt@trade"]
    assert named == [m for m in few if m.stream == "btcusdt@trade"]
    assert not any(m.payload for m in few if m.stream != "btcusdt@trade")
    ids = [(m.stream, m.first_id, m.last_id) for m in all_messages if m.stream.endswith(("depth", "bookTicker"))]
    assert ids == [(m.stream, m.first_id, m.last_id) for m in few if m.stream.endswith(("depth", "bookTicker"))]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("stream", ["depth@100ms", "depth"])
def test_depth_updates_applied_to_any_snapshot_give_the_book(seed: int, stream: str) -> None:
    market = _market(seed)
    buffered = [m for m in _drive(market, 1_500) if m.stream == f"btcusdt@{stream}"]
    # a snapshot in the middle of a depth interval, as a real client gets it
    book = FoldedBook(_snapshot(market, "BTCUSDT"))
    now_ms = _START_MS + 1_500 * 7
    for _ in range(6):
        for message in buffered + [m for m in _drive(market, 500, start_ms=now_ms) if m.stream == f"btcusdt@{stream}"]:
            book.update(json.loads(message.payload))
        buffered = []
        now_ms += 500 * 7
        state = market.states["BTCUSDT"].book
        pending = state.changes[0 if stream.endswith("100ms") else 1]
        assert book.last_id + 1 == pending.first_id
        if book.last_id == state.update_id:
            truth = _snapshot(market, "BTCUSDT")
            assert book.picture() == ([tuple(level) for level in truth["bids"]], [tuple(x) for x in truth["asks"]])
    # let the last interval end without another order: now the folded book must be the true one
    for message in market.advance(now_ms + 2_000):
        if message.stream == f"btcusdt@{stream}":
            book.update(json.loads(message.payload))
    truth = _snapshot(market, "BTCUSDT")
    assert book.last_id == truth["lastUpdateId"]
    assert book.picture() == ([tuple(level) for level in truth["bids"]], [tuple(level) for level in truth["asks"]])
    assert book.applied > 20


@pytest.mark.parametrize("seed", range(4))
def test_the_book_never_crosses_and_quotes_show_its_top(seed: int) -> None:
    market = _market(seed, symbols=("XYZBTC",))
    state = market.states["XYZBTC"]
    quotes = 0
    for _ in range(5_000):
        found = market.act(_START_MS)
        book = state.book
        assert 0 < book.best_bid < book.best_ask
        assert all(lots > 0 for lots in (*book.bid_sizes.values(), *book.ask_sizes.values()))
        assert len(book.bids) >= 19
        assert len(book.asks) >= 19
        quote = [json.loads(m.payload) for m in found if m.stream == "xyzbtc@bookTicker"]
        if quote:
            quotes += 1
            top = _snapshot(market, "XYZBTC", 1)
            assert [quote[-1]["b"], quote[-1]["B"]] == top["bids"][0]
            assert [quote[-1]["a"], quote[-1]["A"]] == top["asks"][0]
            assert quote[-1]["u"] == top["lastUpdateId"]
    assert quotes > 500


def test_a_quote_is_published_when_the_top_changes() -> None:
    market = _market(symbols=("BTCUSDT",))
    known = None
    for _ in range(3_000):
        found = market.act(_START_MS)
        snapshot = _snapshot(market, "BTCUSDT", 1)
        top = (snapshot["bids"][0], snapshot["asks"][0])
        if known is not None:
            assert (top != known) == any(m.stream == "btcusdt@bookTicker" for m in found)
        known = top


def test_trades_have_consecutive_ids_and_prices_on_the_grid() -> None:
    market = _market(3)
    ids: dict[str, list[int]] = defaultdict(list)
    for message in _drive(market, 4_000):
        if message.stream.endswith("@trade"):
            trade = json.loads(message.payload)
            instrument = market.states[trade["s"]].instrument
            assert trade["t"] == message.last_id
            assert Decimal(trade["p"]) % Decimal(10) ** -instrument.price_decimals == 0
            assert Decimal(trade["q"]) > 0
            ids[message.stream].append(trade["t"])
    assert set(ids) == {"btcusdt@trade", "ethusdt@trade"}
    for numbers in ids.values():
        assert len(numbers) > 300
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_aggregates_hold_all_trades_exactly_once() -> None:
    market = _market(9, symbols=("BTCUSDT",))
    trades: dict[int, dict[str, Any]] = {}
    covered: list[int] = []
    split = 0
    for message in _drive(market, 4_000):
        if message.stream == "btcusdt@trade":
            trades[message.last_id] = json.loads(message.payload)
        elif message.stream == "btcusdt@aggTrade":
            agg = json.loads(message.payload)
            fills = [trades[n] for n in range(agg["f"], agg["l"] + 1)]
            assert sum(Decimal(fill["q"]) for fill in fills) == Decimal(agg["q"])
            assert {(fill["p"], fill["m"]) for fill in fills} == {(agg["p"], agg["m"])}
            covered += range(agg["f"], agg["l"] + 1)
            split += len(fills) > 1
    assert covered == sorted(trades)
    assert split > 10


def test_trades_move_the_book_by_their_size() -> None:
    market = _market(2, symbols=("BTCUSDT",), trade_share=1.0, depth_start=200)
    state = market.states["BTCUSDT"]
    for _ in range(200):
        before = {**state.book.bid_sizes, **state.book.ask_sizes}
        found = [json.loads(m.payload) for m in market.act(_START_MS) if m.stream == "btcusdt@aggTrade"]
        after = {**state.book.bid_sizes, **state.book.ask_sizes}
        taken = {p: q - after.get(p, 0) for p, q in before.items() if after.get(p, 0) != q}
        scale = state.instrument
        assert taken == {
            int(Decimal(a["p"]) * 10**scale.price_decimals): int(Decimal(a["q"]) * 10**scale.size_decimals)
            for a in found
        }


def test_bars_aggregate_the_trades() -> None:
    market = _market(4, symbols=("BTCUSDT",))
    trades: list[dict[str, Any]] = []
    closed: list[dict[str, Any]] = []
    for message in _drive(market, 6_000, step_ms=50):
        if message.stream == "btcusdt@trade":
            trades.append(json.loads(message.payload))
        elif message.stream == "btcusdt@kline_1m":
            candle = json.loads(message.payload)["k"]
            if candle["x"]:
                closed.append(candle)
    assert len(closed) == 5
    for candle in closed[1:]:
        inside = [t for t in trades if candle["t"] <= t["T"] <= candle["T"]]
        prices = [Decimal(t["p"]) for t in inside]
        assert (candle["f"], candle["L"], candle["n"]) == (inside[0]["t"], inside[-1]["t"], len(inside))
        assert Decimal(candle["o"]) == prices[0]
        assert Decimal(candle["c"]) == prices[-1]
        assert Decimal(candle["h"]) == max(prices)
        assert Decimal(candle["l"]) == min(prices)
        assert Decimal(candle["v"]) == sum(Decimal(t["q"]) for t in inside)
        assert Decimal(candle["V"]) == sum(Decimal(t["q"]) for t in inside if not t["m"])
        assert Decimal(candle["q"]) == sum(Decimal(t["q"]) * Decimal(t["p"]) for t in inside)


def test_partial_depth_and_tickers_are_published_on_schedule() -> None:
    market = _market(4, symbols=("BTCUSDT",))
    count: dict[str, int] = defaultdict(int)
    for message in _drive(market, 1_000, step_ms=10):
        count[message.stream] += 1
    assert count["btcusdt@depth5@100ms"] == count["btcusdt@depth@100ms"] == 100
    assert count["btcusdt@depth20"] == count["btcusdt@depth"] == 10
    assert count["btcusdt@ticker"] == count["btcusdt@miniTicker"] == 10
    assert count["btcusdt@kline_1s"] == 10
    assert count["btcusdt@kline_1h"] == 5
    assert set(count) == set(market.publisher.streams())


def test_an_unchanged_book_publishes_no_depth() -> None:
    market = _market()
    market.advance(_START_MS + 1_000)
    found = [m.stream for m in market.advance(_START_MS + 2_000)]
    assert not any("depth" in stream for stream in found)
    assert market.advance(_START_MS + 2_001) == []


def test_a_long_pause_is_skipped() -> None:
    market = _market(symbols=("BTCUSDT",))
    market.act(_START_MS)
    day_ms = 24 * 3600 * 1000
    seconds = [m for m in market.advance(_START_MS + day_ms) if m.stream == "btcusdt@kline_1s"]
    assert 0 < len(seconds) <= 6
    assert market.next_due_ms == _START_MS + day_ms + 100


def test_history_is_bounded() -> None:
    market = _market(symbols=("BTCUSDT",), history_max=50, trade_share=1.0, depth_start=300)
    _drive(market, 200)
    state = market.states["BTCUSDT"]
    assert len(state.trades) == len(state.aggs) == 50
    assert state.trades[-1].trade_id == state.trade_id


def test_a_deep_book_shrinks_to_its_bound() -> None:
    market = _market(symbols=("BTCUSDT",), trade_share=0.0, depth_start=60, depth_max=40)
    _drive(market, 5_000)
    book = market.states["BTCUSDT"].book
    assert len(book.bids) <= 41
    assert len(book.asks) <= 41


def test_takers_never_empty_a_side() -> None:
    market = _market(symbols=("BTCUSDT",), trade_share=1.0, depth_start=5, depth_min=5)
    _drive(market, 2_000)
    book = market.states["BTCUSDT"].book
    assert len(book.bids) == len(book.asks) == 5


def test_a_market_needs_a_symbol_and_ignores_repeated_ones() -> None:
    with pytest.raises(ValueError, match="at least one symbol"):
        Market([], 1, _START_MS, BinancePublisher())
    assert list(Market(["BTCUSDT", "btcusdt"], 1, _START_MS, BinancePublisher()).states) == ["BTCUSDT"]


def test_identifiers_that_restart_begin_at_one_and_the_book_stays_consistent() -> None:
    market = _market(3, ("BTCUSDT",))
    _drive(market, 500)
    market.restart_identifiers()
    snapshot = _snapshot(market, "BTCUSDT")
    assert snapshot["lastUpdateId"] == 0
    later = _drive(market, 1_000, start_ms=_START_MS + 10_000)
    assert [m.last_id for m in later if m.stream == "btcusdt@trade"][:3] == [1, 2, 3]
    folded = FoldedBook(snapshot)
    for message in later:
        if message.stream == "btcusdt@depth@100ms":
            folded.update(json.loads(message.payload))
    assert folded.applied > 10
    assert folded.last_id == market.states["BTCUSDT"].book.changes[0].first_id - 1


def test_trade_identifiers_that_leap() -> None:
    market = _market(3, ("BTCUSDT",))
    market.trade_id_step = 1_000
    ids = [m.last_id for m in _drive(market, 500) if m.stream == "btcusdt@trade"]
    assert {after - before for before, after in itertools.pairwise(ids)} == {1_000}
