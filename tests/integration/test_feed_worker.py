"""A real worker process against the simulated exchange: what it delivers, and what it survives."""

from __future__ import annotations

import asyncio
import itertools
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from websockets.asyncio.server import ServerConnection, serve

from foxtrot_protocol.commands import (
    Backfill,
    Backfilled,
    BudgetAsk,
    BudgetGrant,
    BudgetSpent,
    Done,
    Failed,
    Heartbeat,
    Resync,
    RotateWanted,
    Subscribe,
    TwinFresh,
    Unsubscribe,
)
from foxtrot_protocol.events import EVENT_MARKET_TRADE, BookDelta, BookSnapshot, FeedStatus, Gap, Quote, Trade
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_supervisor.chaos.harness.frame_server import frame_server
from foxtrot_supervisor.telemetry.ring_figures import read_figures
from foxtrot_workers.simulator.server.entry import load_playback
from foxtrot_workers.simulator.server.faults import Fault
from foxtrot_workers.simulator.server.server import SimulatedExchange
from foxtrot_workers.simulator.venues.options import ExchangeLimits
from foxtrot_workers.websocket.client import CLIENTS
from tests.support.mute_server import mute_server
from tests.support.proxy_server import proxy_server
from tests.support.rig import LIMIT_S, WorkerRig
from tests.support.tls import make_tls
from tests.support.waiting import wait_until_async
from tests.workers.exchanges.samples import okx_frame, okx_trade

CALM = {"asked", "acknowledged", "flowing"}

HUNG_S = 10.0
"""Default of `hung_s`: a loop that does not turn for so long costs a worker its life."""


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[WorkerRig]:
    rig = WorkerRig(tmp_path)
    yield rig
    await rig.close()


def sequences_are_whole(rig: WorkerRig) -> bool:
    return [batch.sequence for batch in rig.batches] == list(range(1, len(rig.batches) + 1))


@pytest.mark.parametrize("client", sorted(CLIENTS))
async def test_what_the_exchange_sent_is_what_the_worker_delivers(rig: WorkerRig, client: str) -> None:
    async with SimulatedExchange(["BTCUSDT", "ETHUSDT"], rate_per_s=400.0) as sim:
        await rig.start(sim.url, sim.rest_url, client=client, symbols=["BTCUSDT", "ETHUSDT"])
        await rig.ready()
        await rig.wait_for_events(Trade, 200)
        await rig.wait_for_events(BookSnapshot, 2)
        assert await rig.stop() == ChildExit.CLEAN
        for symbol in ("BTCUSDT", "ETHUSDT"):
            sent = sim.ledger.sent(0, f"{symbol.lower()}@trade")
            got = [int(trade.trade_id) for trade in rig.events(Trade) if trade.symbol == symbol]
            assert got == sent[: len(got)], "in order, nothing left out"
            assert len(got) > 50
            deltas = [delta for delta in rig.events(BookDelta) if delta.symbol == symbol]
            for before, after in itertools.pairwise(deltas):
                assert int(after.first_id or 0) == int(before.last_id or 0) + 1
    assert rig.events(Quote)
    assert sequences_are_whole(rig)
    lags_ns = [batch.publish_ns - e.receive_ns for batch in rig.batches for e in batch.events if isinstance(e, Trade)]
    assert min(lags_ns) >= 0, "received before it was published"
    assert max(lags_ns) < 2e9, "each read has a time of its own"
    last = rig.heartbeat()
    assert last.rejected_total == 0
    assert last.frames_total > 200
    assert "rejected" not in await rig.log()


async def test_a_graceful_stop_sends_everything_that_was_parsed(rig: WorkerRig) -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=2000.0) as sim:
        await rig.start(sim.url, sim.rest_url)
        await rig.wait_for_events(Trade, 500)
        assert await rig.stop() == ChildExit.CLEAN
    heard = rig.heartbeat()
    received = sum(len(batch.events) for batch in rig.batches)
    assert received >= heard.committed_total, "what was committed has arrived"
    assert sequences_are_whole(rig)


async def test_wss_with_a_private_authority(rig: WorkerRig, tmp_path: Path) -> None:
    tls = make_tls(tmp_path)
    async with SimulatedExchange(["BTCUSDT"], ssl_context=tls.server_context()) as sim:
        await rig.start(sim.url, sim.rest_url, ca_file=str(tls.ca_file))
        await rig.ready()
        await rig.wait_for_events(BookSnapshot)
        assert await rig.stop() == ChildExit.CLEAN


@pytest.mark.parametrize("client", sorted(CLIENTS))
async def test_an_https_proxy_carries_the_stream_and_rest(rig: WorkerRig, tmp_path: Path, client: str) -> None:
    tls = make_tls(tmp_path)
    context = tls.server_context()
    async with SimulatedExchange(["BTCUSDT"], ssl_context=context) as sim, proxy_server(context) as proxy:
        ca_file = str(tls.ca_file)
        await rig.start(sim.url, sim.rest_url, client=client, ca_file=ca_file, proxy=proxy.url)
        await rig.ready()
        await rig.wait_for_events(BookSnapshot)
        assert await rig.stop() == ChildExit.CLEAN
        assert len(proxy.tunnels) >= 2, "one for the stream, one for REST"
    assert "rest_failed" not in await rig.log()


