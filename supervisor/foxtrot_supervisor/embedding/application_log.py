"""Log of the library: to Python's `logging`, which the application configures, and as `eLog` events.

Repeated lines are rate-limited as in the supervisor's own log. Logging is not configured here: by default Python prints
warnings and errors to stderr.
"""

from __future__ import annotations

import contextlib
import datetime
import logging
import time
from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from foxtrot_protocol.events import EVENT_LOG
from foxtrot_protocol.log_limits import Repetition
from foxtrot_supervisor.engine.bus.event_engine import Event, EventEngine, QueueFull
from foxtrot_supervisor.runtime.logs import REPEATS_MAX

__all__ = ["LOGGER_NAME", "ApplicationLog", "LogData"]

LOGGER_NAME = "foxtrot"

_NUMBERS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_FIELD_CHARACTERS_MAX = 8000
"""Limit of characters of a field; of a longer one, such as a trace, the end is kept."""


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class LogData(Struct, kw_only=True):
    """Data of an `eLog` event, with the fields of vn.py's type."""

    msg: str
    level: int = logging.INFO
    """Level as in `logging`."""
    gateway_name: str = ""
    time: datetime.datetime = field(default_factory=_now)


class ApplicationLog:
    """A `foxtrot_protocol.child.ChildLog`; after `to`, it puts events into an engine as well."""

    def __init__(self, level: str) -> None:
        """Lines below `level` (debug, info, warning, error) are dropped."""
        self._threshold = _NUMBERS[level]
        self._logger = logging.getLogger(LOGGER_NAME)
        self._repetition: Repetition[tuple[str, str]] = Repetition(REPEATS_MAX)
        self._engine: EventEngine | None = None

    def to(self, engine: EventEngine | None) -> None:
        """Put an event into `engine` for each line from now on; None: stop that."""
        self._engine = engine

    def debug(self, event: str, /, **fields: Any) -> None:
        self.emit("debug", "", event, fields)

    def info(self, event: str, /, **fields: Any) -> None:
        self.emit("info", "", event, fields)

    def warning(self, event: str, /, **fields: Any) -> None:
        self.emit("warning", "", event, fields)

    def error(self, event: str, /, **fields: Any) -> None:
        self.emit("error", "", event, fields)

    def emit(self, level: str, worker: str, event: str, fields: Mapping[str, Any]) -> None:
        """Log a line of `worker` ("": the application itself)."""
        number = _NUMBERS.get(level, logging.INFO)
        if number < self._threshold:
            return
        held_back = self._repetition.admit((event, worker), time.monotonic())
        if held_back is None:
            return
        words = [event, *([f"worker={worker}"] if worker else [])]
        words += [f"{key}={str(value)[-_FIELD_CHARACTERS_MAX:]}" for key, value in fields.items()]
        if held_back:
            words.append(f"held_back={held_back}")
        text = " ".join(words)
        self._logger.log(number, "%s", text)
        engine = self._engine
        if engine is not None:
            with contextlib.suppress(QueueFull):  # the line is in the logger already
                engine.put(Event(EVENT_LOG, LogData(msg=text, level=number, gateway_name=worker)))
