"""A child's log: structured lines to stderr, or over the control link to the supervisor's live view.

No line waits for stderr (`foxtrot_protocol.standard_streams`): what cannot be written is dropped, counted and reported.

Repetition is bounded: the same event is logged at most `REPEATS_MAX` times in `REPEATS_PERIOD_S`; what was
held back is counted and told with the next line. A peer that sends rubbish cannot fill a disk with it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, TextIO, cast

from foxtrot_protocol.child import ChildLog
from foxtrot_protocol.commands import FromChild, LogRecord
from foxtrot_protocol.lean_import import without
from foxtrot_protocol.spec import ChildSpec
from foxtrot_protocol.standard_streams import LogFile, report_dropped_as

with without("rich"):
    import structlog

__all__ = ["FIELD_CHARACTERS_MAX", "REPEATS_MAX", "REPEATS_PERIOD_S", "Repetition", "make_log"]

REPEATS_MAX = 5
REPEATS_PERIOD_S = 60.0
EVENTS_MAX = 500
"""Different events remembered; beyond it the memory starts afresh."""
FIELD_CHARACTERS_MAX = 500
TRACE_CHARACTERS_MAX = 8000
"""For the fields ``trace`` and ``stack``; their ends are what tells, so their beginnings are cut."""

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class Repetition:
    """Which log lines to let through: `repeats_max` alike in `REPEATS_PERIOD_S`; pure, `now` is monotonic seconds."""

    def __init__(self, repeats_max: int = REPEATS_MAX) -> None:
        self._repeats_max = repeats_max
        self._seen: dict[str, tuple[float, int]] = {}

    def admit(self, event: str, now: float) -> int | None:
        """None: hold this line back. Else how many like it were held back before."""
        since, count = self._seen.get(event, (now, 0))
        held_back = 0
        if now - since >= REPEATS_PERIOD_S:
            held_back = max(0, count - self._repeats_max)
            since, count = now, 0
        if len(self._seen) >= EVENTS_MAX:
            self._seen.clear()
        self._seen[event] = (since, count + 1)
        return held_back if count < self._repeats_max else None


def make_log(spec: ChildSpec, send: Callable[[FromChild], None]) -> ChildLog:
    """The log of this child, in the format its specification names."""
    threshold = _LEVELS.get(spec.log_level, 20)
    if spec.log_format == "link":
        return _LinkLog(spec.name, threshold, send)
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if spec.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr is not None and sys.stderr.isatty(), pad_event_to=28)
    )
    report_dropped_as(spec.log_format, worker=spec.name, incarnation=spec.incarnation)
    repetition = Repetition()

    def bound(logger: Any, method: str, event: Any) -> Any:
        held_back = repetition.admit(str(event["event"]), time.monotonic())
        if held_back is None:
            raise structlog.DropEvent
        if held_back:
            event["held_back"] = held_back
        for key, value in event.items():
            if isinstance(value, str):
                event[key] = _cut(key, value)
        return event

    log: ChildLog = structlog.wrap_logger(
        structlog.WriteLogger(cast(TextIO, LogFile())),
        processors=[
            bound,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        worker=spec.name,
        incarnation=spec.incarnation,
    )
    return log


def _cut(key: str, text: str) -> str:
    if key in ("trace", "stack"):
        return text if len(text) <= TRACE_CHARACTERS_MAX else "…" + text[-TRACE_CHARACTERS_MAX:]
    return text if len(text) <= FIELD_CHARACTERS_MAX else text[:FIELD_CHARACTERS_MAX] + "…"


class _LinkLog:
    """Log lines as control messages."""

    def __init__(self, worker: str, threshold: int, send: Callable[[FromChild], None]) -> None:
        self._worker = worker
        self._threshold = threshold
        self._send = send
        self._repetition = Repetition()

    def debug(self, event: str, /, **fields: Any) -> None:
        self._emit("debug", event, fields)

    def info(self, event: str, /, **fields: Any) -> None:
        self._emit("info", event, fields)

    def warning(self, event: str, /, **fields: Any) -> None:
        self._emit("warning", event, fields)

    def error(self, event: str, /, **fields: Any) -> None:
        self._emit("error", event, fields)

    def _emit(self, level: str, event: str, fields: dict[str, Any]) -> None:
        if _LEVELS[level] < self._threshold:
            return
        held_back = self._repetition.admit(event, time.monotonic())
        if held_back is None:
            return
        texts = {key: _cut(key, str(value)) for key, value in fields.items()}
        if held_back:
            texts["held_back"] = str(held_back)
        self._send(LogRecord(self._worker, level, event, texts))
