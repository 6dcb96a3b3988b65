"""WebSocket clients of the simulated exchange, for the tests of its parts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

LIMIT_S = 15.0
STREAM = "btcusdt@trade"


@asynccontextmanager
async def connected(url: str, **options: Any) -> AsyncIterator[ClientConnection]:
    """A client without compression and without a limit of size."""
    # a client whose queue is full reads on only after its close has timed out
    async with connect(url, compression=None, max_size=None, proxy=None, close_timeout=0.5, **options) as client:
        yield client


async def receive(client: ClientConnection) -> bytes:
    """The next message."""
    async with asyncio.timeout(LIMIT_S):
        data = await client.recv(decode=False)
    assert isinstance(data, bytes)
    return data


async def receive_json(client: ClientConnection) -> Any:
    """The next message, decoded."""
    return json.loads(await receive(client))


async def receive_ids(client: ClientConnection, count: int) -> list[int]:
    """The ids of the next `count` trades."""
    return [json.loads(await receive(client))["t"] for _ in range(count)]


async def receive_extra_and_ids(
    client: ClientConnection, count: int, extra_least: int = 1
) -> tuple[list[bytes], list[int]]:
    """Messages that are not trades, at least so many, and the ids of `count` trades or more around them.

    A client that was slow has many trades to read before those that were sent with the fault.
    """
    extra: list[bytes] = []
    ids: list[int] = []
    while len(ids) < count or len(extra) < extra_least:
        data = await receive(client)
        if (trade_id := _trade_id(data)) is None:
            extra.append(data)
        else:
            ids.append(trade_id)
    return extra, ids


def _trade_id(data: bytes) -> int | None:
    try:
        message = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or message.get("e") != "trade":
        return None
    is_whole = isinstance(message.get("p"), str) and isinstance(message.get("q"), str)
    return message.get("t") if is_whole else None


async def request(client: ClientConnection, method: str, params: list[Any] | None, request_id: Any = 1) -> Any:
    """The answer to a request, whatever data comes before."""
    sent = {"method": method, "id": request_id} | ({} if params is None else {"params": params})
    await client.send(json.dumps(sent))
    while "result" not in (answer := await receive_json(client)) and "code" not in answer and "error" not in answer:
        pass
    return answer


async def closed_by(client: ClientConnection) -> ConnectionClosed:
    """How the connection ends, whatever data comes before."""
    async with asyncio.timeout(LIMIT_S):
        try:
            while True:
                await client.recv()
        except ConnectionClosed as closed:
            return closed


def are_consecutive(ids: list[int]) -> bool:
    """Whether each id is one more than the one before."""
    return ids == list(range(ids[0], ids[0] + len(ids)))
