"""Layout of a frames ring: header, address and records, and what is refused."""

from __future__ import annotations

import mmap
import struct
import zlib

import msgspec
import pytest

from foxtrot_protocol import frames_layout
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.frames_layout import (
    CAPACITY_MIN,
    HEADER_BYTES,
    LAP_MARGIN_BYTES,
    RECORD_BYTES,
    FramesIdentity,
    FramesRecord,
    Kind,
)

IDENTITY = FramesIdentity(
    worker="c.a",
    incarnation=3,
    connection="c",
    side="a",
    exchange="sim",
    capacity=CAPACITY_MIN,
    recorded=True,
    started_ns=5,
)


def header(identity: FramesIdentity = IDENTITY) -> bytes:
    return frames_layout.pack_header(identity).ljust(HEADER_BYTES, b"\0")


def a_ring() -> mmap.mmap:
    return mmap.mmap(-1, HEADER_BYTES + CAPACITY_MIN)


def put(ring: mmap.mmap, position: int, parts: list[bytes], before: int = 0, kind: int = Kind.RECEIVED) -> int:
    size = frames_layout.record_size(len(parts), sum(map(len, parts)))
    lengths = struct.pack(f"<{len(parts)}I", *map(len, parts))
    record = frames_layout.pack_record(position, size, before, 77, kind, len(parts), len(parts), 0)
    at = HEADER_BYTES + position % CAPACITY_MIN
    data = record + lengths + b"".join(parts)
    ring[at : at + len(data)] = data
    return position + size


@pytest.mark.parametrize("worker", ["c.a", "a-b-1.b", "x"])
def test_a_name_names_worker_and_incarnation(worker: str) -> None:
    assert frames_layout.parse_frames_name(frames_layout.frames_name(worker, 12)) == (worker, 12)


@pytest.mark.parametrize("name", ["frames--1", "frames-c.a-01", "frames-c.a-x", "ring-c.a-1", "frames-c.a-1.new", ""])
def test_other_names_are_no_frames_rings(name: str) -> None:
    assert frames_layout.parse_frames_name(name) is None


def test_a_header_says_who_writes() -> None:
    assert frames_layout.read_header(header()) == IDENTITY
    assert frames_layout.read_address(header()) == ""


def test_an_address_is_found_in_the_header() -> None:
    data = bytearray(header())
    at, packed = frames_layout.pack_address("wss://example/" + "x" * 9000)
    data[at : at + len(packed)] = packed
    assert frames_layout.read_address(bytes(data)) == ("wss://example/" + "x" * 9000)[: frames_layout.ADDRESS_BYTES_MAX]
    data[at + 20] ^= 1
    assert frames_layout.read_address(bytes(data)) == ""
    data[at + 3] = 0xFF
    assert frames_layout.read_address(bytes(data)) == ""


def test_a_header_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 8"):
        frames_layout.pack_header(msgspec.structs.replace(IDENTITY, capacity=CAPACITY_MIN + 1))
    with pytest.raises(ValueError, match="too long"):
        frames_layout.pack_header(msgspec.structs.replace(IDENTITY, connection="x" * 2000))
    good = header()
    packed = msgspec.msgpack.encode("text")
    no_identity = struct.pack("<QIIQII", *struct.unpack_from("<QIIQ", good), len(packed), 0) + packed
    checksum = struct.pack("<I", zlib.crc32(packed))
    no_identity = (no_identity[:28] + checksum + no_identity[32:]).ljust(HEADER_BYTES, b"\0")
    another = good[:16] + struct.pack("<Q", CAPACITY_MIN * 2) + good[24:]
    damaged = good[:40] + bytes([good[40] ^ 1]) + good[41:]
    for data, reason in [
        (good[:100], "has 16384 bytes"),
        (b"\0" * HEADER_BYTES, "not one"),
        (damaged, "damaged"),
        (another, "capacity"),
        (no_identity, "frames ring"),
    ]:
        with pytest.raises(MalformedMessage, match=reason):
            frames_layout.read_header(data)


