"""The server: its answers and refusals, and that a slow client delays no other."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from foxtrot_supervisor.monitoring import http_server as module
from foxtrot_supervisor.monitoring.access import Access, hosts_of
from foxtrot_supervisor.monitoring.http_server import CLIENTS_MAX, HttpServer, ServerCounts, listen
from foxtrot_supervisor.monitoring.pages import Page
from tests.support.waiting import wait_until_async

TOKEN = "0123456789abcdef0123456789abcdef"
BODY = b"x" * 10
Ask = Callable[[bytes], Awaitable[bytes]]


class Served:
    def __init__(self, server: HttpServer, port: int, counts: ServerCounts) -> None:
        self.server = server
        self.port = port
        self.counts = counts
        self.asked: list[tuple[str, str]] = []

    async def send(self, data: bytes, *, read_all: bool = True) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            await writer.drain()
            writer.write_eof()
            return await asyncio.wait_for(reader.read(1_000_000), 10)
        except ConnectionError:
            return b""
        finally:
            writer.transport.abort()

    def get(self, path: str, *headers: str, method: str = "GET", host: str | None = None) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host or f'127.0.0.1:{self.port}'}", *headers, "", ""]
        return "\r\n".join(lines).encode("latin-1")


@pytest.fixture
async def served(request: pytest.FixtureRequest) -> AsyncIterator[Served]:
    async for made in serving(getattr(request, "param", None)):
        yield made


async def serving(token: str | None) -> AsyncIterator[Served]:
    async def respond(path: str, accept: str) -> Page | None:
        made.asked.append((path, accept))
        return Page(200, "text/plain", BODY) if path == "/metrics" else None

    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    counts = ServerCounts()
    server = HttpServer(respond, Access(hosts_of("127.0.0.1", port), token), counts)
    made = Served(server, port, counts)
    await server.start(listener)
    yield made
    await server.close()


async def test_a_page(served: Served) -> None:
    answer = await served.send(served.get("/metrics?name=x", "Accept: a/b"))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"x-content-type-options: nosniff" in head
    assert body == BODY
    assert served.asked == [("/metrics", "a/b")]


async def test_several_requests_on_one_connection(served: Served) -> None:
    answer = await served.send(served.get("/metrics") * 3 + served.get("/metrics", "Connection: close"))
    assert answer.count(b"HTTP/1.1 200 ") == 4
    assert served.counts.requests_total == 4


async def test_head_has_no_body(served: Served) -> None:
    answer = await served.send(served.get("/metrics", method="HEAD"))
    assert b"content-length: 10" in answer
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (("/other", (), "GET", None), 404),
        (("http://evil/metrics", (), "GET", None), 404),
        (("/metrics", (), "POST", None), 405),
        (("/metrics", (), "GET", "evil.example"), 403),
        (("/metrics", ("Content-Length: 5", "", "hello"), "POST", None), 413),
        (("/metrics", ("Transfer-Encoding: chunked", "", "5", "hello", "0"), "GET", None), 413),
        (("/metrics", (f"X: {'y' * 90_000}",), "GET", None), 431),
        (("/metrics", ("no colon",), "GET", None), 400),
    ],
)
async def test_refusals(served: Served, request_: tuple[str, tuple[str, ...], str, str | None], status: int) -> None:
    path, headers, method, host = request_
    answer = await served.send(served.get(path, *headers, method=method, host=host))
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert BODY not in answer
    again = await served.send(served.get("/metrics"))
    assert again.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("served", [TOKEN], indirect=True)
async def test_a_token(served: Served) -> None:
    answer = await served.send(served.get("/metrics"))
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"www-authenticate: Bearer" in answer
    assert TOKEN.encode() not in answer
    answer = await served.send(served.get("/metrics", f"Authorization: Bearer {TOKEN}"))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert served.counts.refused_total == 1


async def test_no_bytes_whatever_show_anything_or_end_the_server(served: Served) -> None:
    rng = random.Random(5)
    good = served.get("/metrics")
    for number in range(150):
        data = bytearray(good.replace(b"127.0.0.1", b"127.0.0.2"))
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        answer = await served.send(rng.randbytes(rng.randrange(400)) if number % 3 == 0 else bytes(data))
        assert BODY not in answer
        assert b" 200 " not in answer
    assert (await served.send(good)).endswith(BODY)


async def test_a_client_that_sends_slowly_is_dropped(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_S", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(b"GET /metrics HTTP/1.1\r\nHo")
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.transport.abort()
    assert served.counts.dropped_total == 1


async def test_a_client_that_does_not_read_is_dropped(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "UNREAD_S", 0.05)

    async def large(_path: str, _accept: str) -> Page:
        return Page(200, "text/plain", b"x" * 20_000_000)

    served.server._respond = large
    _, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1024)
    writer.write(served.get("/metrics"))
    await wait_until_async(lambda: served.counts.dropped_total == 1, what="the end of the connection")
    writer.transport.abort()


async def test_connections_are_bounded(served: Served) -> None:
    idle = [await asyncio.open_connection("127.0.0.1", served.port) for _ in range(CLIENTS_MAX + 20)]
    assert (await served.send(served.get("/metrics"))).endswith(BODY)
    assert len(served.server._clients) <= CLIENTS_MAX
    assert served.counts.dropped_total >= 20
    for _, writer in idle:
        writer.transport.abort()


def test_an_address_in_use_is_an_error() -> None:
    with listen("127.0.0.1", 0) as first, pytest.raises(OSError, match="in use"):
        listen("127.0.0.1", first.getsockname()[1])
