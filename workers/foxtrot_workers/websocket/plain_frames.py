"""Takes plain frames out of whole reads, in pure Python: in place of a call of picows for each of them.

Half of what receiving a frame costs in pure Python is that call. A plain frame is a text or binary message of its own,
not compressed, of less than 64 KiB. Every other frame, and whatever violates the protocol, is left to picows, which
reads it as if nothing stood in front of it. RFC 6455, section 5.2, describes a frame.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Protocol

from foxtrot_workers.websocket.client import BURST_FRAMES_MAX

__all__ = ["PLAIN_BYTES_MAX", "PlainFrames"]

PLAIN_BYTES_MAX = 0xFFFF
"""Largest payload of a plain frame."""

PART_BYTES = PLAIN_BYTES_MAX + 4
"""Bytes taken from the buffer at a time: the largest plain frame."""

BUFFER_BYTES_MIN = 16 * 1024

BUFFER_BYTES_MAX = 1024 * 1024
"""The buffer is doubled when a read fills it, up to this size: as much as the kernel holds
(`client.RECEIVE_BUFFER_BYTES`)."""

_unpack = struct.Struct(">HH").unpack_from
_TEXT, _BINARY = 0x81, 0x82  # FIN and the opcode; no reserved bit
_TEXT_OF_16_BITS, _BINARY_OF_16_BITS = 0x817E, 0x827E  # with a length of 16 bits, not masked
_MASKED = 0x80
_LENGTH_16, _LENGTH_64 = 126, 127
_UNKNOWN = -1


class Listener(Protocol):
    """`burst_listener.PureBurstListener`."""

    burst: list[bytes]
    fragmented: bool
    behind: bool
    tail_bytes: int


class Reader(Protocol):
    """What this needs of picows' own protocol (`asyncio.BufferedProtocol`)."""

    def get_buffer(self, size_hint: int, /) -> memoryview: ...

    def buffer_updated(self, count: int, /) -> None: ...

    def eof_received(self) -> bool | None: ...

    def connection_lost(self, error: Exception | None, /) -> None: ...

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...


class Connection(Protocol):
    """What this needs of picows' transport."""

    @property
    def is_close_frame_sent(self) -> bool: ...

    @property
    def is_disconnected(self) -> bool: ...


