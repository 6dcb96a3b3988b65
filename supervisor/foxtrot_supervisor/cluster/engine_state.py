"""What an engine has reached in the stream, so that another host can go on there. Pure.

Two things are kept in NATS. The *state* is small and written after each hand-over: how far the engine has handled each
worker's batches, and how far they may have been handed over to it. The *base* holds the engine's file of merge
positions, which is large with many streams, and is written now and then: positions of the moment of the base or a later
one. Another host restores these, and has its engine repeat the decisions on the batches between base and state, which
are still in the stream, without giving them to handlers.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from foxtrot_protocol.codec import batch_decoder
from foxtrot_protocol.errors import MalformedMessage, VersionMismatch

__all__ = [
    "PART_BYTES",
    "STATE_VERSION",
    "Base",
    "BaseRef",
    "EngineState",
    "Known",
    "LaneState",
    "as_redelivered",
    "decode_state",
    "encode_state",
    "known_lanes",
    "packed_base",
    "unpacked_base",
]

STATE_VERSION = 2

PART_BYTES = 512 * 1024
"""A base is kept in parts of at most this size, under keys of their own."""

Key = tuple[str, int]


class LaneState(Struct, array_like=True, frozen=True):
    """One incarnation of one worker."""

    worker: str
    incarnation: int
    sequence: int
    """Its last batch that is handled; nothing before it is missing."""
    committed: int
    """Events that the worker had committed with it."""
    reach: int = 0
    """Its last batch that may have been given to handlers; such a batch may not have come yet."""

    @property
    def key(self) -> Key:
        """Worker and incarnation."""
        return self.worker, self.incarnation


class Known(Struct, frozen=True):
    """What is known of a lane: what is between the two is handled, and not in the positions of the base."""

    start: LaneState
    """At the base."""
    reached: LaneState
    """At the state."""


class Base(Struct, array_like=True, frozen=True):
    """All lanes and positions of one moment."""

    position: int
    """Stream sequence up to which everything was handled."""
    lanes: Sequence[LaneState]
    ended: Mapping[str, int]
    """Latest incarnation of each worker that has ended."""
    positions: bytes
    """Content of the engine's file of positions; b"": there is none."""


class BaseRef(Struct, array_like=True, frozen=True):
    """Where a base is kept."""

    run: str
    """Run that wrote it."""
    bank: int
    """0 or 1 in turn: the base before stays readable."""
    count: int
    """Number of parts."""
    checksum: int
    """Of the joined parts."""


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
    read: int
    """Stream sequence up to which messages were read."""
    marks_to: int = 0
    """Stream sequence up to which an earlier holder may have given events to handlers (`LaneState.reach`)."""
    repeating: bool = False
    """Whether the engine of this holder has not yet repeated the decisions on what is between base and state."""
    lanes: Sequence[LaneState] = ()
    """Lanes that differ from those of the base."""
    begun: Sequence[LaneState] = ()
    """Lanes that have begun since the base, as they began."""
    base: BaseRef
    beat: int = 0
    """Grows with each write: shows that the holder lives."""


_decode = msgspec.msgpack.Decoder(EngineState).decode
_decode_base = msgspec.msgpack.Decoder(Base).decode
_encode = msgspec.msgpack.Encoder().encode
_text_batch = batch_decoder("text").decode


def encode_state(state: EngineState) -> bytes:
    """Return `state` as msgpack."""
    return _encode(state)


def decode_state(data: bytes) -> EngineState:
    """Return the state in `data`; raises `MalformedMessage`, for another version too."""
    try:
        version = msgspec.msgpack.decode(data, type=_Versioned).version
        if version != STATE_VERSION:
            raise MalformedMessage(f"state of an engine, version {version}: this version reads {STATE_VERSION}")
        return _decode(data)
    except (ValueError, RecursionError) as error:
        raise MalformedMessage(f"state of an engine: {error}") from None


class _Versioned(Struct):
    version: int


def packed_base(base: Base) -> tuple[list[bytes], int]:
    """Return the parts of `base`, and the checksum of all."""
    packed = zlib.compress(_encode(base), 1)
    return [packed[start : start + PART_BYTES] for start in range(0, len(packed), PART_BYTES)], zlib.crc32(packed)


def unpacked_base(ref: BaseRef, parts: Sequence[bytes]) -> Base:
    """Return the base in the parts that `ref` names; raises `MalformedMessage`."""
    packed = b"".join(parts)
    if zlib.crc32(packed) != ref.checksum:
        raise MalformedMessage("state of an engine: the checksum of its positions does not fit")
    try:
        return _decode_base(zlib.decompress(packed))
    except (ValueError, RecursionError, zlib.error) as error:
        raise MalformedMessage(f"state of an engine: its positions are unreadable: {error}") from None


def known_lanes(state: EngineState, base: Base) -> dict[Key, Known]:
    """Return what state and base say of each lane."""
    starts = {each.key: each for each in (*base.lanes, *state.begun)}
    reached = starts | {each.key: each for each in state.lanes}
    return {key: Known(start, reached[key]) for key, start in starts.items()}


def as_redelivered(data: bytes) -> bytes:
    """Return a batch whose events are marked `redelivered`; one that cannot be read stays as it is."""
    try:
        batch = _text_batch(data)
    except (MalformedMessage, VersionMismatch):
        return data
    for event in batch.events:
        msgspec.structs.force_setattr(event, "redelivered", True)
    return _encode(msgspec.structs.replace(batch, streams=None, order=None))
