"""File of rows that a store refuses: one line of JSON each, with the reason; bounded, the oldest go first."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from typing import Final

import msgspec

from foxtrot_supervisor.sinks.sink import RefusedRow
from foxtrot_supervisor.system.private_files import create_private, opened_directory

__all__ = ["FILE_BYTES_MAX", "FILE_NAME", "OLDER_NAME", "DeadLetters"]

FILE_NAME: Final = "refused.jsonl"
OLDER_NAME: Final = "refused.1.jsonl"

FILE_BYTES_MAX: Final = 32 * 1024 * 1024
"""Size at which a file is renamed to `OLDER_NAME`, which takes the place of the one before."""

_encode = msgspec.json.Encoder().encode


class DeadLetters:
    """Appends to the files in one directory."""

    def __init__(self, directory: str) -> None:
        """`directory` exists and is private."""
        self._directory = directory
        self.lost_total = 0
        """Rows that could not be written here: the disk was full."""

    def write(self, rows: Sequence[RefusedRow]) -> None:
        """Append `rows` with their reasons; a full disk loses them, counted."""
        now_ns = time.time_ns()
        lines = b"".join(_line(row, now_ns) for row in rows)
        try:
            with opened_directory(self._directory) as directory:
                descriptor = create_private(FILE_NAME, os.O_WRONLY | os.O_APPEND, directory)
                try:
                    if os.fstat(descriptor).st_size + len(lines) > FILE_BYTES_MAX:
                        with contextlib.suppress(FileNotFoundError):
                            os.rename(FILE_NAME, OLDER_NAME, src_dir_fd=directory, dst_dir_fd=directory)
                        os.close(descriptor)
                        descriptor = create_private(FILE_NAME, os.O_WRONLY | os.O_APPEND, directory)
                    os.write(descriptor, lines)
                finally:
                    os.close(descriptor)
        except OSError:
            self.lost_total += len(rows)


def _line(refused: RefusedRow, now_ns: int) -> bytes:
    row, reason = refused
    event = {"type": type(row.event).__name__, **msgspec.structs.asdict(row.event)}
    return (
        _encode(
            {
                "refused_ns": now_ns,
                "reason": reason,
                "number": row.number,
                "key": row.key,
                "connection": row.connection,
                "kind": row.kind,
                "event": event,
            }
        )
        + b"\n"
    )
