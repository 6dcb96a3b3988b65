"""Where the rows of a recording are: the paths of files, and what their names say. Pure.

::

    DIRECTORY/day=2026-11-30/exchange=BINANCE/kind=trade/bucket=0/rows-3f9a61c0-000000000001-000000250000.parquet

``day`` is the UTC day of receipt. ``bucket`` is the symbol's: ``crc32(symbol) % buckets``. The name has the spool's
identifier, and the first and last number of the rows that were written together; a file has those of them that belong
in its folder.
"""

from __future__ import annotations

import re
import zlib
from datetime import UTC, date, datetime
from typing import NamedTuple
from urllib.parse import quote, unquote

__all__ = [
    "BUCKETS_MAX",
    "FileName",
    "Partition",
    "bucket_of",
    "day_of",
    "file_name",
    "parse_day",
    "parse_folder",
    "parse_name",
]

BUCKETS_MAX = 1024

_NAME = re.compile(r"rows-([0-9a-f]{8,32})-([0-9]{12,19})-([0-9]{12,19})\.parquet")

_DAY = re.compile(r"day=([0-9]{4}-[0-9]{2}-[0-9]{2})")

_FOLDER = re.compile(r"day=([0-9]{4}-[0-9]{2}-[0-9]{2})/exchange=([^/]+)/kind=([a-z_]+)/bucket=([0-9]{1,4})", re.ASCII)

_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
"""Name by which readers of this layout know that a column is null."""

_SECONDS_MAX = 253_402_300_799  # the last second of the year 9999


class Partition(NamedTuple):
    """What the rows of one file have in common."""

    day: str
    exchange: str
    kind: str
    bucket: int

    @property
    def folder(self) -> str:
        """Path within the recording."""
        exchange = quote(self.exchange, safe="") or _NO_VALUE
        return f"day={self.day}/exchange={exchange}/kind={self.kind}/bucket={self.bucket}"


class FileName(NamedTuple):
    """What the name of a file says. Rows: first and last number, both inclusive."""

    spool: str
    first: int
    last: int


def bucket_of(symbol: str, buckets: int) -> int:
    """Return the bucket, from 0, of `symbol`; the same on every machine and in every version."""
    return zlib.crc32(symbol.encode("utf-8", "surrogatepass")) % buckets


def day_of(time_ns: int) -> str:
    """Return the UTC day of a time, as in 2026-11-30; times before 1970 or after 9999 count as the nearest day."""
    return datetime.fromtimestamp(min(max(time_ns // 1_000_000_000, 0), _SECONDS_MAX), UTC).strftime("%Y-%m-%d")


def parse_day(folder: str) -> date | None:
    """Return the day of the folder ``day=…``; None for another name."""
    found = _DAY.fullmatch(folder)
    try:
        return date.fromisoformat(found[1]) if found else None
    except ValueError:
        return None


def parse_folder(path: str) -> Partition | None:
    """Return the partition whose `Partition.folder` is `path`; None for any other path."""
    found = _FOLDER.fullmatch(path)
    if found is None:
        return None
    exchange = "" if found[2] == _NO_VALUE else unquote(found[2])
    partition = Partition(found[1], exchange, found[3], int(found[4]))
    return partition if partition.folder == path else None


def file_name(name: FileName) -> str:
    """Return the name of a file."""
    return f"rows-{name.spool}-{name.first:012}-{name.last:012}.parquet"


def parse_name(text: str) -> FileName | None:
    """Return what a file's name says; None for a name that `file_name` does not make."""
    found = _NAME.fullmatch(text)
    return FileName(found[1], int(found[2]), int(found[3])) if found else None
