"""Figures of rings, as any process of the user may read them."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from foxtrot_protocol.ring_layout import CAPACITY_MIN, HEADER_BYTES, Word
from foxtrot_supervisor.telemetry.ring_figures import read_figures
from foxtrot_workers.feed.ring_writer import RingWriter


@pytest.fixture
def path(tmp_path: Path) -> Path:
    writer = RingWriter(str(tmp_path), "w.a", 1, CAPACITY_MIN)
    for sequence in (1, 2, 3):
        assert writer.append(sequence, sequence, b"batch %d" % sequence)
    writer.close()
    return tmp_path / "ring-w.a-1"


def test_what_is_no_ring_is_left_out(path: Path) -> None:
    (path.parent / "lock").touch()
    (path.parent / "ring-x.a-1").write_bytes(b"rubbish")
    (path.parent / "ring-y.a-1").symlink_to("/dev/null")
    assert [(each.worker, each.committed_events) for each in read_figures(str(path.parent))] == [("w.a", 6)]


@pytest.mark.parametrize("made", [b"", b"\0" * HEADER_BYTES])
def test_an_unfinished_ring_is_left_out(tmp_path: Path, made: bytes) -> None:
    (tmp_path / "ring-w.a-1").write_bytes(made)
    assert read_figures(str(tmp_path)) == []


def test_a_ring_with_damaged_marks_is_left_out(path: Path) -> None:
    with path.open("r+b") as file:
        for word in (Word.COMMIT_MARK, Word.COMMIT_MARK + 8):
            file.seek(word * 8)
            file.write(struct.pack("<Q", 1))
    assert read_figures(str(path.parent)) == []