async def test_wss_without_the_authority_is_refused(rig: WorkerRig, tmp_path: Path) -> None:
    tls = make_tls(tmp_path)
    async with SimulatedExchange(["BTCUSDT"], ssl_context=tls.server_context()) as sim:
        await rig.start(sim.url, sim.rest_url)
        assert await rig.ended() == ChildExit.CONNECTION_LOST
    assert rig.causes()
    assert "Traceback" not in await rig.log()


async def test_an_unknown_symbol_is_named_and_the_others_go_on(rig: WorkerRig) -> None:
    """The exchange refuses the whole narrowed instrument list for the one that it does not know."""
    async with SimulatedExchange(["BTCUSDT", "ETHUSDT"], rate_per_s=300.0) as sim:
        await rig.start(sim.url, sim.rest_url, channels=["trade"], symbols=["btcusdt", "BTCUSTD"])
        await rig.ready()
        await rig.wait_for_events(Trade, 20)
        await wait_until_async(lambda: _state_of(rig, "btcustd@trade") == "invalid", LIMIT_S, "the verdict")
        rig.send(Subscribe(1, ["SOLUSDT", "ethusdt"]))
        rig.send(Subscribe(2, ["ethusdt"]))
        done = {answer.request_id: answer for answer in await rig.wait_for(Done, 2)}
        assert done[1].error == "sim has no symbol SOLUSDT"
        assert (done[2].error, done[2].symbols) == ("", ["ETHUSDT"])
        await wait_until_async(
            lambda: {trade.symbol for trade in rig.events(Trade)} == {"BTCUSDT", "ETHUSDT"}, LIMIT_S, "both symbols"
        )
        assert sim.connections == 1
        assert await rig.stop() == ChildExit.CLEAN
    assert "sim has no symbol BTCUSTD (nearest: BTCUSDT" in await rig.log()


def _state_of(rig: WorkerRig, topic: str) -> str:
    states = [status.state for status in rig.events(FeedStatus) if status.topic == topic]
    return states[-1] if states else ""


@pytest.mark.cases(played=1)
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("<html><body>Please sign in.</body></html>", "cannot be read"),
        ('{"lastUpdateId":5,"bids":[["1.0","2.0"', "cannot be read"),
        ('{"code":0,"data":[]}', "cannot be read"),
        ('{"lastUpdateId":99999999999,"bids":[],"asks":[]}', "no levels"),
    ],
    ids=["html", "truncated", "another-shape", "empty"],
)
async def test_a_snapshot_that_is_no_book_is_told_and_recovered_from(rig: WorkerRig, body: str, reason: str) -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=300.0) as sim:
        sim.inject(Fault(kind="rest_body", topic="depth", count=2, body=body))
        await rig.start(sim.url, sim.rest_url)
        await rig.ready()
        await rig.wait_for_events(BookSnapshot)
        await wait_until_async(lambda: _book_states(rig)[-1:] == ["flowing"], LIMIT_S, "the book to flow")
        await wait_until_async(lambda: rig.heartbeat().snapshots_rejected_total == 2, LIMIT_S, "the count")
        assert "invalid" in _book_states(rig)
        assert sim.connections == 1
        assert await rig.stop() == ChildExit.CLEAN
    log = await rig.log()
    assert log.count("snapshot_rejected") == 2
    assert reason in log
    assert body[:20] in log.replace('\\"', '"')


def _book_states(rig: WorkerRig) -> list[str]:
    return [status.state for status in rig.events(FeedStatus) if "depth" in status.topic]


@pytest.mark.cases(played=5)
@pytest.mark.parametrize("kind", ["garbage", "invalid_utf8", "wrong_types", "deep_nesting", "unknown_type"])
@pytest.mark.parametrize("client", sorted(CLIENTS))
async def test_bad_frames_are_counted_with_a_sample_and_survived(rig: WorkerRig, kind: str, client: str) -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=300.0) as sim:
        await rig.start(sim.url, sim.rest_url, client=client)
        await rig.ready()
        before = len(await rig.wait_for_events(Trade))
        sim.inject(Fault(kind=kind, count=10))  # type: ignore[arg-type]  # a Literal by parametrization
        await wait_until_async(lambda: rig.heartbeat().rejected_total >= 10, LIMIT_S, "ten rejected frames")
        await rig.wait_for_events(Trade, before + 100)
        assert sim.connections == 1, "the connection survived"
        assert await rig.stop() == ChildExit.CLEAN
    assert rig.heartbeat().rejected_total == 10
    log = await rig.log()
    assert "frame_rejected" in log
    assert "sample" in log
    assert log.count("frame_rejected") <= 2, "once for each kind of error"
    assert "Traceback" not in log


@pytest.mark.cases(played=4)
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(kind="close", code=1008, reason="Too many requests"), "1008"),
        (Fault(kind="abort"), "lost"),
        (Fault(kind="broken_frame"), "broke the protocol"),
        (Fault(kind="huge", size_bytes=100 * 1024 * 1024), "broke the protocol"),
    ],
    ids=["close", "abort", "broken-frame", "huge"],
)
@pytest.mark.parametrize("client", sorted(CLIENTS))
async def test_a_broken_connection_ends_the_worker_with_its_cause(
    rig: WorkerRig, fault: Fault, expected: str, client: str
) -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=100.0) as sim:
        await rig.start(sim.url, sim.rest_url, client=client)
        await rig.ready()
        sim.inject(fault)
        assert await rig.ended() == ChildExit.CONNECTION_LOST
    assert expected in rig.causes()[0]
    log = await rig.log()
    assert "connection_ended" in log
    assert "Traceback" not in log
    assert rig.heartbeat().rss_bytes < 200 * 1024 * 1024, "a huge frame is not taken in"


async def test_an_announced_shutdown_is_told_and_the_stream_goes_on_until_the_exchange_ends_it(
    rig: WorkerRig,
) -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=300.0) as sim:
        await rig.start(sim.url, sim.rest_url)
        await rig.ready()
        sim.inject(Fault(kind="shutdown", duration_s=1.5))
        (wanted,) = await rig.wait_for(RotateWanted)
        assert (wanted.worker, wanted.incarnation) == ("test.a", 1)
        assert wanted.reason
        await rig.wait_for_events(Trade, len(rig.events(Trade)) + 20)
        assert await rig.ended() == ChildExit.ROTATE, "an end that was announced is no failure"


async def test_a_planned_age_is_told_and_the_stream_goes_on(rig: WorkerRig) -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=300.0) as sim:
        await rig.start(sim.url, sim.rest_url, rotate_after_s=0.5)
        (wanted,) = await rig.wait_for(RotateWanted)
        assert "planned age" in wanted.reason
        await rig.wait_for_events(Trade, len(rig.events(Trade)) + 50)
        assert rig.process is not None
        assert rig.process.returncode is None
        assert await rig.stop() == ChildExit.CLEAN


async def test_a_refused_handshake_passes_on_retry_after(rig: WorkerRig) -> None:
    async with SimulatedExchange(["BTCUSDT"], faults=[Fault(kind="refuse", status=429, retry_after_s=7)]) as sim:
        await rig.start(sim.url, sim.rest_url)
        assert await rig.ended() == ChildExit.REFUSED
    failed = rig.said(Failed)[0]
    assert failed.retry_after_s == 7.0
    assert "429" in failed.cause
    host = sim.url.removeprefix("ws://")
    assert rig.said(BudgetSpent) == [BudgetSpent("test.a", 1, "connect", host, 7.0)], "others hear of it"


async def test_nothing_is_connected_before_the_budget_allows_it(rig: WorkerRig) -> None:
    """Told to wait, it asks again; told to wait for long, it leaves, and is started again when the time has come."""
    waits = [0.2, 0.0]
    asked: list[float] = []

    def grant(ask: BudgetAsk) -> BudgetGrant:
        if ask.kind != "connect":
            return BudgetGrant(ask.request_id, 0.0)
        asked.append(time.monotonic())
        assert sim.connections == 0
        return BudgetGrant(ask.request_id, waits.pop(0))

    rig.grant = grant
    async with SimulatedExchange(["BTCUSDT"]) as sim:
        await rig.start(sim.url, sim.rest_url)
        await rig.ready()
        assert len(asked) == 2
        assert asked[1] - asked[0] >= 0.2
        await rig.wait_for_next_heartbeat()
        assert rig.heartbeat().budget_waits_total >= 1
        assert await rig.stop() == ChildExit.CLEAN


async def test_a_connect_that_would_wait_for_long_is_left_to_the_supervisor(rig: WorkerRig) -> None:
    rig.grant = lambda ask: BudgetGrant(ask.request_id, 120.0)
    async with SimulatedExchange(["BTCUSDT"]) as sim:
        await rig.start(sim.url, sim.rest_url)
        assert await rig.ended() == ChildExit.REFUSED
    assert rig.said(Failed)[0].retry_after_s == 120.0


async def test_an_unreachable_exchange_is_a_connection_lost(rig: WorkerRig) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        await rig.start(f"ws://127.0.0.1:{unused.getsockname()[1]}")
        assert await rig.ended() == ChildExit.CONNECTION_LOST
    assert rig.causes()
    assert "Traceback" not in await rig.log()


async def test_a_stop_while_connecting_is_obeyed_at_once(rig: WorkerRig) -> None:
    async with mute_server() as port:
        await rig.start(f"ws://127.0.0.1:{port}")
        await wait_until_async(lambda: len(rig.heard) >= 2, LIMIT_S, "hello and a heartbeat")
        assert await asyncio.wait_for(rig.stop(), 5.0) == ChildExit.CLEAN


