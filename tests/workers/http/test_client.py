"""One deadline for a whole request, cancellation that closes the connection, reuse, proxies: against real servers."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from foxtrot_workers.http import client as http_client
from foxtrot_workers.http.client import HttpClient, HttpFailed
from foxtrot_workers.http.response import INTERIM_MAX
from tests.support.mute_server import mute_server
from tests.support.proxy_server import proxy_server
from tests.support.tls import LoopbackTls, make_tls
from tests.support.waiting import wait_until_async

LIMIT_S = 10.0
BODY_MAX = 100_000

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Site:
    """A server that answers each connection by a function of the test."""

    def __init__(self, port: int, scheme: str) -> None:
        self.url = f"{scheme}://localhost:{port}"
        self.connections = 0
        self.open = 0
        self.requests: list[str] = []


@contextlib.asynccontextmanager
async def serving(serve: Serve | None = None, tls: ssl.SSLContext | None = None) -> AsyncIterator[Site]:
    site: Site

    async def usual(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            site.requests.append(head.split(b" ")[1].decode())
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        site.connections += 1
        site.open += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await (serve or usual)(reader, writer)
        site.open -= 1
        writer.close()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    site = Site(int(server.sockets[0].getsockname()[1]), "http" if tls is None else "https")
    try:
        yield site
    finally:
        server.close()
        await wait_until_async(lambda: site.open == 0, LIMIT_S, "all connections to end")


@contextlib.contextmanager
def client_of(url: str, ca_file: Path | None = None, proxy: str | None = None) -> Iterator[HttpClient]:
    client = HttpClient(url, None if ca_file is None else str(ca_file), proxy)
    try:
        yield client
    finally:
        client.close()


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> LoopbackTls:
    return make_tls(tmp_path_factory.mktemp("tls"))


# ---- one deadline


def dripping(head: bytes, drop: bytes) -> Serve:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(0.02)
            if reader.at_eof():
                return

    return drip


@pytest.mark.parametrize(
    ("head", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nX-", b"x"),
        (b"HTTP/1.1 200 ", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;", b"x"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
    ],
    ids=["body", "header", "status line", "chunks", "chunk line", "until the end"],
)
async def test_a_trickle_ends_at_the_deadline(head: bytes, drop: bytes) -> None:
    async with serving(dripping(head, drop)) as site:
        with client_of(site.url) as client, pytest.raises(HttpFailed, match="no complete answer"):
            await asyncio.wait_for(client.get("/x", 0.4, BODY_MAX), LIMIT_S)
        await wait_until_async(lambda: site.open == 0, LIMIT_S, "the connection to be closed")


async def test_interim_answers_are_limited() -> None:
    async with serving(dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n")) as site:
        with client_of(site.url) as client, pytest.raises(HttpFailed, match=f"{INTERIM_MAX + 1} so far"):
            await client.get("/x", LIMIT_S, BODY_MAX)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_server_that_says_nothing_ends_at_the_deadline(scheme: str) -> None:
    """Over https it is the TLS handshake that gets no answer."""
    async with mute_server() as port:
        with client_of(f"{scheme}://127.0.0.1:{port}") as client, pytest.raises(HttpFailed, match="no complete answer"):
            await asyncio.wait_for(client.get("/x", 0.4, BODY_MAX), LIMIT_S)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_says_nothing_ends_at_the_deadline(scheme: str) -> None:
    async with mute_server() as port:
        with (
            client_of("https://exchange.invalid", proxy=f"{scheme}://127.0.0.1:{port}") as client,
            pytest.raises(HttpFailed, match="no complete answer"),
        ):
            await asyncio.wait_for(client.get("/x", 0.4, BODY_MAX), LIMIT_S)


async def test_the_deadline_includes_name_resolution(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object, **__: object) -> None:
        await asyncio.sleep(60.0)

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", never)
    with client_of("http://exchange.invalid") as client, pytest.raises(HttpFailed, match="no complete answer"):
        await asyncio.wait_for(client.get("/x", 0.2, BODY_MAX), LIMIT_S)


# ---- cancellation and reuse


async def test_cancelling_closes_the_connection_at_once() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        await reader.read()

    async with serving(silent) as site:
        with client_of(site.url) as client:
            task = asyncio.create_task(client.get("/x", 60.0, BODY_MAX))
            await wait_until_async(lambda: site.open == 1, LIMIT_S, "the connection")
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await wait_until_async(lambda: site.open == 0, LIMIT_S, "the connection to be closed")


@pytest.mark.parametrize("secure", [False, True])
async def test_a_series_of_requests_takes_one_connection(tls: LoopbackTls, secure: bool) -> None:
    async with serving(tls=tls.server_context() if secure else None) as site:
        with client_of(site.url, tls.ca_file) as client:
            for number in range(20):
                assert (await client.get(f"/page/{number}", LIMIT_S, BODY_MAX)).body == b"{}"
            assert site.connections == client.connects_total == 1
            assert len(site.requests) == 20


async def test_a_connection_that_the_server_closed_meanwhile_is_replaced() -> None:
    async def one_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")  # a second request is read, and the connection closed without an answer

    async with serving(one_answer) as site:
        with client_of(site.url) as client:
            for _ in range(4):
                assert (await client.get("/x", LIMIT_S, BODY_MAX)).status == 200
        assert site.connections == 4


async def test_an_unused_connection_is_closed_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "IDLE_S", 0.05)
    async with serving() as site:
        with client_of(site.url) as client:
            await client.get("/x", LIMIT_S, BODY_MAX)
            await wait_until_async(lambda: site.open == 0, LIMIT_S, "the connection to be closed")


async def test_a_path_cannot_smuggle_a_request() -> None:
    async with serving() as site:
        with client_of(site.url) as client:
            for path in ("/x HTTP/1.1\r\nA: b", "/x y", "/ä"):
                with pytest.raises(HttpFailed, match="invalid path"):
                    await client.get(path, LIMIT_S, BODY_MAX)
        assert site.connections == 0


async def test_a_certificate_of_another_authority_is_refused(tls: LoopbackTls) -> None:
    async with serving(tls=tls.server_context()) as site:
        with client_of(site.url) as client, pytest.raises(HttpFailed, match="certificate"):
            await client.get("/x", LIMIT_S, BODY_MAX)


# ---- proxies


@pytest.mark.parametrize("site_secure", [False, True])
@pytest.mark.parametrize("proxy_secure", [False, True])
@pytest.mark.parametrize("credentials", ["", "user:p@ss"])
async def test_every_kind_of_proxy_works(
    tls: LoopbackTls, site_secure: bool, proxy_secure: bool, credentials: str
) -> None:
    context = tls.server_context()
    async with (
        serving(tls=context if site_secure else None) as site,
        proxy_server(context if proxy_secure else None) as proxy,
    ):
        proxy.credentials = credentials
        scheme, _, place = proxy.url.partition("://")
        url = f"{scheme}://{credentials.replace('p@', 'p%40')}@{place}" if credentials else proxy.url
        with client_of(site.url, tls.ca_file, url) as client:
            assert (await client.get("/x?a=1", LIMIT_S, BODY_MAX)).body == b"{}"
            assert (await client.get("/y", LIMIT_S, BODY_MAX)).body == b"{}"
        assert site.connections == 1
        assert len(proxy.tunnels) == (1 if site_secure else 0)


async def test_a_refusal_of_the_proxy_is_reported(tls: LoopbackTls) -> None:
    async with proxy_server() as proxy:
        proxy.refuse_with = 403
        with (
            client_of("https://exchange.invalid", proxy=proxy.url) as client,
            pytest.raises(HttpFailed, match="the proxy answered CONNECT with HTTP 403"),
        ):
            await client.get("/x", LIMIT_S, BODY_MAX)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "http://", "ftp://host"])
def test_an_address_that_cannot_be_used_is_refused_at_once(proxy: str) -> None:
    with pytest.raises(ValueError, match=r"proxy|address"):
        HttpClient("https://exchange.invalid", None, proxy)


def test_requests_work_on_uvloop(tls: LoopbackTls) -> None:
    """TLS within TLS, cancellation and reuse depend on the loop's transports."""
    uvloop = pytest.importorskip("uvloop")

    async def everything() -> None:
        await test_every_kind_of_proxy_works(tls, True, True, "user:p@ss")
        await test_every_kind_of_proxy_works(tls, False, True, "")
        await test_cancelling_closes_the_connection_at_once()
        await test_a_series_of_requests_takes_one_connection(tls, True)
        await test_a_server_that_says_nothing_ends_at_the_deadline("https")
        await test_a_connection_that_the_server_closed_meanwhile_is_replaced()

    uvloop.run(everything())
