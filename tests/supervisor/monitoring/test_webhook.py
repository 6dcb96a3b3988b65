"""The webhook against real servers: good, failing, slow and odd ones. No reason names the URL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from foxtrot_supervisor.monitoring.webhook import Webhook, post, webhook_of

SECRET = "T0PSECRET"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[Webhook]:
    async def serve_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (OSError, EOFError):
            pass  # the client has gone
        finally:
            writer.close()

    server = await asyncio.start_server(serve_and_close, "127.0.0.1", 0)
    try:
        yield webhook_of(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook/{SECRET}?x={SECRET}")
    finally:
        server.close()


def answering(answer: bytes, seen: list[bytes] | None = None) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.readuntil(b"\r\n\r\n")
        data += await reader.readexactly(4)
        if seen is not None:
            seen.append(data)
        writer.write(answer)
        await writer.drain()

    return serve


async def test_the_payload_is_posted() -> None:
    seen: list[bytes] = []
    async with serving(answering(b"HTTP/1.1 204 No Content\r\n\r\n", seen)) as webhook:
        assert await post(webhook, b"{ }\n", 10.0) == ""
    (data,) = seen
    assert data.startswith(f"POST /hook/{SECRET}?x={SECRET} HTTP/1.1\r\n".encode())
    assert data.endswith(b"\r\n\r\n{ }\n")
    assert b"content-type: application/json" in data.lower()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n", "HTTP 500"),
        (b"HTTP/1.1 302 Found\r\nlocation: /x\r\n\r\n", "HTTP 302"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", ""),
        (b"not HTTP at all\r\n\r\n", "the answer is no HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 200_000, "the answer is no HTTP"),
        (b"", "the connection was closed without an answer"),
    ],
)
async def test_answers(answer: bytes, reason: str) -> None:
    async with serving(answering(answer)) as webhook:
        found = await post(webhook, b"{ }\n", 10.0)
    assert found == reason
    assert SECRET not in found


async def test_a_server_that_drips_is_left_at_the_deadline() -> None:
    async def drip(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"H")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with serving(drip) as webhook:
        assert await post(webhook, b"{ }\n", 0.2) in ("no answer within 0.2 s", "the answer is no HTTP")


async def test_a_server_that_is_not_there() -> None:
    async with serving(answering(b"")) as webhook:
        pass
    found = await post(webhook, b"{ }\n", 10.0)
    assert found.startswith("cannot be reached: ")
    assert SECRET not in found


async def test_a_server_without_tls() -> None:
    async def plain(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with serving(plain) as webhook:
        found = await post(Webhook(webhook.host, webhook.port, True, webhook.target), b"{ }\n", 10.0)
    assert found.startswith(("TLS failed", "cannot be reached"))


@pytest.mark.parametrize(
    ("url", "webhook"),
    [
        ("https://hooks.example/a/b?c=d", Webhook("hooks.example", 443, True, "/a/b?c=d")),
        ("http://[::1]:81", Webhook("::1", 81, False, "/")),
    ],
)
def test_urls(url: str, webhook: Webhook) -> None:
    assert webhook_of(url) == webhook


@pytest.mark.parametrize(
    "url", ["ftp://a/b", "https://", f"https://u:{SECRET}@a/", "http://a:99999/", "http://[a/", SECRET]
)
def test_what_is_no_webhook(url: str) -> None:
    with pytest.raises(ValueError, match="must hold") as refused:
        webhook_of(url)
    assert SECRET not in str(refused.value)
