"""Recorded frames as the lines that `replay` reads."""

from __future__ import annotations

from foxtrot_protocol.frames_layout import FramesRecord, Kind
from foxtrot_protocol.segments import Lost
from foxtrot_supervisor.recording.lines import encode_lines, lines_of, received_lines


def record(kind: Kind, *parts: bytes, status: int = 0) -> FramesRecord:
    return FramesRecord(kind, 77, list(parts), len(parts), 0, status, 0, 8)


def test_received_text_and_bytes() -> None:
    lines, lost = lines_of(record(Kind.RECEIVED, b'{"a":"\xe2\x82\xac"}', b"\xff\x00", b""))
    assert lost is None
    assert encode_lines(lines).decode().splitlines() == [
        '{"t":77,"dir":"in","raw":"{\\"a\\":\\"€\\"}"}',
        '{"t":77,"dir":"in","raw":"/wA=","enc":"base64"}',
        '{"t":77,"dir":"in","raw":""}',
    ]


def test_what_was_sent_and_answered() -> None:
    assert encode_lines(lines_of(record(Kind.RECEIVED, b"x"))[0]) == b'{"t":77,"dir":"in","raw":"x"}\n'
    assert encode_lines(lines_of(record(Kind.SENT, b"ping"))[0]) == b'{"t":77,"dir":"out","raw":"ping"}\n'
    (answer,), _ = lines_of(record(Kind.ANSWER, b"adapter", b"https://x/y", b"{}", status=429))
    assert encode_lines([answer]) == (
        b'{"t":77,"dir":"http","url":"https://x/y","raw":"{}","purpose":"adapter","status":429}\n'
    )


def test_a_frame_that_was_too_large_is_lost() -> None:
    lines, lost = lines_of(record(Kind.OMITTED, b"answer", b"123"))
    assert lines == []
    assert lost == Lost(
        frames=1, reason="answer: 123 bytes, larger than half the frames ring", after_ns=77, before_ns=77
    )


def test_a_record_of_received_text_is_encoded_at_once() -> None:
    text = record(Kind.RECEIVED, b'{"a":"\xe2\x82\xac"}', b"\x00\n", b"")
    assert received_lines(text) == encode_lines(lines_of(text)[0])
    assert received_lines(record(Kind.RECEIVED, b"text", b"\xff")) is None
    assert received_lines(record(Kind.SENT, b"text")) is None
