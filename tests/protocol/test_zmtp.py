"""ZMTP: the same messages whatever the pieces in which bytes arrive; real libzmq is the peer in test_zmtp_socket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxtrot_protocol.zmtp import COMMAND_BYTES_MAX, FRAMES_MAX, GREETING, Connection, message

LIMIT = 70_000


def command(name: bytes, data: bytes = b"") -> bytes:
    body = bytes((len(name),)) + name + data
    return bytes((4, len(body))) + body


def metadata(name: bytes, value: bytes) -> bytes:
    return bytes((len(name),)) + name + len(value).to_bytes(4, "big") + value


READY = command(b"READY", metadata(b"Socket-Type", b"ROUTER") + metadata(b"Identity", b""))
PEER = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x01" + b"NULL".ljust(20, b"\0") + b"\0" + bytes(31)


def frame(body: bytes, *, more: bool = False, long: bool = False) -> bytes:
    if long or len(body) > 255:
        return bytes((2 | more,)) + len(body).to_bytes(8, "big") + body
    return bytes((int(more), len(body))) + body


def dealer(opened: bool = True, socket_type: bytes = b"DEALER") -> Connection:
    connection = Connection(socket_type, b"w#1", LIMIT)
    if opened:
        assert connection.receive(PEER + READY) == []
        connection.take_replies()
        assert connection.is_open
        assert not connection.violation
    return connection


def test_what_is_sent_stands_in_the_specification() -> None:
    assert len(GREETING) == 64
    assert GREETING[:12] == b"\xff\0\0\0\0\0\0\0\0\x7f\x03\x00"
    assert GREETING[12:32].rstrip(b"\0") == b"NULL"
    assert GREETING[32:] == bytes(32)
    connection = dealer(opened=False)
    connection.receive(PEER)
    assert connection.take_replies() == (
        b"\x04\x2c\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER\x08Identity\x00\x00\x00\x03w#1"
    )
    assert connection.take_replies() == b""
    assert not connection.is_open, "READY of the peer has not come"


@pytest.mark.parametrize("size", [0, 1, 255, 256, 65_536])
def test_a_message_is_short_up_to_255_bytes_and_long_beyond(size: int) -> None:
    data = bytes(size)
    assert message(data) == frame(data)
    assert dealer().receive(message(data)) == [(data,)]


@pytest.mark.parametrize("size", [0, 1, 255, 256, 60_000])
def test_one_whole_message_is_taken_directly_and_nothing_else(size: int) -> None:
    connection, data = Connection(b"PULL", b"", LIMIT), bytes(size)
    assert connection.receive_only(message(data)) is None, "the handshake comes first"
    connection.receive(PEER + command(b"READY", metadata(b"Socket-Type", b"PUSH")))
    assert connection.receive_only(message(data)) == data
    assert connection.receive_only(message(data) + b"\0") is None
    assert connection.receive_only(message(data)[:-1]) is None
    assert connection.receive_only(frame(data, more=True)) is None
    assert connection.receive_only(command(b"PING", b"\0\0")) is None
    assert connection.receive_only(b"") is None
    assert connection.receive_only(message(bytes(LIMIT))) is None, "near the limit frames are counted"
    assert connection.receive(b"\0") == []
    assert connection.receive_only(message(data)) is None, "a message has begun"


def test_a_long_identity_makes_a_long_command() -> None:
    connection = Connection(b"DEALER", b"x" * 255, LIMIT)
    connection.receive(PEER)
    ready = connection.take_replies()
    assert ready[0] == 6
    assert int.from_bytes(ready[1:9], "big") == len(ready) - 9


pieces = st.lists(st.integers(1, 40), min_size=1, max_size=50)
contents = st.lists(st.lists(st.binary(max_size=300), min_size=1, max_size=4), max_size=6)


@given(contents, pieces, st.booleans())
def test_pieces_do_not_matter(messages: list[list[bytes]], sizes: list[int], long: bool) -> None:
    stream = PEER + READY
    for number, frames in enumerate(messages):
        stream += command(b"PING", b"\0\0" + bytes((number,))) + command(b"UNHEARD", b"of")
        for place, body in enumerate(frames):
            stream += frame(body, more=place + 1 < len(frames), long=long)
    connection, got, replies, position = dealer(opened=False), [], b"", 0
    turn = 0
    while position < len(stream):
        size = sizes[turn % len(sizes)]
        got += connection.receive(stream[position : position + size])
        replies += connection.take_replies()
        position += size
        turn += 1
    assert got == [tuple(frames) for frames in messages]
    assert not connection.violation
    assert replies.count(b"\x04PONG") <= len(messages)
    if messages:
        assert replies.endswith(command(b"PONG", bytes((len(messages) - 1,)))), "the latest PING is answered"


def test_byte_by_byte() -> None:
    stream = PEER + READY + frame(b"one", more=True) + frame(b"") + frame(b"x" * 1000)
    connection, got = dealer(opened=False), []
    for byte in stream:
        got += connection.receive(bytes((byte,)))
    assert got == [(b"one", b""), (b"x" * 1000,)]


def test_ready_and_ping_in_one_piece_are_both_answered() -> None:
    connection = dealer(opened=False)
    connection.receive(PEER + READY + command(b"PING", b"\0\0ctx"))
    replies = connection.take_replies()
    assert b"READY" in replies
    assert replies.endswith(command(b"PONG", b"ctx"))


def test_a_context_of_ping_is_cut_to_16_bytes_and_pong_is_ignored() -> None:
    connection = dealer()
    assert connection.receive(command(b"PING", b"\0\0" + bytes(range(30))) + command(b"PONG", b"x")) == []
    assert connection.take_replies() == command(b"PONG", bytes(range(16)))


VIOLATIONS = {
    "another protocol": (b"GET / HTTP/1.1\r\n", "no ZMTP greeting"),
    "signature": (b"\xff" + bytes(9), "no ZMTP greeting"),
    "version": (b"\xff" + bytes(8) + b"\x7f\x01", "version 1"),
    "mechanism": (PEER[:12] + b"CURVE".ljust(20, b"\0") + PEER[32:], "CURVE"),
    "message before READY": (PEER + frame(b"x"), "before READY"),
    "command before READY": (PEER + command(b"PING", b"\0\0"), "before READY"),
    "socket type": (PEER + command(b"READY", metadata(b"socket-type", b"SUB")), "SUB"),
    "no socket type": (PEER + command(b"READY"), "socket"),
    "cut metadata: value": (PEER + command(b"READY", metadata(b"Socket-Type", b"ROUTER")[:-1]), "cut off"),
    "cut metadata: length": (PEER + command(b"READY", b"\x0bSocket-Type\0"), "cut off"),
    "refusal": (PEER + command(b"ERROR", b"\x03no!"), "no!"),
    "empty command": (PEER + b"\x04\x00", "without a name"),
    "command of no name": (PEER + b"\x04\x01\x00", "without a name"),
    "cut name": (PEER + b"\x04\x02\x05R", "without a name"),
    "second READY": (PEER + READY + READY, "second READY"),
    "reserved flag": (PEER + READY + b"\x08\x00", "flags 8"),
    "command with more": (PEER + READY + b"\x05\x00", "flags 5"),
    "large command": (PEER + b"\x06" + (COMMAND_BYTES_MAX + 1).to_bytes(8, "big"), "frame of"),
    "large message": (PEER + READY + b"\x02" + (LIMIT + 1).to_bytes(8, "big"), "frame of"),
    "huge message": (PEER + READY + b"\x02" + b"\xff" * 8, "frame of"),
    "large sum": (PEER + READY + frame(bytes(LIMIT), more=True) + frame(b"x"), "frame of"),
    "many frames": (PEER + READY + frame(b"", more=True) * FRAMES_MAX, "frames"),
    "command inside a message": (PEER + READY + frame(b"x", more=True) + command(b"PING", b"\0\0"), "between"),
}


@pytest.mark.parametrize("case", VIOLATIONS)
def test_violations(case: str) -> None:
    data, reason = VIOLATIONS[case]
    whole, single = dealer(opened=False), dealer(opened=False)
    assert whole.receive(data) == []
    assert reason in whole.violation
    for byte in data:
        single.receive(bytes((byte,)))
    assert single.violation == whole.violation
    assert whole.receive(frame(b"x")) == [], "nothing more is taken"


def test_messages_before_a_violation_are_returned() -> None:
    connection = dealer()
    assert connection.receive(frame(b"good") + b"\x80\x00") == [(b"good",)]
    assert connection.violation


def test_a_push_socket_speaks_to_pull_only() -> None:
    assert not dealer(opened=False, socket_type=b"PUSH").receive(PEER + READY)
    push = dealer(opened=False, socket_type=b"PUSH")
    push.receive(PEER + READY)
    assert "ROUTER" in push.violation
    push = dealer(opened=False, socket_type=b"PUSH")
    push.receive(PEER + command(b"READY", metadata(b"SOCKET-TYPE", b"PULL")))
    assert push.is_open


@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_raise(data: bytes, opened: bool) -> None:
    connection = dealer(opened)
    for frames in connection.receive(data):
        assert sum(map(len, frames)) <= LIMIT


def test_what_is_held_of_an_incomplete_message_is_counted_in_bytes() -> None:
    connection = dealer()
    assert connection.held_bytes == 0
    first, second = frame(b"one", more=True), frame(b"second")
    connection.receive(first)
    assert connection.held_bytes == len(b"one")
    connection.receive(second[:-2])
    assert connection.held_bytes == len(b"one") + len(second) - 2
    assert connection.receive(second[-2:]) == [(b"one", b"second")]
    assert connection.held_bytes == 0
