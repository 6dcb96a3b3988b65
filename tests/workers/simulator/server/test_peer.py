"""Each fault, as a client meets it on the wire; real messages stay complete and in order around it."""

from __future__ import annotations

import asyncio
import json
import time
from itertools import pairwise
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from foxtrot_workers.simulator.server.faults import Fault
from foxtrot_workers.simulator.server.server import SimulatedExchange
from tests.support.waiting import wait_until_async
from tests.workers.simulator.server.clients import (
    LIMIT_S,
    STREAM,
    are_consecutive,
    closed_by,
    receive,
    receive_extra_and_ids,
    receive_ids,
)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize("kind", ["garbage", "wrong_types", "unknown_type", "deep_nesting"])
async def test_extra_frames_leave_the_real_ones_intact(
    sim: SimulatedExchange, client: ClientConnection, kind: Any
) -> None:
    await receive_ids(client, 3)
    sim.inject(Fault(kind=kind, count=3))
    extra, ids = await receive_extra_and_ids(client, 50, 3)
    assert len(extra) == 3
    assert are_consecutive(ids)
    assert sim.ledger.connections()[0].made_up == {kind: 1}


async def test_invalid_utf8_reaches_the_client(sim: SimulatedExchange, client: ClientConnection) -> None:
    await receive_ids(client, 1)
    sim.inject(Fault(kind="invalid_utf8"))
    while _is_utf8(await receive(client)):
        pass


async def test_close_after_an_exact_number_of_frames(sim: SimulatedExchange) -> None:
    sim.inject(Fault(kind="close", code=4000, reason="enough", after_frames=25))
    async with connect(f"{sim.url}/ws/{STREAM}", compression=None, proxy=None, close_timeout=0.5) as client:
        ids = await receive_ids(client, 25)
        closed = await closed_by(client)
        assert closed.rcvd is not None
        assert (closed.rcvd.code, closed.rcvd.reason) == (4000, "enough")
    assert sim.ledger.sent(0, STREAM) == ids


async def test_abort_comes_without_a_close_frame(sim: SimulatedExchange, client: ClientConnection) -> None:
    await receive_ids(client, 1)
    sim.inject(Fault(kind="abort"))
    closed = await closed_by(client)
    assert closed.rcvd is None
    await wait_until_async(lambda: sim.connections == 0)
    assert sim.ledger.connections()[0].cause == "fault: abort"


async def test_a_broken_frame_is_a_protocol_error(sim: SimulatedExchange, client: ClientConnection) -> None:
    await receive_ids(client, 1)
    sim.inject(Fault(kind="broken_frame"))
    closed = await closed_by(client)
    assert closed.sent is not None
    assert closed.sent.code == 1002


async def test_the_ledger_shows_dropped_duplicated_and_reordered_frames_as_sent(
    sim: SimulatedExchange, client: ClientConnection
) -> None:
    first = (await receive_ids(client, 1))[0]
    sim.inject(Fault(kind="drop", count=3), Fault(kind="duplicate", count=4, after_frames=10))
    sim.inject(Fault(kind="reorder", count=2, after_frames=30))
    ids = [first, *await receive_ids(client, 100)]
    assert ids == sim.ledger.sent(0, STREAM)[: len(ids)]
    missing = set(range(first, max(ids) + 1)) - set(ids)
    assert len(missing - {max(ids) - 1, max(ids)}) == 3
    assert len(ids) - len(set(ids)) == 4
    assert sum(later < before for before, later in pairwise(ids)) == 2
    assert sim.ledger.connections()[0].held_back[STREAM] >= 3


async def test_a_gap_drops_depth_updates_only(sim: SimulatedExchange) -> None:
    async with connect(
        f"{sim.url}/ws/btcusdt@depth@100ms/{STREAM}", compression=None, proxy=None, close_timeout=0.5
    ) as client:
        sim.inject(Fault(kind="gap", count=2))
        last, jumps = None, 0
        for _ in range(1_000):
            document = json.loads(await receive(client))
            if document["e"] == "depthUpdate":
                jumps += last is not None and document["U"] != last + 1
                last = document["u"]
        assert jumps <= 1
        assert sim.ledger.connections()[0].held_back == {"btcusdt@depth@100ms": 2}


async def test_silence_of_one_topic_leaves_other_topics(sim: SimulatedExchange) -> None:
    async with connect(f"{sim.url}/stream?streams={STREAM}/btcusdt@bookTicker", compression=None, proxy=None) as client:
        await wait_until_async(lambda: sim.ledger.sent_count(0, STREAM) > 0)
        sim.inject(Fault(kind="silence", topic="@trade", duration_s=0.5))
        begun = time.monotonic()
        before = sim.ledger.sent(0, STREAM)[-1]
        quotes = 0
        while True:
            frame = json.loads(await receive(client))
            if frame["stream"] == STREAM and frame["data"]["t"] > before:
                break
            quotes += frame["stream"] != STREAM
        assert time.monotonic() - begun >= 0.4
        assert quotes > 10
        assert frame["data"]["t"] > before + 1, "what was made meanwhile is gone"


async def test_silence_keeps_answering_pings(sim: SimulatedExchange, client: ClientConnection) -> None:
    await receive_ids(client, 1)
    sim.inject(Fault(kind="silence"))
    await asyncio.wait_for(await client.ping(), LIMIT_S)
    count = sim.ledger.sent_count(0)
    made = (sim.ledger.made_range(STREAM) or (0, 0, 0))[2]
    await wait_until_async(lambda: (sim.ledger.made_range(STREAM) or (0, 0, 0))[2] > made + 50)
    assert sim.ledger.sent_count(0) == count


async def test_a_shutdown_is_announced_then_closes(sim: SimulatedExchange, client: ClientConnection) -> None:
    await receive_ids(client, 1)
    sim.inject(Fault(kind="shutdown", duration_s=0.2, code=1001))
    while json.loads(await receive(client))["e"] != "serverShutdown":
        pass
    assert (await receive_ids(client, 5))[0]
    closed = await closed_by(client)
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


async def test_an_unmasked_frame_is_a_protocol_error_of_the_client(sim: SimulatedExchange) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", sim.port)
    writer.write(
        b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n\x81\x02hi"
    )
    async with asyncio.timeout(LIMIT_S):
        answer = await reader.read()
    assert b" 101 " in answer
    assert b"incorrect masking" in answer or b"\x03\xea" in answer, "closed for an unmasked frame: 1002"
    writer.close()
    await writer.wait_closed()
    await wait_until_async(lambda: sim.connections == 0)
    assert sim.ledger.connections()[0].cause == "protocol error of the client"


async def test_a_fragmented_request_is_reassembled(sim: SimulatedExchange, client: ClientConnection) -> None:
    await client.send(['{"method":"LIST_SUB', 'SCRIPTIONS","id":4}'])
    while "result" not in (answer := json.loads(await receive(client))):
        pass
    assert answer == {"result": [STREAM], "id": 4}
