"""Lines of zstandard files: the recorder's, others', damaged ones; and seeking by the headers of chunks."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import zstandard

from foxtrot_workers.replay.recording import RecordingError, read_recording
from foxtrot_workers.replay.segment_reader import read_index
from tests.supervisor.recording.rings import a_recorder, a_ring
from tests.supervisor.recording.test_recorder import finish, flush


@pytest.fixture
def segment(tmp_path: Path) -> Path:
    """A segment of five chunks of two lines, received at 10 and 11, 20 and 21, …"""
    ring, recorder = a_ring(tmp_path), a_recorder(tmp_path)
    for number in range(1, 6):
        ring.received([b"first of %d" % number], 10 * number)
        ring.received(["second of the € %d\r".encode() % number], 10 * number + 1)
        flush(recorder)
    ring.close()
    finish(recorder)
    (path,) = (tmp_path / "recordings" / "c").iterdir()
    return path


def times(path: Path, from_ns: int = 0, until_ns: int | None = None) -> list[int]:
    return [frame.receive_ns for frame in read_recording(path, from_ns=from_ns, until_ns=until_ns)]


ALL = [10, 11, 20, 21, 30, 31, 40, 41, 50, 51]


def test_a_segment_is_read_as_it_was_recorded(segment: Path) -> None:
    frames = list(read_recording(segment))
    assert [frame.receive_ns for frame in frames] == ALL
    assert frames[1].payload == "second of the € 1\r".encode()
    assert [frame.line for frame in frames] == list(range(10))


def test_chunks_before_and_after_a_time_are_left_out(segment: Path) -> None:
    with segment.open("rb") as file:
        index = read_index(file)
    assert [(each.header.first_ns, each.header.last_ns) for each in index.chunks] == [
        *((10 * number, 10 * number + 1) for number in range(1, 6)),
        (0, 0),
    ]
    assert times(segment, 21, 30) == [20, 21, 30, 31]
    assert times(segment, 22) == [30, 31, 40, 41, 50, 51]
    assert times(segment, 0, 19) == [10, 11]


def test_a_segment_that_ends_anywhere_is_read_up_to_there(segment: Path, tmp_path: Path) -> None:
    whole, part = segment.read_bytes(), tmp_path / "part.jsonl.zst"
    with segment.open("rb") as file:
        ends = [0, *(chunk.end for chunk in read_index(file).chunks)]
    for size in range(ends[1], len(whole), 7):
        part.write_bytes(whole[:size])
        damages: list[str] = []
        complete = sum(end <= size for end in ends) - 1
        found = [frame.receive_ns for frame in read_recording(part, on_damage=damages.append)]
        assert found == ALL[: 2 * complete]
        assert bool(damages) == (size not in ends)
    with pytest.raises(RecordingError, match=r"part\.jsonl\.zst: it ends within the chunk"):
        list(read_recording(part))


def test_damaged_data_are_found_by_their_checksum(segment: Path) -> None:
    with segment.open("rb") as file:
        chunk = read_index(file).chunks[1]
    data = bytearray(segment.read_bytes())
    data[chunk.end - 6] ^= 0xFF
    segment.write_bytes(data)
    damages: list[str] = []
    assert [frame.receive_ns for frame in read_recording(segment, on_damage=damages.append)] == [10, 11]
    assert "is damaged" in damages[0]


def test_files_of_other_programs(segment: Path, tmp_path: Path) -> None:
    with zstandard.open(segment, "rt", newline="\n") as file:
        text = file.read()
    other = tmp_path / "other.zst"
    half = text.index("\n", len(text) // 2) + 1
    pack = zstandard.ZstdCompressor().compress
    other.write_bytes(pack(text[:half].encode()) + b"\x50\x2a\x4d\x18\x03\0\0\0abc" + pack(text[half:].encode()))
    assert times(other) == ALL
    other.write_bytes(pack(text.encode())[:-10] + b"x" * 10)
    with pytest.raises(RecordingError):
        list(read_recording(other))


def test_the_extra_that_is_missing_is_named(segment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> object:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(RecordingError, match=r"foxtrot-supervisor\[record\]"):
        list(read_recording(segment))
