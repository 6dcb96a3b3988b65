"""One TCP connection to the simulated exchange: HTTP requests, or after an upgrade WebSocket frames; a shell.

The handshake and what the client sends go through the `websockets` library's protocol core. Data frames are
written as bytes framed beforehand, because one message goes to many clients and the library's own way costs
several times more; with compression, where a frame is each connection's own, the library frames it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any, cast

from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from foxtrot_workers.simulator.server.faults import Fault
from foxtrot_workers.simulator.server.ledger import StreamLog
from foxtrot_workers.simulator.venues.session import Reply, Send, Session
from foxtrot_workers.simulator.wire import frames
from foxtrot_workers.simulator.wire.http_wire import BadRequest, HttpRequest, RequestParser, response

if TYPE_CHECKING:
    from foxtrot_workers.simulator.server.server import SimulatedExchange
    from foxtrot_workers.simulator.venues.rest import Answer

__all__ = ["Outgoing", "Peer"]

CLOSE_S = 2.0
"""Time for the client to answer a close frame before the connection is cut."""

MESSAGE_BYTES_MAX = 1024 * 1024
"""Largest message of a client."""

HIGH_WATER_BYTES = 256 * 1024
"""Unsent bytes above which whoever waits for this client waits."""

_CHUNK_BYTES = 1024 * 1024
_DRIP_STEP_S = 0.02
_STALL_BYTES = 1_000
_BROKEN_FRAME = b"\xff\xff\xff\xff\xff\xff\xff\xff"
"""Reserved bits and a reserved opcode: no frame at all."""


class Outgoing:
    """One data frame on its way: which stream, which id, which bytes."""

    __slots__ = ("frame", "message_id", "stream")

    def __init__(self, stream: str, message_id: int, frame: bytes) -> None:
        self.stream = stream
        self.message_id = message_id
        self.frame = frame


class Peer(asyncio.Protocol):
    """One client; made by the server for each accepted TCP connection."""

    def __init__(self, exchange: SimulatedExchange) -> None:
        self.exchange = exchange
        """The server it belongs to."""
        self._transport: asyncio.Transport | None = None
        self._parser = RequestParser()
        self._ws: ServerProtocol | None = None
        self._fragments: list[bytes] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._answering = False
        self._received_s: deque[float] = deque(maxlen=exchange.limits.messages_per_s + 1)
        self._logs: dict[str, StreamLog] = {}
        self._batch: list[bytes] = []
        self._held_back: deque[bytes] = deque()
        self._held_back_bytes = 0
        self._gates = 0
        self._gate_turn = asyncio.Lock()
        self._free = asyncio.Event()
        self._free.set()
        self._taking = asyncio.Event()
        self._taking.set()
        self._cause = "client went away"
        self._ping_payload: bytes | None = None
        self._close_timer: asyncio.TimerHandle | None = None
        self.number = -1
        """Number in the ledger once upgraded."""
        self.session: Session | None = None
        self.opened_s = 0.0
        self.ping_due_s = 0.0
        self.pong_due_s: float | None = None
        self.compressed = False
        """Compression was negotiated: each frame is this connection's own."""
        self.notified = False
        """The coming close was announced."""
        self._plain = False
        self.sample: tuple[str, bytes] = ("", b"")
        """Stream and payload of a recent message, for faults to spoil."""

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=HIGH_WATER_BYTES)
        self.exchange.arrived(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone; whoever waits for it goes on."""
        if self._close_timer is not None:
            self._close_timer.cancel()
        for task in self._tasks:
            task.cancel()
        self._transport = None
        self._taking.set()
        self._free.set()
        self.exchange.left(self, self._cause)

    def pause_writing(self) -> None:
        """The client does not keep up."""
        self._taking.clear()
        self._free.clear()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._taking.set()
        if not self._gates:
            self._free.set()

    def data_received(self, data: bytes) -> None:
        """Bytes of an HTTP request or of WebSocket frames."""
        if self._ws is None:
            self._parser.feed(data)
            self._requests()
        else:
            self._ws.receive_data(data)
            self._events(self._ws)

    def eof_received(self) -> bool:
        """The client will send nothing more; nothing is worth saying to it either."""
        if self._ws is not None:
            self._ws.receive_eof()
            self._events(self._ws)
        return False

    # HTTP

    def _requests(self) -> None:
        while self._transport is not None and not self._answering:
            try:
                request = self._parser.next()
            except BadRequest:
                self._write(response(400, b"{}", keep_alive=False))
                self._transport.close()
                return
            if request is None:
                return
            if request.upgrade and request.method == "GET":
                self._upgrade(request)
                return
            self._answering = True
            self.spawn(self._answer(request))

    async def _answer(self, request: HttpRequest) -> None:
        answer: Answer = await self.exchange.answer(request)
        if self._transport is None:
            return
        if answer.endless is not None:
            await self._answer_endlessly(*answer.endless, answer.pause_s)
            return
        self._write(response(answer.status, answer.body, answer.headers, keep_alive=request.keep_alive))
        if not request.keep_alive:
            self._transport.close()
        self._answering = False
        self._requests()

    async def _answer_endlessly(self, first: bytes, again: bytes, pause_s: float) -> None:
        """Write `first`, then `again` every `pause_s` seconds as long as there is a connection."""
        self._write(first)
        while self._transport is not None:
            self._write(again)
            await asyncio.sleep(pause_s)

    def _upgrade(self, request: HttpRequest) -> None:
        ws = ServerProtocol(
            max_size=MESSAGE_BYTES_MAX,
            extensions=[ServerPerMessageDeflateFactory()] if self.exchange.compression else None,
        )
        ws.receive_data(request.raw)
        found = ws.events_received()
        assert self._transport is not None
        if not found or not isinstance(found[0], Request):
            self._transport.abort()
            return
        refused = self.exchange.refusal(request)
        if refused is not None:
            answer = ws.reject(refused.status, refused.body.decode())
            for name, value in refused.headers.items():
                answer.headers[name] = value
        else:
            answer = ws.accept(found[0])
        ws.send_response(answer)
        self._ws = ws
        self.compressed = bool(ws.extensions)
        if ws.state is State.OPEN:
            self.exchange.upgraded(self, request)
        self._pump(ws)
        rest = self._parser.rest()
        if rest and self._transport is not None:
            ws.receive_data(rest)
            self._events(ws)

    # WebSocket, from the client

    def _events(self, ws: ServerProtocol) -> None:
        for event in ws.events_received():
            if isinstance(event, Frame):
                self._frame(event)
        # An end of file without a close frame is the client's going away, whatever the parser calls it.
        if ws.parser_exc is not None and not isinstance(ws.parser_exc, EOFError):
            self._cause = "protocol error of the client"
        self._pump(ws)

    def _frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            self.exchange.ended(self)
            self._cause = "closed by the client" if self._close_timer is None else self._cause
            return
        if frame.opcode is Opcode.PONG and bytes(frame.data) == self._ping_payload:
            self.pong_due_s = None
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._fragments.append(bytes(frame.data))
            if not frame.fin:
                return
        if not self.is_open or self._over_rate():
            return
        if frame.opcode not in (Opcode.PING, Opcode.PONG):
            data, self._fragments = b"".join(self._fragments), []
            self.exchange.message(self, data)

    def _over_rate(self) -> bool:
        """Note one message of the client; one too many within a second closes the connection."""
        now_s = time.monotonic()
        self._received_s.append(now_s)
        full = len(self._received_s) > self.exchange.limits.messages_per_s
        if full and now_s - self._received_s[0] < 1.0:
            self.close(1008, "Too many requests")
            return True
        return False

    def _pump(self, ws: ServerProtocol) -> None:
        """Write what the library wants written."""
        for data in ws.data_to_send():
            if data:
                self._write(data)
            elif self._transport is not None:
                self._transport.close()
        if ws.state is State.OPEN or self._transport is None:
            return
        if self._close_timer is None:
            self._close_timer = asyncio.get_running_loop().call_later(CLOSE_S, self._transport.abort)

    # WebSocket, to the client

    @property
    def is_open(self) -> bool:
        """Whether data can be sent."""
        transport = self._transport
        return (
            self._ws is not None
            and self._ws.state is State.OPEN
            and transport is not None
            and not transport.is_closing()
        )

    @property
    def blocked(self) -> bool:
        """Whether whoever sends as fast as it is taken has to wait."""
        return not self._free.is_set()

    async def free(self, limit_s: float) -> bool:
        """Wait until the client takes more or is gone; False after `limit_s`."""
        try:
            async with asyncio.timeout(limit_s):
                await self._free.wait()
        except TimeoutError:
            return False
        return True

    def frame_of(self, payload: bytes) -> bytes:
        """The bytes of one data frame for this client, alone where it negotiated compression."""
        if self._ws is None or not self.compressed:
            return frames.frame(payload)
        return Frame(Opcode.TEXT, payload).serialize(mask=False, extensions=self._ws.extensions)

    def ready(self) -> None:
        """Call before a batch of `deliver`: looks once whether frames can go straight out."""
        self._plain = self.is_open and self.exchange.faults.quiet(self.number)

    def deliver(self, stream: str, message_id: int, frame: bytes, now_ns: int) -> None:
        """Send one data frame with the next `flush`; the hot path."""
        if self._plain:
            self._send(stream, message_id, frame, now_ns)
        else:
            self._deliver_shaped(Outgoing(stream, message_id, frame), now_ns)

    def _send(self, stream: str, message_id: int, frame: bytes, now_ns: int) -> None:
        log = self._logs.get(stream)
        if log is None:
            log = self._logs[stream] = self.exchange.ledger.log(self.number, stream)
        log.add(message_id, now_ns)
        self._batch.append(frame)

    def _deliver_shaped(self, item: Outgoing, now_ns: int) -> None:
        if not self.is_open:
            return
        script, now_s = self.exchange.faults, time.monotonic()
        items = script.shape(self.number, item.stream, item, now_s)
        if not items:
            self.exchange.ledger.held_back(self.number, item.stream)
        for found in items:
            self._send(found.stream, found.message_id, found.frame, now_ns)
        self.run_deeds(now_s)

    def run_deeds(self, now_s: float) -> None:
        """Perform the faults that are due, in their place between the data frames."""
        for fault in self.exchange.faults.due(self.number, now_s):
            self.flush()
            if self.is_open:
                self.exchange.ledger.fault(self.number, fault.kind, time.time_ns())
                self._perform(fault)

    def flush(self) -> None:
        """Hand what `deliver` collected to the operating system; a client too slow for it is cut off."""
        if not self._batch:
            return
        data = self._batch[0] if len(self._batch) == 1 else b"".join(self._batch)
        self._batch.clear()
        if self.is_open:
            self._write(data)

    def send_text(self, text: str) -> None:
        """Send one text at once, after what was delivered before."""
        self.flush()
        if self.is_open:
            self._write(self.frame_of(text.encode()))

    def reply(self, replies: Sequence[Reply]) -> None:
        """Send the session's answers."""
        for one in replies:
            if isinstance(one, Send):
                self.send_text(one.text)
            else:
                self.close(one.code, one.reason)

    def ping(self, payload: bytes) -> None:
        """Send a ping frame."""
        if self._ws is not None and self.is_open:
            self.flush()
            self._ping_payload = payload
            self._ws.send_ping(payload)
            self._pump(self._ws)

    def close(self, code: int, reason: str) -> None:
        """Start the closing handshake; the connection is cut if the client does not answer in `CLOSE_S`."""
        if self._ws is not None and self.is_open:
            self.flush()
            self._cause = f"closed by the exchange: {code} {reason}".rstrip()
            self._ws.send_close(code, reason)
            self.exchange.ended(self)
            self._pump(self._ws)

    def abort(self, cause: str) -> None:
        """Cut the connection without a word."""
        if self._transport is not None:
            self._cause = cause
            self._batch.clear()
            self._transport.abort()
            self.exchange.ended(self)

    def _write(self, data: bytes) -> None:
        """The only way out: behind a closed gate bytes wait, in order, within the client's bound."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if not self._gates:
            transport.write(data)
        else:
            self._held_back.append(data)
            self._held_back_bytes += len(data)
        waiting = transport.get_write_buffer_size() + self._held_back_bytes
        if waiting > self.exchange.limits.send_buffer_bytes:
            self.exchange.ledger.slow_clients_total += 1
            self.abort("too slow")

    # faults

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine that ends with this connection."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _perform(self, fault: Fault) -> None:
        kind = fault.kind
        if kind == "close":
            self.close(fault.code, fault.reason)
        elif kind == "abort":
            self.abort("fault: abort")
        elif kind == "broken_frame":
            self._write(_BROKEN_FRAME)
        elif kind == "shutdown":
            self.exchange.announce_shutdown(self)
            if fault.duration_s:
                self.spawn(self._close_later(fault.duration_s))
            else:
                self.close(fault.code, fault.reason)
        elif kind == "huge":
            self._gated(self._huge(fault.size_bytes))
        elif kind == "drip":
            self._gated(self._drip(fault))
        elif kind == "stall":
            self._gated(self._stall(fault.duration_s))
        else:
            stream, payload = self.sample
            for extra in self.exchange.faults.spoiled(fault, payload):
                wrapped = extra
                if self.session is not None and kind in ("wrong_types", "unknown_type"):
                    wrapped = self.session.envelope(stream, extra)
                self._write(self.frame_of(wrapped))

    def _gated(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` with the gate closed from this moment: what others write waits until it has ended."""
        self._gates += 1
        self._free.clear()
        self.spawn(self._with_gate(work))

    async def _with_gate(self, work: Coroutine[Any, Any, None]) -> None:
        async with self._gate_turn:
            await work
        self._gates -= 1
        if self._gates:
            return
        waiting, self._held_back, self._held_back_bytes = self._held_back, deque(), 0
        for data in waiting:
            self._write(data)
        if self._taking.is_set():
            self._free.set()

    async def _close_later(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        self.close(1001, "server shutdown")

    async def _huge(self, size_bytes: int) -> None:
        """One text frame of about `size_bytes`, never held in memory as a whole."""
        start, end = b'{"e":"huge","x":"', b'"}'
        left = max(0, size_bytes - len(start) - len(end))
        await self._direct(frames.header(len(start) + left + len(end)) + start)
        chunk = b"x" * min(_CHUNK_BYTES, left)
        while left > 0 and self._transport is not None:
            await self._direct(chunk[:left])
            left -= len(chunk)
        await self._direct(end)

    async def _drip(self, fault: Fault) -> None:
        """What waits behind the gate leaves a few bytes at a time."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + fault.duration_s if fault.duration_s is not None else float("inf")
        step_bytes = max(1, int(fault.bytes_per_s * _DRIP_STEP_S))
        pause_s = step_bytes / fault.bytes_per_s
        while loop.time() < end_s and self._transport is not None:
            if self._held_back:
                data = self._held_back.popleft()
                self._held_back_bytes -= len(data)
                for at in range(0, len(data), step_bytes):
                    if loop.time() < end_s:
                        await self._direct(data[at : at + step_bytes])
                        await asyncio.sleep(pause_s)
                    else:
                        await self._direct(data[at:])
                        break
            else:
                await asyncio.sleep(pause_s)

    async def _stall(self, duration_s: float | None) -> None:
        """Half a frame, then a dead line; afterwards the rest of it, so that the stream goes on intact."""
        payload = b'{"e":"stalled","x":"%b"}' % (b"x" * _STALL_BYTES)
        frame = self.frame_of(payload)
        await self._direct(frame[: len(frame) // 2])
        if self._transport is not None:
            self._transport.pause_reading()
        if duration_s is None:
            await asyncio.Event().wait()
        else:
            await asyncio.sleep(duration_s)
        if self._transport is not None:
            self._transport.resume_reading()
        await self._direct(frame[len(frame) // 2 :])

    async def _direct(self, data: bytes) -> None:
        """Write past the gate, no faster than it is taken."""
        await self._taking.wait()
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)
