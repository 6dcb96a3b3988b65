"""A load server: sends one WebSocket client frames as fast as it takes them, or at an exact rate.

It is lightweight, so that the benchmark measures the client: frames are made beforehand and leave in large
writes, from a thread that does nothing else. One port serves the exchange's protocol (SUBSCRIBE is
acknowledged, depth and exchangeInfo are answered) and the command to send::

    GET /bench/send?kind=trades&events=1000000            as fast as the client takes them
    GET /bench/send?kind=trades&events=5000&rate=1000     paced; each trade carries the time it was sent

It is answered when the last frame has been written.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ctypes
import hashlib
import json
import os
import select
import socket
import threading
import time
from collections.abc import Iterable

import msgspec

from foxtrot_protocol.child import ChildContext
from foxtrot_protocol.commands import Stop, ToChild
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_protocol.spec import SimulatorSettings, decode_settings
from foxtrot_workers.benchmark.load_frames import Kind, LoadBlock, PacedTrades, depth_snapshot, primer
from foxtrot_workers.simulator.wire.frames import frame
from foxtrot_workers.simulator.wire.http_wire import HttpRequest, RequestParser, response

__all__ = ["LoadServer", "run"]

READ_BYTES = 64 * 1024

STALL_S = 30.0
"""A client that takes nothing for this long has failed."""

_ACCEPT_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_CLOSE = 0x8
_PING = 0x9
_PONG = 0xA
_PR_SET_TIMERSLACK = 29


class _Request(msgspec.Struct):
    method: str = ""
    id: int = 0
    params: list[str] = []


async def run(context: ChildContext) -> int:
    """Start target. Ready reports its address as ``url`` and ``rest_url``."""
    settings = decode_settings(context.spec.settings, SimulatorSettings)
    stopping = asyncio.Event()

    def on_command(command: ToChild) -> None:
        if isinstance(command, Stop):
            stopping.set()

    server = LoadServer(settings.symbols, settings.seed)
    port = await server.start(settings.port)
    context.on_command(on_command)
    context.ready({"url": f"ws://127.0.0.1:{port}", "rest_url": f"http://127.0.0.1:{port}"})
    await stopping.wait()
    await server.close()
    return ChildExit.CLEAN


class LoadServer:
    """Serves on loopback; the WebSocket client that connected last gets the load."""

    def __init__(self, symbols: list[str], seed: int) -> None:
        self._symbols = symbols
        self._seed = seed
        self._blocks: dict[Kind, LoadBlock] = {
            "trades": LoadBlock("trades", symbols, seed),
            "mixed": LoadBlock("mixed", symbols, seed),
        }
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._client: asyncio.StreamWriter | None = None
        self._sending = False
        self._held_back: list[bytes] = []
        self._cancelled = threading.Event()

    async def start(self, port: int) -> int:
        """Listen on `port` (0: a free one); return the port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop sending, and close every connection."""
        self._cancelled.set()
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    # ---- connections

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._converse(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            if self._client is writer:
                self._client = None
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        parser = RequestParser()
        while data := await reader.read(READ_BYTES):
            parser.feed(data)
            while (request := parser.next()) is not None:
                if request.upgrade:
                    # nothing may follow the upgrade before it is answered
                    await self._stream(request, reader, writer)
                    return
                writer.write(await self._answer(request))

    async def _answer(self, request: HttpRequest) -> bytes:
        if request.path == "/api/v3/depth":
            return response(200, depth_snapshot(self._seed))
        if request.path == "/api/v3/exchangeInfo":
            names = [{"symbol": symbol, "baseAsset": symbol[:3], "quoteAsset": symbol[3:]} for symbol in self._symbols]
            return response(200, json.dumps({"symbols": names}).encode())
        if request.path == "/bench/send":
            return await self._send_load(request.query)
        return response(404, b"{}")

    async def _stream(self, request: HttpRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        key = request.headers["sec-websocket-key"].encode()
        accept = base64.b64encode(hashlib.sha1(key + _ACCEPT_GUID, usedforsecurity=False).digest()).decode()
        writer.write(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        self._client = writer
        self._prime(request.query.get("streams", "").split("/"))
        while True:
            opcode, payload = await _read_frame(reader)
            if opcode == _CLOSE:
                self._write(_control_frame(_CLOSE, payload))
                return
            if opcode == _PING:
                self._write(_control_frame(_PONG, payload))
            elif opcode != _PONG:
                self._acknowledge(payload)

    def _acknowledge(self, payload: bytes) -> None:
        request = msgspec.json.decode(payload, type=_Request)
        self._write(frame(json.dumps({"result": None, "id": request.id}).encode()))
        self._prime(request.params)

    def _prime(self, wires: Iterable[str]) -> None:
        """Send the first update of each book that is subscribed."""
        for wire in wires:
            symbol, _, stream = wire.partition("@")
            if stream.startswith("depth"):
                self._write(primer(symbol.upper()))

    def _write(self, data: bytes) -> None:
        """Write to the client; wait while the sending thread may be in the middle of a frame."""
        if self._sending:
            self._held_back.append(data)
        elif self._client is not None:
            self._client.write(data)

    # ---- load

    async def _send_load(self, query: dict[str, str]) -> bytes:
        client = self._client
        if client is None or self._sending:
            return response(409, b'{"error":"no client, or sending already"}')
        kind: Kind = "mixed" if query.get("kind") == "mixed" else "trades"
        events, rate = int(query["events"]), float(query.get("rate", 0))
        await client.drain()
        # its own descriptor: the connection may be closed while the thread is writing
        with socket.socket(fileno=os.dup(client.get_extra_info("socket").fileno())) as connection:
            outlet = _Outlet(connection, self._cancelled)
            self._sending = True
            started = time.monotonic()
            try:
                if rate > 0:
                    await asyncio.to_thread(_send_paced, outlet, PacedTrades(self._symbols, self._seed), events, rate)
                else:
                    await asyncio.to_thread(_send_fast, outlet, self._blocks[kind], events)
            except OSError as error:
                return response(500, json.dumps({"error": str(error)}).encode())
            finally:
                self._sending = False
                for data in self._held_back:
                    self._write(data)
                self._held_back.clear()
        return response(200, json.dumps({"events": events, "seconds": time.monotonic() - started}).encode())


class _Outlet:
    """Writes to a non-blocking socket; raises OSError if the client is gone or takes nothing for `STALL_S`."""

    def __init__(self, connection: socket.socket, cancelled: threading.Event) -> None:
        self._connection = connection
        self._cancelled = cancelled
        self._writable = select.poll()
        self._writable.register(connection, select.POLLOUT)

    def write(self, data: bytes | memoryview) -> None:
        rest = memoryview(data)
        while rest:
            if self._cancelled.is_set():
                raise OSError("stopped")
            try:
                rest = rest[self._connection.send(rest) :]
            except BlockingIOError:
                if not self._writable.poll(STALL_S * 1000):
                    raise TimeoutError(f"the client took nothing for {STALL_S:g} s") from None


def _send_fast(outlet: _Outlet, block: LoadBlock, events: int) -> None:
    full, remainder = divmod(events, block.frames_count)
    for index in range(full):
        outlet.write(block.repetition(index))
    outlet.write(block.repetition(full, remainder))


def _send_paced(outlet: _Outlet, trades: PacedTrades, events: int, rate: float) -> None:
    """Send on an absolute schedule: late frames leave at once, and each carries the time it really left."""
    with contextlib.suppress(OSError):
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)  # of this thread only: sleep to the microsecond
    started = time.monotonic()
    sent = 0
    while sent < events:
        due = min(events, int((time.monotonic() - started) * rate) + 1)
        if due <= sent:
            time.sleep(max(0.0, started + sent / rate - time.monotonic()))
            continue
        sent_us = time.time_ns() // 1000
        outlet.write(b"".join([trades.frame(number, sent_us) for number in range(sent, due)]))
        sent = due


def _control_frame(opcode: int, payload: bytes) -> bytes:
    return bytes((0x80 | opcode, len(payload))) + payload  # a control frame's payload has at most 125 bytes


async def _read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Read one masked frame of a client: opcode and payload. Fragments and extensions are not supported."""
    first, second = await reader.readexactly(2)
    length = second & 0x7F
    if length == 126:
        length = int.from_bytes(await reader.readexactly(2))
    elif length == 127:
        length = int.from_bytes(await reader.readexactly(8))
    mask = await reader.readexactly(4)
    payload = await reader.readexactly(length)
    repeated = (mask * (length // 4 + 1))[:length]
    return first & 0x0F, (int.from_bytes(payload) ^ int.from_bytes(repeated)).to_bytes(length)
