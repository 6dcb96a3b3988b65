"""Events left in rings at the end of a run, which no handler received: part of the outcome of the run. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct, to_builtins

from foxtrot_protocol.ring_layout import RingFigures

__all__ = ["UnhandledRing", "describe_unhandled", "unhandled_in"]


class UnhandledRing(Struct, frozen=True, kw_only=True):
    """One ring with unhandled events."""

    worker: str
    incarnation: int
    events: int | None
    """Committed, and neither applied nor announced as lost; or dropped and not announced. None: the ring is damaged."""

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for JSON."""
        fields: dict[str, Any] = to_builtins(self)
        return fields


def unhandled_in(
    figures: Iterable[RingFigures],
    damaged: Iterable[tuple[str, int]],
    started: Mapping[str, int] | None = None,
) -> list[UnhandledRing]:
    """Return the rings with unhandled events, by worker and incarnation.

    `figures`: of the rings that can be read; `damaged`: worker and incarnation of those that cannot; `started`: latest
    incarnation by worker of those that the supervisor has started, None: all count. No other ring is read by an engine.
    """
    found = [UnhandledRing(worker=worker, incarnation=incarnation, events=None) for worker, incarnation in damaged]
    for ring in figures:
        finished = ring.applied_events + ring.deduplicated_events + ring.superseded_events + ring.lost_events
        events = ring.committed_events - finished
        events = max(0, events) + ring.unannounced_events
        if events:
            found.append(UnhandledRing(worker=ring.worker, incarnation=ring.incarnation, events=events))
    if started is not None:
        found = [ring for ring in found if ring.incarnation <= started.get(ring.worker, 0)]
    return sorted(found, key=lambda ring: (ring.worker, ring.incarnation))


def describe_unhandled(rings: Iterable[Mapping[str, Any]]) -> str:
    """Return one line for people about `UnhandledRing.as_dict` of each ring; "" without any."""
    return ", ".join(
        f"{'an unknown number of' if ring.get('events') is None else ring['events']} events"
        f" of {ring.get('worker')}#{ring.get('incarnation')}"
        for ring in rings
    )
