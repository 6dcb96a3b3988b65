from __future__ import annotations

import os
import stat
import zipfile
from pathlib import Path

import pytest

from foxtrot_supervisor.bundles.archive import SUFFIX, Member, kept_bundles, members_of, prune, write_bundle


def bundle(folder: Path, name: str, at: int, size: int = 100) -> Path:
    path = folder / f"{name}{SUFFIX}"
    path.write_bytes(os.urandom(size))
    os.utime(path, (at, at))
    return path


def test_a_bundle_is_private_and_complete(tmp_path: Path) -> None:
    path = tmp_path / f"one{SUFFIX}"
    size = write_bundle(
        str(path), [Member("a.txt", b"A" * 10_000, "text"), Member("frames/x/y.jsonl", b"{}", "frames")]
    )
    assert size == path.stat().st_size < 1000
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert members_of(str(path)) == ["a.txt", "frames/x/y.jsonl"]
    with zipfile.ZipFile(path) as archive:
        assert archive.read("a.txt") == b"A" * 10_000
    assert os.listdir(tmp_path) == [path.name]


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_bundle(str(tmp_path / "absent" / "one"), [])
    (tmp_path / f"taken{SUFFIX}").mkdir()
    with pytest.raises(OSError, match="taken"):
        write_bundle(str(tmp_path / f"taken{SUFFIX}"), [Member("a", b"", "")])
    assert os.listdir(tmp_path) == [f"taken{SUFFIX}"]


def test_the_oldest_go_first(tmp_path: Path) -> None:
    for at, name in enumerate(("b", "c", "a"), 100):
        bundle(tmp_path, name, at)
    (tmp_path / "another.zip").write_text("not ours")
    assert [each.name for each in prune(str(tmp_path), 2)] == [f"c{SUFFIX}", f"a{SUFFIX}"]
    assert [each.name for each in prune(str(tmp_path), 2, bytes_max=150)] == [f"a{SUFFIX}"]
    assert sorted(os.listdir(tmp_path)) == [f"a{SUFFIX}", "another.zip"]


def test_a_directory_that_cannot_be_read_has_none(tmp_path: Path) -> None:
    assert kept_bundles(str(tmp_path / "absent")) == []
