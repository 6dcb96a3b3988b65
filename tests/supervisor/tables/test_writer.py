"""Rows into files: each row in exactly one published file, whatever call is the last one before a crash."""

from __future__ import annotations

import errno
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("pyarrow", reason="needs pyarrow")

import pyarrow.dataset as dataset
import pyarrow.parquet as pq

from foxtrot_protocol.events import BookDelta, Gap, Trade
from foxtrot_supervisor.tables import writer as module
from foxtrot_supervisor.tables.layout import parse_name
from foxtrot_supervisor.tables.writer import NumbersRepeated, RecordingDamaged, RecordingWriter

DAY_NS = 86_400_000_000_000
T = 20_787 * DAY_NS
SPOOL = "0123abcd"


def row(number: int) -> Any:
    if number % 10 == 0:
        event: Any = Gap("", "", 0, T + number, "", None, None, 0, 0, "lost")
    elif number % 3 == 0:
        event = BookDelta("OKX", "BTC-USDT", T, T + number, [("1.5", "2")], [], "1", "2", None)
    else:
        symbol = random.Random(number).choice(["BTCUSDT", "ETHUSDT", "SOLUSDT"])
        event = Trade("SIM", symbol, T, T + number % 2 * DAY_NS + number, f"{number}.10", "1", "buy", str(number))
    return SimpleNamespace(number=number, key=f"k{number}", connection="c", event=event)


def rows(first: int, last: int) -> list[Any]:
    return [row(number) for number in range(first, last + 1)]


def files(directory: Path) -> list[Path]:
    return sorted(directory.rglob("*.parquet"))


def published(directory: Path) -> list[int]:
    return sorted(
        number for path in files(directory) for number in pq.ParquetFile(path).read(["row"])["row"].to_pylist()
    )


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[RecordingWriter]:
    made = RecordingWriter(str(tmp_path / "rec"), SPOOL, buckets=2)
    made.open()
    yield made
    made.close()


def test_rows_are_in_the_files_of_their_partitions(writer: RecordingWriter, tmp_path: Path) -> None:
    writer.add(rows(1, 100))
    assert writer.rows == 100
    assert files(tmp_path) == []
    count = writer.publish()
    assert writer.last_row == 100
    assert writer.rows == 0
    found = files(tmp_path / "rec")
    assert len(found) == count
    assert published(tmp_path) == list(range(1, 101))
    assert {path.parent.relative_to(tmp_path / "rec").parts[:3] for path in found} == {
        ("day=2026-11-30", "exchange=SIM", "kind=trade"),
        ("day=2026-12-01", "exchange=SIM", "kind=trade"),
        ("day=2026-11-30", "exchange=OKX", "kind=book"),
        ("day=2026-11-30", "exchange=__HIVE_DEFAULT_PARTITION__", "kind=gap"),
    }
    for path in found:
        assert parse_name(path.name) == (SPOOL, 1, 100)


def test_a_file_is_sorted_and_has_statistics(writer: RecordingWriter, tmp_path: Path) -> None:
    writer.add(rows(1, 50))
    writer.add(rows(51, 300))
    writer.publish()
    for path in files(tmp_path):
        file = pq.ParquetFile(path)
        table = file.read()
        order = list(zip(*(table[key].to_pylist() for key in ("symbol", "row")), strict=True))
        assert order == sorted(order)
        group = file.metadata.row_group(0)
        assert all(
            group.column(number).is_stats_set for number in range(9) if group.column(number).path_in_schema == "row"
        )
        assert [column.column_index for column in group.sorting_columns] == [
            table.schema.names.index(key) for key in ("symbol", "receive_time", "row")
        ]
        assert file.metadata.metadata[b"foxtrot.format"] == b"1"
    (trades, *_) = [path for path in files(tmp_path) if "kind=trade" in str(path)]
    statistics = pq.ParquetFile(trades).metadata.row_group(0).column(3).statistics
    assert statistics.min <= statistics.max


def test_the_recording_is_one_dataset(writer: RecordingWriter, tmp_path: Path) -> None:
    writer.add(rows(1, 100))
    writer.publish()
    found = dataset.dataset(tmp_path / "rec", partitioning="hive")
    assert found.count_rows() == 100
    assert {"day", "exchange", "kind", "bucket"} <= set(found.schema.names)


def test_many_rows_become_columns_before_they_are_published(writer: RecordingWriter, tmp_path: Path) -> None:
    writer.add(rows(1, 1000))
    assert writer.bytes == 0
    writer.add(rows(1001, module.PENDING_ROWS_MAX))
    assert writer.bytes > 0
    writer.add(rows(module.PENDING_ROWS_MAX + 1, module.PENDING_ROWS_MAX + 5))
    writer.publish()
    assert published(tmp_path) == list(range(1, module.PENDING_ROWS_MAX + 6))


def test_rows_that_come_again_are_written_once(writer: RecordingWriter, tmp_path: Path) -> None:
    writer.add(rows(1, 10))
    writer.add(rows(5, 15))
    writer.publish()
    writer.add(rows(1, 20))
    assert writer.rows == 5
    writer.publish()
    assert writer.publish() == 0
    assert published(tmp_path) == list(range(1, 21))


def test_a_new_writer_goes_on_where_the_last_one_published(writer: RecordingWriter, tmp_path: Path) -> None:
    writer.add(rows(1, 10))
    writer.publish()
    writer.add(rows(11, 12))
    writer.close()
    writer.open()
    assert (writer.last_row, writer.rows) == (10, 0)
    writer.add(rows(3, 14))
    writer.publish()
    assert published(tmp_path) == list(range(1, 15))


