"""A log line as data: its writer, its subject, what happened. Pure.

Every process makes its lines by a `LineMaker`, so that the same fact has the same key in each of them:

    timestamp, level, event             when, how bad, what
    process                             who wrote the line: "supervisor", "engine", or a worker
    worker, incarnation                 the child that the line is about
    connection, exchange                of that worker
    ...                                 the fields of the event, see docs/operating.md

What is not known, or does not apply, is left out.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from foxtrot_protocol.log_limits import Repetition, shorten
from foxtrot_protocol.log_text import IDENTITY

__all__ = ["HELD_BACK", "Identity", "LineMaker", "LogLine", "connection_of", "timestamp"]

_ELSEWHERE = frozenset(("timestamp", "level", "event", "seq", *IDENTITY))
"""Keys that no field of an event may have: they are said elsewhere in the line."""


_PLAIN = (bool, int, float, list, tuple, dict, type(None))


class Identity(Struct, frozen=True, kw_only=True):
    """What is known of a child; "" and 0: unknown, or not applicable."""

    worker: str = ""
    incarnation: int = 0
    connection: str = ""
    exchange: str = ""


class LogLine(Struct, frozen=True, kw_only=True):
    """One line. `at_ns`: ns since 1970. `fields`: of the event, in their order."""

    at_ns: int
    level: str
    event: str
    process: str
    about: Identity
    fields: Mapping[str, Any]

    def flat(self) -> dict[str, Any]:
        """Return the line as a flat mapping, as it is written in JSON."""
        about = {
            "worker": self.about.worker,
            "incarnation": self.about.incarnation,
            "connection": self.about.connection,
            "exchange": self.about.exchange,
        }
        return {
            "timestamp": timestamp(self.at_ns),
            "level": self.level,
            "event": self.event,
            "process": self.process,
            **{key: value for key, value in about.items() if value},
            **self.fields,
        }

    def json(self, **first: Any) -> bytes:
        """Return the line as one JSON object without a newline; what JSON does not know becomes text.

        `first`: keys to begin with. Text that is not Unicode is escaped.
        """
        return json.dumps({**first, **self.flat()}, default=str).encode()


HELD_BACK = "lines_held_back"
"""Event of the line that says how many repetitions were not written."""


class LineMaker:
    """Makes the lines of one process: bounded in repetition and length, and complete.

    Args:
        process: who writes.
        identify: returns what is known of a child by its name; it must not raise.
        repeats_max: lines with the same event and child in `REPEATS_PERIOD_S`.
        characters_max: longest field, in characters, but for stacks and traces.
        own: the child that this process is; lines that name no child are about it.
    """

    def __init__(
        self,
        process: str,
        identify: Callable[[str], Identity],
        repeats_max: int,
        characters_max: int,
        own: str = "",
    ) -> None:
        self._process = process
        self._identify = identify
        self._repetition: Repetition[tuple[str, str]] = Repetition(repeats_max)
        self._characters_max = characters_max
        self._own = own

    def make(self, level: str, event: str, fields: Mapping[str, Any], now: float, at_ns: int) -> LogLine | None:
        """Return the line, None if it is held back as a repetition.

        Args:
            level: debug, info, warning or error.
            event: what happened.
            fields: further facts, None and "" left out; `worker`, `incarnation`, `connection`, `exchange` say what
                the line is about.
            now: monotonic seconds.
            at_ns: ns since 1970.
        """
        worker = str(fields.get("worker") or self._own)
        held_back = self._repetition.admit((event, worker), now)
        if held_back is None:
            return None
        bounded = {
            key: self._bounded(key, value)
            for key, value in fields.items()
            if value is not None and value != "" and key not in _ELSEWHERE
        }
        if held_back:
            bounded["held_back"] = held_back
        return LogLine(
            at_ns=at_ns,
            level=level,
            event=event,
            process=self._process,
            about=self._about(worker, fields),
            fields=bounded,
        )

    def held_back(self, now: float, at_ns: int) -> list[LogLine]:
        """Return a line for each event whose last repetitions were held back, and that has not come again since.

        Call it now and then; `now`, `at_ns`: as for `make`.
        """
        return [
            LogLine(
                at_ns=at_ns,
                level="info",
                event=HELD_BACK,
                process=self._process,
                about=self._about(worker, {}),
                fields={"of": event, "held_back": count},
            )
            for (event, worker), count in self._repetition.expired(now)
        ]

    def _bounded(self, key: str, value: Any) -> Any:
        if isinstance(value, _PLAIN) or key == "stacks":  # stacks are bounded where they are read
            return value
        return shorten(key, str(value), self._characters_max)

    def _about(self, worker: str, fields: Mapping[str, Any]) -> Identity:
        known = self._identify(worker) if worker else Identity()
        incarnation = fields.get("incarnation", known.incarnation)
        return Identity(
            worker=worker,
            incarnation=incarnation if isinstance(incarnation, int) else 0,
            connection=str(fields.get("connection") or known.connection),
            exchange=str(fields.get("exchange") or known.exchange),
        )


def connection_of(worker: str) -> str:
    """Return the connection of a worker, whose name is ``CONNECTION.SIDE``; "" for other children."""
    return worker.rpartition(".")[0]


def timestamp(at_ns: int) -> str:
    """Return a time as ISO 8601 with microseconds, in UTC."""
    return _utc(at_ns).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _utc(at_ns: int) -> datetime.datetime:
    return datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(microseconds=at_ns // 1000)
