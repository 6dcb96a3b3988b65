"""A sink for tests: one line for each row, written with one system call; it fails, hangs or refuses as a file says.

``behaviour`` in its folder: "" (or missing): works; "away": unreachable; "hang": calls never return; "forget": calls
take a while and forget one cancellation; "block": blocks the event loop; "crash": raises; "exit": ends the process. The
rest of the line: how many rows it may buffer.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from msgspec import Struct

from foxtrot_protocol.child import ChildContext
from foxtrot_protocol.events import Gap, Trade
from foxtrot_supervisor.sinks import catalog, sink_process
from foxtrot_supervisor.sinks.sink import SinkContext, SinkRow, SinkUnavailable

__all__ = ["FileSettings", "FileSink", "SunkRow", "run", "sunk_rows"]


class FileSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the sink."""

    folder: str


class FileSink:
    """Appends to ``rows`` in its folder."""

    settings: ClassVar[type[Struct]] = FileSettings

    def __init__(self, settings: FileSettings, context: SinkContext) -> None:
        self._folder = Path(settings.folder)
        self._file = -1
        self._durable = 0
        self._forgot = False

    @staticmethod
    def problems(settings: FileSettings) -> list[tuple[str, str]]:
        return []

    async def open(self) -> None:
        await self._behave()
        self._file = os.open(self._folder / "rows", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    async def write(self, rows: Sequence[SinkRow]) -> int:
        await self._behave()
        for row in rows:
            os.write(self._file, _line(row))
        self._durable = rows[-1].number
        return self._durable

    async def flush(self) -> int:
        return self._durable

    async def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def counts(self) -> dict[str, int]:
        return {}

    async def _behave(self) -> None:
        path = self._folder / "behaviour"
        match path.read_text() if path.exists() else "":
            case "away":
                raise SinkUnavailable("the store is away")
            case "hang":
                await asyncio.sleep(3600)
            case "forget":
                try:
                    await asyncio.sleep(0.3)
                except asyncio.CancelledError:
                    if self._forgot:
                        raise
                    self._forgot = True
            case "block":
                time.sleep(3600)  # noqa: ASYNC251
            case "crash":
                raise RuntimeError("a defect of the sink")
            case "exit":
                os._exit(3)


class SunkRow(Struct, frozen=True):
    """One line of the file."""

    number: int
    key: str
    kind: str
    symbol: str
    identifier: str
    content: str


def sunk_rows(folder: Path) -> list[SunkRow]:
    """Return the rows that were written, in order, each number once.

    A repeated write must say the same, and must not come before what it repeats.
    """
    path = folder / "rows"
    rows: dict[int, SunkRow] = {}
    whole = path.read_text().rpartition("\n")[0] if path.exists() else ""
    for line in whole.splitlines():
        number, *rest = line.split("\t")
        row = SunkRow(int(number), *rest)
        assert rows.setdefault(row.number, row) == row
    return list(rows.values())


async def run(context: ChildContext) -> int:
    """Start target of a sink's process that knows kind "file"."""
    catalog.BUILT_IN["file"] = "tests.support.file_sink:FileSink"
    return await sink_process.run(context)


def _line(row: SinkRow) -> bytes:
    event: Any = row.event
    content = ""
    identifier = event.trade_id if isinstance(event, Trade) else ""
    if isinstance(event, Gap):
        content = f"{event.cause} {event.first_id} {event.last_id} {event.filled}"
    return "\t".join((str(row.number), row.key, row.kind, row.symbol, identifier, content)).encode() + b"\n"
