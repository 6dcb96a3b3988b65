from __future__ import annotations

import zlib

import pytest

from foxtrot_workers.websocket.deflate import OFFER, DeflateError, Inflater, inflater_of


class Sender:
    """The exchange's side: compresses messages as RFC 7692, section 7.2.1, says."""

    def __init__(self, *, takes_context_over: bool = True, window_bits: int = 15) -> None:
        self._takes_context_over = takes_context_over
        self._window_bits = window_bits
        self._stream = zlib.compressobj(wbits=-window_bits)

    def deflate(self, message: bytes) -> bytes:
        data = self._stream.compress(message) + self._stream.flush(zlib.Z_SYNC_FLUSH)
        if not self._takes_context_over:
            self._stream = zlib.compressobj(wbits=-self._window_bits)
        assert data.endswith(b"\x00\x00\xff\xff")
        return data[:-4]


MESSAGES = [b'{"a":1}', b"", b'{"a":1}' * 50, b"x" * 1000]


@pytest.mark.parametrize("takes_context_over", [True, False])
@pytest.mark.parametrize("window_bits", [9, 12, 15])
def test_messages_are_inflated_in_order(takes_context_over: bool, window_bits: int) -> None:
    sender = Sender(takes_context_over=takes_context_over, window_bits=window_bits)
    inflater = Inflater(1000, takes_context_over=takes_context_over, window_bits=window_bits)
    assert [inflater.inflate(sender.deflate(message)) for message in MESSAGES] == MESSAGES


def test_the_example_of_the_rfc() -> None:
    inflater = Inflater(100)
    assert inflater.inflate(bytes.fromhex("f248cdc9c90700")) == b"Hello"  # section 7.2.3.1
    assert inflater.inflate(bytes.fromhex("f200110000")) == b"Hello"  # 7.2.3.2: it refers to the one before
    assert Inflater(100).inflate(bytes.fromhex("f348cdc9c9070000")) == b"Hello"  # 7.2.3.4: a final block
    assert inflater.inflate(bytes.fromhex("f348cdc9c9070000")) == b"Hello"
    assert inflater.inflate(bytes.fromhex("f248cdc9c90700")) == b"Hello"


def test_a_message_over_the_limit_is_not_inflated_to_its_end() -> None:
    bomb = Sender().deflate(bytes(50 * 1024 * 1024))
    assert len(bomb) < 100_000
    with pytest.raises(DeflateError, match="a message over 1000 bytes"):
        Inflater(1000).inflate(bomb)
    with pytest.raises(DeflateError, match="a message over 999 bytes"):
        Inflater(999).inflate(Sender().deflate(b"x" * 1000))


@pytest.mark.parametrize("payload", [b"\xff\xff\xff", b"garbage", bytes.fromhex("f200110000")])
def test_what_cannot_be_inflated_ends_the_connection(payload: bytes) -> None:
    with pytest.raises(DeflateError, match="cannot be inflated"):
        Inflater(1000).inflate(payload)


def test_an_answer_may_agree_or_not() -> None:
    assert inflater_of(None, 10) is None
    assert inflater_of(" ", 10) is None
    for answer in (
        OFFER,
        "permessage-deflate",
        "permessage-deflate; server_max_window_bits=8",
        'permessage-deflate;server_max_window_bits="15";server_no_context_takeover',
    ):
        inflater = inflater_of(answer, 10)
        assert inflater is not None
        assert inflater.inflate(bytes.fromhex("f248cdc9c90700")) == b"Hello"


def test_an_answer_without_context_takeover_starts_each_message_afresh() -> None:
    inflater = inflater_of("permessage-deflate; server_no_context_takeover", 10)
    assert inflater is not None
    inflater.inflate(bytes.fromhex("f248cdc9c90700"))
    with pytest.raises(DeflateError):
        inflater.inflate(bytes.fromhex("f200110000"))


@pytest.mark.parametrize(
    "answer",
    ["permessage-bzip2", "permessage-deflate; other", "permessage-deflate; server_max_window_bits=16", "x, y"],
)
def test_what_was_not_offered_is_refused(answer: str) -> None:
    with pytest.raises(DeflateError, match="not offered"):
        inflater_of(answer, 10)