class PlainFrames(asyncio.BufferedProtocol):
    """Stands between the transport and picows' protocol, from the handshake on.

    Args:
        listener: plain frames are added to its burst; picows calls it for all others.
        hand_over: takes the burst; called with whether no further frame was received with it.
        reader: picows' protocol.
        connection: picows' transport.
        bytes_max: of one frame, at least `PLAIN_BYTES_MAX`.
    """

    def __init__(
        self,
        listener: Listener,
        hand_over: Callable[[bool], None],
        reader: Reader,
        connection: Connection,
        bytes_max: int,
    ) -> None:
        self._listener = listener
        self._hand_over = hand_over
        self._reader = reader
        self._connection = connection
        self._bytes_max = bytes_max
        self._aligned = False
        """The next byte begins a frame: picows holds no part of one. So it is once a read has ended with a frame."""
        self._owed = 0
        """Bytes of a frame that picows has in part."""
        self._buffer = memoryview(bytearray(BUFFER_BYTES_MIN))
        self._filled = 0
        """Bytes of the buffer that were read, from its beginning."""

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where the next read goes; never empty."""
        if not self._aligned:
            return self._reader.get_buffer(sizehint)
        return self._buffer[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was read. The hot path."""
        listener = self._listener
        if not self._aligned:
            listener.tail_bytes = _UNKNOWN
            self._reader.buffer_updated(nbytes)
            self._aligned = listener.tail_bytes == 0 and not self._is_ending
            return
        end = self._filled + nbytes
        start = self._take(end)
        if listener.burst and not listener.behind:
            self._hand_over(True)
        self._keep(start, end)

    def eof_received(self) -> bool | None:
        return self._reader.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._reader.connection_lost(exc)

    def pause_writing(self) -> None:
        self._reader.pause_writing()

    def resume_writing(self) -> None:
        self._reader.resume_writing()

    @property
    def _is_ending(self) -> bool:
        return self._connection.is_close_frame_sent or self._connection.is_disconnected

    def _take(self, end: int) -> int:
        """Take the frames in the buffer up to `end`; return where the first incomplete one begins."""
        start = 0
        if self._owed:
            start = min(self._owed, end)
            self._owed -= start
            self._give(self._buffer[:start])
        while start < end and self._aligned:
            # bytes, of which slices are bytes: slices of a memoryview take three times as long
            part = bytes(self._buffer[start : min(end, start + PART_BYTES)])
            taken = self._take_plain(part)
            if not taken:
                taken = self._take_other(part, end - start)
                self._give(self._buffer[start : start + taken])
                if self._is_ending:
                    self._aligned = False
                if not taken:
                    break
            start += taken
        if not self._aligned:
            self._owed = 0
            self._give(self._buffer[start:end])
            return end
        return start

    def _take_plain(self, data: bytes) -> int:
        """Collect the plain frames with which `data` begins; return their size."""
        listener = self._listener
        if listener.fragmented:
            return 0
        unpack = _unpack
        at, end = 0, len(data)
        try:
            while True:
                burst = listener.burst
                append = burst.append
                for _ in range(BURST_FRAMES_MAX - len(burst) if not listener.behind else end):
                    head, size = unpack(data, at)
                    begin = at + 4
                    if head != _TEXT_OF_16_BITS or size < _LENGTH_16:
                        if head != _BINARY_OF_16_BITS:
                            size = head & 0xFF
                            begin = at + 2
                            if size >= _LENGTH_16 or head >> 8 not in (_TEXT, _BINARY):
                                return at
                        elif size < _LENGTH_16:
                            return at
                    stop = begin + size
                    if stop > end:
                        return at
                    append(data[begin:stop])
                    at = stop
                if at >= end:
                    return at
                self._hand_over(False)
        except struct.error:  # less than the shortest frame with a length of 16 bits is left
            return at

    def _take_other(self, data: bytes, available: int) -> int:
        """Return how much of the frame at the beginning of `data` picows shall read now; 0: more of it has to come.

        `available`: bytes that were read, from there on.
        """
        if len(data) < 2:
            return 0
        length = data[1] & 0x7F
        begin = 2 + (2 if length == _LENGTH_16 else 8 if length == _LENGTH_64 else 0)
        if begin > len(data):
            return 0
        size = length if length < _LENGTH_16 else int.from_bytes(data[2:begin])
        if size > self._bytes_max or data[1] & _MASKED:  # picows ends the connection: whatever follows is its own
            self._aligned = False
            return available
        missing = begin + size - available
        if missing > 0 and data[0] in (_TEXT, _BINARY) and length < _LENGTH_64:
            return 0
        self._owed = max(0, missing)
        return min(begin + size, available)

    def _keep(self, start: int, end: int) -> None:
        """Keep what was read from `start` to `end`, and make room for more."""
        buffer = self._buffer
        rest = bytes(buffer[start:end])
        size = len(buffer)
        if end == size and size < BUFFER_BYTES_MAX:
            self._buffer = buffer = memoryview(bytearray(2 * size))
        buffer[: len(rest)] = rest
        self._filled = len(rest)

    def _give(self, data: memoryview) -> None:
        """Let picows read `data`, up to where it ends the connection."""
        given = 0
        was_ending = self._is_ending
        while given < len(data) and (was_ending or not self._is_ending):
            room = self._reader.get_buffer(-1)
            part = data[given : given + len(room)]
            room[: len(part)] = part
            self._reader.buffer_updated(len(part))
            given += len(part)
