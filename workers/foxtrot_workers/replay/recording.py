"""Read recorded frames: one JSON object a line, plain, gzip or zstandard, in the order of receipt.

Keys: ``t``: time of receipt, ns since 1970, or null; ``dir``: ``in`` from the exchange, ``out`` from the client,
``http`` the answer to a REST request; ``url``; ``raw``: the text of the frame, or the base64 of its bytes
where ``enc`` is ``base64``. The recorder adds ``session`` where another begins, ``lost`` where frames are missing
before a line, and ``purpose`` and ``status`` of an answer. Other keys are ignored.
"""

from __future__ import annotations

import base64
import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Annotated, Literal, cast
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from foxtrot_protocol.recorded_steps import UnreadableRecording
from foxtrot_protocol.segments import Lost, Session
from foxtrot_workers.replay.segment_reader import SegmentDamaged, is_packed, read_lines

__all__ = ["LINE_BYTES_MAX", "RecordedFrame", "RecordingError", "read_recording"]

LINE_BYTES_MAX = 128 * 1024 * 1024
"""Longest line: a frame has at most 32 MiB, and JSON may write one byte as six."""

_GZIP_MAGIC = b"\x1f\x8b"

_WATCHED_LINES = 500
"""Lines between two reports of the position."""


class RecordingError(UnreadableRecording):
    """A recording cannot be read: names the file, and the line (0-based) if the error is in one."""

    def __init__(self, path: Path, line: int | None, reason: str) -> None:
        super().__init__(f"{path}: {reason}" if line is None else f"{path}: line {line}: {reason}")
        self.path = path
        self.line = line
        self.reason = reason


class RecordedFrame(Struct, frozen=True):
    """One line: its 0-based number, receive time (0: unknown), direction, address and bytes."""

    line: int
    receive_ns: int
    direction: Literal["in", "out", "http"]
    url: str
    payload: bytes
    session: Session | None = None
    """The life of a worker that this line and those after it are of; None: as before."""
    lost: list[Lost] = []
    """Frames that are missing before it."""
    purpose: str = ""
    """Of an answer: "adapter", "backfill", "instruments"; "" where the recording does not say."""
    status: int = 200
    """Of an answer, in HTTP."""


class _Line(Struct):
    dir: Literal["in", "out", "http"]
    raw: str
    t: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
    url: str | None = None
    enc: Literal["base64"] | None = None
    session: Session | None = None
    lost: list[Lost] = []
    purpose: str = ""
    status: int = 200


_decode_line = msgspec.json.Decoder(_Line).decode


def read_recording(
    path: Path,
    *,
    from_ns: int = 0,
    until_ns: int | None = None,
    on_damage: Callable[[str], None] | None = None,
    on_position: Callable[[int], None] | None = None,
) -> Iterator[RecordedFrame]:
    """Yield the frames of `path`, one at a time.

    Args:
        path: the file.
        from_ns: chunks of a recorder's segment that end before this time are left out, without unpacking them.
        until_ns: chunks that begin after it too.
        on_damage: called with the reason where a segment of a recorder ends in the middle, after the frames before it.
        on_position: called now and then with the number of bytes of the file that have been read.

    Raises:
        RecordingError: it cannot be read; without `on_damage` also for a segment that ends in the middle.
    """
    try:
        with path.open("rb") as file:
            lines = read_lines(file, from_ns, until_ns) if is_packed(file) else _lines_of(path, _unpacked(file))
            if on_position is not None:
                lines = _watched(lines, file, on_position)
            yield from _frames(path, lines)
    except SegmentDamaged as damage:
        if on_damage is None:
            raise RecordingError(path, None, str(damage)) from None
        on_damage(f"{path}: {damage}")
    except (OSError, EOFError, zlib.error) as error:
        # a truncated or invalid gzip file fails only while it is read
        raise RecordingError(path, None, str(error) or type(error).__name__) from None


def _unpacked(file: IO[bytes]) -> IO[bytes]:
    packed = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
    file.seek(0)
    return cast(IO[bytes], gzip.GzipFile(fileobj=file)) if packed else file


def _watched(lines: Iterator[bytes], file: IO[bytes], on_position: Callable[[int], None]) -> Iterator[bytes]:
    for number, line in enumerate(lines):
        if number % _WATCHED_LINES == 0:
            on_position(file.tell())
        yield line
    on_position(file.tell())


def _lines_of(path: Path, file: IO[bytes]) -> Iterator[bytes]:
    number = 0
    while text := file.readline(LINE_BYTES_MAX + 1):
        if len(text) > LINE_BYTES_MAX:
            raise RecordingError(path, number, f"longer than {LINE_BYTES_MAX} bytes")
        yield text
        number += 1


def _frames(path: Path, lines: Iterator[bytes]) -> Iterator[RecordedFrame]:
    for number, text in enumerate(lines):
        if text.strip():
            yield _frame(path, number, text)


def _frame(path: Path, number: int, text: bytes) -> RecordedFrame:
    try:
        line = _decode_line(text)
        payload = base64.b64decode(line.raw, validate=True) if line.enc else line.raw.encode()
        urlsplit(line.url or "")
    except (msgspec.DecodeError, RecursionError, ValueError) as error:  # base64, UTF-8 and URL errors are ValueErrors
        raise RecordingError(path, number, str(error)) from None
    return RecordedFrame(
        number, line.t or 0, line.dir, line.url or "", payload, line.session, line.lost, line.purpose, line.status
    )
