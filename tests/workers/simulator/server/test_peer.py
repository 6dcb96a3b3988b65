"""Each misbehaviour, as a client meets it on the wire; real messages stay complete and in order around it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from foxtrot_workers.feed.http_client import HttpClient, HttpFailed
from foxtrot_workers.simulator.server.faults import ENDLESS, Fault
from foxtrot_workers.simulator.server.server import SimulatedExchange
from foxtrot_workers.simulator.venues.options import ExchangeLimits
from tests.support.sim_client import fetch
from tests.support.waiting import wait_until_async

_LIMIT_S = 15.0
_STREAM = "btcusdt@trade"


@pytest.fixture
async def sim() -> AsyncIterator[SimulatedExchange]:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=1_000, seed=2) as made:
        yield made


@pytest.fixture
async def client(sim: SimulatedExchange) -> AsyncIterator[ClientConnection]:
    # an unbounded queue: a test that does not read at once must still see pongs
    async with connect(
        f"{sim.url}/ws/{_STREAM}", compression=None, max_size=None, max_queue=None, proxy=None, close_timeout=0.5
    ) as made:
        yield made


async def _raw(client: ClientConnection) -> bytes:
    async with asyncio.timeout(_LIMIT_S):
        data = await client.recv(decode=False)
    assert isinstance(data, bytes)
    return data


async def _ids(client: ClientConnection, count: int) -> list[int]:
    return [json.loads(await _raw(client))["t"] for _ in range(count)]


async def _extra_and_ids(client: ClientConnection, count: int) -> tuple[list[bytes], list[int]]:
    """Frames that are no trade, and the ids of `count` trades around them."""
    extra: list[bytes] = []
    ids: list[int] = []
    while len(ids) < count:
        data = await _raw(client)
        try:
            document = json.loads(data)
            ids.append(document["t"]) if document["e"] == "trade" and isinstance(
                document["p"] + document["q"], str
            ) else 1 / 0
        except (ValueError, ZeroDivisionError, TypeError, KeyError, RecursionError):
            extra.append(data)
    return extra, ids


async def _closed(client: ClientConnection) -> ConnectionClosed:
    async with asyncio.timeout(_LIMIT_S):
        try:
            while True:
                await client.recv()
        except ConnectionClosed as closed:
            return closed


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _consecutive(ids: list[int]) -> bool:
    return ids == list(range(ids[0], ids[0] + len(ids)))


@pytest.mark.parametrize("kind", ["garbage", "wrong_types", "unknown_type", "deep_nesting"])
async def test_extra_frames_do_not_disturb_the_real_ones(
    sim: SimulatedExchange, client: ClientConnection, kind: Any
) -> None:
    await _ids(client, 3)
    sim.inject(Fault(kind=kind, count=3))
    extra, ids = await _extra_and_ids(client, 50)
    assert len(extra) == 3
    assert _consecutive(ids)
    assert sim.ledger.connections()[0].made_up == {kind: 1}


async def test_invalid_utf8_reaches_the_client(sim: SimulatedExchange, client: ClientConnection) -> None:
    await _ids(client, 1)
    sim.inject(Fault(kind="invalid_utf8"))
    while _is_utf8(await _raw(client)):
        pass


async def test_a_huge_frame_arrives_whole_and_the_stream_goes_on(
    sim: SimulatedExchange, client: ClientConnection
) -> None:
    await _ids(client, 1)
    sim.inject(Fault(kind="huge", size_bytes=20_000_000))
    extra, ids = await _extra_and_ids(client, 30)
    assert [len(data) for data in extra] == [20_000_000]
    assert json.loads(extra[0])["e"] == "huge"
    assert _consecutive(ids)


async def test_close_after_an_exact_number_of_frames(sim: SimulatedExchange) -> None:
    sim.inject(Fault(kind="close", code=4000, reason="enough", after_frames=25))
    async with connect(f"{sim.url}/ws/{_STREAM}", compression=None, proxy=None, close_timeout=0.5) as client:
        ids = await _ids(client, 25)
        closed = await _closed(client)
        assert closed.rcvd is not None
        assert (closed.rcvd.code, closed.rcvd.reason) == (4000, "enough")
    assert sim.ledger.sent(0, _STREAM) == ids


async def test_abort_comes_without_a_close_frame(sim: SimulatedExchange, client: ClientConnection) -> None:
    await _ids(client, 1)
    sim.inject(Fault(kind="abort"))
    closed = await _closed(client)
    assert closed.rcvd is None
    await wait_until_async(lambda: sim.connections == 0)
    assert sim.ledger.connections()[0].cause == "fault: abort"


async def test_bytes_that_are_no_frame(sim: SimulatedExchange, client: ClientConnection) -> None:
    await _ids(client, 1)
    sim.inject(Fault(kind="broken_frame"))
    closed = await _closed(client)
    assert closed.sent is not None
    assert closed.sent.code == 1002


async def test_drop_duplicate_reorder_are_in_the_ledger_as_sent(
    sim: SimulatedExchange, client: ClientConnection
) -> None:
    first = (await _ids(client, 1))[0]
    sim.inject(Fault(kind="drop", count=3), Fault(kind="duplicate", count=4, after_frames=10))
    sim.inject(Fault(kind="reorder", count=2, after_frames=30))
    ids = [first, *await _ids(client, 100)]
    assert ids == sim.ledger.sent(0, _STREAM)[: len(ids)]
    missing = set(range(first, max(ids) + 1)) - set(ids)
    assert len(missing - {max(ids) - 1, max(ids)}) == 3
    assert len(ids) - len(set(ids)) == 4
    assert sum(later < before for before, later in pairwise(ids)) == 2
    assert sim.ledger.connections()[0].held_back[_STREAM] >= 3


async def test_a_gap_in_the_depth(sim: SimulatedExchange) -> None:
    async with connect(
        f"{sim.url}/ws/btcusdt@depth@100ms/{_STREAM}", compression=None, proxy=None, close_timeout=0.5
    ) as client:
        sim.inject(Fault(kind="gap", count=2))
        last, jumps = None, 0
        for _ in range(1_000):
            document = json.loads(await _raw(client))
            if document["e"] == "depthUpdate":
                jumps += last is not None and document["U"] != last + 1
                last = document["u"]
        assert jumps <= 1
        assert sim.ledger.connections()[0].held_back == {"btcusdt@depth@100ms": 2}


async def test_silence_of_one_topic_leaves_the_other(sim: SimulatedExchange) -> None:
    async with connect(
        f"{sim.url}/stream?streams={_STREAM}/btcusdt@bookTicker", compression=None, proxy=None
    ) as client:
        await wait_until_async(lambda: sim.ledger.sent_count(0, _STREAM) > 0)
        sim.inject(Fault(kind="silence", topic="@trade", duration_s=0.5))
        begun = time.monotonic()
        before = sim.ledger.sent(0, _STREAM)[-1]
        quotes = 0
        while True:
            frame = json.loads(await _raw(client))
            if frame["stream"] == _STREAM and frame["data"]["t"] > before:
                break
            quotes += frame["stream"] != _STREAM
        assert time.monotonic() - begun >= 0.4
        assert quotes > 10
        assert frame["data"]["t"] > before + 1, "what was made meanwhile is gone"


async def test_silence_keeps_answering_pings(sim: SimulatedExchange, client: ClientConnection) -> None:
    await _ids(client, 1)
    sim.inject(Fault(kind="silence"))
    await asyncio.wait_for(await client.ping(), _LIMIT_S)
    count = sim.ledger.sent_count(0)
    made = (sim.ledger.made_range(_STREAM) or (0, 0, 0))[2]
    await wait_until_async(lambda: (sim.ledger.made_range(_STREAM) or (0, 0, 0))[2] > made + 50)
    assert sim.ledger.sent_count(0) == count


async def test_a_stalled_line_comes_back_intact(sim: SimulatedExchange, client: ClientConnection) -> None:
    await _ids(client, 1)
    sim.inject(Fault(kind="stall", duration_s=0.5))
    begun = time.monotonic()
    pong = await client.ping()
    extra, ids = await _extra_and_ids(client, 50)
    assert [json.loads(data)["e"] for data in extra] == ["stalled"]
    assert _consecutive(ids)
    while not pong.done():
        ids += await _ids(client, 1)
    assert time.monotonic() - begun >= 0.4, "not even a pong came meanwhile"
    assert _consecutive(ids)


async def test_a_line_stalled_for_ever_is_closed_by_the_missing_pong() -> None:
    limits = ExchangeLimits(ping_interval_s=0.1, pong_timeout_s=0.2)
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=100, limits=limits) as sim:
        sim.inject(Fault(kind="stall"))
        async with connect(f"{sim.url}/ws/{_STREAM}", compression=None, proxy=None, close_timeout=0.1) as client:
            closed = await _closed(client)
            assert closed.rcvd is None
        await wait_until_async(lambda: sim.connections == 0)


async def test_a_drip_is_slow_and_loses_nothing(sim: SimulatedExchange, client: ClientConnection) -> None:
    await _ids(client, 1)
    sim.inject(Fault(kind="drip", bytes_per_s=400, duration_s=1.0))
    waiting = sim.ledger.sent_count(0)  # what had left before may still be on its way
    begun = time.monotonic()
    slow: list[int] = []
    while time.monotonic() - begun < 0.8:
        slow += await _ids(client, 1)
    assert len(slow) < waiting + 30
    ids = slow + await _ids(client, 200)
    assert _consecutive(ids)


async def test_shutdown_is_announced_then_done(sim: SimulatedExchange, client: ClientConnection) -> None:
    await _ids(client, 1)
    sim.inject(Fault(kind="shutdown", duration_s=0.2, code=1001))
    while json.loads(await _raw(client))["e"] != "serverShutdown":
        pass
    assert (await _ids(client, 5))[0]
    closed = await _closed(client)
    assert closed.rcvd is not None
    assert closed.rcvd.code == 1001


@pytest.mark.parametrize("status", [429, 418, 503])
async def test_a_refused_handshake(sim: SimulatedExchange, status: int) -> None:
    sim.inject(Fault(kind="refuse", status=status, retry_after_s=17))
    with pytest.raises(InvalidStatus) as refused:
        async with connect(f"{sim.url}/ws", proxy=None):
            pass
    assert refused.value.response.status_code == status
    assert refused.value.response.headers["Retry-After"] == "17"
    async with connect(f"{sim.url}/ws", proxy=None):
        assert sim.connections == 1


async def test_rest_faults(sim: SimulatedExchange) -> None:
    sim.inject(Fault(kind="rest_refuse", topic="depth", status=418, retry_after_s=9))
    sim.inject(Fault(kind="rest_stall", topic="time", duration_s=0.3))
    sim.inject(Fault(kind="rest_body", topic="exchangeInfo"))
    begun = time.monotonic()
    assert (await fetch(f"{sim.rest_url}/api/v3/time"))[0] == 200
    assert time.monotonic() - begun >= 0.3
    status, headers, _ = await fetch(f"{sim.rest_url}/api/v3/depth?symbol=BTCUSDT")
    assert (status, headers["retry-after"]) == (418, "9")
    assert (await fetch(f"{sim.rest_url}/api/v3/depth?symbol=BTCUSDT"))[0] == 200


async def test_faults_by_time_on_one_connection(sim: SimulatedExchange) -> None:
    url = f"{sim.url}/ws/{_STREAM}"
    async with (
        connect(url, compression=None, proxy=None, close_timeout=0.5) as one,
        connect(url, compression=None, proxy=None, close_timeout=0.5) as two,
    ):
        sim.inject(Fault(kind="close", connection=1, after_s=0.2, code=4001))
        closed = await _closed(two)
        assert closed.rcvd is not None
        assert closed.rcvd.code == 4001
        await _ids(one, 5)
        assert sim.connections == 1


async def test_a_client_that_vanishes_or_speaks_nonsense(sim: SimulatedExchange) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", sim.port)
    writer.write(
        b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n\x81\x02hi"
    )
    async with asyncio.timeout(_LIMIT_S):
        answer = await reader.read()
    assert b" 101 " in answer
    assert b"incorrect masking" in answer or b"\x03\xea" in answer, "closed for an unmasked frame: 1002"
    writer.close()
    await writer.wait_closed()
    await wait_until_async(lambda: sim.connections == 0)
    assert sim.ledger.connections()[0].cause == "protocol error of the client"


async def test_a_fragmented_request_is_put_together(sim: SimulatedExchange, client: ClientConnection) -> None:
    await client.send(['{"method":"LIST_SUB', 'SCRIPTIONS","id":4}'])
    while "result" not in (answer := json.loads(await _raw(client))):
        pass
    assert answer == {"result": [_STREAM], "id": 4}


@pytest.mark.parametrize("kind", sorted(ENDLESS))
async def test_an_endless_answer_ends_a_clients_request_at_its_limit(sim: SimulatedExchange, kind: str) -> None:
    sim.inject(Fault(kind=kind, topic="time"))  # type: ignore[arg-type]  # a Literal by parametrization
    client = HttpClient(sim.rest_url, None, None)
    with pytest.raises(HttpFailed, match=r"no whole answer|interim response"):
        await client.get("/api/v3/time", 0.4, 10_000_000)
    assert (await client.get("/api/v3/time", 10.0, 10_000)).status == 200
    client.close()
