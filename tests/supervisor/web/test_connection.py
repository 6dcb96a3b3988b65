"""Bounds of connections: in time, in number, in what they send."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from foxtrot_supervisor.web import connection as module
from foxtrot_supervisor.web.server import HEADERS
from tests.support.waiting import wait_until_async
from tests.support.web_client import exchange, fetch, parsed, serving

LIMIT_S = 20.0


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n",
        b"GET /" + b"canary" * 1000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"canary" * 1000 + b"\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /api/action HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"POST /api/action HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused_without_a_quote(sent: bytes) -> None:
    async with serving() as served:
        received = await exchange(served.address, sent)
        answer = parsed(received)
        assert answer.status in (400, 414, 421, 431)
        assert b"canary" not in received
        assert answer.headers["content-security-policy"] == HEADERS["Content-Security-Policy"]
        assert served.lines == []
        assert served.server is not None
        assert served.server.counts.malformed + served.server.counts.refused == 1


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\n", b"POST /api/action HTTP/1.1\r\nContent-Le"])
async def test_a_connection_without_a_request_is_dropped(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_S", 0.1)
    async with serving() as served:
        assert await exchange(served.address, sent) == b""
        assert served.server is not None
        assert served.server.counts.dropped == 1


async def test_one_that_sends_a_byte_now_and_then_is_dropped_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_S", 0.3)
    async with serving() as served:
        reader, writer = await asyncio.open_connection(served.address.host, served.address.port)
        writer.write(b"GET / HTTP/1.1\r\nX: ")
        ended = asyncio.create_task(reader.read())
        async with asyncio.timeout(LIMIT_S):
            while not ended.done():
                with contextlib.suppress(ConnectionError):
                    writer.write(b"x")
                    await writer.drain()
                await asyncio.sleep(0.01)
        with contextlib.suppress(ConnectionError):
            assert ended.result() == b""
        writer.close()


async def test_a_connection_may_be_used_again_and_is_dropped_when_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_S", 0.3)
    async with serving() as served:
        request = f"GET /assets/icon.svg HTTP/1.1\r\nHost: {served.host}\r\n\r\n".encode()
        received = await exchange(served.address, request * 3)
        assert received.count(b"HTTP/1.1 200") == 3


async def test_the_number_of_connections_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONNECTIONS_MAX", 3)
    async with serving() as served:
        assert served.server is not None
        open_ = [await asyncio.open_connection(served.address.host, served.address.port) for _ in range(3)]
        answer = await fetch(served, "GET", "/")
        assert answer.status == 200, "it replaces the one that waits for longest"
        assert await asyncio.wait_for(ended(open_[0][0]), LIMIT_S)
        assert served.server.counts.dropped == 1
        for _, writer in open_:
            writer.close()


async def test_where_all_are_busy_a_further_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONNECTIONS_MAX", 2)
    async with serving() as served:
        busy = []
        for _ in range(2):
            reader, writer = await asyncio.open_connection(served.address.host, served.address.port)
            writer.write(f"GET /api/stream HTTP/1.1\r\nHost: {served.host}\r\n\r\n".encode())
            assert await asyncio.wait_for(reader.readline(), LIMIT_S)
            busy.append((reader, writer))
        assert await exchange(served.address, b"GET / HTTP/1.1\r\n\r\n") == b""
        for _, writer in busy:
            writer.close()
        served.hub.publish("view", 1)
        served.hub.publish("view", 2)
        assert served.server is not None
        listener = served.server._listener
        await wait_until_async(lambda: not listener.busy)
        assert (await fetch(served, "GET", "/")).status == 200


async def ended(reader: asyncio.StreamReader) -> bool:
    with contextlib.suppress(ConnectionError):
        await reader.read()
    return True
