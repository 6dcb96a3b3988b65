"""What crosses JetStream: parcels of committed batches, the same bytes as in a worker's ring. Pure.

A *parcel* holds consecutive batches of one incarnation of one worker, and what the landing needs to write them into a
ring of its own. A batch larger than a message is sent in pieces, one a parcel. The last parcel of an incarnation says
what it had committed in all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from foxtrot_protocol.errors import MalformedMessage

__all__ = [
    "WIRE_VERSION",
    "Committed",
    "End",
    "Parcel",
    "Piece",
    "decode_parcel",
    "encode_parcel",
    "message_id",
]

WIRE_VERSION = 1
"""Version of parcels."""


class Committed(Struct, array_like=True, frozen=True):
    """One batch."""

    sequence: int
    """In its ring, from 1, contiguous."""
    events_before: int
    """Events that the worker had committed before it."""
    events: int
    """Events in it."""
    data: bytes
    """The encoded batch, or a piece of it."""


class Piece(Struct, array_like=True, frozen=True):
    """Which part of a large batch a parcel holds."""

    index: int
    """From 0."""
    count: int
    """Number of pieces."""


class End(Struct, array_like=True, frozen=True):
    """Everything that a dead incarnation had committed is published."""

    sequence: int
    """Of its last batch."""
    events: int
    """Events in all its batches."""
    dropped: int
    """Events that it dropped."""
    unannounced: int
    """Dropped events that no committed gap announces."""


class Parcel(Struct, array_like=True, frozen=True, kw_only=True):
    """One message of the stream of events."""

    version: int = WIRE_VERSION
    run_id: str
    """Run of the supervisor that the worker belongs to."""
    worker: str
    """Name of the worker at every engine (`engine_worker`)."""
    incarnation: int
    """Of that worker in the whole cluster: a later holder of the shard has a higher one."""
    connection: str
    side: str
    capacity: int
    """Bytes of the worker's ring: no batch of it has more than half."""
    rules: Mapping[str, str]
    """How copies are recognized (`ring_layout.RingIdentity.rules`)."""
    acknowledged: int
    """All batches up to this sequence were in the stream before this parcel was sent."""
    batches: Sequence[Committed] = ()
    piece: Piece | None = None
    """Its only batch is a piece."""
    end: End | None = None


_decode = msgspec.msgpack.Decoder(Parcel).decode
_encode = msgspec.msgpack.Encoder().encode


def encode_parcel(parcel: Parcel) -> bytes:
    """Return `parcel` as msgpack."""
    return _encode(parcel)


def decode_parcel(data: bytes) -> Parcel:
    """Return the parcel in `data`; raises `MalformedMessage`, for another version too."""
    try:
        parcel = _decode(data)
    except (ValueError, RecursionError) as error:
        raise MalformedMessage(f"parcel: {error}") from None
    if parcel.version != WIRE_VERSION:
        raise MalformedMessage(f"parcel of version {parcel.version}, this engine reads {WIRE_VERSION}")
    if parcel.piece is not None and (
        len(parcel.batches) != 1 or not 0 <= parcel.piece.index < parcel.piece.count <= _PIECES_MAX
    ):
        raise MalformedMessage("parcel: a piece of nothing")
    return parcel


_PIECES_MAX = 10_000


def message_id(parcel: Parcel) -> str:
    """Return the ``Nats-Msg-Id``: JetStream stores a parcel that is sent twice once.

    It names the first and the last batch: after a restart of the forwarder the same batches may be grouped otherwise.
    """
    origin = f"{parcel.run_id}/{parcel.worker}/{parcel.incarnation}"
    if not parcel.batches:
        return f"{origin}/end"
    piece = f".{parcel.piece.index}" if parcel.piece is not None else ""
    return f"{origin}/{parcel.batches[0].sequence}-{parcel.batches[-1].sequence}{piece}"
