"""Vital signs of a child beyond its incarnations: latest heartbeat, event rate, running totals. Pure.

A heartbeat counts from the start of its incarnation; totals continue over restarts. Counts between the last heartbeat
of an incarnation and its death are not included.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from foxtrot_protocol.commands import Heartbeat, SourceCounters
from foxtrot_supervisor.telemetry.growth import GrowthWatch
from foxtrot_supervisor.telemetry.stages import added

__all__ = ["BURST_SHARE", "FRESH_S", "GROWING", "TOTALS", "Vitals"]

TOTALS: Final = (
    "frames_total",
    "events_total",
    "rejected_total",
    "committed_total",
    "dropped_total",
    "slow_handlers",
    "handler_errors_total",
    "redelivered_total",
    "account_violations_total",
    "budget_waits_total",
    "budget_refused_total",
    "budget_unanswered_total",
    "snapshots_rejected_total",
    "templated_total",
    "templates_off_total",
    "ticks_total",
    "bars_total",
    "late_trades_total",
    "leaks_total",
    "early_bells_total",
    "early_bells_vain_total",
)
"""Fields of a heartbeat that only grow within an incarnation."""

GROWING: Final = ("rss_bytes", "open_fds", "threads", "tasks", "queue_depth")
"""Fields of a heartbeat whose growth within an incarnation is judged."""

FRESH_S: Final = 15.0
"""Age from which on a heartbeat is not used for judging growth, in seconds."""

BURST_SHARE: Final = 0.25
"""Share of the usual time between heartbeats below which two came together, after a pause of the machine.

What was counted between them took longer than the time between their arrivals: a rate would be far too high.
"""

_USUAL_OF: Final = 5
"""Intervals over which the usual one is smoothed."""

_SOURCE_TOTALS: Final = (
    "applied_total",
    "deduplicated_total",
    "superseded_total",
    "demoted_total",
    "gaps_total",
    "lost_total",
    "lost_batches_total",
    "late_total",
    "wins_total",
)


class Vitals:
    """The vital signs of one child. `now` is monotonic seconds."""

    def __init__(self) -> None:
        self.latest: Heartbeat | None = None
        """Latest heartbeat of the current incarnation; None before its first."""
        self.heard_at: float | None = None
        """Monotonic time of the latest heartbeat."""
        self.info: Mapping[str, str] = {}
        """Addresses that the current incarnation offers, by name."""
        self.events_per_s = 0.0
        """Rate between the last two heartbeats; late ones that come together give none."""
        self._usual_s = 0.0
        """Usual time between two heartbeats; 0: unknown."""
        self.growth = GrowthWatch()
        """Growth of the current incarnation."""
        self._before = dict.fromkeys(TOTALS, 0)
        self._sources_before: dict[str, SourceCounters] = {}

    def heartbeat(self, heartbeat: Heartbeat, now: float) -> None:
        """Store a heartbeat of the current incarnation."""
        if self.latest is not None and self.heard_at is not None and now > self.heard_at:
            elapsed_s = now - self.heard_at
            if elapsed_s >= BURST_SHARE * self._usual_s:
                grown = heartbeat.events_total - self.latest.events_total
                self.events_per_s = max(0, grown) / elapsed_s
                self._usual_s += (elapsed_s - self._usual_s) / (_USUAL_OF if self._usual_s else 1)
            else:
                self._usual_s *= 1 - 1 / (2 * _USUAL_OF)  # if this is no burst but a shorter interval, it is learned
        self.latest, self.heard_at = heartbeat, now

    def data_age_s(self, now: float) -> float | None:
        """Return the age of the latest data of any topic in seconds; None before the first."""
        if self.latest is None or self.latest.last_data_age_s is None or self.heard_at is None:
            return None
        return self.latest.last_data_age_s + now - self.heard_at

    def ended(self) -> None:
        """End the current incarnation; its counts are added to the totals."""
        if self.latest is not None:
            self._before = self.totals()
            self._sources_before = self.sources()
        self.latest, self.heard_at, self.events_per_s, self._usual_s = None, None, 0.0, 0.0
        self.info = {}
        self.growth.restart()

    def look(self, now: float) -> list[str]:
        """Judge the growth of the figures in `GROWING`; return those that newly exceed their limit.

        Call it at a steady interval.
        """
        if self.latest is None or self.heard_at is None or now - self.heard_at > FRESH_S:
            return []
        return self.growth.sample(now, {name: float(getattr(self.latest, name)) for name in GROWING})

    def totals(self) -> dict[str, int]:
        """Return the counts over all incarnations, by the names in `TOTALS`."""
        if self.latest is None:
            return dict(self._before)
        return {name: count + getattr(self.latest, name) for name, count in self._before.items()}

    def sources(self) -> dict[str, SourceCounters]:
        """Return the engine's counts of each worker over all incarnations of the engine, with the latest latencies."""
        now: Mapping[str, SourceCounters] = self.latest.sources if self.latest is not None else {}
        return {
            name: _sum(self._sources_before.get(name), now.get(name)) for name in sorted({*self._sources_before, *now})
        }


def _sum(before: SourceCounters | None, now: SourceCounters | None) -> SourceCounters:
    if before is None or now is None:
        return now or before or SourceCounters(0, 0, 0, 0, 0.0, 0.0)
    totals = {name: getattr(before, name) + getattr(now, name) for name in _SOURCE_TOTALS}
    return msgspec.structs.replace(now, **totals, stages=added((before.stages, now.stages)))
