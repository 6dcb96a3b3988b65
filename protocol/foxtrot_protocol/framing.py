"""Layout of a data-plane message: one msgpack array, one batch.

::

    [version, worker, incarnation, sequence, publish_ns, [event, event, ...], streams, order]

A batch is the unit of sending, of sequence numbering and of replay. Any msgpack library reads it; see docs/protocol.md.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from msgspec import Raw, Struct

from foxtrot_protocol.events import MarketEvent
from foxtrot_protocol.stream_ranges import StreamRange

__all__ = ["PROTOCOL_VERSION", "VERSIONS_READ", "Batch", "BatchHeader"]

N = TypeVar("N")

PROTOCOL_VERSION = 2
"""First element of every batch; incremented when an old reader would misread a new writer."""

VERSIONS_READ = frozenset((1, 2))
"""Versions that are understood: batches of version 1 end with their events."""


class Batch(Struct, Generic[N], array_like=True, frozen=True):
    """Events of one worker, in the order in which the exchange sent them."""

    version: int
    """`PROTOCOL_VERSION` of the writer."""
    worker: str
    """Name of the sender, such as ``binance-spot.a``."""
    incarnation: int
    """Run of that worker, from 1."""
    sequence: int
    """Counts batches of the incarnation from 1 without holes: a missing number is a missing batch."""
    publish_ns: int
    """When it was sent, in ns since 1970 UTC."""
    events: list[MarketEvent[N]]
    streams: list[StreamRange] | None = None
    """What the batch has of each stream, in order of first appearance; None: not said."""
    order: bytes | None = None
    """For each event the place of its stream in `streams`; None if there is one stream only, or none is said."""


class BatchHeader(Struct, array_like=True, frozen=True):
    """A batch with undecoded events: identifies the sender even if an event is malformed."""

    version: int
    worker: str
    incarnation: int
    sequence: int
    publish_ns: int
    events: Raw
