"""Requests out of bytes, however they are cut."""

from __future__ import annotations

import pytest

from foxtrot_workers.simulator.wire.http_wire import BODY_BYTES_MAX, BadRequest, RequestParser, response

_GET = b"GET /api/v3/depth?symbol=A%20B&limit=5&x= HTTP/1.1\r\nHost: h\r\n\r\n"
_POST = b"POST /sim/fault HTTP/1.1\r\nContent-Length: 3\r\nConnection: Close\r\n\r\nabc"


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_requests_in_pieces(size: int) -> None:
    parser, found = RequestParser(), []
    data = _GET + _POST + b"rest"
    for at in range(0, len(data), size):
        parser.feed(data[at : at + size])
        while (request := parser.next()) is not None:
            found.append(request)
    get, post = found
    assert (get.method, get.path, get.query) == ("GET", "/api/v3/depth", {"symbol": "A B", "limit": "5", "x": ""})
    assert get.keep_alive
    assert not get.upgrade
    assert get.raw == _GET
    assert (post.method, post.body, post.keep_alive) == ("POST", b"abc", False)
    assert parser.rest() == b"rest"
    assert parser.rest() == b""


def test_upgrade_is_seen() -> None:
    parser = RequestParser()
    parser.feed(b"GET /ws HTTP/1.1\r\nUpgrade: WebSocket\r\n\r\n")
    request = parser.next()
    assert request is not None
    assert request.upgrade


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"GET nowhere HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (BODY_BYTES_MAX + 1),
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000,
        b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
    ],
)
def test_bad_requests(data: bytes) -> None:
    parser = RequestParser()
    parser.feed(data)
    with pytest.raises(BadRequest):
        parser.next()


def test_an_answer() -> None:
    data = response(429, b"{}", {"Retry-After": "3"}, keep_alive=False)
    head, _, body = data.partition(b"\r\n\r\n")
    assert body == b"{}"
    assert head.split(b"\r\n")[0] == b"HTTP/1.1 429 Too Many Requests"
    assert b"Retry-After: 3" in head
    assert b"Content-Length: 2" in head
    assert b"Connection: close" in head
    assert response(418, b"").startswith(b"HTTP/1.1 418 I'm a")
