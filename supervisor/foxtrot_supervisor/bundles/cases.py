"""Which ends of processes get a bundle. Pure; times in monotonic seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from foxtrot_protocol.exit_codes import ChildExit

__all__ = ["ENDS", "SETTLE_S", "Case", "Cases"]

SETTLE_S = 0.5
"""Wait after an incident, so that the last lines of the log and the account of the ring are there."""

REMEMBERED_MAX = 10_000
"""Incarnations that have a bundle and are remembered; the oldest is forgotten."""

ENDS = frozenset(("death", "fatal", "killed", "lost_process"))
"""Kinds of incidents in which a process has died, or is lost, and was not asked to."""

_USUAL_EXITS = frozenset(
    (
        ChildExit.CLEAN,
        ChildExit.CONNECTION_LOST,
        ChildExit.REFUSED,
        ChildExit.STALE,
        ChildExit.ROTATE,
        ChildExit.ORPHANED,
        ChildExit.CONFIGURATION,
    )
)
"""Ends in order: their cause says all there is to say."""


class Case(Struct, frozen=True):
    """A process that has died."""

    worker: str
    incarnation: int
    kind: str
    """Of the incident."""
    cause: str
    at_ns: int
    connection: str
    exchange: str
    details: Mapping[str, Any]


class Cases:
    """Collects ends that have no bundle yet; each incarnation gets one."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], None] = {}
        self._waiting: dict[tuple[str, int], tuple[float, Case]] = {}

    def look(self, incidents: Iterable[Mapping[str, Any]], now: float) -> None:
        """Take incidents of the run, as `status` gives them."""
        for incident in incidents:
            incarnation = incident["incarnation"]
            name = incident["worker"]
            if incident["kind"] not in ENDS or not incarnation or not name or _is_usual(incident):
                continue
            key = (name, incarnation)
            if key in self._known:
                continue
            self._known[key] = None
            if len(self._known) > REMEMBERED_MAX:
                del self._known[next(iter(self._known))]
            case = Case(
                name,
                incarnation,
                incident["kind"],
                incident["cause"],
                incident["at_ns"],
                incident["connection"],
                incident["exchange"],
                incident["details"],
            )
            self._waiting[key] = (now + SETTLE_S, case)

    def due(self, now: float) -> list[Case]:
        """Return the cases whose time has come, oldest first, and forget that they wait."""
        ready = [key for key, (at, _) in self._waiting.items() if at <= now]
        return [self._waiting.pop(key)[1] for key in ready]

    def is_waiting(self, worker: str, incarnation: int) -> bool:
        """Whether a bundle of this incarnation is still to be made."""
        return (worker, incarnation) in self._waiting


def _is_usual(incident: Mapping[str, Any]) -> bool:
    return incident["details"].get("exit_code") in _USUAL_EXITS
