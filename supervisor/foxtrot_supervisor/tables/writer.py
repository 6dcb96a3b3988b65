"""Writes rows into the Parquet files of a recording, each row into exactly one published file.

Rows are collected in memory and published together: all files of a publication, one for each partition, are written to
a staging folder and synced; then the state file names them and the last row, which is the commit; then they are renamed
to their places. After a crash before the commit nothing was published, and the rows come again from the spool; after a
crash behind it, `RecordingWriter.open` renames the rest. Rows that come again although they were published are dropped.

::

    DIRECTORY/.foxtrot/<spool>/state     last published row, and the files of that publication
    DIRECTORY/.foxtrot/<spool>/staging/  files that are not published yet

Readers never see these: no name there ends with ``.parquet``, and folders that begin with a dot are skipped.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Sequence

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from foxtrot_protocol import __version__
from foxtrot_supervisor.tables.arrow import SORT_KEYS, Row, arrow_batch, arrow_schema
from foxtrot_supervisor.tables.columns import TABLE_OF_EVENT, TABLES
from foxtrot_supervisor.tables.files import published_files
from foxtrot_supervisor.tables.layout import FileName, Partition, bucket_of, day_of, file_name, parse_folder, parse_name

__all__ = [
    "FORMAT_VERSION",
    "PENDING_ROWS_MAX",
    "NumbersRepeated",
    "RecordingDamaged",
    "RecordingWriter",
]

FORMAT_VERSION = 1
"""Version of the tables and of the layout; in the metadata of each file."""

PENDING_ROWS_MAX = 16_384
"""Rows that are kept as Python objects; then they become columns, which take a fraction of the memory."""

_ROW_GROUP_ROWS = 131_072
_ROW_GROUP_ROWS_BOOKS = 16_384
"""Rows of a row group; less for books, whose rows are large."""

_ALIKE_TEXTS = frozenset(("key", "trade_id", "update_id", "first_id", "last_id"))
"""Text that seldom repeats and begins alike from row to row: encoded as differences, not by a dictionary."""

_STATE_BYTES_MAX = 16 << 20


class RecordingDamaged(Exception):
    """What the writer keeps in the recording is not what it has left there; the text says what."""


class NumbersRepeated(Exception):
    """A row has the number of another one that was published: the spool has lost its end, by a loss of power perhaps.

    Its rows from `number` on must be written under another spool's identifier.
    """

    def __init__(self, number: int, spool: str) -> None:
        super().__init__(f"row {number} of spool {spool} is another than the published one")
        self.number = number


class _File(Struct, frozen=True):
    """One file of a publication: its name in the staging folder, and its place."""

    staged: str
    folder: str
    name: str


class _State(Struct, frozen=True):
    version: int
    last_row: int
    files: list[_File]


class RecordingWriter:
    """Collects rows of one spool and publishes them. Not thread-safe; calls may come from different threads in turn."""

    def __init__(self, directory: str, spool: str, *, after: int = 0, buckets: int = 1, level: int = 3) -> None:
        """Nothing is touched yet.

        Args:
            directory: of the recording.
            spool: identifier of the numbering of rows, 8 to 32 hexadecimal digits.
            after: rows up to this one are published under another identifier (`NumbersRepeated`).
            buckets: of symbols, at least 1.
            level: of zstandard, 1 to 22.
        """
        self.directory = directory
        self.last_row = after
        """Last row that is published."""
        self._after = after
        self._spool = spool
        self._buckets = buckets
        self._level = level
        self._own = os.path.join(directory, ".foxtrot", spool)
        self._staging = os.path.join(self._own, "staging")
        self._clear()

    def _clear(self) -> None:
        self.rows = 0
        """Rows that are collected and not published."""
        self.bytes = 0
        """Size of their columns in memory; up to `PENDING_ROWS_MAX` further rows are not counted yet."""
        self._newest = self.last_row
        self._pending: dict[Partition, list[Row]] = {}
        self._pending_rows = 0
        self._batches: dict[Partition, list[pa.RecordBatch]] = {}
        self._keys: dict[int, str] | None = None
        """Keys of published rows, while these come again."""

    def open(self) -> None:
        """Finish what a crash interrupted, and find `last_row`; only one process may write the rows of a spool.

        Raises:
            RecordingDamaged: its files were changed by somebody else.
            OSError: the directory cannot be used, or is full.
        """
        os.makedirs(self.directory, exist_ok=True)
        for folder in (os.path.dirname(self._own), self._own, self._staging):
            _make_own(folder)
        state = self._read_state()
        if state is not None:
            self._put_in_place(state.files)
        self._empty_staging()
        self.last_row = max(self._after, self._last_named_row() if state is None else state.last_row)
        self._clear()

    def close(self) -> None:
        """Forget the rows that are not published. May be called twice."""
        self._clear()

    def add(self, rows: Iterable[Row]) -> None:
        """Collect `rows`, ascending by number; rows that were published or collected already are ignored.

        Raises `NumbersRepeated` if a number was published with another key.
        """
        newest = self._newest
        for row in rows:
            number = row.number
            if number <= newest:
                if number <= self.last_row and self._published_key(number) not in (None, row.key):
                    raise NumbersRepeated(number, self._spool)
                continue
            newest = self._newest = number
            event = row.event
            partition = Partition(
                day_of(event.receive_ns),
                event.exchange,
                TABLE_OF_EVENT[event.__class__].kind,
                bucket_of(event.symbol, self._buckets),
            )
            self._pending.setdefault(partition, []).append(row)
            self.rows += 1
            self._pending_rows += 1
        if self._pending_rows >= PENDING_ROWS_MAX:
            self._convert()

    def publish(self) -> int:
        """Publish all collected rows; return the number of files.

        Raises OSError, where there is no room for example. The writer must then be closed; either nothing is published,
        or everything will be when it is opened again.
        """
        if not self.rows:
            return 0
        self._convert()
        name = file_name(FileName(self._spool, self.last_row + 1, self._newest))
        files = []
        try:
            for number, (partition, batches) in enumerate(sorted(self._batches.items())):
                # never a name of an earlier publication: `open` puts those in their places that it still finds
                files.append(_File(f"{self._newest}-{number}.part", partition.folder, name))
                self._stage(files[-1], partition.kind, batches)
            self._write_state(_State(FORMAT_VERSION, self._newest, files))
        except BaseException:
            self._empty_staging()
            raise
        self.last_row = self._newest
        self._clear()
        self._put_in_place(files)
        return len(files)

    def _convert(self) -> None:
        for partition, rows in self._pending.items():
            batch = arrow_batch(TABLES[partition.kind], rows)
            self._batches.setdefault(partition, []).append(batch)
            self.bytes += batch.nbytes
        self._pending.clear()
        self._pending_rows = 0

    def _stage(self, file: _File, kind: str, batches: Sequence[pa.RecordBatch]) -> None:
        os.makedirs(os.path.join(self.directory, file.folder), exist_ok=True)
        about = {"foxtrot.format": str(FORMAT_VERSION), "foxtrot.version": __version__, "foxtrot.kind": kind}
        table = pa.Table.from_batches(batches).sort_by([(key, "ascending") for key in SORT_KEYS])
        path = os.path.join(self._staging, file.staged)
        _write_table(table.replace_schema_metadata(about), kind, path, self._level)
        _sync(path)

    def _put_in_place(self, files: Sequence[_File]) -> None:
        folders = set()
        for file in files:
            folder = os.path.join(self.directory, file.folder)
            os.makedirs(folder, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # it is in its place already
                os.rename(os.path.join(self._staging, file.staged), os.path.join(folder, file.name))
            while folder not in folders and len(folder) > len(self.directory):
                folders.add(folder)
                folder = os.path.dirname(folder)
        for folder in (*sorted(folders), self.directory):
            _sync(folder)

    def _empty_staging(self) -> None:
        with os.scandir(self._staging) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)

    def _read_state(self) -> _State | None:
        path = os.path.join(self._own, "state")
        try:
            with open(path, "rb") as file:
                state = msgspec.json.decode(file.read(_STATE_BYTES_MAX), type=_State)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            raise RecordingDamaged(f"{path} cannot be read: {error}") from None
        for each in state.files:
            if parse_name(each.name) is None or parse_folder(each.folder) is None or "/" in each.staged:
                raise RecordingDamaged(f"{path} names a file outside of the recording: {each.folder}/{each.name}")
        return state

    def _write_state(self, state: _State) -> None:
        path = os.path.join(self._own, "state")
        staged = os.path.join(self._staging, "state")
        with open(staged, "wb") as file:
            file.write(msgspec.json.encode(state))
            file.flush()
            os.fsync(file.fileno())
        os.rename(staged, path)
        _sync(self._own)

    def _last_named_row(self) -> int:
        """Return the last row that names of this spool's files mention; 0 without files."""
        names = (name for _partition, name, _entry in published_files(self.directory))
        return max((name.last for name in names if name.spool == self._spool), default=0)

    def _published_key(self, number: int) -> str | None:
        """Return the key with which row `number` was published; None if it is in no file (any more)."""
        if self._keys is None:  # rows come again after a crash: read the keys from there on, once
            self._keys = {}
            for _partition, name, entry in published_files(self.directory):
                if name.spool == self._spool and name.last >= number:
                    rows = pq.ParquetFile(entry.path).read(["row", "key"])
                    self._keys.update(zip(rows["row"].to_pylist(), rows["key"].to_pylist(), strict=True))
        return self._keys.get(number)


