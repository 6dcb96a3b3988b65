"""Reading the log of a run request by request: what to ask next, and what a reader has missed. Pure."""

from __future__ import annotations

import datetime
import re
from typing import Any

from foxtrot_protocol.control import LogLevel, LogsRequest
from foxtrot_protocol.errors import MalformedMessage

__all__ = ["LogTail", "duration_s", "parse_since"]

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")


class LogTail:
    """The cursor of one reader; it survives the end of a run and the begin of the next.

    Args:
        name: worker, connection or process; "": all.
        level: only lines of this level or worse.
        since_ns: only lines from this time on, ns since 1970; 0: all.
    """

    def __init__(self, name: str = "", level: LogLevel = "debug", since_ns: int = 0) -> None:
        self._name = name
        self._level = level
        self._since_ns = since_ns
        self._after = 0
        self._run_id = ""
        self.notices: list[str] = []
        """What a person should know about the lines taken last."""
        self.more = True
        """Whether the next request has lines at once."""

    def request(self, wait_s: float = 0.0) -> LogsRequest:
        """Return the next request; `wait_s`: seconds that the supervisor waits for a line."""
        return LogsRequest(self._after, self._name, self._level, self._since_ns, wait_s)

    def take(self, answer: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the lines of the answer to `request`; raises `MalformedMessage` if it is none."""
        self.notices = []
        try:
            run_id, lines, following = str(answer["run_id"]), list(answer["lines"]), int(answer["next"])
            missed, first_at_ns, first = int(answer["missed"]), int(answer["first_at_ns"]), int(answer["first_seq"])
            more = bool(answer["more"])
        except (KeyError, TypeError, ValueError) as error:
            raise MalformedMessage(f"reply: not log lines: {error!r}") from None
        if self._run_id and run_id != self._run_id:
            self.notices.append("a new run begins")
            self._run_id, self._after, self.more = run_id, 0, True
            return []  # the answer may begin in the middle of that run
        if missed:
            self.notices.append(f"{missed} lines fell out of the supervisor's memory before they were read")
        elif not self._after and first > 1 and (not self._since_ns or first_at_ns > self._since_ns):
            self.notices.append(f"{first - 1} earlier lines have fallen out of the supervisor's memory")
        self._run_id, self._after, self.more = run_id, following, more
        return lines


def duration_s(value: str | float) -> float:
    """Return a duration in seconds: ``90s``, ``5m``, ``2h``, ``1d``, or the seconds; raises ValueError."""
    if isinstance(value, str):
        found = _DURATION.fullmatch(value.strip())
        if found:
            return float(found[1]) * _UNITS_S[found[2]]
    elif value > 0:
        return float(value)
    raise ValueError(f"{value!r}: expected a duration such as 30s, 5m, 2h or 1d, or seconds")


def parse_since(text: str, now: datetime.datetime) -> int:
    """Return the time that `text` means, ns since 1970.

    Args:
        text: a duration before `now`, such as ``90s``, ``5m``, ``2h``, ``1d``, or a time in ISO 8601: without an offset
            it is local, without a date it is of today.
        now: the present, with its time zone.

    Raises:
        ValueError: if it is neither.
    """
    if _DURATION.fullmatch(text.strip()):
        return max(0, int((now.timestamp() - duration_s(text)) * 1e9))
    try:
        if re.fullmatch(r"\d\d:\d\d(:\d\d)?", text):
            at = datetime.datetime.combine(now.date(), datetime.time.fromisoformat(text), now.tzinfo)
        else:
            at = datetime.datetime.fromisoformat(text)
        return max(0, int((at if at.tzinfo else at.replace(tzinfo=now.tzinfo)).timestamp() * 1e9))
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r}: expected a duration such as 30s, 5m, 2h or 1d, or a time in ISO 8601") from None
