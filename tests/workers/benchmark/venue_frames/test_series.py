"""Frames of a series advance in identifiers, times and sizes; levels never cross."""

from __future__ import annotations

import zlib

from foxtrot_workers.benchmark.venue_frames.series import FrameSeries

BOOK = FrameSeries(
    "book",
    "BTC",
    '{"id":%(id)d,"previous":%(previous)d,"ms":%(ms)d,"iso":"%(iso)s","bids":[%(bids)s],"asks":[%(asks)s]}',
    "delta",
    before=('{"id":%(id)d}',),
    answer='{"last":%(id)d}',
)


def test_a_frame_follows_the_one_before() -> None:
    assert BOOK.first_payloads() == [b'{"id":7700000000}']
    assert BOOK.answer_body() == b'{"last":7700000000}'
    assert BOOK.payload(1).startswith(
        b'{"id":7700000001,"previous":7700000000,"ms":1767571200100,"iso":"2026-01-05T00:00:00.100",'
        b'"bids":[["42500.00","1.00007"],["42499.50","2.00008"],'
    )
    assert b'"asks":[["42501.00","1.00007"],["42501.50","2.00008"],' in BOOK.payload(1)
    assert b'"iso":"2026-01-05T01:01:01.000"' in BOOK.payload(36_610)


def test_all_levels_change_from_frame_to_frame() -> None:
    first, second = (set(BOOK.payload(number).split(b"[")) for number in (1, 2))
    assert first & second == {b""}


def test_a_compressed_frame_is_gzip() -> None:
    compressed = FrameSeries("trade", "BTC", "[%(id)d]", "trade", compressed=True)
    assert zlib.decompress(compressed.payload(1), 31) == b"[7700000001]"


def test_the_checksum_is_that_of_the_digits_of_asks_then_bids() -> None:
    # asks 1.00007 at 42501.00, ..., then bids: written out for ten levels of each side
    digits = "".join(f"{4250100 + n * 50}{n + 1}{n + 7:05d}" for n in range(10))
    digits += "".join(f"{4250000 - n * 50}{n + 1}{n + 7:05d}" for n in range(10))
    assert FrameSeries("book", "X", "%(checksum)d", "delta").payload(1) == str(zlib.crc32(digits.encode())).encode()