def _write_table(table: pa.Table, kind: str, path: str, level: int) -> None:
    """Write one file, with statistics, a page index, and the order of its rows."""
    schema = arrow_schema(TABLES[kind])
    encodings = {}
    by_dictionary = []
    for field in schema:
        if field.name in _ALIKE_TEXTS:
            encodings[field.name] = "DELTA_BYTE_ARRAY"
        elif pa.types.is_int64(field.type) or pa.types.is_timestamp(field.type):
            encodings[field.name] = "DELTA_BINARY_PACKED"  # a quarter smaller files than with dictionaries
        elif pa.types.is_list(field.type):
            by_dictionary += [f"{field.name}.list.element.{child.name}" for child in field.type.value_type]
        else:
            by_dictionary.append(field.name)
    pq.write_table(
        table,
        path,
        row_group_size=_ROW_GROUP_ROWS_BOOKS if kind == "book" else _ROW_GROUP_ROWS,
        compression="zstd",
        compression_level=level,
        use_dictionary=by_dictionary,
        column_encoding=encodings,
        write_statistics=True,
        write_page_index=True,
        sorting_columns=pq.SortingColumn.from_ordering(schema, [(key, "ascending") for key in SORT_KEYS]),
    )


def _make_own(folder: str) -> None:
    """Make a private folder if it is missing; refuse what another user could have put there."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder, 0o700)
    facts = os.lstat(folder)
    if facts.st_uid != os.geteuid():
        raise RecordingDamaged(f"{folder} belongs to uid {facts.st_uid}, not to {os.geteuid()}")
    if not stat.S_ISDIR(facts.st_mode):
        raise RecordingDamaged(f"{folder} is not a directory")


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