async def test_a_gap_in_the_book_is_announced_and_healed_by_a_new_snapshot(rig: WorkerRig) -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=200.0) as sim:
        await rig.start(sim.url, sim.rest_url)
        await rig.wait_for_events(BookDelta, 2)
        sim.inject(Fault(kind="gap", count=1))
        (gap, *_) = await rig.wait_for_events(Gap)
        await rig.wait_for_events(BookSnapshot, 2)
        await rig.wait_for_events(BookDelta, len(rig.events(BookDelta)) + 3)
        assert await rig.stop() == ChildExit.CLEAN
    assert gap.stream == "eBook."
    deltas = rig.events(BookDelta)
    jumps = [
        (int(before.last_id or 0) + 1, int(after.first_id or 0) - 1)
        for before, after in itertools.pairwise(deltas)
        if int(after.first_id or 0) != int(before.last_id or 0) + 1
    ]
    assert gap.first_id is not None
    assert int(gap.first_id) == jumps[0][0], "the hole begins where the book stopped"
    states = [status.state for status in rig.events(FeedStatus) if "depth" in status.topic]
    assert "invalid" in states
    assert states[-1] == "flowing"


async def test_a_book_is_shown_whole_once_more_while_it_goes_on(raw_rig: WorkerRig) -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=200.0) as sim:
        await raw_rig.start(sim.url, sim.rest_url, channels=["book"])
        await raw_rig.ready()
        await raw_rig.wait_for_events(BookDelta, 15)  # it flows
        for count in (2, 3):
            raw_rig.send(Resync(["BTCUSDT", "UNKNOWN"]))
            await raw_rig.wait_for_events(BookSnapshot, count)
        await raw_rig.wait_for_events(BookDelta, len(raw_rig.events(BookDelta)) + 3)
        assert len(sim.ledger.connections()) == 1, "no reconnection"
        assert await raw_rig.stop() == ChildExit.CLEAN
    last = None
    for event in [event for batch in raw_rig.batches for event in batch.events]:
        if isinstance(event, BookSnapshot):
            assert last in (None, event.last_id), "as it was then"
            last = event.last_id
        elif isinstance(event, BookDelta):
            assert last is not None
            assert int(event.first_id or 0) <= int(last) + 1, "no update is left out"
            last = event.last_id
    assert raw_rig.events(Gap) == []
    assert {status.state for status in raw_rig.events(FeedStatus)} <= {"asked", "acknowledged", "flowing"}


class BooksOnTheStream:
    """Speaks OKX: each subscription of a book begins with a snapshot; then an update each 20 ms."""

    def __init__(self) -> None:
        self.connections = 0
        self.last = 100
        self.asked: list[str] = []

    async def serve(self, stream: ServerConnection) -> None:
        """One connection, until it ends."""
        self.connections += 1
        flowing: set[str] = set()
        updates = asyncio.create_task(self._update(stream, flowing))
        try:
            async for text in stream:
                if text == "ping":
                    await stream.send("pong")
                    continue
                request = msgspec.json.decode(text)
                for arg in request["args"]:
                    self.asked.append(f"{request['op']} {arg['channel']}")
                    await stream.send(msgspec.json.encode({"event": request["op"], "arg": arg, "connId": "1"}).decode())
                    flowing.discard(arg["instId"])
                    if request["op"] == "subscribe":
                        await self._push(stream, arg["instId"], "snapshot", -1)
                        flowing.add(arg["instId"])
        finally:
            updates.cancel()

    async def _update(self, stream: ServerConnection, flowing: set[str]) -> None:
        while True:
            await asyncio.sleep(0.02)
            before, self.last = self.last, self.last + 3
            for symbol in list(flowing):
                await self._push(stream, symbol, "update", before)

    async def _push(self, stream: ServerConnection, symbol: str, action: str, before: int) -> None:
        row = {"asks": [["2", str(self.last), "0", "1"]], "bids": [["1", "1", "0", "1"]], "ts": "1700000000000"}
        row |= {"prevSeqId": before, "seqId": self.last}
        frame = {"arg": {"channel": "books", "instId": symbol}, "action": action, "data": [row]}
        await stream.send(msgspec.json.encode(frame).decode())


