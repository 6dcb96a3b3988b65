"""The worker without its ring, to measure what the ring costs. No event survives a crash.

A start target for `bench` only: no setting selects it.
"""

from __future__ import annotations

from typing import Any

from foxtrot_protocol import endpoints
from foxtrot_protocol.child import ChildContext
from foxtrot_workers.feed import event_sender
from foxtrot_workers.feed import worker as feed_worker

__all__ = ["NoRing", "run_worker"]


class NoRing:
    """Replaces `ring_writer.RingWriter`: accepts everything and stores nothing."""

    used_bytes = 0

    def __init__(self, *_: Any, **__: Any) -> None:
        self.committed_events = 0
        self.refused_links: dict[str, str] = {}

    def append(self, sequence: int, events: int, data: bytes) -> bool:
        """Count the events; there is always space."""
        self.committed_events += events
        return True

    def tell_dropped(self, total: int, unannounced: int) -> None:
        """Do nothing: the ring has no reader."""

    def close(self) -> None:
        """Do nothing."""


async def run_worker(context: ChildContext) -> int:
    """Start target: the worker of `feed.worker`, with `NoRing`."""
    event_sender.RingWriter = NoRing  # type: ignore[assignment, attr-defined]  # what this module is for
    # a refused batch would be in no ring: the socket has to accept all of them
    endpoints.DATA_SEND_HWM = 0
    return await feed_worker.run(context)
