"""A child's log: structured lines to stderr, or over the control link to the supervisor's live view.

No line waits for stderr (`foxtrot_protocol.standard_streams`): what cannot be written is dropped, counted and reported.

At most `REPEATS_MAX` lines with the same event are logged in `REPEATS_PERIOD_S`; the next line says how many were held
back (`foxtrot_protocol.log_limits`).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, TextIO, cast

from foxtrot_protocol.child import ChildLog
from foxtrot_protocol.commands import FromChild, LogRecord
from foxtrot_protocol.lean_import import without
from foxtrot_protocol.log_limits import Repetition, shorten
from foxtrot_protocol.spec import ChildSpec
from foxtrot_protocol.standard_streams import LogFile, report_dropped_as

with without("rich"):
    import structlog

__all__ = ["FIELD_CHARACTERS_MAX", "REPEATS_MAX", "make_log"]

REPEATS_MAX = 5
"""Lines with the same event in `REPEATS_PERIOD_S`."""

FIELD_CHARACTERS_MAX = 500

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def make_log(spec: ChildSpec, send: Callable[[FromChild], None]) -> ChildLog:
    """Return the log of a child in the format that `spec` names; `send`: its control link, for the format ``link``."""
    threshold = _LEVELS.get(spec.log_level, 20)
    if spec.log_format == "link":
        return _LinkLog(spec.name, threshold, send)
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if spec.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr is not None and sys.stderr.isatty(), pad_event_to=28)
    )
    report_dropped_as(spec.log_format, worker=spec.name, incarnation=spec.incarnation)
    repetition = Repetition(REPEATS_MAX)

    def bound(logger: Any, method: str, event: Any) -> Any:
        held_back = repetition.admit(str(event["event"]), time.monotonic())
        if held_back is None:
            raise structlog.DropEvent
        if held_back:
            event["held_back"] = held_back
        for key, value in event.items():
            if isinstance(value, str):
                event[key] = shorten(key, value, FIELD_CHARACTERS_MAX)
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


class _LinkLog:
    """Log lines as control messages."""

    def __init__(self, worker: str, threshold: int, send: Callable[[FromChild], None]) -> None:
        self._worker = worker
        self._threshold = threshold
        self._send = send
        self._repetition = Repetition(REPEATS_MAX)

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
        texts = {key: shorten(key, str(value), FIELD_CHARACTERS_MAX) for key, value in fields.items()}
        if held_back:
            texts["held_back"] = str(held_back)
        self._send(LogRecord(self._worker, level, event, texts))
