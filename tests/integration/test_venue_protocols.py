"""A real worker process with the adapter of each simulated exchange: five shapes of protocol, one behaviour."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec import Struct

from foxtrot_protocol.commands import Backfill, Backfilled
from foxtrot_protocol.events import (
    EVENT_BOOK,
    EVENT_MARKET_TRADE,
    Bar,
    BookDelta,
    BookSnapshot,
    FeedStatus,
    Gap,
    Quote,
    Ticker,
    Trade,
)
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_supervisor.chaos.harness.book_check import BookCheck
from foxtrot_supervisor.chaos.rules.delivery_judge import trade_number
from foxtrot_supervisor.chaos.rules.venues import VENUES, Venue
from foxtrot_workers.adapter.catalog import adapter_class
from foxtrot_workers.simulator.server.faults import Fault
from foxtrot_workers.simulator.server.server import SimulatedExchange
from tests.support.rig import LIMIT_S, WorkerRig
from tests.support.waiting import wait_until_async


class Case(Struct, frozen=True):
    """What differs between the exchanges."""

    exchange: str
    channels: list[str]
    more: list[str]
    """Channels of a second connection: those that exclude others, or have an address of their own."""
    notices_gaps: bool = True
    """Whether an update of a book that is missing is noticed at once."""
    by_checksum: bool = False
    """Updates have no numbers: a missing one whose levels the next one replaces leaves the book right, and no trace."""

    @property
    def venue(self) -> Venue:
        return VENUES[self.exchange]


CASES = [
    Case("binance", ["trade", "quote", "book", "ticker"], ["agg_trade", "bar_1s"]),
    Case("okx", ["trade", "quote", "book", "ticker"], ["bar_1s"]),
    Case("bybit", ["trade", "quote", "book50", "ticker"], ["book1000"]),
    Case("coinbase", ["trade", "ticker", "book"], [], notices_gaps=False),
    Case("kraken", ["trade", "quote", "book"], ["ticker", "book25"], by_checksum=True),
]

EACH = pytest.mark.parametrize("case", CASES, ids=lambda case: case.exchange)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[WorkerRig]:
    rig = WorkerRig(tmp_path)
    yield rig
    await rig.close()


async def start(rig: WorkerRig, sim: SimulatedExchange, case: Case, *symbols: str, channels: list[str]) -> None:
    await rig.start(
        sim.url + case.venue.path,
        sim.rest_url,
        exchange=case.exchange,
        channels=channels,
        symbols=[case.venue.spelled(symbol) for symbol in symbols],
    )


def ledger_stream(sim: SimulatedExchange, case: Case, symbol: str) -> str:
    streams = [stream for stream in sim.ledger.streams(0) if case.venue.traded_symbol(stream) == symbol]
    assert len(streams) == 1
    return streams[0]


def fills(trades: list[Trade[str]]) -> list[int]:
    """The numbers of all fills, where a trade may stand for several."""
    numbers = []
    for trade in trades:
        last = trade_number(trade.trade_id)
        numbers += range(last - (trade.count or 1) + 1, last + 1)
    return numbers


@EACH
async def test_what_the_exchange_sent_is_what_the_worker_delivers(rig: WorkerRig, case: Case) -> None:
    symbols = ("BTCUSDT", "ETHUSDT")
    async with SimulatedExchange(symbols, rate_per_s=400.0, exchange=case.exchange) as sim:  # type: ignore[arg-type]
        await start(rig, sim, case, *symbols, channels=case.channels)
        await rig.ready()
        await rig.wait_for_events(Trade, 150)
        await rig.wait_for_events(BookDelta, 20)
        await rig.wait_for_events(Ticker if "ticker" in case.channels else Quote, 5)
        assert await rig.stop() == ChildExit.CLEAN
        for name in map(case.venue.spelled, symbols):
            got = fills([trade for trade in rig.events(Trade) if trade.symbol == name])
            assert got == list(range(got[0], got[0] + len(got))), "dense, in order, each once"
            sent = [number for number in sim.ledger.sent(0, ledger_stream(sim, case, name)) if number <= got[-1]]
            assert set(sent) <= set(got)
            assert sent[-1] == got[-1]
    check = BookCheck()
    books: list[BookSnapshot[str] | BookDelta[str]] = [
        event for batch in rig.batches for event in batch.events if isinstance(event, BookSnapshot | BookDelta)
    ]
    assert [event for event in books if not check.take(event)] == []
    heartbeat = rig.heartbeat()
    assert (heartbeat.rejected_total, heartbeat.frames_total > 100) == (0, True)
    log = await rig.log()
    assert "rejected" not in log
    assert "refused" not in log


@pytest.mark.cases(played=2)
@EACH
async def test_other_channels_flow_too(rig: WorkerRig, case: Case) -> None:
    if not case.more:
        pytest.skip(f"{case.exchange} has no further channels")
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=200.0, exchange=case.exchange) as sim:  # type: ignore[arg-type]
        await start(rig, sim, case, "BTCUSDT", channels=case.more)
        kinds = {"bar_1s": Bar, "ticker": Ticker, "agg_trade": Trade, "book25": BookDelta, "book1000": BookDelta}
        for channel in case.more:
            await rig.wait_for_events(kinds[channel], 2)
        assert await rig.stop() == ChildExit.CLEAN
    assert rig.heartbeat().rejected_total == 0


async def gap_after_a_missing_update(rig: WorkerRig, sim: SimulatedExchange, case: Case) -> Gap:
    """Keep an update of the book back, where `by_checksum` another one until a gap is noticed; return the gap."""
    deadline = time.monotonic() + LIMIT_S
    sim.inject(Fault(kind="gap", count=1))
    while case.by_checksum and not rig.events(Gap) and time.monotonic() < deadline:
        seen = len(rig.events(BookDelta))
        await wait_until_async(
            lambda seen=seen: rig.events(Gap) or len(rig.events(BookDelta)) >= seen + 5,  # type: ignore[misc]
            LIMIT_S,
            "a gap, or updates after the missing one",
        )
        if not rig.events(Gap):
            sim.inject(Fault(kind="gap", count=1))
    return (await rig.wait_for_events(Gap))[0]


@pytest.mark.parametrize("case", [case for case in CASES if case.notices_gaps], ids=lambda case: case.exchange)
async def test_a_missing_update_invalidates_the_book_which_begins_again(rig: WorkerRig, case: Case) -> None:
    channel = next(channel for channel in case.channels if channel.startswith("book"))
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=300.0, exchange=case.exchange) as sim:  # type: ignore[arg-type]
        await start(rig, sim, case, "BTCUSDT", channels=["trade", channel])
        await rig.wait_for_events(BookDelta, 3)
        gap = await gap_after_a_missing_update(rig, sim, case)
        await rig.wait_for_events(BookSnapshot, 2)
        await rig.wait_for_events(BookDelta, len(rig.events(BookDelta)) + 3)
        assert sim.connections == 1, "the connection stays"
        assert await rig.stop() == ChildExit.CLEAN
    assert gap.stream == EVENT_BOOK
    check = BookCheck()
    books = [event for batch in rig.batches for event in batch.events if isinstance(event, BookSnapshot | BookDelta)]
    assert [event for event in books if not check.take(event)] == []
    numbers = fills(rig.events(Trade))
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "trades go on"


@pytest.mark.cases(played=2)
@EACH
async def test_a_refused_subscription_is_tried_again_until_it_flows(rig: WorkerRig, case: Case) -> None:
    """For a reason that passes; the other topics flow meanwhile."""
    codes = {"binance": -1003, "okx": 50011, "bybit": 10006}
    refusal = Fault(
        kind="subscribe_refuse",
        topic=case.venue.trade_topic.rpartition("/")[2] if case.exchange == "bybit" else case.venue.trade_topic,
        code=codes.get(case.exchange, 1),
        reason="Too many requests, please slow down.",
    )
    async with SimulatedExchange(
        ["BTCUSDT"],
        rate_per_s=300.0,
        exchange=case.exchange,  # type: ignore[arg-type]
        faults=[refusal],
    ) as sim:
        await start(rig, sim, case, "BTCUSDT", channels=["trade", "book50" if case.exchange == "bybit" else "book"])
        await wait_until_async(lambda: len(rig.events(Trade)) > 20, 3 * LIMIT_S, "trades")
        await rig.wait_for_events(BookDelta, 3)
        assert sim.connections == 1, "the connection stays"
        assert await rig.stop() == ChildExit.CLEAN
    assert "slow down" in await rig.log()


@pytest.mark.cases(played=2)
@EACH
async def test_an_unknown_symbol_is_named_and_the_others_flow(rig: WorkerRig, case: Case) -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=300.0, exchange=case.exchange) as sim:  # type: ignore[arg-type]
        await start(rig, sim, case, "BTCUSDT", "WRONGUSDT", channels=["trade"])
        await rig.wait_for_events(Trade, 20)
        wrong = case.venue.spelled("WRONGUSDT")
        await wait_until_async(
            lambda: any(status.symbol == wrong and status.state == "invalid" for status in rig.events(FeedStatus)),
            LIMIT_S,
            "the verdict",
        )
        assert sim.connections == 1
        assert await rig.stop() == ChildExit.CLEAN
    assert wrong in await rig.log()


@pytest.mark.parametrize("case", [case for case in CASES if case.venue.backfills], ids=lambda case: case.exchange)
async def test_past_trades_look_like_the_live_ones(rig: WorkerRig, case: Case) -> None:
    assert adapter_class(case.exchange).facts is not None
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=300.0, exchange=case.exchange) as sim:  # type: ignore[arg-type]
        await start(rig, sim, case, "BTCUSDT", channels=["trade"])
        live = list(await rig.wait_for_events(Trade, 60))[5:55]
        numbers = fills(live)
        symbol = case.venue.spelled("BTCUSDT")
        bounds = str(numbers[0]), str(numbers[-1])
        rig.send(Backfill(3, symbol, EVENT_MARKET_TRADE, *bounds, live[0].receive_ns, live[-1].receive_ns))
        (done,) = await rig.wait_for(Backfilled)
        assert await rig.stop() == ChildExit.CLEAN
    assert (done.left, done.events) == ("", len(numbers))


@EACH
def test_each_simulated_exchange_is_one_of_the_campaigns(case: Case) -> None:
    assert set(VENUES) == {case.exchange for case in CASES}
    declared = adapter_class(case.exchange).facts
    assert declared is not None
    assert case.venue.backfills is ("trade" in declared.backfill)
    assert len(list(itertools.chain(case.channels, case.more))) >= 3
