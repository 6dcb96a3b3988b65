"""Rows as chunks for the script; what the script does is tested with a real Redis."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from foxtrot_supervisor.sinks.redis.script import (
    CHUNK_BYTES,
    CHUNK_ROWS,
    DIGEST_BYTES,
    chunks_of,
    stream_name,
)
from foxtrot_supervisor.sinks.stores.fields import flat_fields
from tests.support.sink_rows import every_kind, trade_rows, with_event


def test_rows_are_cut_into_chunks_in_order() -> None:
    rows = trade_rows(1, 2 * CHUNK_ROWS + 1)
    chunks, refused = chunks_of(rows, "p", by_symbol=False)
    assert refused == []
    assert [chunk.last for chunk in chunks] == [CHUNK_ROWS, 2 * CHUNK_ROWS, 2 * CHUNK_ROWS + 1]
    packed = [row for chunk in chunks for row in msgspec.msgpack.decode(chunk.rows)]
    assert [row[0] for row in packed] == [row.number for row in rows]
    assert packed[0] == [1, 1, rows[0].event.receive_ns // 1_000_000, flat_fields(rows[0])]
    assert msgspec.msgpack.decode(chunks[0].streams) == ["p:trade"]
    digest = blake2b(rows[1].key.encode(), digest_size=DIGEST_BYTES).digest()
    assert chunks[0].digests[DIGEST_BYTES : 2 * DIGEST_BYTES] == digest


def test_large_rows_make_small_chunks() -> None:
    long = "9" * (CHUNK_BYTES // 2)
    rows = [with_event(row, price=long) for row in trade_rows(1, 5)]
    assert [chunk.last for chunk in chunks_of(rows, "p", by_symbol=False)[0]] == [2, 4, 5]


def test_streams_by_kind_or_by_symbol() -> None:
    rows = every_kind()
    (chunk,) = chunks_of(rows[:20], "p", by_symbol=True)[0]
    names = msgspec.msgpack.decode(chunk.streams)
    assert "p:trade:SIM:BTCUSDT" in names
    for row, packed in zip(rows, msgspec.msgpack.decode(chunk.rows), strict=False):
        assert names[packed[1] - 1] == stream_name(row, "p", True)


def test_rows_that_cannot_be_encoded_are_refused_and_counted_as_done() -> None:
    rows = trade_rows(1, 3)
    rows[2] = with_event(rows[2], symbol="\ud800")
    chunks, refused = chunks_of(rows, "p", by_symbol=False)
    assert [chunk.last for chunk in chunks] == [3]
    assert [row.number for row, _ in refused] == [3]
    alone, _ = chunks_of(rows[2:], "p", by_symbol=False)
    assert [(chunk.last, msgspec.msgpack.decode(chunk.rows)) for chunk in alone] == [(3, [])]
