"""The fast client, by picows, which calls back for each frame.

picows reports which frame is the last in its receive buffer: then the worker flushes. Frames of one buffer are handed
over together, since a call for each would cost as much as receiving it. Fragmented messages are reassembled here,
within the size limit, because picows delivers single frames.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any

import picows
from python_socks import ProxyError

from foxtrot_workers.owned_tasks import start_task
from foxtrot_workers.websocket.burst_listener import BurstListener, PureBurstListener
from foxtrot_workers.websocket.client import (
    BURST_FRAMES_MAX,
    TURN_FRAMES,
    ClientOptions,
    ConnectFailed,
    FramesCallback,
    descriptor_of,
    handshake_failure,
    limit_receive_buffer,
    proxy_tls_context,
    tls_context,
)
from foxtrot_workers.websocket.deflate import OFFER, DeflateError, Inflater, inflater_of
from foxtrot_workers.websocket.plain_frames import PLAIN_BYTES_MAX, PlainFrames

__all__ = ["PicowsClient"]

CLOSE_REASON_CHARACTERS_MAX = 200

_EXTENSIONS = "Sec-WebSocket-Extensions"

_TEXT = picows.WSMsgType.TEXT
_BINARY = picows.WSMsgType.BINARY
_CONTINUATION = picows.WSMsgType.CONTINUATION
_PING = picows.WSMsgType.PING
_CLOSE = picows.WSMsgType.CLOSE

# exceptions and callbacks report everything that picows logs; its logger must not write to stderr
_log = logging.getLogger("picows")
_log.addHandler(logging.NullHandler())
_log.propagate = False


class PicowsClient:
    """`client.Client` by picows."""

    def __init__(
        self,
        options: ClientOptions,
        on_frames: FramesCallback,
        on_control: Callable[[], None],
        on_closed: Callable[[str], None],
    ) -> None:
        self._options = options
        self._on_frames = on_frames
        self._on_control = on_control
        self._on_closed = on_closed
        self._transport: picows.WSTransport | None = None
        self._held = False
        """Reading is paused until `resume`."""
        self._yielding = False
        """Reading is paused until other callbacks of the event loop have run."""
        self._watcher: asyncio.Task[None] | None = None
        self.all_handed_over = asyncio.Event()
        """The connection has ended and every frame received on it was handed over."""
        self.end_cause = ""

    async def connect(self) -> None:
        options = self._options
        secure = options.url.startswith("wss:")
        try:
            async with asyncio.timeout(options.connect_s):
                self._transport, listener = await picows.ws_connect(
                    self._listener,
                    options.url,
                    ssl_context=tls_context(options.ca_file) if secure else None,
                    websocket_handshake_timeout=options.connect_s,
                    enable_auto_pong=False,  # answered here, since a ping is a sign of life
                    max_frame_size=options.frame_bytes_max,
                    extra_headers={_EXTENSIONS: OFFER} if options.compression else None,
                    max_redirects=0,
                    proxy=options.proxy,
                    proxy_ssl_context=proxy_tls_context(options),
                )
        except picows.WSHandshakeError as error:
            head, body = error.raw_header or b"", error.raw_body or b""
            answer = head + b"\r\n\r\n" + body if head else body
            raise handshake_failure(answer, time.time()) or ConnectFailed(f"handshake failed: {error}") from None
        except TimeoutError:
            raise ConnectFailed(f"no connection within {options.connect_s:g} s") from None
        except DeflateError as error:
            raise ConnectFailed(f"the exchange broke the handshake: {error}") from None
        except (OSError, picows.WSError, ProxyError, ValueError) as error:
            raise ConnectFailed(f"{type(error).__name__}: {error}") from None
        answered: object = self._transport.response
        if answered is None:  # picows treats the end of the connection as the end of the handshake
            self._transport = None
            raise ConnectFailed("the connection was closed before the handshake was answered")
        limit_receive_buffer(self._transport.underlying_transport)
        self._watcher = start_task(self._watch(self._transport), "websocket-end")
        if isinstance(listener, PureBurstListener):
            self._read_plain_frames(self._transport, listener)

    def _read_plain_frames(self, transport: picows.WSTransport, listener: PureBurstListener) -> None:
        """Take plain frames out of reads before picows does; with compression hardly any frame is plain."""
        bytes_max = self._options.frame_bytes_max
        if not self._options.compression and bytes_max >= PLAIN_BYTES_MAX:
            underlying = transport.underlying_transport
            reader: Any = underlying.get_protocol()
            underlying.set_protocol(PlainFrames(listener, listener.hand_over, reader, transport, bytes_max))

    def fileno(self) -> int:
        return -1 if self._transport is None else descriptor_of(self._transport.underlying_transport)

    def send(self, text: str) -> None:
        if self._transport is not None and not self._transport.is_disconnected:
            self._transport.send(_TEXT, text.encode())

    def ping(self) -> None:
        if self._transport is not None and not self._transport.is_disconnected:
            self._transport.send_ping(b"")

    def pause(self) -> None:
        self._held = True
        self._apply_pause()

    def resume(self) -> None:
        self._held = False
        self._apply_pause()

    def yield_turn(self, yielding: bool) -> None:
        """Stop reading while `yielding`, so that other callbacks of the event loop run."""
        self._yielding = yielding
        self._apply_pause()

    def _apply_pause(self) -> None:
        if self._transport is None or self._transport.is_disconnected:
            return
        transport = self._transport.underlying_transport
        if self._held or self._yielding:
            transport.pause_reading()
        else:
            transport.resume_reading()

    async def close(self, grace_s: float) -> None:
        transport, watcher = self._transport, self._watcher
        if transport is None or watcher is None:
            return
        watcher.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watcher
        transport.send_close(picows.WSCloseCode.OK)
        transport.disconnect()
        with contextlib.suppress(TimeoutError, picows.WSError, OSError):
            async with asyncio.timeout(grace_s):
                await transport.wait_disconnected()
                await self.all_handed_over.wait()
        transport.disconnect(graceful=False)

    async def _watch(self, transport: picows.WSTransport) -> None:
        """Report how the connection ended; picows raises its own protocol errors here."""
        try:
            await transport.wait_disconnected()
            cause = self.end_cause or "connection lost without a close frame"
        except picows.WSError as error:
            cause = f"the exchange broke the protocol: {error}"
        except OSError as error:
            cause = f"connection lost: {error}"
        await self.all_handed_over.wait()
        self._on_closed(cause)

    def _listener(self, _: picows.WSUpgradeRequest, response: picows.WSUpgradeResponse) -> picows.WSListener:
        """Raises `DeflateError`."""
        extensions = response.headers.get(_EXTENSIONS)
        if not self._options.compression and extensions:
            raise DeflateError(f"an extension that was not offered: {extensions[:100]}")
        return _Frames(self, inflater_of(extensions, self._options.frame_bytes_max)).listener


class _Frames:
    """Owner of the listener of one connection (`burst_listener.Owner`)."""

    def __init__(self, client: PicowsClient, inflater: Inflater | None) -> None:
        """`inflater`: None where no compression was negotiated."""
        self._client = client
        self._inflater = inflater
        self._on_frames = client._on_frames
        self._on_control = client._on_control
        self._bytes_max = client._options.frame_bytes_max
        self.listener = BurstListener(self)
        self._parts: list[bytes] = []
        self._parts_bytes = 0
        self._compressed = False
        """Whether the message that `_parts` belong to is compressed."""
        self._turn_frames = 0
        """Frames since other callbacks of the event loop last ran."""
        self._disconnected = False
        self._pong_payload: bytes | None = None
        """Payload of the latest unanswered ping."""

    def on_disconnected(self) -> None:
        # a framing error ends the connection in the middle of a buffer: frames before it were received
        self._disconnected = True
        if not self.listener.behind:
            self.listener.behind = True
            self._catch_up()

    def hand_over(self, last: bool) -> None:
        """Hand over the collected frames, or leave them to `_catch_up` where other callbacks must run first."""
        listener = self.listener
        if listener.behind:
            return
        burst, listener.burst = listener.burst, []
        if burst:
            self._on_frames(burst, last)
            self._count(len(burst))

    def _count(self, frames: int) -> None:
        self._turn_frames += frames
        if self._turn_frames >= TURN_FRAMES and not self.listener.behind:
            self.listener.behind = True
            self._client.yield_turn(True)
            asyncio.get_running_loop().call_soon(self._catch_up)

    def _catch_up(self) -> None:
        """Hand over the next `TURN_FRAMES` after other callbacks have run; continue reading when none is left.

        One buffer of picows holds up to a million tiny frames, all delivered in one callback.
        """
        if not self.listener.behind:
            return
        self._turn_frames = 0
        self._hand_over_some(TURN_FRAMES)
        if self.listener.burst:
            asyncio.get_running_loop().call_soon(self._catch_up)
        else:
            self.listener.behind = False
            self._client.yield_turn(False)
            if self._disconnected:
                self._client.all_handed_over.set()

    def _hand_over_some(self, frames: int) -> None:
        chunk = self.listener.burst[:frames]
        del self.listener.burst[:frames]
        for start in range(0, len(chunk), BURST_FRAMES_MAX):
            burst = chunk[start : start + BURST_FRAMES_MAX]
            self._on_frames(burst, not self.listener.burst and start + len(burst) == len(chunk))

    def on_other_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        kind = frame.msg_type
        if frame.rsv1 and (self._inflater is None or (kind is not _TEXT and kind is not _BINARY)):
            self._end(transport, picows.WSCloseCode.PROTOCOL_ERROR, "a compressed frame without negotiated compression")
        elif kind is _TEXT or kind is _BINARY or kind is _CONTINUATION:
            self._collect(transport, frame, kind)
        elif kind is _CLOSE:
            self.hand_over(False)
            reason = (frame.get_close_message() or b"")[:CLOSE_REASON_CHARACTERS_MAX].decode(errors="replace")
            self._client.end_cause = f"closed by the exchange: {_number(frame.get_close_code())} {reason}".rstrip()
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        else:
            self.hand_over(False)
            self._count(1)
            if kind is _PING:
                self._answer_soon(transport, frame.get_payload_as_bytes())
            self._on_control()

    def _answer_soon(self, transport: picows.WSTransport, payload: bytes) -> None:
        """Answer only the latest ping of one turn of the loop, as RFC 6455, section 5.5.3, allows."""
        if self._pong_payload is None:
            asyncio.get_running_loop().call_soon(self._answer_ping, transport)
        self._pong_payload = payload

    def _answer_ping(self, transport: picows.WSTransport) -> None:
        payload, self._pong_payload = self._pong_payload, None
        if payload is not None and not transport.is_disconnected:
            transport.send_pong(payload)

    def _collect(self, transport: picows.WSTransport, frame: picows.WSFrame, kind: picows.WSMsgType) -> None:
        if (kind is _CONTINUATION) != self.listener.fragmented:
            self._end(transport, picows.WSCloseCode.PROTOCOL_ERROR, "fragments out of order")
            return
        if kind is not _CONTINUATION:
            self._compressed = frame.rsv1
        self.listener.fragmented = not frame.fin
        self._parts_bytes += frame.payload_size
        # an empty fragment costs memory too: count list entries as well as bytes
        if self._parts_bytes + 64 * len(self._parts) > self._bytes_max:
            self._end(transport, picows.WSCloseCode.MESSAGE_TOO_BIG, f"a message over {self._bytes_max} bytes")
            return
        self._parts.append(frame.get_payload_as_bytes())
        if frame.fin:
            message = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
            self._parts.clear()
            self._parts_bytes = 0
            if self._compressed and self._inflater is not None:
                try:
                    message = self._inflater.inflate(message)
                except DeflateError as error:
                    self._end(transport, picows.WSCloseCode.MESSAGE_TOO_BIG, str(error))
                    return
            self.listener.burst.append(message)
        if frame.last_in_buffer or len(self.listener.burst) >= BURST_FRAMES_MAX:
            self.hand_over(frame.last_in_buffer)

    def _end(self, transport: picows.WSTransport, code: picows.WSCloseCode, cause: str) -> None:
        self._client.end_cause = f"the exchange broke the protocol: {cause}"
        self._parts.clear()
        transport.send_close(code, cause[:100].encode())
        transport.disconnect(graceful=False)


def _number(code: object) -> int:
    return int(getattr(code, "value", code))  # type: ignore[call-overload, no-any-return]
