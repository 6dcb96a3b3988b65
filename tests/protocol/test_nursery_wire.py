"""Messages between supervisor and nursery, in any portions, whole or broken."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.nursery_wire import FORK, PAYLOAD_BYTES_MAX, PING, pack, read_message


def stream(data: bytes, portion: int) -> Callable[[int], bytes]:
    """A socket's recv over `data`, at most `portion` bytes at a time."""
    rest = memoryview(data)

    def receive(size: int) -> bytes:
        nonlocal rest
        part, rest = rest[: min(size, portion)], rest[min(size, portion) :]
        return bytes(part)

    return receive


@pytest.mark.parametrize("portion", [1, 2, 7, 10_000])
def test_messages_are_read_whole_however_they_arrive(portion: int) -> None:
    receive = stream(pack(PING) + pack(FORK, b"x" * 1000) + pack(PING), portion)
    assert [read_message(receive) for _ in range(4)] == [(PING, b""), (FORK, b"x" * 1000), (PING, b""), (b"", b"")]


@pytest.mark.parametrize("cut", range(1, 15))
def test_a_truncated_message_is_malformed(cut: int) -> None:
    data = pack(FORK, b"0123456789")
    with pytest.raises(MalformedMessage, match="truncated"):
        read_message(stream(data[:cut], 3))


def test_an_oversized_length_is_refused_before_anything_is_read() -> None:
    head = pack(FORK, b"x" * (PAYLOAD_BYTES_MAX + 1))
    with pytest.raises(MalformedMessage, match="over the limit"):
        read_message(stream(head[:5], 5))
