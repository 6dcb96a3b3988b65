"""Events that a sink has read at the end of a run and that its spool has no room for: as few gaps as say all. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from foxtrot_protocol.events import EVENT_TYPES, Gap

__all__ = ["GAPS_MAX", "LeftOut", "Said"]

GAPS_MAX: Final = 10_000
"""Gaps among the events that are kept as they are; further ones only count as events."""

_CAUSE: Final = "found no room in the spool before the sink ended"

Said: TypeAlias = tuple[str, Gap]
"""Connection and gap."""

_Place: TypeAlias = tuple[str, str, str, str]
"""Connection, exchange, symbol and event type."""


class _Hole:
    """What is left out of one stream, or of one connection."""

    __slots__ = ("count", "end_ns", "first_id", "last_id", "start_ns")

    def __init__(self) -> None:
        self.count = self.start_ns = self.end_ns = 0
        self.first_id: str | None = None
        self.last_id: str | None = None

    def add(self, count: int, start_ns: int, end_ns: int) -> None:
        self.count += count
        self.start_ns = min(self.start_ns or start_ns, start_ns or self.start_ns)
        self.end_ns = max(self.end_ns, end_ns)


class LeftOut:
    """Counts events by stream, with the identifiers of the first and the last one."""

    def __init__(self) -> None:
        self.events_total = 0
        self._holes: dict[_Place, _Hole] = {}
        self._gaps: list[Said] = []
        self._rings: list[tuple[str, str, int]] = []
        """Connection, description, events."""

    def add(self, connection: str, events: Iterable[Any]) -> None:
        """Leave out these events of one connection."""
        for event in events:
            self.events_total += 1
            kind = event.__class__
            if kind is Gap and len(self._gaps) < GAPS_MAX:
                self._gaps.append((connection, event))
                continue
            place = connection, event.exchange, event.symbol, EVENT_TYPES[kind]
            hole = self._holes.get(place)
            if hole is None:
                hole = self._holes[place] = _Hole()
            hole.add(1, event.receive_ns, event.receive_ns)
            first, last = _identifiers(event)
            hole.first_id = hole.first_id or first
            hole.last_id = last or hole.last_id

    def add_unread(self, connection: str, worker: str, incarnation: int, batches: tuple[int, int], events: int) -> None:
        """Leave out `events` that were not read of a ring, in `batches`, first and last."""
        self.events_total += events
        self._rings.append((connection, f"batches {batches[0]} to {batches[1]} of {worker}#{incarnation}", events))

    def choices(self, now_ns: int) -> Iterator[Sequence[Said]]:
        """Return gaps that say what is left out: by stream; by connection, without identifiers; one of all.

        `now_ns`: their time, in ns since 1970.
        """
        by_stream = [
            (connection, _gap(exchange, symbol, stream, hole, now_ns, f"{hole.count} events {_CAUSE}"))
            for (connection, exchange, symbol, stream), hole in self._holes.items()
        ]
        by_ring = []
        connections: dict[str, _Hole] = {}
        for (connection, *_), hole in self._holes.items():
            connections.setdefault(connection, _Hole()).add(hole.count, hole.start_ns, hole.end_ns)
        for connection, _ in self._gaps:
            connections.setdefault(connection, _Hole()).add(1, 0, 0)
        for connection, what, events in self._rings:
            hole = _Hole()
            hole.add(events, 0, 0)
            by_ring.append((connection, _gap("", "", "", hole, now_ns, f"{what} {_CAUSE}: {events} events")))
            connections.setdefault(connection, _Hole()).add(events, 0, 0)
        yield [*self._gaps, *by_stream, *by_ring]
        yield [
            (name, _gap("", "", "", hole, now_ns, f"{hole.count} events of {name or 'a connection'} {_CAUSE}"))
            for name, hole in connections.items()
        ]
        whole = _Hole()
        for hole in connections.values():
            whole.add(hole.count, hole.start_ns, hole.end_ns)
        cause = f"{whole.count} events of {len(connections)} connections {_CAUSE}"
        yield [("", _gap("", "", "", whole, now_ns, cause))]


def _gap(exchange: str, symbol: str, stream: str, hole: _Hole, now_ns: int, cause: str) -> Gap:
    return Gap(
        exchange,
        symbol,
        0,
        hole.end_ns or now_ns,
        stream,
        hole.first_id,
        hole.last_id,
        hole.start_ns,
        hole.end_ns,
        cause,
    )


def _identifiers(event: Any) -> tuple[str | None, str | None]:
    """Return first and last identifier of what an event says, None where it has none."""
    single = getattr(event, "trade_id", "") or getattr(event, "update_id", "") or None
    return getattr(event, "first_id", None) or single, getattr(event, "last_id", None) or single
