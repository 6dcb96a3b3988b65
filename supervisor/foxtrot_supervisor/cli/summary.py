"""Summary of a supervisor without a terminal, logged at a steady interval: totals and the latest events. Pure.

It shows readers of the log that data flows, and some of the data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from foxtrot_supervisor.report.process_rows import all_workers, serves

__all__ = ["EVENTS_SHOWN", "FIRST_S", "SUMMARY_S", "Summary"]

FIRST_S = 1.0
"""Interval in seconds until some events have been shown."""

SUMMARY_S = 10.0
"""Interval in seconds from then on."""

EVENTS_SHOWN = 3
"""Latest events shown with each summary; after as many the interval becomes `SUMMARY_S`."""


class Summary:
    """Turns statuses into log records; keeps the events shown last."""

    def __init__(self) -> None:
        self._next_s = 0.0
        self._now_s = 0.0
        self._shown_s = 0.0
        self._shown_count = 0
        self._shown: list[str] = []

    def records(self, status: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        """Return (event, fields) of each log record due at this status; the clock is the supervisor's uptime."""
        uptime = float(status.get("supervisor", {}).get("uptime_s") or 0.0)
        self._now_s = uptime
        if uptime < self._next_s:
            return []
        fresh = self._fresh_events(status)
        self._shown_count += len(fresh)
        self._next_s = uptime + (SUMMARY_S if self._shown_count >= EVENTS_SHOWN else FIRST_S)
        if not fresh and uptime < self._shown_s + SUMMARY_S:
            return []
        self._shown_s = uptime
        self._shown = fresh or self._shown
        return [("summary", _totals(status)), *(("market_event", {"line": line}) for line in fresh)]

    def due_in_s(self) -> float:
        """Seconds from the last status until the next one is needed: assembling a status costs time."""
        return max(0.0, self._next_s - self._now_s)

    def _fresh_events(self, status: Mapping[str, Any]) -> list[str]:
        recent = [str(line) for line in status.get("engine", {}).get("recent") or ()][-EVENTS_SHOWN:]
        return [line for line in recent if line not in self._shown]


def _totals(status: Mapping[str, Any]) -> dict[str, Any]:
    engine, workers = status.get("engine", {}), all_workers(status)
    return {
        "events_total": engine.get("events_total", 0),
        "events_per_s": round(float(engine.get("events_per_s") or 0.0), 1),
        "workers_running": sum(map(serves, workers)),
        "workers": len(workers),
        "restarts_total": sum(int(worker.get("restarts_total") or 0) for worker in workers),
        "gaps_total": sum(int(worker.get("gaps_total") or 0) for worker in workers),
        "lost_total": sum(int(worker.get("lost_total") or 0) for worker in workers),
    }
