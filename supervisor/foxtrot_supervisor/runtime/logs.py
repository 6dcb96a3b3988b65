"""The supervisor's log: structured lines on stderr, as JSON or for people, or kept for the live view.

At most `REPEATS_MAX` lines with the same event and worker are logged in `REPEATS_PERIOD_S`; the next line says how many
were held back (`foxtrot_protocol.log_limits`).

No line waits for stderr (`foxtrot_protocol.standard_streams`): what cannot be written is dropped, counted and reported.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Protocol, TextIO, TypeAlias, cast

from foxtrot_protocol.lean_import import without
from foxtrot_protocol.log_limits import Repetition, shorten
from foxtrot_protocol.standard_streams import LogFile, report_dropped_as
from foxtrot_supervisor.config.schema import LogFormat

with without("rich"):
    import structlog

__all__ = ["RECENT_LINES_MAX", "REPEATS_MAX", "Log", "Logs"]

Tell: TypeAlias = Callable[[str, str, dict[str, str]], None]

REPEATS_MAX = 20
"""Lines with the same event and worker in `REPEATS_PERIOD_S`."""

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


class Logs:
    """The log of one supervisor; `level` is debug, info, warning or error.

    `tell(level, event, fields)`, if given, gets every line that is let through as well.
    """

    def __init__(self, level: str, log_format: LogFormat, tell: Tell | None = None) -> None:
        report_dropped_as(log_format)
        self._repetition = Repetition(REPEATS_MAX)
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
        held_back = self._repetition.admit((str(event["event"]), str(event.get("worker", ""))), time.monotonic())
        if held_back is None:
            raise structlog.DropEvent
        if held_back:
            event["held_back"] = held_back
        for key, value in event.items():
            if isinstance(value, str) and key != "stacks":
                event[key] = shorten(key, value, _FIELD_CHARACTERS_MAX)
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
