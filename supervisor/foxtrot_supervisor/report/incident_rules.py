"""Which changes of state and which heartbeats are incidents. Pure.

Planned ends (a stop of the run, a removed connection) are none, but a worker that an operator stops alone is one. A
topic that changes its state is one; topics of a worker that change alike within a heartbeat are one together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from foxtrot_protocol.commands import Heartbeat, SourceCounters, TopicStatus
from foxtrot_protocol.events import WorkerStatus
from foxtrot_supervisor.core.child import STOPPED_BY_OPERATOR
from foxtrot_supervisor.core.effects import Publish
from foxtrot_supervisor.core.records import Purpose
from foxtrot_supervisor.report.incidents import Kind, Occurrence, Value

__all__ = ["LOGGED", "TOPICS_NAMED_MAX", "Lives", "engine_heartbeat", "logged", "worker_heartbeat"]

TOPICS_NAMED_MAX: Final = 5
"""Topics that one incident names; further ones are counted."""

_PLANNED: Final = (Purpose.STOP, Purpose.RESTART)
_CROSSED: Final = "crossed for "
"""How `foxtrot_workers.adapter.crossing` begins its reason."""

_BY_STATE: Final[Mapping[str, Kind]] = {
    "stale": "topic_stale",
    "silent": "topic_silent",
    "gap": "topic_gap",
    "delisted": "topic_delisted",
}

_WORKER_COUNTS: Final[Mapping[str, tuple[Kind, str]]] = {
    "rejected_total": ("frames_rejected", "frames could not be parsed"),
    "dropped_total": ("events_dropped", "events were dropped: the ring was full"),
    "snapshots_rejected_total": ("snapshots_rejected", "book snapshots could not be used"),
    "templates_off_total": ("template_off", "kinds of frames lost their templates, which differed from the parser"),
    "budget_refused_total": ("rate_limited", "requests were not sent: the rate limit left no room for them"),
}

_ENGINE_COUNTS: Final[Mapping[str, tuple[Kind, str]]] = {
    "handler_errors_total": ("handler_failed", "calls of handlers raised"),
    "dropped_total": ("events_dropped", "events were dropped: the queue was full"),
    "rejected_total": ("engine_fault", "batches or rings could not be read"),
    "account_violations_total": ("engine_fault", "ring accounts do not balance"),
}

_SOURCE_COUNTS: Final[Mapping[str, tuple[Kind, str]]] = {
    "gaps_total": ("gap", "gaps were announced"),
    "lost_total": ("lost_events", "events were lost and announced"),
    "lost_batches_total": ("lost_events", "batches with an unknown number of events were lost and announced"),
}

_SERVICE_COUNTS: Final[Mapping[str, tuple[Kind, str]]] = {
    "lost_total": ("lost_events", "events were lost to it and announced"),
    "refused_total": ("rows_refused", "rows were refused by the store"),
}
"""By the names in `Heartbeat.counts`."""

_NO_SOURCE: Final = SourceCounters(0, 0, 0, 0, 0.0, 0.0)


_OWN_FIELDS: Final = frozenset({"worker", "process", "incarnation", "trace", "stacks"})

LOGGED: Final[Mapping[str, tuple[Kind, str]]] = {
    "books_asked": ("resync", "{count} books have no snapshot, they were requested again"),
    "budget_spent": ("rate_limited", "{address} refuses {kind} requests for {retry_after_s} s"),
    "clock_in_step": ("clock", "{exchange}: the clock agrees again, it is off by {offset_ms} ms"),
    "clock_off": ("clock", "{exchange}: {reason}"),
    "file_made_again": ("run_dir", "{path}: {reason}"),
    "growth": ("growth", "{what} is {verdict}, by {per_hour} an hour"),
    "guard_lost": ("guard", "the guard was lost: {reason}"),
    "hole_stays": ("backfill_failed", "{connection} {symbol}: {first_id} to {last_id} stay missing: {reason}"),
    "message_rejected": ("guard", "a message was rejected: {reason}"),
    "reload_refused": ("reload_refused", "{reason}"),
    "reloaded": ("reload", "added {added}, removed {removed}, restarted {restarted}, failed {failed}"),
    "ring_file_lost": ("run_dir", "{ring} was removed: {kept}"),
    "run_dir_lost": ("run_dir", "{missing} of {path} was removed"),
    "run_dir_unusable": ("run_dir", "{reason}"),
    "stray_killed": ("strays_killed", "{stray} ({pid}) was left by a child that has ended"),
}
"""Lines of the supervisor's own log that are incidents: kind, and text with fields of the line."""