def test_without_its_state_a_writer_reads_the_names_of_files(writer: RecordingWriter, tmp_path: Path) -> None:
    writer.add(rows(1, 10))
    writer.publish()
    writer.close()
    (tmp_path / "rec" / ".foxtrot" / SPOOL / "state").unlink()
    writer.open()
    assert writer.last_row == 10
    other = RecordingWriter(str(tmp_path / "rec"), "fedcba98")
    other.open()
    assert other.last_row == 0
    other.close()


def test_spools_share_a_recording(writer: RecordingWriter, tmp_path: Path) -> None:
    other = RecordingWriter(str(tmp_path / "rec"), "fedcba98")
    other.open()
    for each in (writer, other):
        each.add(rows(1, 10))
        each.publish()
    assert published(tmp_path) == sorted([*range(1, 11)] * 2)
    other.close()
    other.close()


def test_a_numbering_that_begins_again_is_noticed(writer: RecordingWriter) -> None:
    writer.add(rows(1, 10))
    writer.publish()
    writer.add(rows(11, 20))
    writer.publish()
    for number in (7, 15):
        writer.close()
        writer.open()
        writer.add(rows(2, number - 1))
        again = row(number)
        again.key = "another"
        with pytest.raises(NumbersRepeated, match=f"row {number} of spool 0123abcd is another") as caught:
            writer.add([again])
        assert caught.value.number == number


def test_rows_after_a_new_beginning_are_written_under_another_identifier(
    writer: RecordingWriter, tmp_path: Path
) -> None:
    writer.add(rows(1, 10))
    writer.publish()
    other = RecordingWriter(str(tmp_path / "rec"), "fedcba98", after=7)
    for last in (8, 12):
        other.open()
        assert other.last_row == last - (1 if last == 8 else 4)
        other.add(rows(2, last))
        other.publish()
        other.close()
    assert published(tmp_path) == sorted([*range(1, 11), *range(8, 13)])


class Crash(BaseException):
    """The process ends here."""


CALLS = ("rename", "fsync", "mkdir", "open", "unlink")


def crash_at(monkeypatch: pytest.MonkeyPatch, call: int, error: Callable[[], BaseException]) -> list[int]:
    """Make the system call number `call`, and all after it, fail; returns the counter."""
    count = [0]
    for name in CALLS:
        real = getattr(os, name)

        def counted(*arguments: Any, real: Any = real, **keywords: Any) -> Any:
            count[0] += 1
            if count[0] >= call:
                raise error()
            return real(*arguments, **keywords)

        monkeypatch.setattr(os, name, counted)
    return count


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Crash, id="crash"),
        pytest.param(lambda: OSError(errno.ENOSPC, "No space left on device"), id="full", marks=pytest.mark.variant),
    ],
)
def test_whatever_call_fails_each_row_is_published_once(tmp_path: Path, error: Callable[[], BaseException]) -> None:
    few_rows = {number: row(number if number % 2 else 10 * number) for number in range(1, 8)}  # trades and gaps
    for number, each in few_rows.items():
        each.number = number
    before = RecordingWriter(str(tmp_path / "before"), SPOOL)
    before.open()
    before.add([few_rows[1], few_rows[2]])
    before.publish()
    before.close()
    calls, failed = 0, True
    while failed:
        calls += 1
        place = tmp_path / str(calls)
        shutil.copytree(tmp_path / "before", place)
        writer = RecordingWriter(str(place), SPOOL)
        writer.open()
        writer.add([few_rows[3], few_rows[4]])
        with pytest.MonkeyPatch.context() as patch:
            count = crash_at(patch, calls, error)
            try:
                writer.publish()
                failed = False
            except (Crash, OSError):
                pass
        seen = published(place)
        assert seen[:2] == [1, 2]
        assert len(set(seen)) == len(seen)
        writer.close()
        writer.open()
        assert writer.last_row in (2, 4)
        assert published(place) == list(range(1, writer.last_row + 1))
        writer.add(few_rows.values())
        writer.publish()
        assert published(place) == list(few_rows)
        assert os.listdir(place / ".foxtrot" / SPOOL / "staging") == []
        writer.close()
    assert count[0] < calls  # all of them were tried
    assert calls > 10


def test_a_state_that_names_other_places_is_refused(writer: RecordingWriter, tmp_path: Path) -> None:
    writer.close()
    state = tmp_path / "rec" / ".foxtrot" / SPOOL / "state"
    for folder, name in (
        ("../..", f"rows-{SPOOL}-000000000001-000000000002.parquet"),
        ("day=2026-11-30/exchange=A/kind=trade/bucket=0", "x"),
    ):
        state.write_text(f'{{"version":1,"last_row":5,"files":[{{"staged":"a","folder":"{folder}","name":"{name}"}}]}}')
        with pytest.raises(RecordingDamaged, match="outside of the recording"):
            writer.open()
    state.write_text("no json")
    with pytest.raises(RecordingDamaged, match="cannot be read"):
        writer.open()
    state.unlink()
    writer.open()


def test_what_another_user_could_have_put_there_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "rec"
    place.mkdir()
    (place / ".foxtrot").symlink_to(tmp_path)
    with pytest.raises(RecordingDamaged, match="not a directory"):
        RecordingWriter(str(place), SPOOL).open()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "rec" / ".foxtrot"
    place.mkdir(parents=True)
    os.chown(place, 65534, 65534)
    with pytest.raises(RecordingDamaged, match="belongs to uid 65534"):
        RecordingWriter(str(tmp_path / "rec"), SPOOL).open()
