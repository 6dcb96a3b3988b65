"""Positions of all streams, kept for the next engine: a mapped file in the run directory.

An engine that is killed leaves copies of what it applied in the ring of the twin, and its successor must recognize
them. So each stream has a *slot* here, written after the batches that changed it and before their space in the ring is
freed (`apply`): what was not written is restored from that ring.

A slot has a head that identifies the stream, two small marks (last identifier and times) used in turn, two larger ones
for what changes rarely (`streams.StreamState`), and for streams without order the hashes of the last events. Each mark
has a counter and a checksum: a process that is killed while writing one leaves the previous one valid.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
import zlib
from collections.abc import Iterator

import msgspec

from foxtrot_supervisor.engine.delivery.streams import REMEMBERED_MAX, Stream, StreamKey, StreamState, Window
from foxtrot_supervisor.system.private_files import create_private, opened_directory

__all__ = ["FILE_BYTES_MAX", "FILE_NAME", "PositionFile"]

FILE_NAME = "positions.map"

FILE_BYTES_MAX = 64 * 1024 * 1024
"""Room for about 20,000 streams; positions of further ones are not known to the next engine."""

_GROWTH_BYTES = 256 * 1024
_HEADER_BYTES = 64
_MAGIC = 0x31534F50584F4646
_SLOT_MARK = 0x544F4C53584F4646
_FILE = struct.Struct("<QI")  # magic, layout
_LAYOUT = 1
_HEAD = struct.Struct("<QIII")  # mark (written last), bytes of the slot, checksum and length of what it is of
_NAMED_AT = _HEAD.size
_NAMED_BYTES_MAX = 512 - _NAMED_AT
_LIGHT = struct.Struct("<QqqqQ")  # counter, last identifier, exchange and receive time, hashes ever; then its checksum
_LIGHT_AT = 512
_LIGHT_BYTES = 48
_STATE = struct.Struct("<QII")  # counter, length, checksum of counter and payload; then the payload
_STATE_AT = _LIGHT_AT + 2 * _LIGHT_BYTES
_STATE_BYTES = 1232
_PAYLOAD_BYTES_MAX = _STATE_BYTES - _STATE.size
_SLOT_BYTES = _STATE_AT + 2 * _STATE_BYTES
_WINDOW_BYTES = 8 * REMEMBERED_MAX
_U64 = struct.Struct("<Q")
_U32 = struct.Struct("<I")

_crc32 = zlib.crc32
_encode = msgspec.msgpack.Encoder().encode
_decode_state = msgspec.msgpack.Decoder(StreamState).decode
_decode_named = msgspec.msgpack.Decoder(tuple[str, str, str, str, str, str]).decode


class _Slot:
    """Place of a stream in the file, and counters of its marks."""

    __slots__ = ("light", "offset", "state", "window", "written")

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self.light = self.state = self.window = 0
        self.written: StreamState | None = None
        """State in the valid mark."""


_NOWHERE = _Slot(-1)


class PositionFile:
    """Used by one thread of one engine; make it with `PositionFile.open`."""

    def __init__(self, fd: int, size: int) -> None:
        self._fd = fd
        self._map = mmap.mmap(fd, size)
        self._end = _HEADER_BYTES
        self._restored: dict[str, list[Stream]] = {}
        self.damage = ""
        """What was unreadable when the file was opened; everything behind it is dropped."""
        self.unsaved_total = 0
        """Streams for which there was no room."""

    @classmethod
    def open(cls, run_dir: str) -> PositionFile:
        """Open the positions in this directory, created if there are none; raises OSError."""
        with opened_directory(run_dir) as directory:
            fd = create_private(FILE_NAME, os.O_RDWR, directory)
        try:
            size = os.fstat(fd).st_size
            if not 0 < size <= FILE_BYTES_MAX or size % _GROWTH_BYTES:
                os.ftruncate(fd, 0)
                size = _GROWTH_BYTES
                os.posix_fallocate(fd, 0, size)
            file = cls(fd, size)
        except BaseException:
            os.close(fd)
            raise
        file._read()
        return file

    def renew(self, run_dir: str) -> None:
        """Continue in a new file with the same content, after the old one was removed. Raises OSError."""
        size = len(self._map)
        with opened_directory(run_dir) as directory:
            fd = create_private(FILE_NAME, os.O_RDWR | os.O_TRUNC, directory)
        try:
            os.posix_fallocate(fd, 0, size)
            renewed = mmap.mmap(fd, size)
        except OSError:
            os.close(fd)
            with contextlib.suppress(OSError):  # so that its absence is seen again
                os.unlink(os.path.join(run_dir, FILE_NAME))
            raise
        renewed[_HEADER_BYTES:] = self._map[_HEADER_BYTES:]
        renewed[:_HEADER_BYTES] = self._map[:_HEADER_BYTES]  # last: without it there is no file of positions
        self._map.close()
        os.close(self._fd)
        self._map, self._fd = renewed, fd

    def restored(self, connection: str) -> list[Stream]:
        """Return the streams of this connection that the previous engine left; only once."""
        return self._restored.pop(connection, [])

    def save(self, connection: str, stream: Stream) -> None:
        """Write the position of `stream`, in an order that may be interrupted anywhere."""
        slot = stream.slot
        if slot is None:
            slot = stream.slot = self._allocate(connection, stream)
        if slot is _NOWHERE:
            return
        offset = slot.offset
        if stream.state is not slot.written:
            self._write_state(slot, stream)
        if stream.window is not None and stream.window.unsaved:
            self._write_hashes(slot, stream, stream.window)
        slot.light = counter = slot.light + 1
        try:
            data = _LIGHT.pack(counter, stream.last, stream.exchange_ns, stream.receive_ns, slot.window)
        except struct.error:  # a time that no clock shows
            data = _LIGHT.pack(counter, stream.last, 0, 0, slot.window)
        at = offset + _LIGHT_AT + (counter & 1) * _LIGHT_BYTES
        self._map[at : at + _LIGHT.size + 4] = data + _U32.pack(_crc32(data))

    def close(self) -> None:
        """Unmap it; the file stays for the next engine, the supervisor takes it away at the end."""
        self._map.close()
        os.close(self._fd)

    # ---- writing

    def _allocate(self, connection: str, stream: Stream) -> _Slot:
        key = stream.key
        named = _encode((connection, key.kind, key.symbol, key.part, stream.rule, stream.exchange))
        size = _slot_bytes(stream.rule)
        offset = self._end
        if len(named) > _NAMED_BYTES_MAX or not self._grow(offset + size + _HEAD.size):
            self.unsaved_total += 1
            return _NOWHERE
        self._end = offset + size
        begin = offset + _NAMED_AT
        self._map[begin : begin + len(named)] = named
        self._map[offset : offset + _HEAD.size] = _HEAD.pack(0, size, _crc32(named), len(named))
        self._map[offset : offset + 8] = _U64.pack(_SLOT_MARK)
        return _Slot(offset)

    def _grow(self, bytes_needed: int) -> bool:
        size = len(self._map)
        while size < bytes_needed:
            size += _GROWTH_BYTES
        if size == len(self._map):
            return True
        if size > FILE_BYTES_MAX:
            return False
        try:
            os.posix_fallocate(self._fd, 0, size)
        except OSError:
            return False
        self._map.close()
        self._map = mmap.mmap(self._fd, size)
        return True

    def _write_hashes(self, slot: _Slot, stream: Stream, window: Window) -> None:
        if stream.rule in ("unique", "content"):
            for value in window.unsaved:
                at = slot.offset + _SLOT_BYTES + 8 * (slot.window % REMEMBERED_MAX)
                self._map[at : at + 8] = _U64.pack(value)
                slot.window += 1
        window.unsaved.clear()

    def _write_state(self, slot: _Slot, stream: Stream) -> None:
        state = stream.state
        payload = _encode(state)
        while len(payload) > _PAYLOAD_BYTES_MAX and state.holes:
            state = msgspec.structs.replace(state, holes=state.holes[1:])
            payload = _encode(state)
        slot.written = stream.state
        if len(payload) > _PAYLOAD_BYTES_MAX:
            return
        slot.state = counter = slot.state + 1
        at = slot.offset + _STATE_AT + (counter & 1) * _STATE_BYTES
        checksum = _crc32(payload, counter & 0xFFFFFFFF)
        self._map[at : at + _STATE.size + len(payload)] = _STATE.pack(counter, len(payload), checksum) + payload

    # ---- reading

    def _read(self) -> None:
        if self._map[: _FILE.size] != _FILE.pack(_MAGIC, _LAYOUT):
            if any(self._map[: _FILE.size]):
                self.damage = "not a file of positions, or of another layout"
            self._forget_from(0)
            self._map[: _FILE.size] = _FILE.pack(_MAGIC, _LAYOUT)
            return
        for connection, stream in self._slots():
            self._restored.setdefault(connection, []).append(stream)

    def _slots(self) -> Iterator[tuple[str, Stream]]:
        while self._end + _HEAD.size <= len(self._map):
            offset = self._end
            mark, size, checksum, length = _HEAD.unpack_from(self._map, offset)
            if mark != _SLOT_MARK:
                break  # nothing, or one that was never finished
            named = self._map[offset + _NAMED_AT : offset + _NAMED_AT + min(length, _NAMED_BYTES_MAX)]
            try:
                if _crc32(named) != checksum:
                    raise ValueError("checksum")
                connection, kind, symbol, part, rule, exchange = _decode_named(named)
                stream = Stream(StreamKey(kind, symbol, part), rule, exchange)
                if size != _slot_bytes(rule) or offset + size > len(self._map):
                    raise ValueError("size")
            except (ValueError, KeyError, msgspec.MsgspecError) as error:
                self.damage = f"slot at {offset}: {error}"
                break
            self._end = offset + size
            stream.slot = slot = _Slot(offset)
            if self._read_marks(slot, stream):
                yield connection, stream
            elif any(self._map[offset + _LIGHT_AT : offset + _STATE_AT]):
                self.damage = self.damage or f"slot at {offset}: no valid mark"
        self._forget_from(self._end)

    def _read_marks(self, slot: _Slot, stream: Stream) -> bool:
        for turn in (0, 1):
            at = slot.offset + _LIGHT_AT + turn * _LIGHT_BYTES
            data = self._map[at : at + _LIGHT.size]
            counter, last, exchange_ns, receive_ns, hashes_ever = _LIGHT.unpack(data)
            if counter > slot.light and _U32.unpack_from(self._map, at + _LIGHT.size)[0] == _crc32(data):
                slot.light, slot.window = counter, hashes_ever
                stream.last, stream.exchange_ns, stream.receive_ns = last, exchange_ns, receive_ns
            at = slot.offset + _STATE_AT + turn * _STATE_BYTES
            counter, length, checksum = _STATE.unpack_from(self._map, at)
            payload = self._map[at + _STATE.size : at + _STATE.size + min(length, _PAYLOAD_BYTES_MAX)]
            if counter > slot.state and _crc32(payload, counter & 0xFFFFFFFF) == checksum:
                with contextlib.suppress(msgspec.MsgspecError):
                    stream.state = slot.written = _decode_state(payload)
                    slot.state = counter
        if stream.window is not None:
            at = slot.offset + _SLOT_BYTES
            hashes = struct.unpack(f"<{REMEMBERED_MAX}Q", self._map[at : at + _WINDOW_BYTES])
            oldest = slot.window % REMEMBERED_MAX
            stream.window = Window([value for value in hashes[oldest:] + hashes[:oldest] if value])
        return slot.light > 0

    def _forget_from(self, offset: int) -> None:
        self._map[offset:] = bytes(len(self._map) - offset)


def _slot_bytes(rule: str) -> int:
    return _SLOT_BYTES + (_WINDOW_BYTES if rule in ("unique", "content") else 0)
