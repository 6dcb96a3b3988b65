"""What an engine has reached in the stream, so that another host can go on there. Pure.

The state names the position up to which everything is handled, how far each worker was handled beyond it, and holds the
engine's file of merge positions of that moment or a later one: what the file has more, an engine drops as copies.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from foxtrot_protocol.codec import batch_decoder
from foxtrot_protocol.errors import MalformedMessage, VersionMismatch

__all__ = [
    "INLINE_BYTES_MAX",
    "PART_BYTES",
    "STATE_VERSION",
    "EngineState",
    "LaneState",
    "PositionParts",
    "as_redelivered",
    "decode_state",
    "encode_state",
    "joined_positions",
    "packed_positions",
]

STATE_VERSION = 1

INLINE_BYTES_MAX = 256 * 1024
"""Packed positions of at most this size are kept in the state itself."""

PART_BYTES = 512 * 1024
"""Larger ones are kept in parts of this size, under keys of their own."""


class LaneState(Struct, array_like=True, frozen=True):
    """One incarnation of one worker."""

    worker: str
    incarnation: int
    sequence: int
    """Its last batch that is handled; nothing before it is missing."""
    committed: int
    """Events that the worker had committed with it."""


class PositionParts(Struct, array_like=True, frozen=True):
    """Where large positions are kept."""

    bank: int
    """0 or 1 in turn: those of the state before stay readable."""
    count: int


class EngineState(Struct, frozen=True, kw_only=True):
    """The value of one engine's key."""

    version: int = STATE_VERSION
    holder: str
    """Run that has this engine now; "": none, it may be taken at once."""
    host: str
    consumer: str
    """Its consumer of the stream."""
    stream_created: str
    """When the stream was created: in another one the position means nothing."""
    position: int
    """Stream sequence up to which everything is handled."""
    landed: int
    """Stream sequence up to which batches may have been given to handlers."""
    lanes: Sequence[LaneState] = ()
    ended: Mapping[str, int] = {}
    """Latest incarnation of each worker that has ended."""
    positions: bytes = b""
    """Packed positions; b"": none, or see `parts`."""
    parts: PositionParts | None = None
    checksum: int = 0
    """Of the packed positions."""
    beat: int = 0
    """Grows with each write: shows that the holder lives."""


_decode = msgspec.msgpack.Decoder(EngineState).decode
_encode = msgspec.msgpack.Encoder().encode
_text_batch = batch_decoder("text").decode


def encode_state(state: EngineState) -> bytes:
    """Return `state` as msgpack."""
    return _encode(state)


def decode_state(data: bytes) -> EngineState:
    """Return the state in `data`; raises `MalformedMessage`, for another version too."""
    try:
        state = _decode(data)
    except (ValueError, RecursionError) as error:
        raise MalformedMessage(f"state of an engine: {error}") from None
    if state.version != STATE_VERSION:
        raise MalformedMessage(f"state of an engine, version {state.version}: this version reads {STATE_VERSION}")
    return state


def packed_positions(data: bytes) -> tuple[bytes, int]:
    """Return the content of a file of positions in its packed form, and the checksum of that."""
    packed = zlib.compress(data, 1)
    return packed, zlib.crc32(packed)


def joined_positions(state: EngineState, parts: Sequence[bytes]) -> bytes:
    """Return the content of the file of positions; b"" if there is none. Raises `MalformedMessage`.

    `parts`: the parts that `state` names.
    """
    packed = state.positions or b"".join(parts)
    if not packed:
        return b""
    if zlib.crc32(packed) != state.checksum:
        raise MalformedMessage("state of an engine: the checksum of its positions does not fit")
    try:
        return zlib.decompress(packed)
    except zlib.error as error:
        raise MalformedMessage(f"state of an engine: its positions are unreadable: {error}") from None


def as_redelivered(data: bytes) -> bytes:
    """Return a batch whose events are marked `redelivered`; one that cannot be read stays as it is."""
    try:
        batch = _text_batch(data)
    except (MalformedMessage, VersionMismatch):
        return data
    for event in batch.events:
        msgspec.structs.force_setattr(event, "redelivered", True)
    return _encode(msgspec.structs.replace(batch, streams=None, order=None))