async def test_a_book_whose_snapshot_comes_on_the_stream_is_subscribed_anew_and_nothing_else(
    raw_rig: WorkerRig,
) -> None:
    exchange = BooksOnTheStream()
    async with serve(exchange.serve, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        await raw_rig.start(f"ws://127.0.0.1:{port}", exchange="okx", channels=["book"], symbols=["BTC-USDT"])
        await raw_rig.ready()
        await raw_rig.wait_for_events(BookDelta, 60)  # it flows
        for count in range(2, 8):
            raw_rig.send(Resync(["BTC-USDT"]))
            await raw_rig.wait_for_events(BookSnapshot, count)
        await raw_rig.wait_for_events(BookDelta, len(raw_rig.events(BookDelta)) + 10)
        assert await raw_rig.stop() == ChildExit.CLEAN
    assert exchange.connections == 1
    assert exchange.asked == ["subscribe books", *["unsubscribe books", "subscribe books"] * 6]
    last = None
    for event in [event for batch in raw_rig.batches for event in batch.events]:
        if isinstance(event, BookSnapshot):
            last = event.last_id
        elif isinstance(event, BookDelta):
            assert event.first_id == last, "each continues the one before"
            last = event.last_id
    assert raw_rig.events(Gap) == []
    assert {status.state for status in raw_rig.events(FeedStatus)} <= {"asked", "acknowledged", "flowing"}


async def test_a_silent_topic_is_resubscribed_on_the_running_connection_and_the_others_go_on(rig: WorkerRig) -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=200.0) as sim:
        await rig.start(sim.url, sim.rest_url, stale_after_s=1.0)
        await rig.wait_for_events(Trade, 5)
        sim.inject(Fault(kind="silence", topic="@trade", duration_s=5.0))
        await wait_until_async(lambda: state_of(rig, "btcusdt@trade") == "stale", LIMIT_S, "the topic to be stale")
        quotes = len(rig.events(Quote))
        await rig.wait_for_events(Quote, quotes + 20)
        await wait_until_async(lambda: state_of(rig, "btcusdt@trade") == "flowing", LIMIT_S, "the topic to flow again")
        assert len(sim.ledger.connections()) == 1, "no reconnection"
        assert await rig.stop() == ChildExit.CLEAN
    states = [status.state for status in rig.events(FeedStatus) if status.topic.endswith("@trade")]
    since = states[states.index("stale") :]
    assert (since[0], set(since[1:-1]), since[-1]) == ("stale", {"resubscribed"}, "flowing")
    assert {status.state for status in rig.events(FeedStatus) if status.topic.endswith("@bookTicker")} <= CALM


@pytest.mark.parametrize("client", sorted(CLIENTS))
async def test_a_stream_that_stalls_while_pings_go_on_is_told_from_a_quiet_market_by_rest(
    rig: WorkerRig, client: str
) -> None:
    limits = ExchangeLimits(ping_interval_s=1.0)
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=200.0, limits=limits) as sim:
        await rig.start(sim.url, sim.rest_url, client=client, channels=["trade"], stale_after_s=2.0)
        await rig.wait_for_events(Trade, 5)
        sim.inject(Fault(kind="silence"))
        assert await rig.ended() == ChildExit.STALE
    (cause,) = rig.causes()
    assert "no data of" in cause


async def test_refusals_of_one_topic_pass_or_are_final_and_the_rest_flows(rig: WorkerRig) -> None:
    """One request for all six topics, one of which is refused for good, another for a while."""
    faults = [
        Fault(kind="subscribe_refuse", topic="ethusdt@trade", code=-1121, reason="Invalid symbol.", count=10_000),
        Fault(kind="subscribe_refuse", topic="ethusdt@bookTicker", code=-1003, reason="Too many requests.", count=3),
    ]
    limits = ExchangeLimits(nested_errors=True)
    async with SimulatedExchange(["BTCUSDT", "ETHUSDT"], rate_per_s=200.0, limits=limits, faults=faults) as sim:
        await rig.start(sim.url, sim.rest_url, symbols=["BTCUSDT", "ETHUSDT"])
        wires = [
            f"{symbol}@{kind}" for symbol in ("btcusdt", "ethusdt") for kind in ("trade", "bookTicker", "depth@100ms")
        ]
        wires.remove("ethusdt@trade")
        await wait_until_async(
            lambda: all(state_of(rig, wire) == "flowing" for wire in wires), 2 * LIMIT_S, "all but one to flow"
        )
        (refused,) = (topic for topic in rig.heartbeat().topics if topic.topic == "ethusdt@trade")
        assert (refused.state, refused.final) == ("invalid", True)
        assert "-1121" in refused.reason
        assert len(sim.ledger.connections()) == 1, "no reconnection"
        assert await rig.stop() == ChildExit.CLEAN


async def test_a_twin_with_data_proves_a_stall_where_rest_says_nothing(rig: WorkerRig) -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=200.0) as sim:
        await rig.start(sim.url, "http://127.0.0.1:1", channels=["trade"], stale_after_s=4.0)
        await rig.wait_for_events(Trade, 5)
        sim.inject(Fault(kind="silence"))

        def told() -> bool:
            rig.send(TwinFresh(0.1))
            return bool(rig.causes())

        await wait_until_async(told, 60.0, "the worker to give up")
        assert await rig.ended() == ChildExit.STALE
    assert "its twin has data" in rig.causes()[0]


def state_of(rig: WorkerRig, wire: str) -> str:
    beats = rig.said(Heartbeat)
    return next((topic.state for topic in (beats[-1].topics if beats else ()) if topic.topic == wire), "")


