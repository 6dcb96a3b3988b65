"""Published files on disk."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

from foxtrot_supervisor.tables.files import kept_files, published_files, remove_files
from foxtrot_supervisor.tables.layout import FileName, Partition, file_name

NAME = FileName("0123abcd", 1, 9)


def put(directory: Path, day: str, exchange: str, size: int) -> Path:
    folder = directory / Partition(day, exchange, "trade", 0).folder
    folder.mkdir(parents=True)
    path = folder / file_name(NAME)
    path.write_bytes(bytes(size))
    return path


def test_only_published_files_are_found(tmp_path: Path) -> None:
    path = put(tmp_path, "2026-11-30", "SIM", 5)
    (path.parent / "notes.parquet").touch()
    (path.parent / "x=y").mkdir()
    staging = tmp_path / ".foxtrot" / "0123abcd" / "staging"
    staging.mkdir(parents=True)
    (staging / file_name(NAME)).touch()
    (tmp_path / "day=never" / "exchange=A" / "kind=trade" / "bucket=0").mkdir(parents=True)
    (tmp_path / "day=never" / "exchange=A" / "kind=trade" / "bucket=0" / file_name(NAME)).touch()
    found = list(published_files(str(tmp_path)))
    assert [(partition, name, entry.path) for partition, name, entry in found] == [
        (Partition("2026-11-30", "SIM", "trade", 0), NAME, str(path))
    ]
    (kept,) = kept_files(str(tmp_path))
    assert (kept.day, kept.path, kept.size) == (date(2026, 11, 30), str(path), 5)


def test_a_recording_that_does_not_exist_has_no_files(tmp_path: Path) -> None:
    assert list(published_files(str(tmp_path / "absent"))) == []
    assert kept_files(str(tmp_path / "absent")) == []


def test_empty_folders_go_with_their_last_file(tmp_path: Path) -> None:
    first = put(tmp_path, "2026-11-29", "A", 1)
    put(tmp_path, "2026-11-29", "B", 1)
    put(tmp_path, "2026-11-30", "A", 1)
    kept = kept_files(str(tmp_path))
    os.unlink(first)
    assert remove_files(kept[:2]) == 1
    assert os.listdir(tmp_path) == ["day=2026-11-30"]
    assert remove_files(kept) == 1
    assert os.listdir(tmp_path) == []
