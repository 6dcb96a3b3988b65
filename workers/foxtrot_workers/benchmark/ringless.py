"""The worker without its ring, to measure what the ring costs: the same in all else, and nothing survives anything.

A start target for `bench` alone. No setting leads here.
"""

from __future__ import annotations

from typing import Any

from foxtrot_protocol import endpoints
from foxtrot_protocol.child import ChildContext
from foxtrot_workers.feed import event_sender
from foxtrot_workers.feed import worker as feed_worker

__all__ = ["NoRing", "run_worker"]


class NoRing:
    """Stands in for `ring_writer.RingWriter`: takes everything, keeps nothing."""

    used_bytes = 0

    def __init__(self, *_: Any, **__: Any) -> None:
        self.committed_events = 0

    def append(self, sequence: int, events: int, data: bytes) -> bool:
        """There is always room."""
        self.committed_events += events
        return True

    def tell_dropped(self, total: int, unannounced: int) -> None:
        """Nobody reads it."""

    def close(self) -> None:
        """There is nothing to close."""


async def run_worker(context: ChildContext) -> int:
    """Start target."""
    event_sender.RingWriter = NoRing  # type: ignore[assignment, attr-defined]  # what this module is for
    # what the socket refused would stand in no ring: it has to take everything
    endpoints.DATA_SEND_HWM = 0
    return await feed_worker.run(context)
