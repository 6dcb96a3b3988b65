"""One TCP connection to the simulated exchange: HTTP requests, or WebSocket frames after an upgrade. A shell.

The handshake and what the client sends go through the `websockets` library's protocol core. Data frames are
written as bytes framed beforehand, because one message goes to many clients and the library's own way costs
several times more; with compression, where each connection's frames differ, the library frames them.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import Any, cast

from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from foxtrot_workers.simulator.server.fault_player import FaultPlayer
from foxtrot_workers.simulator.server.faults import Fault
from foxtrot_workers.simulator.server.host import Host
from foxtrot_workers.simulator.server.ledger import StreamLog
from foxtrot_workers.simulator.server.outlet import Outlet
from foxtrot_workers.simulator.venues.session import Reply, Send, Session
from foxtrot_workers.simulator.wire import frames
from foxtrot_workers.simulator.wire.http_wire import BadRequest, HttpRequest, RequestParser, response

__all__ = ["Outgoing", "Peer"]

CLOSE_S = 2.0
"""Time for the client to answer a close frame before the connection is cut."""

MESSAGE_BYTES_MAX = 1024 * 1024
"""Largest message of a client."""

_BROKEN_FRAME = b"\xff\xff\xff\xff\xff\xff\xff\xff"
"""Reserved bits and a reserved opcode: not a WebSocket frame."""


class Outgoing:
    """One data frame to send, with its stream and the id of its message."""

    __slots__ = ("frame", "message_id", "stream")

    def __init__(self, stream: str, message_id: int, frame: bytes) -> None:
        self.stream = stream
        self.message_id = message_id
        self.frame = frame


class Peer(asyncio.Protocol):
    """One client; made by the server for each accepted TCP connection."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.outlet = Outlet(host.limits.send_buffer_bytes, self._overflowed)
        self._fault_player = FaultPlayer(self.outlet, self.frame_of, self.spawn)
        self._parser = RequestParser()
        self._ws: ServerProtocol | None = None
        self._fragments: list[bytes] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._answering = False
        self._received_s: deque[float] = deque(maxlen=host.limits.messages_per_s + 1)
        self._logs: dict[str, StreamLog] = {}
        self._batch: list[bytes] = []
        self._cause = "client went away"
        self._ping_payload: bytes | None = None
        self._close_timer: asyncio.TimerHandle | None = None
        self._undisturbed = False
        """No fault can change what is sent until the next `begin_batch`."""
        self.number = -1
        """Number in the ledger, once upgraded."""
        self.session: Session | None = None
        self.opened_s = 0.0
        self.received_s = 0.0
        """When the client's last message came."""
        self.sent_s = 0.0
        """When data or an answer was sent last."""
        self.ping_due_s = 0.0
        self.pong_due_s: float | None = None
        self.compressed = False
        """Compression was negotiated: its frames are its own."""
        self.notified = False
        """The coming close was announced."""
        self.sample: tuple[str, bytes] = ("", b"")
        """Stream and payload of a recent message, which faults damage."""

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        self.outlet.open(cast(asyncio.Transport, transport))
        self._host.connected(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone; all waits for it end."""
        if self._close_timer is not None:
            self._close_timer.cancel()
        for task in self._tasks:
            task.cancel()
        self.outlet.close()
        self._host.disconnected(self, self._cause)

    def pause_writing(self) -> None:
        """The client does not keep up."""
        self.outlet.pause()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self.outlet.resume()

    def data_received(self, data: bytes) -> None:
        """Bytes of an HTTP request or of WebSocket frames."""
        if self._ws is None:
            self._parser.feed(data)
            self._take_requests()
        else:
            self._ws.receive_data(data)
            self._take_events(self._ws)

    def eof_received(self) -> bool:
        """The client sends no more: close the connection."""
        if self._ws is not None:
            self._ws.receive_eof()
            self._take_events(self._ws)
        return False

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine that ends with this connection."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _overflowed(self) -> None:
        self._host.ledger.slow_clients_total += 1
        self.abort("too slow")

    # -- HTTP

    def _take_requests(self) -> None:
        while self.outlet.transport is not None and not self._answering:
            try:
                request = self._parser.next()
            except BadRequest:
                self.outlet.write(response(400, b"{}", keep_alive=False))
                self.outlet.transport.close()
                return
            if request is None:
                return
            if request.upgrade and request.method == "GET":
                self._upgrade(request)
                return
            self._answering = True
            self.spawn(self._answer(request))

    async def _answer(self, request: HttpRequest) -> None:
        answer = await self._host.answer(request)
        if self.outlet.transport is None:
            return
        if answer.endless is not None:
            await self._answer_endlessly(*answer.endless, answer.pause_s)
            return
        self.outlet.write(response(answer.status, answer.body, answer.headers, keep_alive=request.keep_alive))
        if not request.keep_alive:
            self.outlet.transport.close()
        self._answering = False
        self._take_requests()

    async def _answer_endlessly(self, first: bytes, again: bytes, pause_s: float) -> None:
        """Write `first`, then `again` every `pause_s` seconds as long as there is a connection."""
        self.outlet.write(first)
        while self.outlet.transport is not None:
            self.outlet.write(again)
            await asyncio.sleep(pause_s)

    def _upgrade(self, request: HttpRequest) -> None:
        ws = ServerProtocol(
            max_size=MESSAGE_BYTES_MAX,
            extensions=[ServerPerMessageDeflateFactory()] if self._host.compression else None,
        )
        ws.receive_data(request.raw)
        found = ws.events_received()
        assert self.outlet.transport is not None
        if not found or not isinstance(found[0], Request):
            self.outlet.transport.abort()
            return
        refused = self._host.refusal(request)
        if refused is not None:
            answer = ws.reject(refused.status, refused.body.decode())
            for name, value in refused.headers.items():
                answer.headers[name] = value
        else:
            answer = ws.accept(found[0])
        ws.send_response(answer)
        self._ws = ws
        self.compressed = bool(ws.extensions)
        self._pump(ws)
        if ws.state is State.OPEN:
            self._host.upgraded(self, request)
        rest = self._parser.rest()
        if rest and self.outlet.transport is not None:
            ws.receive_data(rest)
            self._take_events(ws)

    # -- WebSocket, from the client

    def _take_events(self, ws: ServerProtocol) -> None:
        for event in ws.events_received():
            if isinstance(event, Frame):
                self._take_frame(event)
        # An end of file without a close frame means that the client went away, though the parser calls it an error.
        if ws.parser_exc is not None and not isinstance(ws.parser_exc, EOFError):
            self._cause = "protocol error of the client"
        self._pump(ws)

    def _take_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            self._host.closing(self)
            self._cause = "closed by the client" if self._close_timer is None else self._cause
            return
        if frame.opcode is Opcode.PONG and bytes(frame.data) == self._ping_payload:
            self.pong_due_s = None
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._fragments.append(bytes(frame.data))
            if not frame.fin:
                return
        if not self.is_open or self._exceeds_rate():
            return
        if frame.opcode not in (Opcode.PING, Opcode.PONG):
            self.received_s = time.monotonic()
            data, self._fragments = b"".join(self._fragments), []
            self._host.message(self, data)

    def _exceeds_rate(self) -> bool:
        """Count one message of the client; one too many within a second closes the connection."""
        now_s = time.monotonic()
        self._received_s.append(now_s)
        full = len(self._received_s) > self._host.limits.messages_per_s
        if full and now_s - self._received_s[0] < 1.0 and self.session is not None:
            self._host.ledger.violated("messages")
            self.reply(self.session.too_fast())
            return True
        return False

    def _pump(self, ws: ServerProtocol) -> None:
        """Write what the library has to send."""
        transport = self.outlet.transport
        for data in ws.data_to_send():
            if data:
                self.outlet.write(data)
            elif transport is not None:
                transport.close()
        if ws.state is State.OPEN or self.outlet.transport is None:
            return
        if self._close_timer is None:
            self._close_timer = asyncio.get_running_loop().call_later(CLOSE_S, self.outlet.transport.abort)

    # -- WebSocket, to the client

    @property
    def is_open(self) -> bool:
        """Whether data can be sent."""
        transport = self.outlet.transport
        return (
            self._ws is not None
            and self._ws.state is State.OPEN
            and transport is not None
            and not transport.is_closing()
        )

    def frame_of(self, payload: bytes) -> bytes:
        """Return the bytes of one data frame for this client: its own where it negotiated compression."""
        if self._ws is None or not self.compressed:
            return frames.frame(payload)
        return Frame(Opcode.TEXT, payload).serialize(mask=False, extensions=self._ws.extensions)

    def begin_batch(self) -> None:
        """Call before a batch of `deliver`: finds out once whether a fault can change what is sent."""
        self._undisturbed = self.is_open and self._host.faults.is_quiet(self.number)

    def deliver(self, stream: str, message_id: int, frame: bytes, now_ns: int) -> None:
        """Send one data frame with the next `flush`; the hot path."""
        if self._undisturbed:
            self._send(stream, message_id, frame, now_ns)
        else:
            self._deliver_with_faults(Outgoing(stream, message_id, frame), now_ns)

    def _send(self, stream: str, message_id: int, frame: bytes, now_ns: int) -> None:
        log = self._logs.get(stream)
        if log is None:
            log = self._logs[stream] = self._host.ledger.log(self.number, stream)
        log.add(message_id, now_ns)
        self._batch.append(frame)

    def _deliver_with_faults(self, item: Outgoing, now_ns: int) -> None:
        if not self.is_open:
            return
        script, now_s = self._host.faults, time.monotonic()
        items = script.shape(self.number, item.stream, item, now_s)
        if not items:
            self._host.ledger.held_back(self.number, item.stream)
        for found in items:
            self._send(found.stream, found.message_id, found.frame, now_ns)
        self.perform_due_faults(now_s)

    def flush(self) -> None:
        """Write what `deliver` collected; a client that is too slow is cut off."""
        if not self._batch:
            return
        data = self._batch[0] if len(self._batch) == 1 else b"".join(self._batch)
        self._batch.clear()
        if self.is_open:
            self.sent_s = time.monotonic()
            self.outlet.write(data)

    def send_text(self, text: str) -> None:
        """Send one text at once, after what was delivered before."""
        self.flush()
        if self.is_open:
            self.sent_s = time.monotonic()
            self.outlet.write(self.frame_of(text.encode()))

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

    def announce_shutdown(self, now_ms: int) -> None:
        """Announce that this connection will be closed, as its exchange does."""
        self.notified = True
        notice = None if self.session is None else self.session.shutdown_notice(now_ms)
        if notice is not None:
            self.send_text(notice)

    def close(self, code: int, reason: str) -> None:
        """Start the closing handshake; the connection is cut if the client does not answer in `CLOSE_S`."""
        if self._ws is not None and self.is_open:
            self.flush()
            self._cause = f"closed by the exchange: {code} {reason}".rstrip()
            self._ws.send_close(code, reason)
            self._host.closing(self)
            self._pump(self._ws)

    def abort(self, cause: str) -> None:
        """Cut the connection without a close frame."""
        if self.outlet.transport is not None:
            self._cause = cause
            self._batch.clear()
            self.outlet.transport.abort()
            self._host.closing(self)

    # -- faults

    def perform_due_faults(self, now_s: float) -> None:
        """Perform the one-time faults that are due, in their place between the data frames."""
        for fault in self._host.faults.due(self.number, now_s):
            self.flush()
            if self.is_open:
                self._host.ledger.fault(self.number, fault.kind, time.time_ns())
                self._perform(fault)

    def _perform(self, fault: Fault) -> None:
        if self._fault_player.play(fault):
            return
        if fault.kind == "close":
            self.close(fault.code, fault.reason)
        elif fault.kind == "abort":
            self.abort("fault: abort")
        elif fault.kind == "forget":
            self._host.forget(self, fault.topic)
        elif fault.kind == "broken_frame":
            self.outlet.write(_BROKEN_FRAME)
        elif fault.kind == "shutdown":
            self.announce_shutdown(time.time_ns() // 1_000_000)
            if fault.duration_s:
                self.spawn(self._close_later(fault.duration_s))
            else:
                self.close(fault.code, fault.reason)
        else:
            self._send_extra(fault)

    async def _close_later(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        self.close(1001, "server shutdown")

    def _send_extra(self, fault: Fault) -> None:
        stream, payload = self.sample
        for extra in self._host.faults.extra_frames(fault, payload):
            wrapped = extra
            if self.session is not None and fault.kind in ("wrong_types", "unknown_type"):
                wrapped = self.session.envelope(stream, extra)
            self.outlet.write(self.frame_of(wrapped))
