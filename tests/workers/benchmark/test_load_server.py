"""The load server, over real sockets with a WebSocket client that is not ours."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import ClientConnection, connect

from foxtrot_workers.benchmark.load_server import LoadServer

LIMIT_S = 20.0
SYMBOLS = ["BTCUSDT", "ETHUSDT"]


@pytest.fixture
async def port() -> AsyncIterator[int]:
    server = LoadServer(SYMBOLS, 1)
    yield await server.start(0)
    await server.close()


async def get(port: int, path: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status, await answer.json(content_type=None)


async def subscribed(client: ClientConnection, *wires: str) -> None:
    await client.send(json.dumps({"method": "SUBSCRIBE", "params": wires, "id": 5}))
    assert json.loads(await client.recv()) == {"result": None, "id": 5}


async def receive(client: ClientConnection, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(LIMIT_S):
        return [json.loads(await client.recv()) for _ in range(count)]


async def test_as_many_frames_are_sent_as_requested(port: int) -> None:
    async with connect(f"ws://127.0.0.1:{port}/stream", compression=None) as client:
        await subscribed(client, "btcusdt@aggTrade")
        sending = asyncio.create_task(get(port, "/bench/send?kind=trades&events=4500"))
        frames = await receive(client, 4500)
        status, answer = await sending
        assert (status, answer["events"]) == (200, 4500)
        # nothing follows: the answer to a ping is the next thing to come
        await (await client.ping())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.recv()
    ids = [frame["data"]["a"] for frame in frames if frame["data"]["s"] == "BTCUSDT"]
    assert ids == list(range(ids[0], ids[0] + len(ids)))


async def test_a_rate_is_kept_and_frames_carry_their_send_time(port: int) -> None:
    async with connect(f"ws://127.0.0.1:{port}/stream", compression=None) as client:
        await subscribed(client, "btcusdt@aggTrade")
        started_us = time.time_ns() // 1000
        sending = asyncio.create_task(get(port, "/bench/send?kind=trades&events=200&rate=1000"))
        frames = await receive(client, 200)
        assert (await sending)[0] == 200
    times = [frame["data"]["T"] for frame in frames]
    assert times == sorted(times)
    assert started_us <= times[0]
    assert times[-1] - times[0] >= 0.19e6, "the last of 200 leaves no earlier than 199 ms after the first"
    assert times[-1] <= time.time_ns() // 1000


async def test_streams_in_the_address_are_primed_without_a_request(port: int) -> None:
    url = f"ws://127.0.0.1:{port}/stream?streams=btcusdt@aggTrade/ethusdt@depth@100ms"
    async with connect(url, compression=None) as client:
        (first,) = await receive(client, 1)
    assert first["stream"] == "ethusdt@depth@100ms"


async def test_a_book_is_primed_and_its_snapshot_served(port: int) -> None:
    async with connect(f"ws://127.0.0.1:{port}/stream", compression=None) as client:
        await subscribed(client, "btcusdt@depth@100ms", "ethusdt@aggTrade")
        (first,) = await receive(client, 1)
        sending = asyncio.create_task(get(port, "/bench/send?kind=mixed&events=100"))
        frames = await receive(client, 100)
        await sending
    status, snapshot = await get(port, "/api/v3/depth?symbol=BTCUSDT&limit=1000")
    assert (status, snapshot["lastUpdateId"]) == (200, first["data"]["u"])
    deltas = [f["data"] for f in frames if f["data"].get("e") == "depthUpdate" and f["data"]["s"] == "BTCUSDT"]
    assert deltas[0]["U"] == snapshot["lastUpdateId"] + 1


async def test_a_ping_while_frames_are_being_written_is_answered_after_them(port: int) -> None:
    async with connect(f"ws://127.0.0.1:{port}/stream", compression=None) as client:
        await subscribed(client, "btcusdt@aggTrade")
        sending = asyncio.create_task(get(port, "/bench/send?kind=trades&events=100000"))
        await receive(client, 1)
        pong = await client.ping()
        await receive(client, 99_999)
        async with asyncio.timeout(LIMIT_S):
            await pong
        await sending


async def test_other_requests_are_errors(port: int) -> None:
    assert (await get(port, "/api/v3/exchangeInfo?symbols=%5B%5D"))[1]["symbols"][0]["symbol"] == "BTCUSDT"
    assert (await get(port, "/elsewhere"))[0] == 404
    assert (await get(port, "/bench/send?kind=trades&events=1"))[0] == 409, "nobody is there to get it"


async def test_sending_ends_when_the_client_disconnects(port: int) -> None:
    async with connect(f"ws://127.0.0.1:{port}/stream", compression=None) as client:
        await subscribed(client, "btcusdt@aggTrade")
        sending = asyncio.create_task(get(port, "/bench/send?kind=trades&events=5000000"))
        await receive(client, 1)
        client.transport.abort()
    async with asyncio.timeout(LIMIT_S):
        assert (await sending)[0] == 500
