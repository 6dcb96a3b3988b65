"""Both forms write the same bytes."""

from __future__ import annotations

import mmap
import random
from collections.abc import Callable
from typing import Any

import pytest

from foxtrot_protocol import compiled, frames_layout
from foxtrot_protocol.frames_layout import CAPACITY_MIN, HEADER_BYTES, Kind
from foxtrot_workers.feed.record_writer import PureRecordWriter, RecordWriter

native = compiled.load("foxtrot_workers.feed._record_writer")

needs_compiled = pytest.mark.skipif(native is None, reason="not compiled")

FORMS = [
    pytest.param(lambda *args: PureRecordWriter(*args), id="pure"),
    pytest.param(lambda *args: native.RecordWriter(*args), id="compiled", marks=needs_compiled),  # type: ignore
]


@needs_compiled
def test_both_forms_write_the_same_ring() -> None:
    assert native is not None
    chance = random.Random(4)
    maps = [mmap.mmap(-1, HEADER_BYTES + CAPACITY_MIN) for _ in range(2)]
    writers: list[RecordWriter] = [
        PureRecordWriter(maps[0], CAPACITY_MIN),
        native.RecordWriter(maps[1], CAPACITY_MIN),
    ]
    for _ in range(2_000):
        parts = [chance.randbytes(chance.choice([0, 1, 7, 200, 9000])) for _ in range(chance.choice([1, 1, 3, 9]))]
        arguments = (chance.randrange(4), parts, len(parts), chance.randrange(-5, 2**62), chance.randrange(600))
        written = [writer.write(*arguments) for writer in writers]
        assert written[0] == written[1]
        assert maps[0][:] == maps[1][:]
    for writer, mapped in zip(writers, maps, strict=True):
        writer.close()
        mapped.close()


@pytest.mark.parametrize("make", FORMS)
def test_a_record_may_have_half_the_ring(make: Callable[..., Any]) -> None:
    with mmap.mmap(-1, HEADER_BYTES + CAPACITY_MIN) as mapped:
        writer = make(mapped, CAPACITY_MIN)
        most = frames_layout.record_bytes_max(CAPACITY_MIN) - frames_layout.RECORD_BYTES - 4
        assert not writer.write(Kind.RECEIVED, [bytes(most + 1)], 1, 7)
        assert mapped[:] == bytes(len(mapped)), "nothing is written"
        assert writer.write(Kind.RECEIVED, [bytes(most)], 1, 7)
        record = frames_layout.read_record(mapped, 0, CAPACITY_MIN, CAPACITY_MIN)
        assert record is not None
        assert (record.parts, record.time_ns, record.frames) == ([bytes(most)], 7, 1)
        writer.close()


@pytest.mark.parametrize("make", FORMS)
def test_parts_may_be_other_buffers(make: Callable[..., Any]) -> None:
    with mmap.mmap(-1, HEADER_BYTES + CAPACITY_MIN) as mapped:
        writer = make(mapped, CAPACITY_MIN)
        assert writer.write(Kind.RECEIVED, [bytearray(b"one"), memoryview(b"two")], 2, 7)
        record = frames_layout.read_record(mapped, 0, CAPACITY_MIN, CAPACITY_MIN)
        assert record is not None
        assert record.parts == [b"one", b"two"]
        writer.close()


@needs_compiled
def test_a_ring_that_is_too_small_or_closed_is_refused() -> None:
    assert native is not None
    with mmap.mmap(-1, HEADER_BYTES + CAPACITY_MIN) as mapped:
        with pytest.raises(ValueError, match="larger"):
            native.RecordWriter(mapped, CAPACITY_MIN + 8)
        writer = native.RecordWriter(mapped, CAPACITY_MIN)
        writer.close()
        with pytest.raises(ValueError, match="closed"):
            writer.write(Kind.RECEIVED, [b"x"], 1, 1)
