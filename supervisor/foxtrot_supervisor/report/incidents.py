"""Incidents of a run: what went wrong and what was done about it, in a bounded memory. Pure.

Readers poll with a cursor, the sequence number of the last incident that they have. Numbers begin at 1 and never
repeat within a run; `IncidentPage.first_seq` shows what has fallen out of the memory since.

A child that fails in a loop must not push everything else out: of one kind and worker at most `BURST_MAX` incidents are
kept in `BURST_S`. Further ones are counted; the next one that is kept says how many they were (`suppressed`).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias, get_args

import msgspec
from msgspec import Struct

__all__ = [
    "ANSWER_MAX",
    "BURST_MAX",
    "BURST_S",
    "INCIDENTS_BYTES_MAX",
    "INCIDENTS_MAX",
    "KINDS",
    "SOURCES_MAX",
    "TEXT_CHARS_MAX",
    "Incident",
    "IncidentFigures",
    "IncidentPage",
    "Incidents",
    "Kind",
    "Occurrence",
    "Value",
]

Kind: TypeAlias = Literal[
    "backfill_failed",
    "bundle",
    "clock",
    "crossed_book",
    "death",
    "engine_fault",
    "events_dropped",
    "fatal",
    "frames_rejected",
    "gap",
    "growth",
    "guard",
    "handler_failed",
    "hung",
    "killed",
    "leak",
    "lost_events",
    "lost_process",
    "maintenance",
    "rate_limited",
    "recovered",
    "reload",
    "reload_refused",
    "restart",
    "stopped",
    "resync",
    "rotation",
    "rotation_failed",
    "rows_refused",
    "run_dir",
    "service_problem",
    "service_whole",
    "snapshots_rejected",
    "stale_data",
    "strays_killed",
    "template_off",
    "topic_delisted",
    "topic_flowing",
    "topic_gap",
    "topic_invalid",
    "topic_refused",
    "topic_silent",
    "topic_stale",
]
"""Kinds of incidents; docs/monitoring.md describes each."""

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

Value: TypeAlias = str | int | float | None

INCIDENTS_MAX: Final = 2000
"""Incidents kept."""

INCIDENTS_BYTES_MAX: Final = 1024 * 1024
"""Bytes of kept incidents, as JSON."""

ANSWER_MAX: Final = 500
"""Incidents in one answer."""

BURST_MAX: Final = 10
"""Incidents of one kind and worker that are kept in `BURST_S`."""

BURST_S: Final = 10.0
"""Seconds."""

SOURCES_MAX: Final = 4096
"""Pairs of kind and worker whose bursts are counted; the one that was quiet for longest is forgotten."""

TEXT_CHARS_MAX: Final = 500
"""Characters of a cause, and of a text in the details."""


class Occurrence(Struct, frozen=True):
    """What happened, before it gets its number and time."""

    kind: Kind
    worker: str = ""
    """Child concerned; "" for the supervisor itself, or a whole connection."""
    cause: str = ""
    """Why, for people."""
    incarnation: int | None = None
    rung: str | None = None
    """Rung of the stop ladder that the child has reached."""
    details: Mapping[str, Value] = {}


class Incident(Struct, frozen=True, kw_only=True):
    """One incident, as operators get it."""

    seq: int
    at_ns: int
    """Nanoseconds since 1970 UTC."""
    kind: Kind
    worker: str
    connection: str
    """Connection of the worker in the configuration; "" where there is none."""
    exchange: str
    incarnation: int | None
    cause: str
    rung: str | None
    suppressed: int
    """Incidents of the same kind and worker before this one that were counted but not kept."""
    details: Mapping[str, Value]


class IncidentPage(Struct, frozen=True, kw_only=True):
    """Answer to a reader."""

    incidents: list[Incident]
    """Oldest first."""
    first_seq: int
    """Number of the oldest incident kept; `last_seq` + 1 if none is."""
    last_seq: int
    """Number of the latest incident; 0 before the first."""
    more: bool
    """Whether further incidents are kept after the last one of this answer."""


class IncidentFigures(Struct, frozen=True, kw_only=True):
    """Counts since the start, for ``status``."""

    last_seq: int
    kept: int
    kept_bytes: int
    evicted_total: int
    """Incidents that have fallen out of the memory."""
    suppressed_total: int
    """Incidents that were counted but not kept, because too many of their kind and worker came at once."""
    by_kind: dict[str, int]
    """Incidents of each kind, suppressed ones included."""


class _Burst:
    __slots__ = ("count", "since", "suppressed")

    def __init__(self, since: float) -> None:
        self.since = since
        self.count = 0
        self.suppressed = 0


class Incidents:
    """The memory of incidents."""

    def __init__(self) -> None:
        self._kept: deque[tuple[Incident, int]] = deque()
        """Incidents with their sizes in bytes."""
        self._bytes = 0
        self._last_seq = 0
        self._suppressed_total = 0
        self._by_kind: Counter[str] = Counter()
        self._bursts: dict[tuple[str, str], _Burst] = {}
        """By kind and worker; the one that was quiet for longest first."""

    def note(
        self, what: Occurrence, *, at_ns: int, now: float, connection: str = "", exchange: str = ""
    ) -> Incident | None:
        """Keep an incident and return it; None if it is one too many of its kind and worker.

        Args:
            what: what happened; long texts are cut.
            at_ns: nanoseconds since 1970 UTC.
            now: monotonic seconds.
            connection: the worker's connection.
            exchange: the worker's exchange.
        """
        self._by_kind[what.kind] += 1
        suppressed = self._admit((what.kind, what.worker), now)
        if suppressed is None:
            self._suppressed_total += 1
            return None
        self._last_seq += 1
        incident = Incident(
            seq=self._last_seq,
            at_ns=at_ns,
            kind=what.kind,
            worker=what.worker,
            connection=connection,
            exchange=exchange,
            incarnation=what.incarnation,
            cause=what.cause[:TEXT_CHARS_MAX],
            rung=what.rung,
            suppressed=suppressed,
            details={
                key: value[:TEXT_CHARS_MAX] if isinstance(value, str) else value for key, value in what.details.items()
            },
        )
        size = len(msgspec.json.encode(incident))
        self._kept.append((incident, size))
        self._bytes += size
        while len(self._kept) > INCIDENTS_MAX or self._bytes > INCIDENTS_BYTES_MAX:
            self._bytes -= self._kept.popleft()[1]
        return incident

    def after(self, seq: int, limit: int = ANSWER_MAX) -> IncidentPage:
        """Return up to `limit` incidents with numbers above `seq`, oldest first; at most `ANSWER_MAX`."""
        first = self._last_seq - len(self._kept) + 1
        skipped = max(0, seq + 1 - first)
        wanted = max(0, min(limit, ANSWER_MAX))
        found = [self._kept[at][0] for at in range(skipped, min(len(self._kept), skipped + wanted))]
        return IncidentPage(
            incidents=found,
            first_seq=first,
            last_seq=self._last_seq,
            more=skipped + len(found) < len(self._kept),
        )

    def figures(self) -> IncidentFigures:
        """Return the counts."""
        return IncidentFigures(
            last_seq=self._last_seq,
            kept=len(self._kept),
            kept_bytes=self._bytes,
            evicted_total=self._last_seq - len(self._kept),
            suppressed_total=self._suppressed_total,
            by_kind=dict(sorted(self._by_kind.items())),
        )

    def _admit(self, source: tuple[str, str], now: float) -> int | None:
        """Return how many of `source` were suppressed before this one; None if this one is suppressed too."""
        burst = self._bursts.pop(source, None)
        if burst is None:
            burst = _Burst(now)
            if len(self._bursts) >= SOURCES_MAX:
                del self._bursts[next(iter(self._bursts))]
        elif now - burst.since >= BURST_S:
            burst.since, burst.count = now, 0
        self._bursts[source] = burst
        burst.count += 1
        if burst.count > BURST_MAX:
            burst.suppressed += 1
            return None
        suppressed, burst.suppressed = burst.suppressed, 0
        return suppressed
