"""The sink of kind parquet, on real files: when it publishes, a disk that is full, files that are old."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from foxtrot_protocol.events import Trade
from foxtrot_supervisor.sinks import parquet as module
from foxtrot_supervisor.sinks.catalog import sink_kind
from foxtrot_supervisor.sinks.parquet import ParquetSettings, ParquetSink
from foxtrot_supervisor.sinks.sink import Sink, SinkContext, SinkMisconfigured, SinkRow, SinkUnavailable
from foxtrot_supervisor.sinks.testing import SinkChecks
from foxtrot_supervisor.tables.query import opened

pytest.importorskip("pyarrow", reason="needs pyarrow")
pytest.importorskip("duckdb", reason="needs duckdb")

NOW_NS = int(datetime.now(UTC).timestamp()) * 1_000_000_000


class Log:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def info(self, event: str, /, **fields: Any) -> None:
        self.lines.append((event, fields))

    debug = warning = error = info


def rows(first: int, last: int, *, days_ago: int = 0, key: str = "k") -> list[SinkRow]:
    time_ns = NOW_NS - days_ago * 86_400_000_000_000
    return [
        SinkRow(
            n, f"{key}{n}", "c", "SIM", "trade", "X", Trade("SIM", "X", 0, time_ns + n, f"{n}.50", "1", "buy", str(n))
        )
        for n in range(first, last + 1)
    ]


def made(tmp_path: Path, directory: Path | None = None, spool: str = "0123456789abcdef", **keys: Any) -> ParquetSink:
    own = tmp_path / "own"
    own.mkdir(mode=0o700, exist_ok=True)
    settings = ParquetSettings(
        directory=str(directory or tmp_path / "rec"), min_free_mib=keys.pop("min_free_mib", 0), **keys
    )
    return ParquetSink(settings, SinkContext("rec", str(tmp_path), str(own), Log(), spool))


def published(directory: Path) -> list[int]:
    import pyarrow.parquet as pq

    return sorted(
        number
        for path in directory.rglob("*.parquet")
        for number in pq.ParquetFile(path).read(["row"])["row"].to_pylist()
    )


class TestContract(SinkChecks):
    """What holds for every sink."""

    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> None:
        self.directory = tmp_path / "rec"

    def make(self, context: SinkContext) -> Sink:
        return ParquetSink(ParquetSettings(directory=str(self.directory), min_free_mib=0), context)

    async def stored_keys(self) -> list[str]:
        with opened(str(self.directory)) as query:
            return [str(row[0]) for row in query.texts("select key from events order by row").rows]

    async def make_unavailable(self) -> None:
        if self.directory.exists():
            self.directory.rename(self.directory.with_name("away"))
        self.directory.write_text("")

    async def make_available(self) -> None:
        self.directory.unlink()
        if (away := self.directory.with_name("away")).exists():
            away.rename(self.directory)


def test_it_is_a_sink_that_the_catalog_finds(tmp_path: Path) -> None:
    assert sink_kind("parquet") is ParquetSink
    assert isinstance(made(tmp_path), Sink)


async def test_rows_are_durable_when_they_are_published(tmp_path: Path) -> None:
    sink = made(tmp_path, publish_rows=1000)
    await sink.open()
    assert await sink.flush() == 0
    assert await sink.write(rows(1, 400)) == 0
    assert sink.counts()["collected_rows"] == 400
    assert await sink.write(rows(401, 1000)) == 1000
    assert published(tmp_path / "rec") == list(range(1, 1001))
    assert await sink.write(rows(1001, 1010)) == 1000
    assert await sink.flush() == 1010
    counts = sink.counts()
    assert (counts["published_rows_total"], counts["published_files_total"], counts["collected_rows"]) == (1010, 2, 0)
    assert counts["recording_bytes"] == sum(path.stat().st_size for path in (tmp_path / "rec").rglob("*.parquet"))
    await sink.close()
    await sink.close()
    assert len(counts) <= 20


async def test_rows_are_published_by_age_and_by_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    sink = made(tmp_path, publish_s=10, publish_mib=1)
    await sink.open()
    assert await sink.write(rows(1, 2)) == 0
    now[0] += 9.9
    assert await sink.write(rows(3, 4)) == 0
    now[0] += 0.1
    assert await sink.write(rows(5, 5)) == 5
    now[0] += 9.9
    assert await sink.write(rows(6, 6)) == 5  # the age counts from the first row that is collected
    number = 6
    while number < 200_000 and await sink.write(rows(number + 1, number + 4_000)) == 5:
        number += 4_000
    assert 6 < number < 200_000
    await sink.close()


async def test_after_a_crash_rows_come_again_and_are_in_one_file(tmp_path: Path) -> None:
    first = made(tmp_path)
    await first.open()
    await first.write(rows(1, 10))
    assert await first.flush() == 10
    await first.write(rows(11, 15))
    second = made(tmp_path)
    await second.open()
    assert await second.write(rows(6, 8)) == 8  # never beyond what was given
    assert await second.write(rows(9, 20)) == 10
    assert await second.flush() == 20
    assert published(tmp_path / "rec") == list(range(1, 21))
    await second.close()


async def test_numbers_that_come_again_with_other_rows_lose_nothing(tmp_path: Path) -> None:
    sink = made(tmp_path)
    await sink.open()
    await sink.write(rows(1, 10))
    await sink.flush()
    for _ in range(2):  # the second time after a crash
        await sink.close()
        await sink.open()
        await sink.write([*rows(4, 6), *rows(7, 12, key="other")])
    assert await sink.flush() == 12
    assert published(tmp_path / "rec") == sorted([*range(1, 11), *range(7, 13)])
    await sink.close()


async def test_another_spool_begins_again(tmp_path: Path) -> None:
    for spool in ("0123456789abcdef", "fedcba9876543210"):
        sink = made(tmp_path, spool=spool)
        await sink.open()
        await sink.write(rows(5, 10))
        assert await sink.flush() == 10
        await sink.write([*rows(8, 9), *rows(10, 12, key="other")])  # of its own, the end is lost
        assert await sink.flush() == 12
        await sink.close()
    assert published(tmp_path / "rec") == sorted(2 * [*range(5, 11), *range(10, 13)])


async def test_while_no_rows_come_they_are_published_by_age(tmp_path: Path) -> None:
    assert made(tmp_path, publish_s=10).flush_s == 10


async def test_a_full_disk_publishes_nothing_and_goes_on_when_there_is_room(
    tmp_path: Path, full_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = made(tmp_path, full_disk / "rec")
    await sink.open()
    await sink.write(rows(1, 10))
    assert await sink.flush() == 10
    hog = full_disk / "hog"
    with hog.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    for _ in range(2):
        await sink.write(rows(11, 3000))
        with pytest.raises(SinkUnavailable, match=r"no room in .*/rec, 0 MiB are free: .*No space left on device"):
            await sink.flush()
        await sink.close()
        with pytest.raises(SinkUnavailable, match=r"no room in .*it was not enough for the rows that wait"):
            await sink.open()  # it does not encode them again and again
        await sink.close()
        monkeypatch.setattr(module, "FULL_S", 0.0)
        await sink.open()
        monkeypatch.undo()
    assert published(full_disk) == list(range(1, 11))
    await sink.close()
    hog.unlink()
    await sink.open()
    assert await sink.write(rows(11, 3000)) == 10
    assert await sink.flush() == 3000
    assert published(full_disk) == list(range(1, 3001))
    assert list((full_disk / "rec" / ".foxtrot").rglob("*.part")) == []
    await sink.close()


async def test_it_pauses_before_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = made(tmp_path, min_free_mib=256)
    monkeypatch.setattr(module, "disk_space", lambda _path: (256 << 20, 1 << 40))
    await sink.open()
    await sink.write(rows(1, 10))
    monkeypatch.setattr(module, "disk_space", lambda _path: ((256 << 20) - 1, 1 << 40))
    with pytest.raises(SinkUnavailable, match=r"no room in .*: less than min_free_mib \(256\)"):
        await sink.flush()
    await sink.close()
    with pytest.raises(SinkUnavailable, match=r"no room in .*: less than min_free_mib \(256\)"):
        await sink.open()  # it would collect rows until it finds out
    await sink.close()


async def test_old_files_are_removed(tmp_path: Path) -> None:
    sink = made(tmp_path, keep_days=1)
    await sink.open()
    for day, first in ((3, 1), (1, 11), (0, 21)):
        await sink.write(rows(first, first + 9, days_ago=day))
        await sink.flush()
    assert published(tmp_path / "rec") == list(range(11, 31))
    assert sink.counts()["removed_files_total"] == 1
    await sink.close()
    sink = made(tmp_path, max_gib=1e-9)
    await sink.open()
    await sink.write(rows(31, 35))
    assert await sink.flush() == 35
    assert published(tmp_path / "rec") == []
    assert [path.name for path in (tmp_path / "rec").iterdir()] == [".foxtrot"]
    await sink.close()


async def test_what_a_person_has_to_mend_ends_the_sink(tmp_path: Path) -> None:
    (tmp_path / "rec").mkdir()
    (tmp_path / "rec" / ".foxtrot").write_text("")
    with pytest.raises(SinkMisconfigured, match="is not a directory"):
        await made(tmp_path).open()
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkUnavailable, match="file"):
        await made(tmp_path, tmp_path / "file").open()
    with pytest.raises(SinkUnavailable, match="is not open"):
        await made(tmp_path).flush()


def test_problems_name_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def problems(directory: str) -> list[tuple[str, str]]:
        return list(ParquetSink.problems(ParquetSettings(directory=directory)))

    assert problems(str(tmp_path / "new")) == []
    assert problems(str(tmp_path)) == []
    assert problems("") == [("directory", "is empty")]
    (tmp_path / "file").write_text("")
    assert problems(str(tmp_path / "file")) == [("directory", f"{tmp_path}/file is not a directory")]
    monkeypatch.setattr(module.os, "access", lambda *_: False)
    assert problems(str(tmp_path)) == [("directory", f"{tmp_path} is not writable for this user")]
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda _: None)
    assert problems(str(tmp_path / "new")) == [("kind", "needs pyarrow: pip install 'foxtrot-supervisor[record]'")]


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    place = tmp_path / "small"
    place.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "none", place], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"a small file system cannot be mounted: {done.stderr.decode().strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def test_its_process_does_not_load_pandas(tmp_path: Path) -> None:
    """Pyarrow looks for it when it makes an array."""
    pytest.importorskip("pandas", reason="nothing to leave out")
    program = f"""
import asyncio, sys
from tests.supervisor.sinks.test_parquet import made, rows
from pathlib import Path

async def main():
    sink = made(Path({str(tmp_path)!r}))
    await sink.open()
    await sink.write(rows(1, 10))
    assert await sink.flush() == 10
    await sink.close()

asyncio.run(main())
assert "pyarrow" in sys.modules
print("pandas" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr
