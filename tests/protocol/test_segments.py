"""Layout of recorded segments: names, headers of chunks, and what a file that ends anywhere still has."""

from __future__ import annotations

import struct
import zlib

import msgspec
import pytest

from foxtrot_protocol import segments
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.segments import ChunkHeader, Lost, SegmentName, Session

SESSION = Session(worker="c.a", incarnation=2, connection="c", side="a", exchange="sim", started_ns=9)


def header(**changes: object) -> ChunkHeader:
    made = ChunkHeader(
        session=SESSION,
        url="wss://example",
        position=640,
        frames=7,
        lines=5,
        first_ns=10,
        last_ns=20,
        lost=[Lost(frames=2, reason="lapped", after_ns=8, before_ns=10)],
        plain_bytes=100,
        packed_bytes=6,
    )
    return msgspec.structs.replace(made, **changes)


def scan(data: bytes) -> segments.Scan:
    return segments.scan_chunks(lambda at, size: data[at : at + size], len(data))


def test_a_name_names_worker_and_number() -> None:
    name = segments.segment_name("a-b.a", 12, 1_700_000_000_123_456_789)
    assert name == "a-b.a-00000012-20231114T221320Z.jsonl.zst"
    assert segments.parse_segment_name(name) == SegmentName("a-b.a", 12)
    large = segments.segment_name("c.a", 123_456_789, 0)
    assert segments.parse_segment_name(large) == SegmentName("c.a", 123_456_789)
    for other in (
        "x.jsonl.zst",
        name[:-4],
        f"{name}.new",
        "c.a-12-20231114T221320Z.jsonl.zst",
        "-00000012-20231114T221320Z.jsonl.zst",
    ):
        assert segments.parse_segment_name(other) is None


def test_the_chunks_of_a_file_are_found_by_their_headers() -> None:
    data = segments.pack_chunk_header(header()) + b"packed"
    later = header(first_ns=30, last_ns=40, packed_bytes=3, ended=True)
    data += segments.pack_chunk_header(later) + b"abc"
    found = scan(data)
    assert (found.problem, found.torn) == ("", False)
    assert [chunk.header for chunk in found.chunks] == [header(), later]
    assert [data[chunk.data_at : chunk.end] for chunk in found.chunks] == [b"packed", b"abc"]


def test_a_file_that_ends_anywhere_has_the_chunks_before() -> None:
    first = segments.pack_chunk_header(header()) + b"packed"
    data = first * 3
    for size in range(len(data) + 1):
        found = scan(data[:size])
        assert len(found.chunks) == size // len(first)
        assert found.torn == bool(size % len(first))
        assert bool(found.problem) == found.torn


@pytest.mark.parametrize("at", [0, 8, 20, 40])
def test_what_is_damaged_is_no_chunk_and_not_torn(at: int) -> None:
    first = segments.pack_chunk_header(header()) + b"packed"
    damaged = bytearray(first * 2)
    damaged[len(first) + at] ^= 0xFF
    found = scan(bytes(damaged))
    assert (len(found.chunks), found.torn) == (1, False)
    assert f"{len(first)}" in found.problem


def test_a_header_that_cannot_be_is_refused() -> None:
    for text, reason in [
        (b"{}", "segment"),
        (msgspec.json.encode(header(packed_bytes=0)), "impossible size"),
        (msgspec.json.encode(header(plain_bytes=1 << 60)), "impossible size"),
    ]:
        prefix = struct.pack("<II4sI", 0, 0, b"", zlib.crc32(text))
        with pytest.raises(MalformedMessage, match=reason):
            segments.read_chunk_header(prefix, text)
