"""Responses out of bytes, however they are cut, and the bounds that hold whatever arrives."""

from __future__ import annotations

import pytest

from foxtrot_workers.http.response import HEAD_BYTES_MAX, INTERIM_MAX, MalformedResponse
from foxtrot_workers.http.response import ResponseParser as Parser

BODY_MAX = 1000
OK = b"HTTP/1.1 200 OK\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 X\r\nA: b\r\n\r\n"


def parsed(data: bytes, step: int = 1 << 30) -> Parser:
    parser = Parser(BODY_MAX)
    for start in range(0, len(data), step):
        parser.feed(data[start : start + step])
    return parser


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1 << 30])
@pytest.mark.parametrize(
    ("data", "status", "body", "reusable"),
    [
        (OK + b"Content-Length: 5\r\n\r\nhello", 200, b"hello", True),
        (OK + b"Content-Length: 0\r\n\r\n", 200, b"", True),
        (OK + b"content-length: 5, 5\r\nConnection: Close\r\n\r\nhello", 200, b"hello", False),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nT: 1\r\n\r\n", 200, b"hello", True),
        (INTERIM + OK + b"Content-Length: 1\r\n\r\nx", 200, b"x", True),
        (b"HTTP/1.0 404 No\r\nContent-Length: 2\r\n\r\nno", 404, b"no", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nno", 200, b"no", False),
        (b"HTTP/1.1 204\r\n\r\n", 204, b"", True),
    ],
)  # fmt: skip
def test_a_response_is_the_same_however_it_is_cut(
    data: bytes, status: int, body: bytes, reusable: bool, step: int
) -> None:
    parser = parsed(data, step)
    assert (parser.done, parser.status, bytes(parser.body), parser.reusable) == (True, status, body, reusable)


def test_a_body_without_length_ends_with_the_connection() -> None:
    parser = parsed(OK + b"\r\nhello")
    assert not parser.done
    parser.eof()
    assert (parser.done, bytes(parser.body), parser.reusable) == (True, b"hello", False)


@pytest.mark.parametrize(
    "data",
    [b"", b"HTTP/1.1", OK, OK + b"Content-Length: 9\r\n\r\nhello", OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\n"],
)
def test_a_truncated_response_is_malformed(data: bytes) -> None:
    parser = parsed(data)
    with pytest.raises(MalformedResponse, match="ended before"):
        parser.eof()


def test_bytes_beyond_the_response_make_the_connection_unusable() -> None:
    parser = parsed(OK + b"Content-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n")
    assert parser.done
    assert not parser.reusable


def test_a_tunnel_has_no_body_unless_it_is_refused() -> None:
    parser = Parser(BODY_MAX, tunnel=True)
    assert parser.feed(b"HTTP/1.1 200 Connection established\r\nContent-Length: 7\r\n\r\n")
    parser = Parser(BODY_MAX, tunnel=True)
    assert not parser.feed(b"HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\n")
    assert parser.feed(b"no")


CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"SSH-2.0-OpenSSH\r\n\r\n", "not an HTTP response"),
        (b"HTTP/2 200 OK\r\n\r\n", "not an HTTP response"),
        (b"HTTP/1.1 99 OK\r\n\r\n", "not an HTTP response"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "SWITCH_UPGRADE"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * (INTERIM_MAX + 1), "interim response 100"),
        (OK + b"A" * (HEAD_BYTES_MAX + 1), "too long|head over"),
        (b"HTTP/1.1 100 C\r\nA: %b\r\n\r\n" % (b"x" * (HEAD_BYTES_MAX // 2)) * 3, "head over"),
        (OK + b"no colon\r\n\r\n", "illegal header line"),
        (OK + b" folded: x\r\n\r\n", "continuation line"),
        (OK + b"Content-Length: -1\r\n\r\n", "Content-Length|over 1000 bytes"),
        (OK + b"Content-Length: 1, 2\r\n\r\n", "Content-Length|over 1000 bytes"),
        (OK + b"Content-Length: 9999999999999999999\r\n\r\n", "Content-Length|over 1000 bytes"),
        (OK + b"Content-Length: 1001\r\n\r\n", "answer over 1000 bytes"),
        (OK + b"\r\n" + b"x" * 1001, "answer over 1000 bytes"),
        (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n", "Transfer-Encoding"),
        (OK + b"Content-Encoding: gzip\r\n\r\n", "content encoding"),
        (CHUNKED + b"zz\r\n", "illegal chunk header"),
        (CHUNKED + b"-1\r\n", "illegal chunk header"),
        (CHUNKED + b"3e9\r\n" + b"x" * 1001, "answer over 1000 bytes"),
        (CHUNKED + b"ffffffffffffffff\r\n" + b"x" * 1001, "answer over 1000 bytes"),
        (CHUNKED + b"1\r\nxx\r\n", "malformed chunk footer"),
        (CHUNKED + b"1;" + b"x" * HEAD_BYTES_MAX, "too long"),
        (CHUNKED + b"1;%b\r\nx\r\n" % (b"x" * 900) * 160, "more chunk framing"),
        (CHUNKED + b"0\r\n" + b"T: %b\r\n" % (b"x" * 1000) * 80, "too long|more chunk framing"),
    ],
)
@pytest.mark.parametrize("step", [1000, 1 << 30])
def test_a_response_that_violates_a_rule_or_limit_is_malformed(data: bytes, reason: str, step: int) -> None:
    with pytest.raises(MalformedResponse, match=reason):
        parsed(data, step)


def test_many_small_chunks_do_not_grow_the_buffer() -> None:
    parser = Parser(1 << 20)
    parser.feed(CHUNKED)
    for _ in range(10_000):
        parser.feed(b"1\r\nx\r\n")
    assert len(parser.body) == 10_000
    assert parser._connection.trailing_data == (b"", False)


def test_no_bytes_change_nothing_and_the_end_after_a_whole_response_is_no_error() -> None:
    parser = Parser(BODY_MAX)
    assert parser.feed(b"") is False
    assert not parser.started
    assert parser.feed(OK + b"Content-Length: 2\r\n\r\nok") is True
    parser.eof()
    assert (parser.status, bytes(parser.body), parser.reusable) == (200, b"ok", False)
