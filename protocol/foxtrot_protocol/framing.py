"""Layout of a data-plane message: one msgpack array, one batch.

::

    [version, worker, incarnation, sequence, publish_ns, [event, event, ...]]

A batch is the unit of sending, of sequence numbering and of replay. ``sequence`` counts batches from 1
within one incarnation of one worker, without holes: a receiver that misses a number has lost a batch.
Any msgpack library reads it; see docs/protocol.md.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from msgspec import Raw, Struct

from foxtrot_protocol.events import MarketEvent

__all__ = ["PROTOCOL_VERSION", "Batch", "BatchHeader"]

N = TypeVar("N")

PROTOCOL_VERSION = 1
"""First element of every message; raised whenever an old reader would misread a new writer."""


class Batch(Struct, Generic[N], array_like=True, frozen=True):
    """Events of one worker, in the order in which the exchange sent them."""

    version: int
    worker: str
    incarnation: int
    sequence: int
    publish_ns: int
    events: list[MarketEvent[N]]


class BatchHeader(Struct, array_like=True, frozen=True):
    """A batch whose events are left undecoded: names the sender even if an event is malformed."""

    version: int
    worker: str
    incarnation: int
    sequence: int
    publish_ns: int
    events: Raw
