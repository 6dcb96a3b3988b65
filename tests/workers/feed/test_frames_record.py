"""What a worker keeps of its connection: no secret of an address, a token or a query is in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from foxtrot_supervisor.recording.frames_reader import FramesReader
from foxtrot_workers.feed.frames_record import FramesRecord, shown_address
from foxtrot_workers.feed.frames_writer import FramesWriter
from tests.workers.feed.test_frames_writer import identity, read_all

TOKEN = "s3cr3t-0f-the-exchange"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("wss://stream.example/ws?streams=a@trade/b@trade", "wss://stream.example/ws?streams=a@trade/b@trade"),
        (
            "wss://me:pw@host:1/x?api_key=abc&depth=5&signature=ff#frag",
            "wss://host:1/x?api_key=***&depth=5&signature=***",
        ),
        ("wss://host/x?depth=5&accessToken=abc", "wss://host/x?depth=5&accessToken=***"),
        ("", ""),
    ],
)
def test_an_address_is_shown_without_secrets(url: str, shown: str) -> None:
    assert shown_address(url) == shown


def test_a_token_is_nowhere_in_the_file(tmp_path: Path) -> None:
    writer = FramesWriter(str(tmp_path), identity())
    record = FramesRecord(writer, "https://me:pw@rest.example")
    record.connecting(f"wss://host/endpoint?t={TOKEN}&id=5", has_token=True)
    record.sent(f'{{"op":"hello","with":"{TOKEN}"}}')
    record.received([b"frame"], 5)
    record.answered("adapter", "/depth?symbol=X", 200, b"{}", 6)
    record.answered("adapter", "/depth?symbol=X", 0, b"no answer was received", 7)
    reader = FramesReader.open(str(tmp_path / "frames"), "c.a", 1)
    assert reader.address == "wss://host/endpoint?***"
    reader.close()
    sent, received, answer = read_all(tmp_path)
    assert sent.parts == [b'{"op":"hello","with":"***"}']
    assert received.parts == [b"frame"]
    assert (answer.parts, answer.status) == ([b"adapter", b"https://rest.example/depth?symbol=X", b"{}"], 200)
    assert TOKEN.encode() not in Path(writer.path).read_bytes()
    assert b"pw" not in Path(writer.path).read_bytes()
    writer.close()
