"""The sink of kind ``parquet``: an event recorder whose files every tool for tables reads (``docs/recording.md``).

Rows are collected and published together, when they are many, large or old enough; what is not published yet is in the
sink's spool and comes again after a crash. `foxtrot_supervisor.tables.writer` makes each row appear in one file only.
"""

from __future__ import annotations

import asyncio
import errno
import importlib
import importlib.util
import os
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, TypeVar, cast

import msgspec
from msgspec import Struct

from foxtrot_supervisor.config.setting import SECONDS_MAX, Range, Setting
from foxtrot_supervisor.sinks.sink import SinkContext, SinkMisconfigured, SinkRow, SinkUnavailable
from foxtrot_supervisor.tables.files import kept_files, remove_files
from foxtrot_supervisor.tables.layout import BUCKETS_MAX
from foxtrot_supervisor.tables.retention import to_remove
from foxtrot_supervisor.tables.unimportable import unimportable
from foxtrot_supervisor.telemetry.disk import disk_space

if TYPE_CHECKING:
    from foxtrot_supervisor.tables.writer import RecordingWriter

__all__ = ["FULL_S", "ParquetSettings", "ParquetSink"]

FULL_S: Final = 60.0
"""While the disk has no more room than when publishing failed, it is tried again at this interval, in seconds.

An attempt encodes all collected rows. Room can also come without free bytes: by a larger quota, or by inodes.
"""

_MIB = 1 << 20
_GIB = 1 << 30

_NEEDS = "needs pyarrow: pip install 'foxtrot-supervisor[record]'"

_NUMBERING = "parquet-numbering"
"""File in the sink's own folder: the identifier under which its rows are published, where it is not the spool's."""

_NUMBERING_BYTES_MAX = 4096

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)

R = TypeVar("R")


class ParquetSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keys of a ``[[sinks]]`` table of kind ``parquet``."""

    directory: Annotated[
        str, Setting(description="Directory of the recording, made if missing; several sinks may share it.")
    ]
    buckets: Annotated[
        int,
        Setting(
            description="Number of parts that the symbols of an exchange are divided into, each with files of its own.",
            range=Range(1, BUCKETS_MAX),
            more="1 is right for some hundred symbols. Changing it is safe: a reader does not need it.",
        ),
    ] = 1
    publish_rows: Annotated[
        int,
        Setting(
            description="Rows after which the collected ones are published as files.", range=Range(1_000, 10_000_000)
        ),
    ] = 500_000
    publish_mib: Annotated[
        float,
        Setting(
            description="Size of the collected rows in memory after which they are published.",
            range=Range(1, 4096),
            more="`spool_mib` of the sink should be twice as much: a spool that is nearly full is published early.",
        ),
    ] = 64.0
    publish_s: Annotated[
        float,
        Setting(
            description="Age of the oldest collected row after which they are published.", range=Range(1, SECONDS_MAX)
        ),
    ] = 300.0
    level: Annotated[int, Setting(description="Level of zstandard compression.", range=Range(1, 22))] = 3
    keep_days: Annotated[
        int | None,
        Setting(
            description="Days before today (UTC) that are kept; older files are removed.",
            range=Range(0, 100_000),
            unset="everything is kept",
        ),
    ] = None
    max_gib: Annotated[
        float | None,
        Setting(
            description="Largest size of the recording; beyond it the oldest files are removed.",
            range=Range(0, 1_000_000, above=True),
            unset="only the disk limits it",
        ),
    ] = None
    min_free_mib: Annotated[
        float,
        Setting(
            description="Space on the disk below which recording pauses.",
            range=Range(0, 1_000_000_000),
            more="Rows wait in the sink's spool meanwhile; when it is full, what is lost is recorded as gaps.",
        ),
    ] = 256.0


class _Numbering(Struct, frozen=True):
    """`RecordingWriter`'s identifier, and the row after which it holds; `of`: the spool's own identifier."""

    of: str
    spool: str
    after: int


class ParquetSink:
    """Writes rows into the Parquet files of a recording. All work on files is done in a thread, one call at a time."""

    settings: ClassVar[type[Struct]] = ParquetSettings

    def __init__(self, settings: Struct, context: SinkContext) -> None:
        self._settings = cast(ParquetSettings, settings)
        self._context = context
        self.flush_s = self._settings.publish_s
        """Interval of `flush` while no rows come, in seconds."""
        self._writer: RecordingWriter | None = None
        self._lock = threading.Lock()
        """Held by each call in a thread: one whose caller was cancelled goes on."""
        self._due: float | None = None
        self._full: tuple[int, float] | None = None
        """Bytes that were free when there was no room for a publication, and when (monotonic seconds)."""
        self._given = 0
        self._published_rows = 0
        self._published_files = 0
        self._removed_files = 0
        self._recording_bytes = 0

    @staticmethod
    def problems(settings: Struct) -> Sequence[tuple[str, str]]:
        """Return what is wrong with the settings on this machine."""
        directory = cast(ParquetSettings, settings).directory
        found = []
        if importlib.util.find_spec("pyarrow") is None:
            found.append(("kind", _NEEDS))
        if not directory:
            found.append(("directory", "is empty"))
        elif os.path.exists(directory) and not os.path.isdir(directory):
            found.append(("directory", f"{directory} is not a directory"))
        elif os.path.isdir(directory) and not os.access(directory, os.W_OK | os.X_OK):
            found.append(("directory", f"{directory} is not writable for this user"))
        return found

    async def open(self) -> None:
        """Open the recording; finish what a crash interrupted."""
        try:
            # beside the event loop: on a busy machine it takes seconds
            await asyncio.to_thread(_load)
        except ImportError as error:
            raise SinkMisconfigured(f"{_NEEDS} ({error})") from None
        await self._in_thread(self._open)

    async def write(self, rows: Sequence[SinkRow]) -> int:
        """Collect `rows`; publish everything that is collected when it is due."""
        writer = self._opened()
        await self._in_thread(lambda: self._add(rows))
        if writer.rows and self._due is None:
            self._due = time.monotonic() + self._settings.publish_s
        if self._is_due(writer):
            await self._in_thread(self._publish)
        self._given = rows[-1].number
        return min(self._opened().last_row, self._given)

    async def flush(self) -> int:
        """Publish everything that is collected."""
        await self._in_thread(self._publish)
        return min(self._opened().last_row, self._given)

    async def close(self) -> None:
        """Close the recording; rows that are not published come again from the spool."""
        await asyncio.to_thread(self._alone, self._close)

    def counts(self) -> dict[str, int]:
        """Return figures of this process, and the size of the recording when it was last published."""
        writer = self._writer
        return {
            "published_rows_total": self._published_rows,
            "published_files_total": self._published_files,
            "removed_files_total": self._removed_files,
            "recording_bytes": self._recording_bytes,
            "collected_rows": 0 if writer is None else writer.rows,
            "collected_bytes": 0 if writer is None else writer.bytes,
        }

    def _opened(self) -> RecordingWriter:
        if self._writer is None:
            raise SinkUnavailable("the recording is not open")
        return self._writer

    def _is_due(self, writer: RecordingWriter) -> bool:
        return (
            writer.rows >= self._settings.publish_rows
            or writer.bytes >= self._settings.publish_mib * _MIB
            or (self._due is not None and time.monotonic() >= self._due)
        )

    async def _in_thread(self, work: Callable[[], R]) -> R:
        """Do `work` in a thread; its errors become those of sinks."""
        from foxtrot_supervisor.tables.writer import RecordingDamaged

        try:
            return await asyncio.to_thread(self._alone, work)
        except RecordingDamaged as error:
            raise SinkMisconfigured(str(error)) from None
        except OSError as error:
            raise SinkUnavailable(self._reason(error)) from None

    def _alone(self, work: Callable[[], R]) -> R:
        with self._lock:
            return work()

    def _reason(self, error: OSError) -> str:
        directory = self._settings.directory
        if error.errno in _NO_ROOM:
            free, _ = disk_space(directory)
            left = "" if free is None else f", {free // _MIB} MiB are free"
            return f"no room in {directory}{left}: {error.strerror or error}"
        return f"{error.filename or directory}: {error.strerror or error}"

    def _open(self) -> None:
        writer = self._made_writer(self._numbering())
        writer.open()
        self._check_room()
        self._check_room_came()
        self._writer = writer
        self._due = None
        self._given = 0

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _made_writer(self, numbering: _Numbering) -> RecordingWriter:
        from foxtrot_supervisor.tables.writer import RecordingWriter

        settings = self._settings
        return RecordingWriter(
            settings.directory, numbering.spool, after=numbering.after, buckets=settings.buckets, level=settings.level
        )

    def _add(self, rows: Sequence[SinkRow]) -> None:
        from foxtrot_supervisor.tables.writer import NumbersRepeated

        try:
            self._opened().add(rows)
        except NumbersRepeated as repeated:
            # the rows before this one are published: those of this call too, whose number is smaller
            self._context.log.warning("sink_numbers_repeated", sink=self._context.name, row=repeated.number)
            self._opened().close()
            self._write_numbering(_Numbering(self._context.spool, secrets.token_hex(8), repeated.number - 1))
            self._open()
            self._opened().add(rows)

    def _publish(self) -> None:
        writer = self._opened()
        self._due = None
        if not writer.rows:
            return
        self._check_room()
        rows = writer.rows
        try:
            self._published_files += writer.publish()
        except OSError as error:
            free, _ = disk_space(self._settings.directory)
            if error.errno in _NO_ROOM and free is not None:
                self._full = free, time.monotonic()
            raise
        self._full = None
        self._published_rows += rows
        self._prune()

    def _check_room(self) -> None:
        free, _ = disk_space(self._settings.directory)
        least = self._settings.min_free_mib
        if free is not None and free < least * _MIB:
            raise OSError(errno.ENOSPC, f"less than min_free_mib ({least:g})")

    def _check_room_came(self) -> None:
        """Refuse to collect rows again that could not be published, as long as nothing has changed."""
        if self._full is None:
            return
        free, _ = disk_space(self._settings.directory)
        was_free, since = self._full
        if free is not None and free <= was_free and time.monotonic() < since + FULL_S:
            raise OSError(errno.ENOSPC, "it was not enough for the rows that wait")

    def _prune(self) -> None:
        settings = self._settings
        bytes_max = None if settings.max_gib is None else int(settings.max_gib * _GIB)
        kept = kept_files(settings.directory)
        old, self._recording_bytes = to_remove(kept, datetime.now(UTC).date(), settings.keep_days, bytes_max)
        if old:
            self._removed_files += remove_files(old)
            self._context.log.info(
                "sink_files_removed", sink=self._context.name, files=len(old), size_bytes=sum(file.size for file in old)
            )

    def _numbering(self) -> _Numbering:
        """Return the numbering of this spool: its own, unless it has begun again."""
        spool = self._context.spool
        try:
            with open(os.path.join(self._context.directory, _NUMBERING), "rb") as file:
                kept = msgspec.json.decode(file.read(_NUMBERING_BYTES_MAX), type=_Numbering)
        except (FileNotFoundError, msgspec.DecodeError):
            return _Numbering(spool, spool, 0)
        return kept if kept.of == spool else _Numbering(spool, spool, 0)

    def _write_numbering(self, numbering: _Numbering) -> None:
        path = os.path.join(self._context.directory, _NUMBERING)
        with open(f"{path}.new", "wb") as file:
            file.write(msgspec.json.encode(numbering))
            file.flush()
            os.fsync(file.fileno())
        os.rename(f"{path}.new", path)


def _load() -> None:
    """Import what writes, without the time and memory that pandas would take."""
    with unimportable("pandas"):
        import pyarrow

        pyarrow.array([0])  # looks for pandas, once in the life of the process
        importlib.import_module("foxtrot_supervisor.tables.writer")
