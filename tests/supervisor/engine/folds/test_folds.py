"""Ticks and bars on demand: once under each event type, without cost for others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from foxtrot_protocol.events import (
    EVENT_TIMER,
    EVENT_WORKER,
    Bar,
    BookDelta,
    BookSnapshot,
    FeedStatus,
    Gap,
    Quote,
    TickData,
    Trade,
    WorkerStatus,
)
from foxtrot_supervisor.engine.bus.event_engine import Event, EventEngine
from foxtrot_supervisor.engine.delivery.lanes import Origin
from foxtrot_supervisor.engine.folds.folds import FoldFigures, MarketFolds

MINUTE = 60_000_000_000
NOW = time.time_ns() // MINUTE * MINUTE
"""A whole minute, not long ago."""


def trade(at_ns: int, price: Any = 100.0, symbol: str = "BTC") -> Trade[Any]:
    return Trade("SIM", symbol, at_ns, at_ns + 1, price, 1.0, "buy", "1")


def snapshot(at_ns: int, best: float = 99.0, symbol: str = "BTC") -> BookSnapshot[Any]:
    return BookSnapshot("SIM", symbol, at_ns, at_ns + 1, [(best, 1.0)], [(best + 2, 1.0)], None, None, None)


def worker(name: str, incarnation: int, state: str) -> Event:
    return Event(EVENT_WORKER, WorkerStatus(name, incarnation, state, "", None, None, None, 0))


class Collected(list[tuple[str, Any]]):
    """Records the data of events."""

    def __call__(self, event: Event) -> None:
        self.append((event.type, event.data))


@pytest.fixture
def engine() -> EventEngine:
    """Not started: tests dispatch themselves."""
    return EventEngine()


@pytest.fixture
def folds(engine: EventEngine) -> Iterator[MarketFolds]:
    made = MarketFolds(engine, intervals=["1m"])
    yield made
    made.close()
    assert [info.handler for info in engine.handlers() if "market_folds" in info.handler] == []


def test_without_demand_no_handler_is_registered(engine: EventEngine, folds: MarketFolds) -> None:
    seen = Collected()
    engine.register("eMarketTrade.", seen)
    engine.register_general(seen)
    engine.dispatch_market(trade(NOW))
    assert engine.handler_count() == 2
    assert folds.figures() == FoldFigures(0, 0, 0, 0)
    assert [name for name, _ in seen] == ["eMarketTrade."] * 2


def test_a_tick_follows_its_event_directly_once_under_each_event_type(engine: EventEngine, folds: MarketFolds) -> None:
    everything, all_ticks, mine = Collected(), Collected(), Collected()
    engine.register("eTick.", all_ticks)
    engine.register("eTick.BTC.SIM", mine)
    engine.register_general(everything)
    engine.dispatch_batch([snapshot(NOW), trade(NOW), trade(NOW + 1, 7.0, "ETH")])
    assert [data.symbol for _, data in all_ticks] == ["BTC", "BTC", "ETH"]
    assert [(name, data.last_price) for name, data in mine] == [("eTick.BTC.SIM", 0.0), ("eTick.BTC.SIM", 100.0)]
    assert mine[1][1] is all_ticks[1][1], "made once"
    assert sum(isinstance(data, TickData) for _, data in everything) == 3
    assert folds.figures().ticks_total == 3


def test_a_handler_of_one_instrument_causes_work_for_that_one_only(engine: EventEngine, folds: MarketFolds) -> None:
    mine = Collected()
    engine.register("eTick.BTC.SIM", mine)
    assert {info.type for info in engine.handlers()} >= {"eBook.BTC.SIM", "eMarketTrade.BTC.SIM", "eGap."}
    assert "eBook." not in {info.type for info in engine.handlers()}
    engine.dispatch_batch([trade(NOW), trade(NOW, 5.0, "ETH")])
    assert len(mine) == folds.figures().ticks_total == 1
    engine.unregister("eTick.BTC.SIM", mine)
    assert engine.handler_count() == 0
    engine.dispatch_market(trade(NOW))
    assert len(mine) == 1


def test_registering_and_removing_handlers_keeps_the_book(engine: EventEngine, folds: MarketFolds) -> None:
    mine, all_ticks = Collected(), Collected()
    engine.register("eTick.BTC.SIM", mine)
    engine.dispatch_market(snapshot(NOW))
    engine.register("eTick.", all_ticks)
    engine.dispatch_market(BookDelta("SIM", "BTC", NOW, NOW + 5, [(98.0, 1.0)], [], None, None, None))
    assert (mine[-1][1].bid_price_1, mine[-1][1].bid_price_2) == (99.0, 98.0)
    assert len(mine) == 2, "not twice"
    engine.unregister("eTick.", all_ticks)
    engine.dispatch_market(snapshot(NOW, symbol="ETH"))
    engine.dispatch(Event(EVENT_TIMER))
    engine.dispatch_market(BookDelta("SIM", "BTC", NOW, NOW + 6, [(97.0, 1.0)], [], None, None, None))
    assert mine[-1][1].bid_price_3 == 97.0
    assert (len(mine), len(all_ticks)) == (3, 1)


def test_handlers_registered_before_the_folds_count() -> None:
    engine, seen = EventEngine(), Collected()
    engine.register("eTick.", seen)
    folds = MarketFolds(engine)
    engine.dispatch_market(trade(NOW))
    assert len(seen) == 1
    folds.close()
    engine.dispatch_market(trade(NOW, 2.0))
    assert len(seen) == 1


def test_gaps_and_stale_feeds_empty_the_levels_at_once(engine: EventEngine, folds: MarketFolds) -> None:
    seen = Collected()
    engine.register("eTick.BTC.SIM", seen)
    engine.dispatch_market(snapshot(NOW))
    engine.dispatch_market(Gap("SIM", "BTC", 0, NOW, "eBook.", None, None, 0, 0, "test"))
    assert seen[-1][1].bid_price_1 == 0.0
    engine.dispatch_market(Quote("SIM", "BTC", NOW, NOW, 99.0, 1.0, 100.0, 1.0, ""))
    assert seen[-1][1].bid_price_1 == 99.0
    engine.dispatch_market(FeedStatus("SIM", "BTC", 0, NOW + 31 * 10**9, "t", "stale", 31.0))
    assert seen[-1][1].bid_price_1 == 0.0


def test_data_of_a_dead_worker_are_hidden_until_the_next_one_sends() -> None:
    engine, seen = EventEngine(), Collected()
    now = [Origin("one", "one.a", 1)]
    folds = MarketFolds(engine, origin=lambda: now[0])
    engine.register("eTick.", seen)
    engine.dispatch(worker("one.a", 1, "RUNNING"))
    engine.dispatch_market(snapshot(NOW))
    engine.dispatch(worker("one.a", 1, "BACKOFF"))
    assert seen[-1][1].bid_price_1 == 0.0
    # what it left in its ring
    engine.dispatch_batch([snapshot(NOW + 1, 50.0), trade(NOW + 1, 7.0)])
    assert (seen[-1][1].last_price, seen[-1][1].bid_price_1) == (7.0, 0.0)
    engine.dispatch(worker("one.a", 2, "STARTING"))
    now[0] = Origin("one", "one.a", 2)
    engine.dispatch_market(snapshot(NOW + 2, 60.0))  # its data is quicker than the word that it runs
    assert seen[-1][1].bid_price_1 == 60.0
    engine.dispatch(worker("one.a", 2, "RUNNING"))
    assert seen[-1][1].bid_price_1 == 60.0
    folds.close()


def test_a_living_twin_keeps_the_levels() -> None:
    engine, seen = EventEngine(), Collected()
    folds = MarketFolds(engine, origin=lambda: Origin("one", "one.a", 1))
    engine.register("eTick.", seen)
    engine.dispatch(worker("one.a", 1, "RUNNING"))
    engine.dispatch(worker("one.b", 1, "RUNNING"))
    engine.dispatch_market(snapshot(NOW))
    engine.dispatch(worker("one.a", 1, "BACKOFF"))
    assert len(seen) == 1
    engine.dispatch(worker("one.b", 1, "BACKOFF"))
    assert seen[-1][1].bid_price_1 == 0.0
    engine.dispatch(worker("alone", 1, "FATAL"))  # never lived
    folds.close()


def test_bars_are_made_from_trades_on_demand(engine: EventEngine, folds: MarketFolds) -> None:
    seen = Collected()
    engine.register("eBar.BTC.SIM", seen)
    start = NOW - 5 * MINUTE
    for at_ns in (start - 1, start, start + 1, start + MINUTE):
        engine.dispatch_market(trade(at_ns))
        engine.dispatch_market(trade(at_ns, symbol="ETH"))
    assert [(name, bar.start_ns, bar.volume, bar.closed) for name, bar in seen] == [("eBar.BTC.SIM", start, 2.0, True)]
    engine.dispatch(Event(EVENT_TIMER))  # that minute is long over
    assert [(bar.start_ns, bar.closed) for _, bar in seen[1:]] == [(start + MINUTE, True)]
    engine.dispatch_market(trade(start + MINUTE + 1))
    assert folds.figures() == FoldFigures(0, 2, 1, 0)


def test_no_bars_are_dispatched_where_the_exchange_sends_its_own(engine: EventEngine, folds: MarketFolds) -> None:
    seen = Collected()
    engine.register("eBar.", seen)
    engine.register("eBar.BTC.SIM", seen)
    engine.dispatch_market(trade(NOW - 1))
    engine.dispatch_market(trade(NOW))
    own = Bar("SIM", "BTC", 0, NOW, "1m", NOW, 1.0, 1.0, 1.0, 1.0, 1.0, False)
    engine.dispatch_market(own)
    engine.dispatch_market(trade(NOW + MINUTE))
    assert [bar for _, bar in seen] == [own, own]


def test_by_interval_the_timer_emits_delayed_ticks() -> None:
    engine, seen = EventEngine(), Collected()
    folds = MarketFolds(engine, ticks="interval", tick_interval_s=3600.0, gateway_name="mine")
    engine.register("eTick.", seen)
    engine.dispatch_market(trade(NOW - 7200 * 10**9, 1.0))
    engine.dispatch_market(trade(NOW - 7199 * 10**9, 2.0))
    assert len(seen) == 1
    engine.dispatch(Event(EVENT_TIMER))
    assert (seen[-1][1].last_price, seen[-1][1].gateway_name) == (2.0, "mine")
    folds.close()


def test_of_several_parts_that_share_an_engine_each_folds_its_own() -> None:
    engine, ticks, bars = EventEngine(), Collected(), Collected()
    now = [Origin("one", "one.a", 1)]
    first = MarketFolds(engine, intervals=["1m"], origin=lambda: now[0])
    second = MarketFolds(engine, intervals=["1m"], origin=Origin)
    engine.register("eTick.", ticks)
    engine.register("eBar.", bars)
    for at_ns in (NOW - 1, NOW, NOW + MINUTE):
        engine.dispatch_market(trade(at_ns))
    assert (len(ticks), len(bars)) == (3, 1)
    assert (first.figures().ticks_total, second.figures().ticks_total) == (3, 0)
    first.close()
    second.close()


def test_off_means_off() -> None:
    engine, seen = EventEngine(), Collected()
    folds = MarketFolds(engine, ticks=None)
    engine.register("eTick.", seen)
    engine.register("eBar.", seen)
    engine.dispatch_market(trade(NOW))
    assert seen == []
    assert engine.handler_count() == 2
    folds.close()


def test_handlers_can_be_cleared_and_registered_again(engine: EventEngine, folds: MarketFolds) -> None:
    seen = Collected()
    engine.register("eTick.", seen)
    engine.clear_handlers()
    engine.register("eTick.", seen)
    engine.dispatch_market(trade(NOW))
    assert len(seen) == 1


def test_two_folds_on_one_engine_close_independently() -> None:
    engine = EventEngine()
    engine.register("eTick.", print)
    first, second = MarketFolds(engine), MarketFolds(engine)
    both = engine.handler_count()
    first.close()
    assert engine.owners() == ["market-folds 2"]
    assert 1 < engine.handler_count() < both
    second.close()
    assert engine.handler_count() == 1
