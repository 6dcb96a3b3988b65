"""Engines in which one layer of delivery is missing: tests must notice each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from foxtrot_protocol.child import ChildContext
from foxtrot_supervisor import engine_process
from foxtrot_supervisor.event_receiver import EventReceiver
from foxtrot_supervisor.ring_reader import RingReader
from foxtrot_supervisor.stream_merge import Admission, StreamMerge

__all__ = ["early_tail", "without_deduplication", "without_ring"]


async def without_ring(context: ChildContext) -> int:
    """Never reads a ring: only what ZeroMQ brings is applied."""
    RingReader.next = lambda self: None  # type: ignore[method-assign]  # broken on purpose
    return await engine_process.run(context)


async def early_tail(context: ChildContext) -> int:
    """Acknowledges a batch before the handlers have had it."""
    apply = EventReceiver._apply

    def acknowledge_first(
        self: Any, source: Any, ring: Any, batch: Any, made: Any, data: bytes, end: int, *, may_wait: bool
    ) -> bool:
        ring.reader.took(batch.sequence, end, ring.applied + len(batch.events), ring.lost, ring.redelivered)
        return apply(self, source, ring, batch, made, data, end, may_wait=may_wait)

    EventReceiver._apply = acknowledge_first  # type: ignore[method-assign]  # broken on purpose
    return await engine_process.run(context)


async def without_deduplication(context: ChildContext) -> int:
    """Takes every event for a new one."""

    def everything(
        self: Any,
        side: Any,
        events: Sequence[Any],
        *,
        may_wait: bool,
    ) -> Admission:
        return Admission(events, None, len(events), 0, 0, [], [])

    StreamMerge.admit = everything  # type: ignore[method-assign]  # broken on purpose
    return await engine_process.run(context)
