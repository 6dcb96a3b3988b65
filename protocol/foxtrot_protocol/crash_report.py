"""Report of an exception that ends a process: cause in one line, stack, exit code. Pure.

A cause names the exception, its text and the place that a user can act on: the innermost frame in the user's own
files, else the innermost one outside the standard library.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from types import TracebackType

from foxtrot_protocol.exit_codes import ChildExit

__all__ = ["TEXT_CHARS_MAX", "TRACE_CHARS_MAX", "cause_of", "exit_code_of", "is_from_package", "place_in", "trace_of"]

TEXT_CHARS_MAX = 500
"""Characters kept of an exception's own text."""

TRACE_CHARS_MAX = 8000
"""Characters kept of a formatted stack; its end, which holds the failing line, is kept."""

_STDLIB = traceback.__file__.rpartition("/")[0] + "/"
_INSTALLED = ("/site-packages/", "/dist-packages/")
_PACKAGES = ("/foxtrot_protocol/", "/foxtrot_workers/", "/foxtrot_supervisor/")

Place = tuple[str, int, str]
"""File, line, function."""


def cause_of(error: BaseException) -> str:
    """The cause in one line, ``TypeError: its text (/path/file.py:12 in function)``. Never raises."""
    return f"{_headline(error)}{_in_brackets(place_in(_places(error)))}"


def trace_of(error: BaseException) -> str:
    """The formatted stack, the last `TRACE_CHARS_MAX` characters of it. Never raises."""
    try:
        text = "".join(traceback.format_exception(error))
    except Exception as problem:  # an exception's own methods may be broken
        text = f"{type(error).__name__}, which cannot be shown: {type(problem).__name__}"
    return text[-TRACE_CHARS_MAX:]


def exit_code_of(error: BaseException) -> int:
    """The exit code of a child that `error` ends.

    ``sys.exit(3)`` keeps its code, unless that code has a meaning of ours: code that is not ours must not be able to
    say that a feed ended cleanly or may never be restarted.
    """
    if isinstance(error, MemoryError):
        return ChildExit.OUT_OF_MEMORY
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        code = error.code & 0xFF
        if code not in ChildExit._value2member_map_:
            return code
    return ChildExit.CRASH


def is_from_package(trace: TracebackType | None) -> bool:
    """Whether the code at the bottom of this stack, below any machinery of threads and event loops, is ours."""
    for file, _, _ in _frames(trace):
        if not _is_library(file):
            return any(package in file for package in _PACKAGES)
    return True


def place_in(places: Iterable[Place]) -> Place | None:
    """Of `places`, outermost first, the one that a user can act on; None if there are none."""
    known = [place for place in places if not place[0].startswith("<frozen ")]
    theirs = [place for place in known if not _is_library(place[0]) and not _is_ours(place[0])]
    outside = [place for place in known if not _is_stdlib(place[0])]
    for choice in (theirs, outside, known):
        if choice:
            return choice[-1]
    return None


def _headline(error: BaseException) -> str:
    name = type(error).__name__
    try:
        text = str(error)
    except Exception:
        text = "its text cannot be shown"
    if isinstance(error, SystemExit):
        return f"sys.exit({text}) was called"[:TEXT_CHARS_MAX]
    return f"{name}: {text}"[:TEXT_CHARS_MAX] if text else name


def _places(error: BaseException) -> list[Place]:
    if isinstance(error, BaseExceptionGroup):
        return _places(error.exceptions[0])
    places = _frames(error.__traceback__)
    if isinstance(error, SyntaxError) and error.filename is not None:
        places.append((error.filename, error.lineno or 0, ""))
    return places


def _frames(trace: TracebackType | None) -> list[Place]:
    places = []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append((code.co_filename, trace.tb_lineno, code.co_name))
        trace = trace.tb_next
    return places


def _in_brackets(place: Place | None) -> str:
    if place is None:
        return ""
    file, line, function = place
    return f" ({file}:{line} in {function})" if function not in ("", "<module>") else f" ({file}:{line})"


def _is_library(file: str) -> bool:
    """Installed code that is not ours."""
    return _is_stdlib(file) or (any(part in file for part in _INSTALLED) and not _is_ours(file)) or file[:1] == "<"


def _is_stdlib(file: str) -> bool:
    return file.startswith(_STDLIB) and not any(part in file for part in _INSTALLED)


def _is_ours(file: str) -> bool:
    return any(package in file for package in _PACKAGES)
