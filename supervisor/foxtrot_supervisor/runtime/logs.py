"""The supervisor's log: structured lines on stderr, as JSON or for people, and the recent ones in memory.

At most `REPEATS_MAX` lines with the same event and worker are logged in `REPEATS_PERIOD_S`; the next line says how many
were held back (`foxtrot_protocol.log_limits`).

Children write their lines to stderr themselves, and send them here to be kept. In the format "link" they only send
them, and nothing is written.

No line waits for stderr (`foxtrot_protocol.standard_streams`): what cannot be written is dropped, counted and reported.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Protocol, TextIO, TypeAlias, cast

from foxtrot_protocol.commands import LogRecord
from foxtrot_protocol.lean_import import without
from foxtrot_protocol.log_line import Identity, LineMaker, LogLine
from foxtrot_protocol.log_text import LEVELS, console_text
from foxtrot_protocol.standard_streams import LogFile, report_dropped_as, shows_colour
from foxtrot_supervisor.config.schema import LogFormat
from foxtrot_supervisor.report.log_memory import LogMemory
from foxtrot_supervisor.runtime.timers import Timers

with without("rich"):
    import structlog

__all__ = ["HELD_BACK_S", "PROCESS", "RECENT_LINES_MAX", "REPEATS_MAX", "Log", "Logs"]

Tell: TypeAlias = Callable[[str, str, dict[str, str]], None]

PROCESS = "supervisor"
"""Name of this process in its lines."""

REPEATS_MAX = 20
"""Lines with the same event and worker in `REPEATS_PERIOD_S`."""

RECENT_LINES_MAX = 100
"""Lines for a live view in the terminal of the supervisor."""

HELD_BACK_S = 10.0
"""Seconds between two looks for repetitions that were held back."""

_FIELD_CHARACTERS_MAX = 2000
_HEAD = ("timestamp", "level", "event", "process")
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
        report_dropped_as(log_format, process=PROCESS)
        self._format = log_format
        self._tell = tell
        self._colour = shows_colour()
        self._file = LogFile()
        self.identify: Callable[[str], Identity] = lambda worker: Identity(worker=worker)
        """Returns what is known of a child by its name; it must not raise."""
        self.on_line: Callable[[], None] = lambda: None
        """Called after each line that is kept."""
        self.memory = LogMemory()
        self._own = LineMaker(PROCESS, self._identified, REPEATS_MAX, _FIELD_CHARACTERS_MAX)
        self._relayed: dict[str, LineMaker] = {}
        self.log: Log = structlog.wrap_logger(
            structlog.WriteLogger(cast(TextIO, self._file)),
            processors=[structlog.processors.add_log_level, self._emit],
            wrapper_class=structlog.make_filtering_bound_logger(LEVELS.get(level, LEVELS["info"])),
        )
        self._threshold = LEVELS.get(level, LEVELS["info"])

    def recent(self) -> list[str]:
        """The last lines, oldest first, for a live view."""
        return [console_text(line, short=True) for line in self.memory.latest(RECENT_LINES_MAX)]

    def relay(self, process: str, incarnation: int, record: LogRecord, *, about_others: bool) -> None:
        """Take a line that incarnation `incarnation` of the child `process` has sent.

        `about_others`: whether it may be about another child, which its fields name.
        """
        level = record.level if record.level in LEVELS else "info"
        if LEVELS[level] < self._threshold:
            return
        fields: dict[str, Any] = dict(record.fields)
        if about_others and fields.get("worker", process) != process:
            number = fields.pop("incarnation", "")
            fields["incarnation"] = int(number) if number.isdecimal() else 0
        else:
            fields |= {"worker": process, "incarnation": incarnation}
        maker = self._relayed.get(process)
        if maker is None:
            maker = LineMaker(process, self._identified, REPEATS_MAX, _FIELD_CHARACTERS_MAX, own=process)
            self._relayed[process] = maker
        line = maker.make(level, record.event, fields, time.monotonic(), record.at_ns or time.time_ns())
        if line is not None:
            self._take(line)

    def tell_held_back(self) -> None:
        """Log how many repetitions were held back of events that have not come again."""
        for line in self._own.held_back(time.monotonic(), time.time_ns()):
            self._take(line)
            if self._format != "link":
                self._file.write(self._written(line) + "\n")
        for maker in self._relayed.values():
            for line in maker.held_back(time.monotonic(), time.time_ns()):
                self._take(line)

    def tell_regularly(self, timers: Timers) -> None:
        """Call `tell_held_back` every `HELD_BACK_S` seconds."""
        self.tell_held_back()
        timers.call_later("held_back", HELD_BACK_S, lambda: self.tell_regularly(timers))

    def forget(self, live: Mapping[str, object]) -> None:
        """Forget children that are not in `live`."""
        for name in [name for name in self._relayed if name not in live]:
            del self._relayed[name]

    def _identified(self, worker: str) -> Identity:
        return self.identify(worker)

    def _emit(self, _logger: Any, _method: str, event: _Event) -> str:
        level, what = str(event.pop("level")), str(event.pop("event"))
        line = self._own.make(level, what, event, time.monotonic(), time.time_ns())
        if line is None:
            raise structlog.DropEvent
        self._take(line)
        if self._format == "link":
            raise structlog.DropEvent
        return self._written(line)

    def _written(self, line: LogLine) -> str:
        return line.json().decode() if self._format == "json" else console_text(line.flat(), colour=self._colour)

    def _take(self, line: LogLine) -> None:
        self.memory.add(line)
        self.on_line()
        if self._tell is not None:
            told = {key: str(value) for key, value in line.flat().items() if key not in _HEAD}
            self._tell(line.level, line.event, told)