class _Fields(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "?"


class Lives:
    """Follows the states of children. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._down: dict[str, float] = {}
        """Children that ended unplanned and do not serve again yet, and since when."""

    def changed(self, change: Publish, now: float) -> Occurrence | None:
        """Return the incident that this change of a state is, None if it is none."""
        status = change.status
        match status.state:
            case "RUNNING":
                return self._serves(status, now)
            case "LOST":
                return self._fell("lost_process", status, now)
            case "FATAL":
                return self._fell("fatal", status, now)
            case "STOPPING":
                return self._stopping(change, now)
            case "STOPPED":
                self._down.pop(status.worker, None)  # nobody waits for it
                if status.cause == STOPPED_BY_OPERATOR:
                    return _of("stopped", status, status.cause)  # out of BACKOFF
                has_died = status.exit_code is not None or status.signal is not None
                return _fell("death", status) if has_died and change.purpose is None else None
            case "BACKOFF" | "EXITED" if change.purpose not in _PLANNED:
                return self._fell("death", status, now)
            case _:
                return None

    def _serves(self, status: WorkerStatus, now: float) -> Occurrence | None:
        since = self._down.pop(status.worker, None)
        if since is None:
            return None
        down_s = round(now - since, 3)
        return _of("recovered", status, f"serves again after {down_s:g} s", {"down_s": down_s})

    def _fell(self, kind: Kind, status: WorkerStatus, now: float) -> Occurrence:
        self._down.setdefault(status.worker, now)
        return _fell(kind, status)

    def _stopping(self, change: Publish, now: float) -> Occurrence | None:
        status = change.status
        if status.rung == "kill":
            return _of("killed", status, f"SIGKILL was needed: {status.cause}")
        if status.rung not in (None, "ask"):
            return None
        match change.purpose:
            case Purpose.UNWELL:
                return self._fell("hung", status, now)
            case Purpose.STALE:
                return self._fell("stale_data", status, now)
            case _ if change.rotation == "going":
                return _of("rotation", status, status.cause)
            case _ if change.rotation == "coming":
                return _of("rotation_failed", status, status.cause)
            case Purpose.RESTART:
                return _of("restart", status, status.cause)
            case Purpose.STOP if status.cause == STOPPED_BY_OPERATOR:
                return _of("stopped", status, status.cause)
            case _:
                return None


def worker_heartbeat(name: str, before: Heartbeat | None, now: Heartbeat) -> Iterator[Occurrence]:
    """Yield the incidents that a heartbeat of a worker shows. `before`: the one before of the same incarnation."""
    yield from _grown(name, now.incarnation, before, now, _WORKER_COUNTS)
    yield from _topics(name, before, now)
    for figure, (kind, text) in _SERVICE_COUNTS.items():
        count = now.counts.get(figure, 0) - (before.counts.get(figure, 0) if before is not None else 0)
        if count > 0:
            yield Occurrence(kind, name, f"{count} {text}", now.incarnation, details={"count": count})
    earlier = before.problem if before is not None else ""
    if bool(earlier) != bool(now.problem):
        yield Occurrence(
            "service_problem" if now.problem else "service_whole", name, now.problem or earlier, now.incarnation
        )
    yield from _bundles(before, now)


def engine_heartbeat(name: str, before: Heartbeat | None, now: Heartbeat) -> Iterator[Occurrence]:
    """Yield the incidents that a heartbeat of the engine shows, of the engine and of each worker."""
    yield from _grown(name, now.incarnation, before, now, _ENGINE_COUNTS)
    if now.leaks_total > (before.leaks_total if before is not None else 0):
        yield Occurrence("leak", name, now.leaks[-1] if now.leaks else "", now.incarnation)
    earlier = before.sources if before is not None else {}
    for worker, source in now.sources.items():
        known = earlier.get(worker, _NO_SOURCE)
        if source != known:
            yield from _grown(worker, None, known, source, _SOURCE_COUNTS)


def logged(event: str, fields: Mapping[str, Any]) -> Occurrence | None:
    """Return the incident that a line of the supervisor's log is, None if it is none."""
    rule = LOGGED.get(event)
    if rule is None:
        return None
    kind, text = rule
    shown = {key: _shown(value) for key, value in fields.items() if key not in _OWN_FIELDS}
    worker = str(fields.get("worker", ""))
    return Occurrence(kind, worker, text.format_map(_Fields(shown)), fields.get("incarnation"), details=shown)


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} ({each})" for key, each in value.items()) or "nothing"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "nothing"
    return str(value)


