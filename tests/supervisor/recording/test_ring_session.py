"""Chunks of one ring: what a chunk says of itself, and lines that can be read alone."""

from __future__ import annotations

from pathlib import Path

import msgspec

from foxtrot_protocol.segments import Lost
from foxtrot_supervisor.recording.frames_reader import FramesReader
from foxtrot_supervisor.recording.line_memory import MemoryPool
from foxtrot_supervisor.recording.ring_session import RingSession
from tests.supervisor.recording.rings import CAPACITY, a_ring


def as_is(plain: memoryview, in_a_hurry: bool = False) -> bytes:
    return bytes(plain)


def test_chunks_are_packed_in_a_hurry_while_much_waits_in_the_ring(tmp_path: Path) -> None:
    ring = a_ring(tmp_path)
    frame = bytes(CAPACITY // 16)
    for number in range(8):
        ring.received([frame], number)
    session = RingSession(FramesReader.open(str(tmp_path / "frames"), "c.a", 1), [], [], MemoryPool())
    hurried: list[bool] = []
    more = True
    while more:
        more = session.gather(len(frame), 1.0)
        session.chunk(lambda _, in_a_hurry: hurried.append(in_a_hurry) or b"packed", ended=False)
        session.written()
    # of the eight frames, each a sixteenth of the ring, seven wait behind the first chunk
    assert hurried == [True] * 4 + [False] * 5
    session.reader.close()
    ring.close()


def test_each_chunk_begins_with_its_session_and_address(tmp_path: Path) -> None:
    ring = a_ring(tmp_path)
    ring.answered("adapter", "https://x", 200, b"{}", 5)
    ring.received([b"1", b"2"], 6)
    carried, lost = Lost(frames=3, reason="earlier"), Lost(frames=None, reason="between", incarnation=4)
    session = RingSession(FramesReader.open(str(tmp_path / "frames"), "c.a", 1), [carried], [lost], MemoryPool())
    assert not session.gather(10_000, 1.0)
    header, packed = session.chunk(as_is, ended=False)
    lines = [msgspec.json.decode(line) for line in packed.splitlines()]
    assert [line.get("url") for line in lines] == ["https://x", "wss://example/c.a", None]
    assert [("session" in line, "lost" in line) for line in lines] == [(True, True), (False, False), (False, False)]
    assert lines[0]["lost"] == [
        {"frames": 3, "reason": "earlier"},
        {"frames": None, "reason": "between", "incarnation": 4},
    ]
    assert header.lost == [lost], "what was carried was counted in its own session"
    assert (header.lines, header.frames, header.first_ns, header.last_ns) == (3, 3, 5, 6)
    assert (header.position, header.url) == (session.reader.position, "wss://example/c.a")
    assert (header.plain_bytes, header.packed_bytes) == (len(packed), len(packed))
    ring.received([b"3"], 7)
    assert session.is_full
    assert session.chunk(as_is, ended=True) == (header, packed), "the same until it is written"
    session.written()
    assert session.gather(1, 2.0), "there may be more"
    header, packed = session.chunk(as_is, ended=True)
    (line,) = [msgspec.json.decode(line) for line in packed.splitlines()]
    assert (line["url"], line["raw"], line["session"]["worker"]) == ("wss://example/c.a", "3", "c.a")
    assert "lost" not in line
    assert header.ended
    session.written()
    empty, packed = session.chunk(as_is, ended=True)
    assert (empty.lines, empty.first_ns, empty.last_ns, packed) == (0, 0, 0, b"")
    session.reader.close()
    ring.close()
