"""Recorded frames as JSON lines, as `replay` reads them. Pure.

Keys: ``t``, ``dir``, ``url``, ``raw``, ``enc`` of every recording; ``purpose`` and ``status`` of a REST answer; on the
first line of a chunk ``session``; ``lost`` where frames are missing before a line.
"""

from __future__ import annotations

import base64
from typing import Literal

import msgspec
from msgspec import Struct

from foxtrot_protocol.frames_layout import FramesRecord, Kind
from foxtrot_protocol.segments import Lost, Session

__all__ = ["RecordedLine", "encode_lines", "lines_of", "received_lines"]

TOO_LARGE = "larger than half the frames ring"


class RecordedLine(Struct, omit_defaults=True, kw_only=True):
    """One line."""

    t: int
    dir: Literal["in", "out", "http"]
    url: str | None = None
    raw: str
    enc: Literal["base64"] | None = None
    purpose: str | None = None
    status: int | None = None
    session: Session | None = None
    lost: list[Lost] | None = None


encode_lines = msgspec.json.Encoder().encode_lines


def received_lines(record: FramesRecord) -> bytes | None:
    """Return the encoded lines of a record of received text, as those of `lines_of`; None for any other record.

    The reference of the compiled form, `_lines.take_lines`.
    """
    if record.kind is not Kind.RECEIVED:
        return None
    time_ns = record.time_ns
    try:
        return encode_lines([RecordedLine(t=time_ns, dir="in", raw=part.decode()) for part in record.parts])
    except UnicodeDecodeError:
        return None


def lines_of(record: FramesRecord) -> tuple[list[RecordedLine], Lost | None]:
    """Return the lines of a record; for a frame that was too large none, and what is lost."""
    time_ns, kind = record.time_ns, record.kind
    if kind is Kind.RECEIVED:
        return [_line(time_ns, "in", part) for part in record.parts], None
    if kind is Kind.SENT:
        return [_line(time_ns, "out", record.parts[0])], None
    if kind is Kind.OMITTED:
        reason = f"{_text(record.parts[0])}: {_text(record.parts[1])} bytes, {TOO_LARGE}"
        return [], Lost(frames=1, reason=reason, after_ns=time_ns, before_ns=time_ns)
    purpose, address, body = record.parts
    line = _line(time_ns, "http", body)
    line.url, line.purpose, line.status = _text(address), _text(purpose), record.status
    return [line], None


def _text(part: bytes) -> str:
    return part.decode(errors="replace")


def _line(time_ns: int, direction: Literal["in", "out", "http"], payload: bytes) -> RecordedLine:
    try:
        return RecordedLine(t=time_ns, dir=direction, raw=payload.decode())
    except UnicodeDecodeError:
        return RecordedLine(t=time_ns, dir=direction, raw=base64.b64encode(payload).decode(), enc="base64")
