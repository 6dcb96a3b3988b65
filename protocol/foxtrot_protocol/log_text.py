"""Log lines for people: local time with its offset, level, event, then key=value. Pure.

Stacks and traces follow their line, indented, with one line for each frame.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["EVENT_WIDTH", "FOLDED_LINES_MAX", "IDENTITY", "LEVELS", "console_text", "fold"]

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
"""Levels and their order."""

IDENTITY = ("process", "worker", "incarnation", "connection", "exchange")
"""Keys that say who wrote a line and what it is about, in the order in which they are shown."""

EVENT_WIDTH = 24
"""Width of the column of events, in characters."""

FOLDED_LINES_MAX = 40
"""Lines of a stack that are shown; the ones in its middle are left out."""

_HEAD = ("timestamp", "level", "event", "seq")
_TRACES = ("trace", "stack", "stacks")
_PLAIN = re.compile(r"[^\s=\"'\\]+")
_FRAME = re.compile(r'\s*File "(?P<path>[^"]*)", line (?P<number>\d+),? in (?P<function>.*)')
_PACKAGES = re.compile(r"^.*/(?:site-packages|dist-packages|lib/python\d+\.\d+)/")
_CARETS = re.compile(r"\s*[~^]+\s*")

_RESET, _DIM, _BOLD, _CYAN = "\x1b[0m", "\x1b[2m", "\x1b[1m", "\x1b[36m"
_COLOURS = {"debug": "\x1b[2m", "info": "\x1b[32m", "warning": "\x1b[33m", "error": "\x1b[1;31m"}

Local = Callable[[datetime.datetime], datetime.datetime]


def console_text(
    line: Mapping[str, Any], *, colour: bool = False, local: Local = lambda at: at.astimezone(), short: bool = False
) -> str:
    """Return a flat line (`LogLine.flat`) as text without a final newline.

    Args:
        line: at least `timestamp`, `level` and `event`.
        colour: whether the text is for a terminal that shows colours.
        local: converts a time to the time zone to show.
        short: only the time of day, and no stacks: for a view of a few lines.
    """
    level, event = str(line.get("level", "")), str(line.get("event", ""))
    pairs = [
        (key, _words(value)) for key, value in _ordered(line) if not (key in _TRACES and (short or "\n" in str(value)))
    ]
    words = [
        _painted(_time(str(line.get("timestamp", "")), local, short), _DIM, colour),
        _painted(f"{level:<{max(map(len, LEVELS))}}", _COLOURS.get(level, ""), colour),
        _painted(f"{event:<{EVENT_WIDTH}}", _BOLD, colour),
        *(f"{_painted(key, _CYAN, colour)}={_quoted(value)}" for key, value in pairs),
    ]
    text = " ".join(words).rstrip()
    for key in _TRACES if not short else ():
        if "\n" in str(line.get(key, "")):
            text += f"\n    {_painted(key, _CYAN, colour)}:" + "".join(
                f"\n    {_painted('│', _DIM, colour)} {each}" for each in fold(str(line[key]))
            )
    return text


def fold(trace: str) -> list[str]:
    """Return a Python traceback or a dump of stacks with one line for each frame, at most `FOLDED_LINES_MAX`."""
    lines = list(_frames(trace))
    if len(lines) <= FOLDED_LINES_MAX:
        return lines
    first = FOLDED_LINES_MAX // 2
    last = FOLDED_LINES_MAX - first - 1
    return [*lines[:first], f"… {len(lines) - first - last} lines …", *lines[-last:]]


def _frames(trace: str) -> Iterator[str]:
    """Join each frame with its line of code."""
    pending = ""
    for text in trace.expandtabs(4).splitlines():
        found = _FRAME.match(text)
        if found:
            if pending:
                yield pending
            pending = f"  {_PACKAGES.sub('', found['path'])}:{found['number']} {found['function']}"
        elif _CARETS.fullmatch(text):
            continue
        elif pending and text.startswith("    ") and "  → " not in pending:
            pending += f"  → {text.strip()}"
        else:
            if pending:
                yield pending
                pending = ""
            if text.strip():
                yield _printable(text.rstrip())
    if pending:
        yield pending


def _ordered(line: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Who and what first, then the fields of the event. The supervisor's name, and what is obvious, is left out."""
    worker = line.get("worker", "")
    for key in IDENTITY:
        value = line.get(key, "")
        if value in ("", None) or (key == "process" and value in ("supervisor", worker)):
            continue
        if key == "connection" and str(worker).startswith(f"{value}."):
            continue
        yield key, value
    for key, value in line.items():
        if key not in IDENTITY and key not in _HEAD:
            yield key, value


def _words(value: Any) -> str:
    """Return a value as a person would write it."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_words(each)}" for key, each in value.items() if each not in ([], {}, "", None))
    if isinstance(value, list | tuple):
        return ", ".join(map(_words, value))
    return str(value)


def _time(timestamp: str, local: Local, short: bool) -> str:
    try:
        at = local(datetime.datetime.fromisoformat(timestamp))
    except ValueError:
        return timestamp
    return at.strftime("%H:%M:%S") if short else at.isoformat(" ", "milliseconds")


def _quoted(value: str) -> str:
    plain = _PLAIN.fullmatch(value) and value.isprintable()
    return value if plain else _printable(json.dumps(value, ensure_ascii=False))


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _painted(text: str, colour: str, wanted: bool) -> str:
    return f"{colour}{text}{_RESET}" if wanted and colour else text
