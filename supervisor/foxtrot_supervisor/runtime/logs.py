"""The supervisor's log: structured lines on stderr, as JSON or for people, or kept for the live view.

Repetition is bounded: of lines with the same event and worker at most `REPEATS_MAX` are let through in
`REPEATS_PERIOD_S`; how many were held back is told with the next one. A crash loop cannot fill a disk.

No line waits for stderr (`foxtrot_protocol.standard_streams`): what cannot be written is dropped, counted and reported.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Protocol, TextIO, TypeAlias, cast

from foxtrot_protocol.lean_import import without
from foxtrot_protocol.standard_streams import LogFile, report_dropped_as
from foxtrot_supervisor.config.schema import LogFormat

with without("rich"):
    import structlog

__all__ = ["KEYS_MAX", "RECENT_LINES_MAX", "REPEATS_MAX", "REPEATS_PERIOD_S", "Log", "Logs", "RepeatGate"]

Tell: TypeAlias = Callable[[str, str, dict[str, str]], None]

REPEATS_MAX = 20
REPEATS_PERIOD_S = 60.0

KEYS_MAX = 1000
"""Different (event, worker) pairs remembered; beyond it the memory starts afresh."""

RECENT_LINES_MAX = 100
"""Lines kept for a live view."""

_FIELD_CHARACTERS_MAX = 2000
_NOT_IN_A_LINE = frozenset(("event", "level", "timestamp"))
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_Event: TypeAlias = MutableMapping[str, Any]


class Log(Protocol):
    """A structured logger: an event and its fields."""

    def debug(self, event: str, /, **fields: Any) -> Any: ...
    def info(self, event: str, /, **fields: Any) -> Any: ...
    def warning(self, event: str, /, **fields: Any) -> Any: ...
    def error(self, event: str, /, **fields: Any) -> Any: ...


class RepeatGate:
    """Which lines to let through; pure, `now` is monotonic seconds."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def admit(self, event: str, worker: str, now: float) -> int | None:
        """None: hold this line back. Else how many like it were held back before."""
        key = (event, worker)
        if key not in self._seen and len(self._seen) >= KEYS_MAX:
            self._seen.clear()
        since, count = self._seen.get(key, (now, 0))
        held_back = 0
        if now - since >= REPEATS_PERIOD_S:
            held_back, since, count = max(0, count - REPEATS_MAX), now, 0
        self._seen[key] = (since, count + 1)
        return held_back if count < REPEATS_MAX else None


class Logs:
    """The log of one supervisor; `level` is debug, info, warning or error.

    `tell(level, event, fields)`, if given, gets every line that is let through as well.
    """

    def __init__(self, level: str, log_format: LogFormat, tell: Tell | None = None) -> None:
        report_dropped_as(log_format)
        self._gate = RepeatGate()
        self._tell = tell
        self._recent: deque[str] = deque(maxlen=RECENT_LINES_MAX)
        processors: list[Any] = [
            self._bound,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            self._keep,
        ]
        if log_format == "json":
            processors.append(structlog.processors.JSONRenderer(default=str))
        elif log_format == "console":
            processors.append(
                structlog.dev.ConsoleRenderer(colors=sys.stderr is not None and sys.stderr.isatty(), pad_event_to=28)
            )
        else:
            processors.append(_drop)
        self.log: Log = structlog.wrap_logger(
            structlog.WriteLogger(cast(TextIO, LogFile())),
            processors=processors,
            wrapper_class=structlog.make_filtering_bound_logger(_LEVELS.get(level, 20)),
        )

    def recent(self) -> list[str]:
        """The last lines, oldest first."""
        return list(self._recent)

    def relay(self, worker: str, level: str, event: str, fields: Mapping[str, str]) -> None:
        """Log a line that a child has sent."""
        emit = getattr(self.log, level if level in _LEVELS else "info")
        reserved = {"worker", *_NOT_IN_A_LINE}
        emit(event, worker=worker, **{key: value for key, value in fields.items() if key not in reserved})

    def _bound(self, _logger: Any, _method: str, event: _Event) -> _Event:
        held_back = self._gate.admit(str(event["event"]), str(event.get("worker", "")), time.monotonic())
        if held_back is None:
            raise structlog.DropEvent
        if held_back:
            event["held_back"] = held_back
        for key, value in event.items():
            if isinstance(value, str) and len(value) > _FIELD_CHARACTERS_MAX and key != "stacks":
                event[key] = value[:_FIELD_CHARACTERS_MAX] + "…"
        return event

    def _keep(self, _logger: Any, _method: str, event: _Event) -> _Event:
        fields = " ".join(f"{key}={value}" for key, value in event.items() if key not in _NOT_IN_A_LINE)
        if self._tell is not None:
            told = {key: str(value) for key, value in event.items() if key not in _NOT_IN_A_LINE}
            self._tell(str(event["level"]), str(event["event"]), told)
        clock = str(event["timestamp"])[11:19]
        self._recent.append(" ".join(f"{clock} {event['level']:<7} {event['event']} {fields}".splitlines()).rstrip())
        return event


def _drop(_logger: Any, _method: str, _event: _Event) -> str:
    raise structlog.DropEvent
