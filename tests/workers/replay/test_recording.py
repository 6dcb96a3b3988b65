from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from foxtrot_workers.replay import recording
from foxtrot_workers.replay.recording import RecordedFrame, RecordingError, read_recording


def line(**changes: Any) -> str:
    return json.dumps({"t": 5, "dir": "in", "url": "wss://host/x", "raw": "{}", **changes}) + "\n"


def plain(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def packed(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()))
    return path


@pytest.mark.parametrize("write", [plain, packed])
@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_plain_and_gzip_files_are_told_apart_by_their_content(tmp_path: Path, write: Any, name: str) -> None:
    path = write(tmp_path / name, line() + line(dir="http", raw="ü", t=None, url=None) + line(dir="out", src="x"))
    assert list(read_recording(path)) == [
        RecordedFrame(0, 5, "in", "wss://host/x", b"{}"),
        RecordedFrame(1, 0, "http", "", "ü".encode()),
        RecordedFrame(2, 5, "out", "wss://host/x", b"{}"),
    ]


def test_binary_frames_are_base64(tmp_path: Path) -> None:
    path = plain(tmp_path / "a", line(raw="H4sI/w==", enc="base64"))
    assert [frame.payload for frame in read_recording(path)] == [b"\x1f\x8b\x08\xff"]


def test_empty_lines_count_as_lines(tmp_path: Path) -> None:
    path = plain(tmp_path / "a", "\n" + line() + "  \n" + line().rstrip("\n"))
    assert [frame.line for frame in read_recording(path)] == [1, 3]


def test_an_empty_recording_has_no_frames(tmp_path: Path) -> None:
    assert list(read_recording(plain(tmp_path / "a", ""))) == []


@pytest.mark.parametrize(
    "bad",
    [
        "{",
        "[]",
        "null",
        '{"dir":"in"}',
        line(dir="up"),
        line(raw=5),
        line(raw="é", enc="base64"),
        line(raw="AAA", enc="base64"),
        line(raw="AA!AA!", enc="base64"),
        line(enc="rot13"),
        line(t="x"),
        line(t=-1),
        line(t=2**63),
        line(url=5),
        line(url="ws://[::1"),
        "[" * 100_000,
        '{"raw":"\\ud800","dir":"in"}',
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, bad: str) -> None:
    path = plain(tmp_path / "a.jsonl", line() + bad)
    frames = read_recording(path)
    assert next(frames).line == 0
    with pytest.raises(RecordingError, match="line 1") as raised:
        next(frames)
    assert (raised.value.path, raised.value.line) == (path, 1)


def test_invalid_utf8_is_a_bad_line(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b'{"dir":"in","raw":"\xff\xfe"}')
    with pytest.raises(RecordingError, match="line 0"):
        list(read_recording(path))


def test_lines_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "LINE_BYTES_MAX", 100)
    path = plain(tmp_path / "a", line() + line(raw="x" * 100))
    with pytest.raises(RecordingError, match="line 1: longer than 100 bytes"):
        list(read_recording(path))


def test_a_missing_file_or_a_folder_is_an_error(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(RecordingError, match=str(path)) as raised:
            next(read_recording(path))
        assert raised.value.line is None


def test_a_truncated_or_damaged_gzip_file_is_an_error(tmp_path: Path) -> None:
    whole = gzip.compress((line() * 1000).encode())
    for number, data in enumerate(
        (whole[: len(whole) // 2], whole[:20] + b"\xff\xff\xff" + whole[23:], b"\x1f\x8bnot gzip")
    ):
        path = tmp_path / f"{number}.gz"
        path.write_bytes(data)
        with pytest.raises(RecordingError):
            list(read_recording(path))
