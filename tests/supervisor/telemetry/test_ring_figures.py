"""Figures of rings, as any process of the user may read them."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from foxtrot_protocol.ring_layout import CAPACITY_MIN, HEADER_BYTES, Word
from foxtrot_supervisor.telemetry.ring_figures import list_rings, read_figures, scan_rings
from foxtrot_workers.feed.ring_writer import RingWriter


@pytest.fixture
def path(tmp_path: Path) -> Path:
    writer = RingWriter(str(tmp_path), "w.a", 1, CAPACITY_MIN)
    for sequence in (1, 2, 3):
        assert writer.append(sequence, sequence, b"batch %d" % sequence)
    writer.close()
    return tmp_path / "ring-w.a-1"


def poke(path: Path, *words: int) -> None:
    with path.open("r+b") as file:
        for word in words:
            file.seek(word * 8)
            file.write(struct.pack("<Q", 1))


def test_a_file_that_is_no_ring_is_listed_as_damaged(path: Path) -> None:
    (path.parent / "lock").touch()
    (path.parent / "ring-x.a-1").write_bytes(b"rubbish")
    (path.parent / "ring-y.a-1").symlink_to("/dev/null")
    shown, damaged = scan_rings(str(path.parent))
    assert [(each.worker, each.committed_events) for each in shown] == [("w.a", 6)]
    assert damaged == [("x.a", 1), ("y.a", 1)]
    assert read_figures(str(path.parent)) == shown


def test_the_rings_of_some_workers(path: Path) -> None:
    writer = RingWriter(str(path.parent), "x.a", 3, CAPACITY_MIN)
    writer.append(1, 1, b"batch")
    writer.close()
    (path.parent / "lock").touch()
    names = list_rings(str(path.parent))
    assert names == {"w.a": ["ring-w.a-1"], "x.a": ["ring-x.a-3"]}
    assert [each.worker for each in read_figures(str(path.parent), ["ring-x.a-3", "ring-x.a-4"])] == ["x.a"]


def test_a_directory_that_is_gone_has_no_rings(path: Path) -> None:
    assert list_rings(str(path.parent / "gone")) == {}
    assert scan_rings(str(path.parent / "gone")) == ([], [])


@pytest.mark.parametrize("made", [b"", b"\0" * HEADER_BYTES])
def test_an_unfinished_ring_holds_nothing(tmp_path: Path, made: bytes) -> None:
    (tmp_path / "ring-w.a-1").write_bytes(made)
    assert scan_rings(str(tmp_path)) == ([], [])


@pytest.mark.parametrize("words", [(Word.COMMIT_MARK, Word.COMMIT_MARK + 8), (Word.APPLIED,)])
def test_a_ring_whose_marks_do_not_fit_is_damaged_not_empty(path: Path, words: tuple[int, ...]) -> None:
    poke(path, *words)
    assert scan_rings(str(path.parent)) == ([], [("w.a", 1)])
