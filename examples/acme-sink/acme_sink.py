"""A sink of kind ``acme``: one line of JSON for each event, in a file of its own for each day of the exchange's time.

Each line is written once: what was written before a crash is found by the keys at the end of each file.
"""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Struct

from foxtrot_supervisor.config.setting import Setting
from foxtrot_supervisor.sinks.sink import SinkContext, SinkRefuses, SinkRow, SinkUnavailable

REMEMBERED_BYTES = 8 * 1024 * 1024
"""Of each file that is written on: rows that come again after a crash are among the last ones."""

LINE_BYTES_MAX = 1024 * 1024


class AcmeSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Own keys of the kind."""

    directory: Annotated[str, Setting(description="Folder of the files.", example="tape")]


class AcmeSink:
    """Appends lines; durable when they are written."""

    settings: ClassVar[type[Struct]] = AcmeSettings

    def __init__(self, settings: AcmeSettings, context: SinkContext) -> None:
        self._folder = Path(settings.directory)
        self._files: dict[str, tuple[int, set[str]]] = {}
        self._written_total = 0

    @staticmethod
    def problems(settings: AcmeSettings) -> list[tuple[str, str]]:
        """Return what is wrong beyond types."""
        return [] if settings.directory else [("directory", "is empty")]

    async def open(self) -> None:
        """Make the folder."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SinkUnavailable(f"{self._folder}: {error.strerror}") from None

    async def write(self, rows: Sequence[SinkRow]) -> int:
        """Append the rows that are not there yet."""
        if not self._folder.is_dir():
            raise SinkUnavailable(f"{self._folder} is no folder any more")
        lines = [(row, _line(row)) for row in rows]
        refused = [(row, f"a line of {len(line)} bytes") for row, line in lines if len(line) > LINE_BYTES_MAX]
        if refused:
            raise SinkRefuses(refused)
        for row, line in lines:
            try:
                descriptor, known = self._file_of(row)
                if row.key not in known:
                    os.write(descriptor, line)
                    known.add(row.key)
                    self._written_total += 1
            except OSError as error:
                raise SinkUnavailable(f"{self._folder}: {error.strerror}") from None
        return rows[-1].number

    async def flush(self) -> int:
        """Do nothing: every row is durable once it is written."""
        return 0

    async def close(self) -> None:
        """Close the files."""
        for descriptor, _ in self._files.values():
            os.close(descriptor)
        self._files.clear()

    def counts(self) -> dict[str, int]:
        """Return how many lines were written."""
        return {"written_total": self._written_total}

    def _file_of(self, row: SinkRow) -> tuple[int, set[str]]:
        day = _day(row.event)
        if day not in self._files:
            path = self._folder / f"{day}.jsonl"
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            size = os.fstat(descriptor).st_size
            tail = os.pread(descriptor, REMEMBERED_BYTES, max(0, size - REMEMBERED_BYTES))
            whole = tail.rpartition(b"\n")[0]
            os.ftruncate(descriptor, size - (len(tail) - len(whole) - 1 if whole else len(tail)))  # half a line
            known = {json.loads(line)["key"] for line in whole.splitlines()[len(tail) == REMEMBERED_BYTES :]}
            self._files[day] = descriptor, known
        return self._files[day]


def _day(event: Any) -> str:
    at = datetime.datetime.fromtimestamp((event.exchange_ns or event.receive_ns) / 1e9, datetime.UTC)
    return at.date().isoformat()


def _line(row: SinkRow) -> bytes:
    body = {"key": row.key, "number": row.number, "kind": row.kind, **msgspec.structs.asdict(row.event)}
    return msgspec.json.encode(body) + b"\n"