def test_records_are_read_in_order_and_over_the_end_of_a_lap() -> None:
    ring = a_ring()
    end = put(ring, 0, [b"one", b"", b"three"])
    assert frames_layout.read_record(ring, 0, end, CAPACITY_MIN) == FramesRecord(
        Kind.RECEIVED, 77, [b"one", b"", b"three"], 3, 0, 0, 0, end
    )
    assert frames_layout.read_record(ring, end, end, CAPACITY_MIN) is None
    # the rest of a lap is left out: with a marker, or too small for one
    for rest in (RECORD_BYTES + 8, RECORD_BYTES - 8):
        position = CAPACITY_MIN - rest
        size = frames_layout.record_size(1, 100)
        start = frames_layout.place_record(position, CAPACITY_MIN, size)
        assert start == CAPACITY_MIN
        marker = frames_layout.wrap_marker()
        if rest > RECORD_BYTES:
            at = HEADER_BYTES + position
            ring[at : at + len(marker)] = marker
        end = put(ring, start, [b"x" * 100], 3)
        record = frames_layout.read_record(ring, position, end, CAPACITY_MIN)
        assert record is not None
        assert (record.position, record.parts) == (start, [b"x" * 100])
        assert frames_layout.read_record(ring, position, start, CAPACITY_MIN) is None
    assert frames_layout.place_record(8, CAPACITY_MIN, 100) == 8


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (0, b"FrmX"),
        (4, b"\xff\xff\xff\x7f"),
        (4, b"\x08\0\0\0"),
        (8, b"\x08"),
        (32, b"\x09"),
        (36, b"\xff\xff"),
        (40, b"\x02"),
        (48, b"\x09"),
    ],
    ids=["magic", "too long", "too short", "position", "kind", "parts", "frames", "lengths"],
)
def test_a_damaged_record_is_refused_and_the_next_is_found(at: int, value: bytes) -> None:
    ring = a_ring()
    second = put(ring, 0, [b"some text FrmR of a frame"])
    end = put(ring, second, [b"next"], 1)
    ring[HEADER_BYTES + at : HEADER_BYTES + at + len(value)] = value
    with pytest.raises(MalformedMessage):
        frames_layout.read_record(ring, 0, end, CAPACITY_MIN)
    found = frames_layout.find_record(ring, 0, end, CAPACITY_MIN)
    assert found is not None
    assert found.parts == [b"next"]


def test_the_search_goes_over_the_end_of_a_lap() -> None:
    ring = a_ring()
    end = put(ring, CAPACITY_MIN, [b"next lap"])
    ring[HEADER_BYTES + CAPACITY_MIN - 16 : HEADER_BYTES + CAPACITY_MIN - 12] = b"FrmR"
    found = frames_layout.find_record(ring, CAPACITY_MIN - 4000, end, CAPACITY_MIN)
    assert found is not None
    assert found.position == CAPACITY_MIN
    assert frames_layout.find_record(ring, 8, CAPACITY_MIN // 2, CAPACITY_MIN) is None


def test_what_the_writer_may_be_overwriting_is_lapped() -> None:
    assert not frames_layout.is_lapped(0, CAPACITY_MIN - LAP_MARGIN_BYTES, CAPACITY_MIN)
    assert frames_layout.is_lapped(0, CAPACITY_MIN - LAP_MARGIN_BYTES + 8, CAPACITY_MIN)
    assert frames_layout.oldest_position(10, CAPACITY_MIN) == 0
    assert not frames_layout.is_lapped(frames_layout.oldest_position(10**9, CAPACITY_MIN), 10**9, CAPACITY_MIN)
    assert frames_layout.record_bytes_max(CAPACITY_MIN) == CAPACITY_MIN // 2


def test_names_of_earlier_rings_and_of_words_about_lost_ones() -> None:
    name = frames_layout.frames_name("c.a", 2)
    assert frames_layout.parse_any_name(name) == ("c.a", 2)
    assert frames_layout.parse_any_name(frames_layout.earlier_name(name, 77)) == ("c.a", 2)
    assert frames_layout.parse_any_name("other.5") is None
    assert frames_layout.parse_lost_name(frames_layout.lost_name("c.a", 2)) == ("c.a", 2)
    assert frames_layout.parse_lost_name(name) is None
