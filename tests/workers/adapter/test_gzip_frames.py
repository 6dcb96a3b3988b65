from __future__ import annotations

import gzip
import tracemalloc

import msgspec
import pytest

from foxtrot_workers.adapter.gzip_frames import inflate_frame

TEXT = b'{"ping":1618678073643}'


def test_a_gzip_frame_is_inflated_and_any_other_left_as_it_is() -> None:
    assert inflate_frame(gzip.compress(TEXT, mtime=0)) == TEXT
    assert inflate_frame(TEXT) == TEXT
    assert inflate_frame(b"") == b""


def test_content_up_to_the_limit_is_taken() -> None:
    frame = gzip.compress(b"x" * 1000, mtime=0)
    assert len(inflate_frame(frame, bytes_max=1000)) == 1000
    with pytest.raises(msgspec.DecodeError, match="more than 999 bytes"):
        inflate_frame(frame, bytes_max=999)


def test_a_bomb_takes_no_more_memory_than_the_limit() -> None:
    bomb = gzip.compress(bytes(100 * 1024 * 1024), mtime=0)
    tracemalloc.start()
    try:
        with pytest.raises(msgspec.DecodeError, match="more than"):
            inflate_frame(bomb, bytes_max=1024 * 1024)
        assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "frame",
    [
        b"\x1f\x8b",
        b"\x1f\x8b\xff\xff",
        gzip.compress(TEXT, mtime=0)[:-1],
        gzip.compress(TEXT, mtime=0)[:-9],
        gzip.compress(TEXT, mtime=0)[:-8] + b"\0" * 8,  # wrong checksum
        gzip.compress(TEXT, mtime=0) + b"x",
        gzip.compress(TEXT, mtime=0) + gzip.compress(TEXT, mtime=0),
    ],
)
def test_a_damaged_frame_is_a_decode_error(frame: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        inflate_frame(frame)
