"""Both WebSocket clients, one contract, against a real server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response

from foxtrot_workers.websocket.client import (
    BURST_FRAMES_MAX,
    CLIENTS,
    RECEIVE_BUFFER_BYTES,
    Client,
    ClientOptions,
    ConnectFailed,
    make_client,
)
from tests.support.mute_server import mute_server
from tests.support.proxy_server import proxy_server
from tests.support.tls import make_tls
from tests.support.waiting import wait_until_async

LIMIT_S = 10.0
FRAME_BYTES_MAX = 64 * 1024

Behaviour = Callable[[ServerConnection], Awaitable[None]]


class Seen:
    """What a client called back."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.controls = 0
        self.flushes = 0
        self.causes: list[str] = []

    def on_frames(self, frames: list[bytes], last: bool) -> None:
        assert 0 < len(frames) <= BURST_FRAMES_MAX
        self.frames.extend(frames)
        self.flushes += last

    def on_control(self) -> None:
        self.controls += 1


@pytest.fixture(params=sorted(CLIENTS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def seen() -> Seen:
    return Seen()


def options(url: str, **settings: object) -> ClientOptions:
    values = {"connect_s": 5.0, "frame_bytes_max": FRAME_BYTES_MAX, "compression": False, **settings}
    return ClientOptions(url=url, **values)  # type: ignore[arg-type]  # the test's own keyword values


def client_for(name: str, seen: Seen, url: str, **settings: object) -> Client:
    return make_client(name, options(url, **settings), seen.on_frames, seen.on_control, seen.causes.append)


@asynccontextmanager
async def served(behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    async def handle(connection: ServerConnection) -> None:
        try:
            await behaviour(connection)
            await connection.wait_closed()
        except ConnectionClosed:
            return

    async with serve(handle, "127.0.0.1", 0, ssl=tls, compression=None, max_size=None) as server:
        yield f"{'wss' if tls else 'ws'}://localhost:{port_of(server)}"


def port_of(server: Server) -> int:
    return int(next(iter(server.sockets)).getsockname()[1])


async def connected(name: str, seen: Seen, behaviour: Behaviour, url: str) -> Client:
    client = client_for(name, seen, url)
    await client.connect()
    return client


async def test_texts_and_binaries_arrive_in_order_as_bytes(name: str, seen: Seen) -> None:
    async def behave(connection: ServerConnection) -> None:
        for number in range(500):
            await connection.send(f"text {number}")
        await connection.send(b"\x00\xff")

    async with served(behave) as url:
        client = await connected(name, seen, behave, url)
        await wait_until_async(lambda: len(seen.frames) == 501, LIMIT_S, "all frames")
        assert seen.frames[:500] == [f"text {n}".encode() for n in range(500)]
        assert seen.frames[500] == b"\x00\xff"
        await client.close(1.0)
    assert seen.causes == [], "our own close is no accident"


async def test_frames_of_every_size_and_kind_in_one_piece_arrive_in_order(name: str, seen: Seen) -> None:
    """Long and short ones take different ways through a client; so do those between which something else stands."""
    expected = [b"%d " % number * (number % 90 + 1) for number in range(3 * BURST_FRAMES_MAX)]
    frames = [Frame(Opcode.TEXT, data) for data in expected]
    frames[40:40] = [Frame(Opcode.PING, b"?")]
    frames[80:80] = [Frame(Opcode.TEXT, b"in " * 60, fin=False), Frame(Opcode.CONT, b"parts " * 60)]
    expected[79:79] = [b"in " * 60 + b"parts " * 60]

    async def behave(connection: ServerConnection) -> None:
        connection.transport.write(b"".join(map(on_the_wire, frames)))
        connection.transport.write(on_the_wire(Frame(Opcode.PING, b"last in its buffer")))

    async with served(behave) as url:
        client = await connected(name, seen, behave, url)
        await wait_until_async(lambda: len(seen.frames) >= len(expected), LIMIT_S, "all frames")
        await wait_until_async(lambda: seen.controls == 2, LIMIT_S, "both pings")
        assert seen.frames == expected
        await client.close(1.0)


async def test_what_came_before_a_broken_frame_is_delivered(name: str, seen: Seen) -> None:
    whole = [b"whole " * 50, b"small"] * 10

    async def behave(connection: ServerConnection) -> None:
        data = b"".join(on_the_wire(Frame(Opcode.TEXT, text)) for text in whole)
        connection.transport.write(data + b"\x83\x00")  # an opcode that does not exist

    async with served(behave) as url:
        await connected(name, seen, behave, url)
        await wait_until_async(lambda: bool(seen.causes), LIMIT_S, "the end")
        # picows gives up the frame before the broken one as well
        assert seen.frames[:19] == whole[:19]


async def test_what_we_send_arrives(name: str, seen: Seen) -> None:
    async def behave(connection: ServerConnection) -> None:
        while True:
            await connection.send(await connection.recv())

    async with served(behave) as url:
        client = await connected(name, seen, behave, url)
        for number in range(10):
            client.send(f"ä{number}")
        await wait_until_async(lambda: len(seen.frames) == 10, LIMIT_S, "ten echoes")
        assert seen.frames == [f"ä{number}".encode() for number in range(10)]
        await client.close(1.0)
        client.send("after the end: ignored")


async def test_a_message_in_fragments_is_put_together(name: str, seen: Seen) -> None:
    async def behave(connection: ServerConnection) -> None:
        async def parts() -> AsyncIterator[str]:
            for part in ("one ", "two ", "three"):
                yield part

        await connection.send(parts())
        await connection.send("whole")

    async with served(behave) as url:
        client = await connected(name, seen, behave, url)
        await wait_until_async(lambda: len(seen.frames) == 2, LIMIT_S, "both messages")
        assert seen.frames == [b"one two three", b"whole"]
        await client.close(1.0)


@asynccontextmanager
async def compressing(behaviour: Behaviour) -> AsyncIterator[str]:
    """An exchange that compresses its messages if a client offers to take it."""
    async with serve(behaviour, "127.0.0.1", 0, compression="deflate", max_size=None) as server:
        yield f"ws://localhost:{port_of(server)}"


async def test_compressed_messages_are_inflated(name: str, seen: Seen) -> None:
    messages = [b'{"number":%d}' % number * (number % 50 + 1) for number in range(300)]

    async def behave(connection: ServerConnection) -> None:
        for message in messages:
            await connection.send(message, text=True)
        await connection.send([b"in ", b"fragments " * 30], text=True)
        await connection.wait_closed()

    async with compressing(behave) as url:
        client = client_for(name, seen, url, compression=True)
        await client.connect()
        await wait_until_async(lambda: len(seen.frames) > len(messages), LIMIT_S, "all messages")
        assert seen.frames == [*messages, b"in " + b"fragments " * 30]
        client.send("uncompressed, or not: as the library likes")
        await client.close(1.0)
    assert seen.causes == []


async def test_an_exchange_need_not_compress(name: str, seen: Seen) -> None:
    async def behave(connection: ServerConnection) -> None:
        await connection.send("plain " * 100)

    async with served(behave) as url:
        client = client_for(name, seen, url, compression=True)
        await client.connect()
        await wait_until_async(lambda: bool(seen.frames), LIMIT_S, "the message")
        await client.close(1.0)
    assert seen.frames == [b"plain " * 100]


async def test_a_compressed_message_is_inflated_within_the_limit_only(name: str, seen: Seen) -> None:
    async def behave(connection: ServerConnection) -> None:
        await connection.send("x" * (100 * FRAME_BYTES_MAX))  # some kilobytes on the wire
        await connection.wait_closed()

    async with compressing(behave) as url:
        client = client_for(name, seen, url, compression=True)
        await client.connect()
        await wait_until_async(lambda: bool(seen.causes), LIMIT_S, "the end")
    assert "broke the protocol" in seen.causes[0]
    assert seen.frames == []


async def test_pings_are_answered_with_their_payload_and_seen(name: str, seen: Seen) -> None:
    answered = asyncio.Event()

    async def behave(connection: ServerConnection) -> None:
        await (await connection.ping("1628952395768"))
        answered.set()

    async with served(behave) as url:
        client = await connected(name, seen, behave, url)
        await asyncio.wait_for(answered.wait(), LIMIT_S)
        assert seen.controls >= 1
        await client.close(1.0)


async def test_our_pings_arrive_and_their_answer_is_seen(name: str, seen: Seen) -> None:
    async def behave(connection: ServerConnection) -> None:
        await connection.recv()

    async with served(behave) as url:
        client = await connected(name, seen, behave, url)
        for _ in range(2):
            client.ping()
        await wait_until_async(lambda: seen.controls >= 2, LIMIT_S, "two pongs")
        await client.close(1.0)
        client.ping()


async def test_invalid_utf8_reaches_the_parser_or_ends_the_connection_but_never_crashes(name: str, seen: Seen) -> None:
    async def behave(connection: ServerConnection) -> None:
        await send_raw(connection, Frame(Opcode.TEXT, b'{"e": "\xff\xfe"}'))
        await connection.send("after")

    async with served(behave) as url:
        client = await connected(name, seen, behave, url)
        await wait_until_async(lambda: b"after" in seen.frames or bool(seen.causes), LIMIT_S, "a verdict")
        await client.close(1.0)


def on_the_wire(frame: Frame) -> bytes:
    """A server's frame without the library's own check of it; payloads up to 65535 bytes."""
    head = bytes([(frame.fin << 7) | (frame.rsv1 << 6) | frame.opcode])
    size = len(frame.data)
    length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
    return head + length + frame.data


async def send_raw(connection: ServerConnection, frame: Frame) -> None:
    connection.transport.write(on_the_wire(frame))


@pytest.mark.parametrize("fragments", [False, True])
async def test_an_oversized_message_ends_the_connection_with_a_cause(name: str, seen: Seen, fragments: bool) -> None:
    async def behave(connection: ServerConnection) -> None:
        if not fragments:
            await connection.send("x" * (FRAME_BYTES_MAX + 1))
            return
        await send_raw(connection, Frame(Opcode.TEXT, b"x" * 1000, fin=False))
        while True:
            await send_raw(connection, Frame(Opcode.CONT, b"x" * 1000, fin=False))
            await connection.drain()

    async with served(behave) as url:
        await connected(name, seen, behave, url)
        await wait_until_async(lambda: bool(seen.causes), LIMIT_S, "the end")
        assert "broke the protocol" in seen.causes[0]
        # what was in the receive buffer already may come through: bounded all the same
        assert sum(map(len, seen.frames)) < 4 * FRAME_BYTES_MAX
    assert len(seen.causes) == 1


@pytest.mark.parametrize(
    "frame",
    [
        Frame(Opcode.TEXT, b"compressed?", rsv1=True),
        Frame(Opcode.CONT, b"continues nothing"),
        Frame(Opcode.TEXT, b"compressed? " * 50, rsv1=True),
        Frame(Opcode.TEXT, b"starts", fin=False),
    ],
    ids=["reserved-bit", "stray-continuation", "long-reserved-bit", "interrupted-fragments"],
)
async def test_broken_framing_ends_the_connection_with_a_cause(name: str, seen: Seen, frame: Frame) -> None:
    async def behave(connection: ServerConnection) -> None:
        await send_raw(connection, frame)
        await send_raw(connection, Frame(Opcode.TEXT, b"next"))

    async with served(behave) as url:
        await connected(name, seen, behave, url)
        await wait_until_async(lambda: bool(seen.causes), LIMIT_S, "the end")
        assert "broke the protocol" in seen.causes[0]


async def test_the_exchanges_close_is_told_with_code_and_reason(name: str, seen: Seen) -> None:
    async def behave(connection: ServerConnection) -> None:
        await connection.close(1008, "Too many requests")

    async with served(behave) as url:
        await connected(name, seen, behave, url)
        await wait_until_async(lambda: bool(seen.causes), LIMIT_S, "the end")
    assert seen.causes == ["closed by the exchange: 1008 Too many requests"]


async def test_a_lost_connection_is_told(name: str, seen: Seen) -> None:
    async def behave(connection: ServerConnection) -> None:
        connection.transport.abort()

    async with served(behave) as url:
        client = client_for(name, seen, url)
        try:
            await client.connect()
        except ConnectFailed as failure:
            seen.causes.append(failure.cause)
        await wait_until_async(lambda: bool(seen.causes), LIMIT_S, "the end")
    assert len(seen.causes) == 1


async def test_pausing_holds_the_exchange_back_and_loses_nothing(name: str, seen: Seen) -> None:
    total = 20_000
    sent = 0

    async def behave(connection: ServerConnection) -> None:
        nonlocal sent
        for number in range(total):
            await connection.send(f"{number:01000}")
            sent += 1

    async with served(behave) as url:
        client = await connected(name, seen, behave, url)
        await wait_until_async(lambda: len(seen.frames) > 100, LIMIT_S, "the first frames")
        client.pause()
        stable = await settled(lambda: sent)
        assert stable < total, "the server must be held back by TCP"
        held = len(seen.frames)
        client.resume()
        await wait_until_async(lambda: len(seen.frames) == total, LIMIT_S, "everything")
        assert held < total
        assert seen.frames == [f"{n:01000}".encode() for n in range(total)]
        await client.close(1.0)


async def test_the_kernel_holds_no_more_than_we_have_room_for(name: str, seen: Seen) -> None:
    """What it holds can be read at once, and is then beyond being held back: left to itself it grows to many MiB."""

    async def behave(connection: ServerConnection) -> None:
        await connection.send("x")

    async with served(behave) as url:
        client = await connected(name, seen, behave, url)
        assert receive_buffers_towards(int(url.rpartition(":")[2])) == [2 * RECEIVE_BUFFER_BYTES]
        await client.close(1.0)


def receive_buffers_towards(port: int) -> list[int]:
    """The kernel's bound for each of our sockets whose peer is there; it counts twice what was asked for."""
    bounds = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(int(name))) as ours:
            if ours.family in (socket.AF_INET, socket.AF_INET6) and ours.getpeername()[1] == port:
                bounds.append(ours.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF))
    return bounds


async def settled(value: Callable[[], int]) -> int:
    """`value` once it has not changed for a while."""
    last, same = value(), 0
    while same < 20:
        await asyncio.sleep(0.01)
        now = value()
        last, same = now, same + 1 if now == last else 0
    return last


@pytest.mark.parametrize(
    ("status", "header", "refused", "retry_after_s"),
    [
        (HTTPStatus.TOO_MANY_REQUESTS, "17", True, 17.0),
        (HTTPStatus.IM_A_TEAPOT, "120", True, 120.0),
        (HTTPStatus.TOO_MANY_REQUESTS, "soon", True, None),
        (HTTPStatus.SERVICE_UNAVAILABLE, None, False, None),
    ],
)
async def test_a_refused_handshake_tells_status_and_retry_after(
    name: str, seen: Seen, status: HTTPStatus, header: str | None, refused: bool, retry_after_s: float | None
) -> None:
    def refuse(connection: ServerConnection, request: Request) -> Response:
        response = connection.respond(status, "no\n")
        if header is not None:
            response.headers["Retry-After"] = header
        return response

    async with serve(lambda _: asyncio.sleep(0), "127.0.0.1", 0, process_request=refuse) as server:
        client = client_for(name, seen, f"ws://127.0.0.1:{port_of(server)}")
        with pytest.raises(ConnectFailed) as caught:
            await client.connect()
        await client.close(1.0)
    assert str(int(status)) in caught.value.cause
    assert (caught.value.refused, caught.value.retry_after_s) == (refused, retry_after_s)


BLOCKED = b'{"code":0,"msg":"Service unavailable from a restricted location"}'


@pytest.mark.parametrize(
    ("answer", "cause", "refused", "retry_after_s"),
    [
        (b"HTTP/1.1 451 Unavailable\r\n\r\n" + BLOCKED, "HTTP 451: " + BLOCKED.decode(), True, None),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9000\r\n\r\n<html>cut", "HTTP 403: <html>cut", True, None),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3_000_000, "HTTP 403: xxx", True, None),
        (
            b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\nContent-Length: 99\r\n\r\nslow\tdown",
            "HTTP 429, Retry-After 7 s: slow down",
            True,
            7.0,
        ),
        (b"HTTP/1.0 418 I'm a teapot\r\nRetry-After: 120\r\n\r\n{}", "HTTP 418, Retry-After 120 s: {}", True, 120.0),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n<html>portal</html>", "HTTP 200: <html>portal", False, None),
        (b"", "", False, None),
    ],
    ids=["451", "403-cut", "403-large", "429", "418-old", "200-portal", "nothing"],
)
async def test_the_cause_of_a_refused_handshake_quotes_status_and_body(
    name: str, seen: Seen, answer: bytes, cause: str, refused: bool, retry_after_s: float | None
) -> None:
    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            writer.close()

    async with await asyncio.start_server(reply, "127.0.0.1", 0) as server:
        client = client_for(name, seen, f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        with pytest.raises(ConnectFailed) as caught:
            await client.connect()
        await client.close(1.0)
    assert cause in caught.value.cause
    assert len(caught.value.cause) < 300
    assert (caught.value.refused, caught.value.retry_after_s) == (refused, retry_after_s)


async def test_redirects_are_not_followed(name: str, seen: Seen) -> None:
    visited: list[str] = []

    def redirect(connection: ServerConnection, request: Request) -> Response:
        visited.append(request.path)
        return Response(302, "Found", Headers({"Location": f"ws://127.0.0.1:{port}/other"}), b"")

    async with serve(lambda _: asyncio.sleep(0), "127.0.0.1", 0, process_request=redirect) as server:
        port = port_of(server)
        client = client_for(name, seen, f"ws://127.0.0.1:{port}/first")
        with pytest.raises(ConnectFailed, match="302"):
            await client.connect()
        await client.close(1.0)
    assert visited == ["/first"]


async def test_nobody_listening_is_a_connect_failure(name: str, seen: Seen) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = client_for(name, seen, f"ws://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(ConnectFailed) as caught:
            await client.connect()
    assert not caught.value.refused


async def test_a_silent_handshake_ends_at_its_deadline(name: str, seen: Seen) -> None:
    async with mute_server() as port:
        client = client_for(name, seen, f"ws://127.0.0.1:{port}", connect_s=0.3)
        with pytest.raises(ConnectFailed, match=r"within 0\.3 s"):
            await asyncio.wait_for(client.connect(), 5.0)


async def test_tls_is_verified_against_the_private_authority_and_refused_without_it(
    name: str, seen: Seen, tmp_path: Path
) -> None:
    authority = make_tls(tmp_path)

    async def behave(connection: ServerConnection) -> None:
        await connection.send("secret")

    async with served(behave, authority.server_context()) as url:
        stranger = client_for(name, seen, url)
        with pytest.raises(ConnectFailed):
            await stranger.connect()
        await settled(lambda: 0)  # the server's end of that handshake must see its end before its loop is gone
        client = client_for(name, seen, url, ca_file=str(authority.ca_file))
        await client.connect()
        await wait_until_async(lambda: seen.frames == [b"secret"], LIMIT_S, "the frame")
        await client.close(1.0)


@pytest.mark.parametrize("proxy_secure", [False, True])
@pytest.mark.parametrize("secure", [False, True])
async def test_a_proxy_carries_the_stream(
    name: str, seen: Seen, tmp_path: Path, secure: bool, proxy_secure: bool
) -> None:
    """An ``https://`` proxy is verified by the configured authority as the exchange is."""
    tls = make_tls(tmp_path)
    context = tls.server_context()

    async def behave(connection: ServerConnection) -> None:
        await connection.send("through the proxy")

    async with (
        served(behave, context if secure else None) as url,
        proxy_server(context if proxy_secure else None) as proxy,
    ):
        client = client_for(name, seen, url, proxy=proxy.url, ca_file=str(tls.ca_file))
        await client.connect()
        await wait_until_async(lambda: seen.frames == [b"through the proxy"], LIMIT_S, "the frame")
        await client.close(1.0)
        assert len(proxy.tunnels) == 1


@pytest.mark.parametrize("status", [403, 407, 502])
async def test_a_proxy_that_refuses_is_a_failed_connect(name: str, seen: Seen, status: int) -> None:
    async with proxy_server() as proxy:
        proxy.refuse_with = status
        client = client_for(name, seen, "ws://exchange.invalid", proxy=proxy.url)
        with pytest.raises(ConnectFailed, match=str(status)):
            await client.connect()


async def test_a_proxy_that_is_none_is_a_failed_connect(name: str, seen: Seen) -> None:
    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(close, "127.0.0.1", 0)
    proxy = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    client = client_for(name, seen, "ws://exchange.invalid", proxy=proxy)
    with pytest.raises(ConnectFailed):
        await client.connect()
    server.close()
