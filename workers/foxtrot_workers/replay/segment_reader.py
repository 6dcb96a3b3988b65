"""Read the lines of zstandard files: segments of the recorder (`foxtrot_protocol.segments`), or any other."""

from __future__ import annotations

import importlib
import io
import os
from collections.abc import Iterator
from typing import IO, Any

from foxtrot_protocol.segments import CHUNK_BYTES_MAX, PREFIX_BYTES, Chunk, Scan, parse_chunk_prefix, scan_chunks

__all__ = ["NEEDS_EXTRA", "SegmentDamaged", "is_packed", "read_index", "read_lines"]

NEEDS_EXTRA = "needs zstandard: pip install 'foxtrot-supervisor[record]'"

_MAGICS = (b"\x28\xb5\x2f\xfd", *(bytes([0x50 + number, 0x2A, 0x4D, 0x18]) for number in range(16)))
"""First bytes of a zstandard frame, and of a skippable one (RFC 8878, section 3.1)."""


class SegmentDamaged(ValueError):
    """A file cannot be read beyond what was read already; the text says why."""


def is_packed(file: IO[bytes]) -> bool:
    """Whether `file` is of zstandard; it is at its start afterwards."""
    file.seek(0)
    magic = file.read(4)
    file.seek(0)
    return magic in _MAGICS


def read_index(file: IO[bytes]) -> Scan:
    """Return the chunks of a segment, read without unpacking it."""

    def read(at: int, size: int) -> bytes:
        file.seek(at)
        return file.read(size)

    return scan_chunks(read, os.fstat(file.fileno()).st_size)


def read_lines(file: IO[bytes], from_ns: int = 0, until_ns: int | None = None) -> Iterator[bytes]:
    """Yield the lines of a zstandard file.

    Args:
        file: open at its start.
        from_ns: chunks of a segment that end before this time (ns since 1970) are left out.
        until_ns: chunks that begin after it too.

    Raises:
        SegmentDamaged: it ends in the middle, or is damaged; all lines before that have been yielded.
        OSError: it cannot be read, or zstandard is missing.
    """
    try:
        zstandard = importlib.import_module("zstandard")
    except ModuleNotFoundError as error:
        if error.name != "zstandard":
            raise
        raise OSError(NEEDS_EXTRA) from None
    prefix = file.read(PREFIX_BYTES)
    file.seek(0)
    if parse_chunk_prefix(prefix) is None:
        yield from _foreign_lines(zstandard, file)
        return
    index = read_index(file)
    for chunk in index.chunks:
        header = chunk.header
        if header.last_ns >= from_ns and (until_ns is None or header.first_ns <= until_ns):
            yield from _unpacked(zstandard, file, chunk)
    if index.problem:
        raise SegmentDamaged(index.problem)


def _unpacked(zstandard: Any, file: IO[bytes], chunk: Chunk) -> list[bytes]:
    file.seek(chunk.data_at)
    packed = file.read(chunk.end - chunk.data_at)
    try:
        plain = zstandard.ZstdDecompressor().decompress(
            packed, max_output_size=min(chunk.header.plain_bytes, CHUNK_BYTES_MAX)
        )
    except zstandard.ZstdError as error:
        raise SegmentDamaged(f"the chunk at byte {chunk.data_at} is damaged: {error}") from None
    return plain.splitlines(keepends=True) if b"\r" not in plain else list(io.BytesIO(plain))


def _foreign_lines(zstandard: Any, file: IO[bytes]) -> Iterator[bytes]:
    reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    try:
        yield from io.BufferedReader(reader)
    except zstandard.ZstdError as error:
        raise SegmentDamaged(str(error)) from None
