"""A child's log: structured lines to stderr, and over the control link to the supervisor, which keeps the recent ones.

In the format "link" they only go to the supervisor, which shows them (live view).

No line waits for stderr (`foxtrot_protocol.standard_streams`) or for the link: what cannot be written is dropped and
counted.

At most `REPEATS_MAX` lines with the same event are logged in `REPEATS_PERIOD_S`; the next line says how many were held
back (`foxtrot_protocol.log_limits`).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, MutableMapping
from typing import Any, TextIO, cast

from msgspec import Struct

from foxtrot_protocol.child import ChildLog
from foxtrot_protocol.commands import LogRecord
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.lean_import import without
from foxtrot_protocol.log_line import Identity, LineMaker, LogLine, connection_of
from foxtrot_protocol.log_text import LEVELS, console_text
from foxtrot_protocol.spec import ChildSpec, decode_settings
from foxtrot_protocol.standard_streams import LogFile, report_dropped_as, shows_colour

with without("rich"):
    import structlog

__all__ = ["FIELD_CHARACTERS_MAX", "REPEATS_MAX", "ChildLogs", "identity_of"]

REPEATS_MAX = 5
"""Lines with the same event in `REPEATS_PERIOD_S`."""

FIELD_CHARACTERS_MAX = 500


class _Place(Struct, frozen=True):
    """What of a worker's settings its lines say."""

    connection: str = ""
    exchange: str = ""


def identity_of(spec: ChildSpec) -> Identity:
    """Return what lines of this child say about it."""
    place = _Place()
    if spec.kind == "connection":
        with contextlib.suppress(MalformedMessage):  # reported by what reads the settings
            place = decode_settings(spec.settings, _Place)
    return Identity(
        worker=spec.name, incarnation=spec.incarnation, connection=place.connection, exchange=place.exchange
    )


class ChildLogs:
    """The log of a child in the format that `spec` names; `send` sends to the supervisor, from any thread."""

    def __init__(self, spec: ChildSpec, send: Callable[[LogRecord], None]) -> None:
        own = identity_of(spec)
        self._format = spec.log_format
        self._name = spec.name
        self._send = send
        self._file = LogFile()
        self._colour = shows_colour()

        def identify(worker: str) -> Identity:
            return own if worker == own.worker else Identity(worker=worker, connection=connection_of(worker))

        self._maker = LineMaker(spec.name, identify, REPEATS_MAX, FIELD_CHARACTERS_MAX, own=spec.name)
        report_dropped_as(spec.log_format, process=spec.name, worker=spec.name, incarnation=spec.incarnation)
        self.log: ChildLog = structlog.wrap_logger(
            structlog.WriteLogger(cast(TextIO, self._file)),
            processors=[structlog.processors.add_log_level, self._emit],
            wrapper_class=structlog.make_filtering_bound_logger(LEVELS.get(spec.log_level, LEVELS["info"])),
        )

    def tell_held_back(self) -> None:
        """Log how many repetitions were held back of events that have not come again. Call it now and then."""
        for line in self._maker.held_back(time.monotonic(), time.time_ns()):
            self._send(_record(line, self._name))
            if self._format != "link":
                self._file.write(self._written(line) + "\n")

    def _emit(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
        level, what = str(event.pop("level")), str(event.pop("event"))
        line = self._maker.make(level, what, event, time.monotonic(), time.time_ns())
        if line is None:
            raise structlog.DropEvent
        self._send(_record(line, self._name))
        if self._format == "link":
            raise structlog.DropEvent
        return self._written(line)

    def _written(self, line: LogLine) -> str:
        return line.json().decode() if self._format == "json" else console_text(line.flat(), colour=self._colour)


def _record(line: LogLine, sender: str) -> LogRecord:
    fields = {key: value if isinstance(value, str) else str(value) for key, value in line.fields.items()}
    if line.about.worker != sender:
        fields |= {"worker": line.about.worker, "incarnation": str(line.about.incarnation)}
    return LogRecord(sender, line.level, line.event, fields, line.at_ns)