@pytest.mark.parametrize(
    ("client", "frame"),
    [("picows", b"\x81\x00"), ("picows", b"\x89\x00"), ("websockets", b"\x81\x00"), ("websockets", b"\x8a\x00")],
    ids=["picows-text", "picows-ping", "websockets-text", "websockets-pong"],
)
async def test_a_flood_of_tiny_frames_leaves_the_heartbeat_its_turn(rig: WorkerRig, client: str, frame: bytes) -> None:
    with frame_server(frame) as url:
        await rig.start(url, client=client)
        await rig.wait_for(Heartbeat)
        # a worker that is starved says nothing before it is killed as hung
        await wait_until_async(
            lambda: sum(beat.frames_total > 0 or frame[0] != 0x81 for beat in rig.said(Heartbeat)) >= 2,
            HUNG_S,
            "heartbeats amid the flood",
        )


async def test_subscribing_and_unsubscribing_while_running(rig: WorkerRig) -> None:
    async with SimulatedExchange(["BTCUSDT", "ETHUSDT"], rate_per_s=200.0) as sim:
        await rig.start(sim.url, sim.rest_url)
        await rig.ready()
        rig.send(Subscribe(1, ["ETHUSDT"]))
        (done, *_) = await rig.wait_for(Done)
        assert (done.request_id, done.error) == (1, "")
        await wait_until_async(
            lambda: any(trade.symbol == "ETHUSDT" for trade in rig.events(Trade)), LIMIT_S, "ETHUSDT trades"
        )
        rig.send(Unsubscribe(2, ["BTCUSDT"]))
        await rig.wait_for(Done, 2)
        assert {status.topic.split("@")[0] for status in rig.heartbeat().topics} <= {"btcusdt", "ethusdt"}
        await wait_until_async(
            lambda: {status.topic.split("@")[0] for status in rig.heartbeat().topics} == {"ethusdt"},
            LIMIT_S,
            "only ETHUSDT topics",
        )
        assert len(sim.ledger.connections()) == 1, "no reconnection"
        assert await rig.stop() == ChildExit.CLEAN


async def test_an_engine_that_does_not_read_holds_the_exchange_back_and_loses_nothing(tmp_path: Path) -> None:
    rig = WorkerRig(tmp_path, read_data=False)
    try:
        limits = ExchangeLimits(send_buffer_bytes=256 * 1024 * 1024)
        async with SimulatedExchange(["BTCUSDT"], rate_per_s=0.0, limits=limits) as sim:
            await rig.start(sim.url, sim.rest_url, channels=["trade"], ring_bytes=100_000, full_wait_s=30.0)
            await rig.ready()
            frames = await stalled(rig)
            rig.read_data = True
            await wait_until_async(lambda: rig.heartbeat().frames_total > frames + 1000, LIMIT_S, "the stream to go on")
            assert await rig.stop() == ChildExit.CLEAN
            got = [int(trade.trade_id) for trade in rig.events(Trade)]
            assert got == list(range(got[0], got[0] + len(got))), "no trade is missing"
            assert rig.events(Gap) == []
            assert rig.heartbeat().dropped_total == 0
    finally:
        await rig.close()


async def stalled(rig: WorkerRig) -> int:
    """Wait until the worker takes no more frames in; returns how many it has."""
    frames, same = -1, 0
    async with asyncio.timeout(LIMIT_S):
        while same < 5:
            await rig.wait_for_next_heartbeat()
            now = rig.heartbeat().frames_total
            frames, same = now, same + 1 if now == frames else 0
    return frames


async def test_an_engine_that_never_reads_makes_the_worker_drop_and_announce(tmp_path: Path) -> None:
    rig = WorkerRig(tmp_path, read_data=False)
    try:
        async with SimulatedExchange(["BTCUSDT"], rate_per_s=5000.0) as sim:
            await rig.start(sim.url, sim.rest_url, channels=["trade"], ring_bytes=50_000, full_wait_s=0.5)
            await rig.ready()
            await wait_until_async(lambda: rig.heartbeat().dropped_total > 1000, LIMIT_S, "drops")
            rig.read_data = True
            gap = (await rig.wait_for_events(Gap))[0]
            await rig.wait_for_events(Trade, len(rig.events(Trade)) + 10)
            await rig.stop()
            got = [int(trade.trade_id) for trade in rig.events(Trade)]
            missing = sorted(set(range(got[0], got[-1] + 1)) - set(got))
            announced = [
                number
                for hole in rig.events(Gap)
                for number in range(int(hole.first_id or 0), int(hole.last_id or -1) + 1)
            ]
            assert set(missing) <= set(announced), "whatever is missing was announced"
            assert gap.cause.startswith("engine too slow")
            assert set(announced).isdisjoint(got), "and only that"
    finally:
        await rig.close()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [({"exchange": "unheard-of"}, "unheard-of"), ({"channels": ["gossip"]}, "gossip")],
)
async def test_settings_that_can_never_work_are_a_configuration_error(
    rig: WorkerRig, settings: dict[str, object], expected: str
) -> None:
    await rig.start("ws://127.0.0.1:1", **settings)  # type: ignore[arg-type]  # FeedSettings checks them
    assert await rig.ended() == ChildExit.CONFIGURATION
    assert expected in rig.causes()[0]
    assert "Traceback" not in await rig.log()


# ---- past trades: what the worker commits, whatever an engine would take of it