def _grown(
    name: str, incarnation: int | None, before: object, now: object, counts: Mapping[str, tuple[Kind, str]]
) -> Iterator[Occurrence]:
    for field, (kind, text) in counts.items():
        count = getattr(now, field) - (getattr(before, field) if before is not None else 0)
        if count > 0:
            yield Occurrence(kind, name, f"{count} {text}", incarnation, details={"count": count})


def _bundles(before: Heartbeat | None, now: Heartbeat) -> Iterator[Occurrence]:
    """Yield an incident for each new bundle; the service lists the latest as ``worker#incarnation: path``."""
    made = now.counts.get("bundles_total", 0) - (before.counts.get("bundles_total", 0) if before is not None else 0)
    for text in now.recent[-made:] if made > 0 else ():
        of, _, path = text.partition(": ")
        worker, _, incarnation = of.rpartition("#")
        yield Occurrence("bundle", worker, path, int(incarnation))


def _topics(name: str, before: Heartbeat | None, now: Heartbeat) -> Iterator[Occurrence]:
    wrong_before = {topic.topic: topic for topic in before.topics if topic.state in _WRONG} if before else {}
    wrong = {topic.topic: topic for topic in now.topics if topic.state in _WRONG}
    if not wrong and not wrong_before:
        return
    changed: dict[Kind, list[TopicStatus]] = {}
    for topic, status in wrong.items():
        earlier = wrong_before.get(topic)
        kind = _kind(status)
        if earlier is None or _kind(earlier) != kind:
            changed.setdefault(kind, []).append(status)
    if wrong_before:
        whole = [
            topic
            for topic in now.topics
            if topic.state == "flowing" and topic.topic in wrong_before and topic.topic not in wrong
        ]
        if whole:
            changed["topic_flowing"] = whole
    for kind, topics in changed.items():
        named = ", ".join(topic.topic for topic in topics[:TOPICS_NAMED_MAX])
        more = len(topics) - TOPICS_NAMED_MAX
        text = f"{named} and {more} more" if more > 0 else named
        reason = topics[0].reason
        cause = f"{text}: {reason}" if reason else text
        details: dict[str, Value] = {"topic": topics[0].topic, "count": len(topics)}
        yield Occurrence(kind, name, cause, now.incarnation, details=details)


def _kind(topic: TopicStatus) -> Kind:
    found = _BY_STATE.get(topic.state)
    if found is not None:
        return found
    if topic.final:
        return "topic_refused"
    return "crossed_book" if topic.reason.startswith(_CROSSED) else "topic_invalid"


_WRONG: Final = frozenset({*_BY_STATE, "invalid"})


def _fell(kind: Kind, status: WorkerStatus) -> Occurrence:
    details: dict[str, Value] = {"state": status.state, "exit_code": status.exit_code, "signal": status.signal}
    return _of(kind, status, status.cause, details)


def _of(kind: Kind, status: WorkerStatus, cause: str, details: Mapping[str, Value] | None = None) -> Occurrence:
    return Occurrence(kind, status.worker, cause, status.incarnation, status.rung, details or {})
