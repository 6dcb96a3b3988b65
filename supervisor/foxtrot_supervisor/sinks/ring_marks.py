"""How far a sink has read a worker's ring. Pure."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["RingMark"]


class RingMark(Struct, frozen=True, array_like=True):
    """What a sink has taken of one ring, with the totals of its account in events (`ring_layout.AppliedMark`)."""

    worker: str
    incarnation: int
    position: int = 0
    """Where the next record begins."""
    sequence: int = 0
    """Last batch that was taken; 0 before the first."""
    applied: int = 0
    lost: int = 0
    redelivered: int = 0
    deduplicated: int = 0
    superseded: int = 0
    released_position: int = 0
    """Where the record begins from which on positions of streams may not be written: they are restored from there."""
    released_sequence: int = 0
    """Batch before it."""