@pytest.fixture
async def raw_rig(tmp_path: Path) -> AsyncIterator[WorkerRig]:
    rig = WorkerRig(tmp_path, raw=True)
    yield rig
    await rig.close()


def past(first: int, last: int, request_id: int = 1) -> Backfill:
    return Backfill(request_id, "BTCUSDT", EVENT_MARKET_TRADE, str(first), str(last), 5, 6)


@pytest.mark.parametrize(("channel", "stream"), [("trade", "trade"), ("agg_trade", "aggTrade")])
async def test_past_trades_are_fetched_beside_the_live_ones(raw_rig: WorkerRig, channel: str, stream: str) -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=2000.0) as sim:
        assert sim.market is not None
        state = sim.market.states["BTCUSDT"]
        await wait_until_async(lambda: len(state.aggs) > 1500, LIMIT_S, "a past")
        await raw_rig.start(sim.url, sim.rest_url, channels=[channel])
        await raw_rig.ready()
        await raw_rig.wait_for_events(Trade, 10)
        ids = [each.trade_id for each in state.trades] if channel == "trade" else [each.agg_id for each in state.aggs]
        first, last = ids[10], ids[1300]
        raw_rig.send(past(first, last))
        (answer,) = await raw_rig.wait_for(Backfilled)
        assert (answer.request_id, answer.events, answer.left) == (1, 1291, "")
        await raw_rig.wait_for_events(Trade, len(raw_rig.events(Trade)) + 100)
        assert await raw_rig.stop() == ChildExit.CLEAN
    fetched = [trade for trade in raw_rig.events(Trade) if trade.backfilled]
    assert [int(trade.trade_id) for trade in fetched] == list(range(first, last + 1))
    live = [int(trade.trade_id) for trade in raw_rig.events(Trade) if not trade.backfilled]
    assert live == sim.ledger.sent(0, f"btcusdt@{stream}")[: len(live)]
    gaps = raw_rig.events(Gap)
    assert all(gap.filled and (gap.stream, gap.symbol) == (EVENT_MARKET_TRADE, "BTCUSDT") for gap in gaps)
    assert int(gaps[0].first_id or 0) == first
    assert int(gaps[-1].last_id or 0) == last
    for before, after in itertools.pairwise(gaps):
        assert int(before.last_id or 0) + 1 == int(after.first_id or 0)
    for batch in raw_rig.batches:
        marked = [event for event in batch.events if isinstance(event, Gap) or event.backfilled]
        assert not marked or (len(marked) == len(batch.events) and isinstance(marked[-1], Gap))
    parts = [number for number, batch in enumerate(raw_rig.batches) if batch.events[0].backfilled]
    assert parts[-1] - parts[0] > len(parts) - 1, "live batches come between"
    assert sequences_are_whole(raw_rig)


async def test_past_trades_look_like_the_live_ones(raw_rig: WorkerRig) -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=500.0) as sim:
        await raw_rig.start(sim.url, sim.rest_url, channels=["trade"])
        await raw_rig.ready()
        trades = {trade.trade_id: trade for trade in await raw_rig.wait_for_events(Trade, 100)}
        ids = [int(number) for number in trades]
        raw_rig.send(past(ids[0], ids[-1]))
        await raw_rig.wait_for(Backfilled)
        await wait_until_async(lambda: any(gap.filled for gap in raw_rig.events(Gap)), LIMIT_S, "the past")
        assert await raw_rig.stop() == ChildExit.CLEAN
    for trade in [trade for trade in raw_rig.events(Trade) if trade.backfilled]:
        live = trades[trade.trade_id]
        same = ("exchange", "symbol", "exchange_ns", "price", "size", "side")
        assert [getattr(trade, name) for name in same] == [getattr(live, name) for name in same]


async def test_an_exchange_that_does_not_answer_is_asked_again(raw_rig: WorkerRig) -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=500.0) as sim:
        assert sim.market is not None
        await raw_rig.start(sim.url, sim.rest_url, channels=["trade"])
        await raw_rig.ready()
        await raw_rig.wait_for_events(Trade, 50)
        ids = [each.trade_id for each in sim.market.states["BTCUSDT"].trades]
        sim.inject(
            Fault(kind="rest_refuse", topic="historicalTrades", status=503),
            Fault(kind="rest_refuse", topic="historicalTrades", status=429, retry_after_s=1.0, after_s=0.0),
        )
        for request_id, status in ((1, 503), (2, 429)):
            raw_rig.send(past(ids[0], ids[9], request_id))
            answer = (await raw_rig.wait_for(Backfilled, request_id))[-1]
            expected = (request_id, 0, f"status {status}", str(ids[0]), str(ids[9]), True)
            assert (
                answer.request_id,
                answer.events,
                answer.left,
                answer.first_id,
                answer.last_id,
                answer.retry,
            ) == expected
        raw_rig.send(past(ids[0], ids[9], 3))
        assert (await raw_rig.wait_for(Backfilled, 3))[-1].left == ""
        await wait_until_async(lambda: raw_rig.events(Gap), LIMIT_S, "the past")
        assert await raw_rig.stop() == ChildExit.CLEAN
    assert [int(trade.trade_id) for trade in raw_rig.events(Trade) if trade.backfilled] == ids[:10]
    assert "Traceback" not in await raw_rig.log()


