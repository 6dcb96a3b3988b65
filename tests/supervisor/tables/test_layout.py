"""Paths of a recording's files."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxtrot_supervisor.tables.layout import (
    BUCKETS_MAX,
    FileName,
    Partition,
    bucket_of,
    day_of,
    file_name,
    parse_day,
    parse_folder,
    parse_name,
)


def test_the_path_of_a_file() -> None:
    partition = Partition("2026-11-30", "BINANCE", "trade", 0)
    assert partition.folder == "day=2026-11-30/exchange=BINANCE/kind=trade/bucket=0"
    assert file_name(FileName("3f9a61c0", 1, 250_000)) == "rows-3f9a61c0-000000000001-000000250000.parquet"


def test_a_gap_of_a_whole_connection_has_no_exchange() -> None:
    folder = Partition("2026-11-30", "", "gap", 0).folder
    assert folder == "day=2026-11-30/exchange=__HIVE_DEFAULT_PARTITION__/kind=gap/bucket=0"
    assert parse_folder(folder) == Partition("2026-11-30", "", "gap", 0)


@given(st.text(), st.integers(0, BUCKETS_MAX))
def test_a_folder_is_read_as_it_was_written_whatever_the_name_of_the_exchange(exchange: str, bucket: int) -> None:
    partition = Partition("2026-11-30", exchange.encode("utf-8", "replace").decode(), "trade", bucket)
    assert partition.folder.count("/") == 3
    assert parse_folder(partition.folder) == partition


@pytest.mark.parametrize(
    "path",
    [
        "day=2026-11-30/exchange=../kind=trade/bucket=0",
        "day=2026-11-30/exchange=A/kind=trade/bucket=0/",
        "/day=2026-11-30/exchange=A/kind=trade/bucket=0",
        "../day=2026-11-30/exchange=A/kind=trade/bucket=0",
        "day=2026-11-30/exchange=A/kind=trade/bucket=00",
        "",
    ],
)
def test_other_paths_are_no_folders_of_a_recording(path: str) -> None:
    found = parse_folder(path)
    assert found is None or found == Partition("2026-11-30", "..", "trade", 0)


@given(st.integers(1, 10**18), st.integers(1, 10**18))
def test_a_name_is_read_as_it_was_written(first: int, last: int) -> None:
    name = FileName("0123456789abcdef", first, last)
    assert parse_name(file_name(name)) == name


@pytest.mark.parametrize(
    "text", ["rows-1.parquet", "x.parquet", "", "rows-3f9a61c0-000000000001-000000250000.parquet.part"]
)
def test_other_names_are_no_files_of_a_recording(text: str) -> None:
    assert parse_name(text) is None


def test_the_bucket_of_a_symbol_never_changes() -> None:
    assert [bucket_of(symbol, 16) for symbol in ("BTCUSDT", "ETHUSDT", "", "BTC-USD")] == [3, 12, 0, 0]
    assert {bucket_of(f"S{number}", 4) for number in range(100)} == {0, 1, 2, 3}
    assert bucket_of("anything", 1) == 0


@pytest.mark.parametrize(
    ("time_ns", "day"),
    [
        (0, "1970-01-01"),
        (-5, "1970-01-01"),
        (1_796_083_199_999_999_999, "2026-11-30"),
        (1_796_083_200_000_000_000, "2026-12-01"),
        (2**63 - 1, "2262-04-11"),
        (10**30, "9999-12-31"),
    ],
)
def test_the_day_is_that_of_utc(time_ns: int, day: str) -> None:
    assert day_of(time_ns) == day
    assert parse_day(f"day={day}") == date.fromisoformat(day)


@pytest.mark.parametrize("folder", ["day=2026-13-01", "day=2026-1-1", "2026-11-30", ".foxtrot", ""])
def test_other_folders_are_no_days(folder: str) -> None:
    assert parse_day(folder) is None