@pytest.mark.parametrize(
    "body",
    [b"", b"[" * 100_000, b'[{"id":' + b"9" * 3_000_000 + b"}]", b'[{"id":1,"price":"x"}]'],
    ids=["empty", "nested", "huge", "incomplete"],
)
async def test_a_past_that_cannot_be_harms_nobody(raw_rig: WorkerRig, body: bytes) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=body if "Trades" in request.path else b"{}")

    app = web.Application()
    app.router.add_get("/{tail:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0)
    await listener.start()
    try:
        async with SimulatedExchange(["BTCUSDT"], rate_per_s=500.0) as sim:
            await raw_rig.start(sim.url, f"http://127.0.0.1:{runner.addresses[0][1]}", channels=["trade"])
            await raw_rig.ready()
            raw_rig.send(past(1, 3))
            (end,) = await raw_rig.wait_for(Backfilled)
            assert (end.events, end.first_id, end.last_id, end.retry) == (0, "1", "3", True)
            await raw_rig.wait_for_events(Trade, len(raw_rig.events(Trade)) + 100)
            assert await raw_rig.stop() == ChildExit.CLEAN
    finally:
        await runner.cleanup()
    assert not raw_rig.events(Gap)
    assert not [trade for trade in raw_rig.events(Trade) if trade.backfilled]


async def test_what_was_fetched_waits_while_the_ring_is_needed_for_what_is_live(tmp_path: Path) -> None:
    raw_rig = WorkerRig(tmp_path, read_data=False, raw=True)
    try:
        async with SimulatedExchange(["BTCUSDT"], rate_per_s=2000.0) as sim:
            assert sim.market is not None
            state = sim.market.states["BTCUSDT"]
            await raw_rig.start(sim.url, sim.rest_url, channels=["trade"], ring_bytes=256 * 1024)
            await raw_rig.ready()
            half = 128 * 1024
            await wait_until_async(
                lambda: read_figures(str(tmp_path))[0].used_bytes > half, LIMIT_S, "half of the ring"
            )
            ids = [each.trade_id for each in state.trades]
            raw_rig.send(past(ids[0], ids[99]))
            raw_rig.send(past(ids[0], ids[99], 2))
            (busy,) = await raw_rig.wait_for(Backfilled)
            assert (busy.request_id, busy.retry) == (2, True)
            await raw_rig.wait_for_next_heartbeat()
            assert len(raw_rig.said(Backfilled)) == 1, "it waits for room"
            sim.inject(Fault(kind="silence"))  # the engine of this test is a slow one
            raw_rig.read_data = True
            end = (await raw_rig.wait_for(Backfilled, 2))[-1]
            assert (end.request_id, end.events, end.left) == (1, 100, "")
            assert await raw_rig.stop() == ChildExit.CLEAN
    finally:
        await raw_rig.close()
    assert [int(trade.trade_id) for trade in raw_rig.events(Trade) if trade.backfilled] == ids[:100]


async def test_past_trades_that_are_given_from_the_end(raw_rig: WorkerRig, tmp_path: Path) -> None:
    """OKX: pages go back, and identifiers leap."""
    numbers = range(1_000, 1_000 + 7 * 260, 7)
    frames = [okx_frame("trades", "BTC-USDT", [okx_trade(tradeId=str(number))]) for number in numbers]
    lines = [
        {"t": n, "dir": "in", "url": "wss://ws.okx.com:8443/ws/v5/public", "raw": frame.decode()}
        for n, frame in enumerate(frames)
    ]
    path = tmp_path / "okx.jsonl"
    path.write_bytes(b"\n".join(msgspec.json.encode(line) for line in lines))
    playback = load_playback(path, "okx")
    async with SimulatedExchange(exchange="okx", playback=playback) as sim:
        await raw_rig.start(sim.url, sim.rest_url, exchange="okx", channels=["trade"], symbols=["BTC-USDT"])
        await raw_rig.ready()
        await raw_rig.wait_for_events(Trade, 260)
        first, last = 1_010, 2_800
        raw_rig.send(Backfill(1, "BTC-USDT", EVENT_MARKET_TRADE, str(first), str(last), 5, 6))
        (answer,) = await raw_rig.wait_for(Backfilled)
        wanted = [number for number in numbers if first <= number <= last]
        assert (answer.events, answer.left) == (len(wanted), "")
        await wait_until_async(lambda: raw_rig.events(Gap), LIMIT_S, "the past")
        assert await raw_rig.stop() == ChildExit.CLEAN
    assert [int(trade.trade_id) for trade in raw_rig.events(Trade) if trade.backfilled] == wanted
    assert (raw_rig.events(Gap)[0].first_id, raw_rig.events(Gap)[-1].last_id) == (str(first), str(last))
