"""The web server over real sockets: page, stream, orders, and clients that are slow or many."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from foxtrot_protocol.control import RestartRequest
from foxtrot_supervisor.web import server as module
from foxtrot_supervisor.web.access import ASSETS, BODY_BYTES_MAX
from foxtrot_supervisor.web.server import HEADERS
from tests.support.waiting import wait_until_async
from tests.support.web_client import Served, exchange, fetch, serving

RESTART = json.dumps({"action": "restart", "worker": "one.a", "confirm": "one.a"}).encode()
LIMIT_S = 20.0


def has_all_headers(headers: dict[str, str]) -> bool:
    return all(headers.get(name.lower()) == value for name, value in HEADERS.items())


async def test_the_page_and_its_files() -> None:
    async with serving() as served:
        for path, (_, kind) in ASSETS.items():
            answer = await fetch(served, "GET", path)
            assert (answer.status, answer.headers["content-type"]) == (200, kind), path
            assert has_all_headers(answer.headers)
            assert answer.body


async def test_a_refusal_has_all_headers_and_says_nothing_of_the_request() -> None:
    async with serving() as served:
        answer = await fetch(served, "GET", "/canary")
        assert (answer.status, answer.headers["connection"]) == (404, "close")
        assert has_all_headers(answer.headers)
        assert b"canary" not in answer.body
        assert served.server is not None
        assert served.server.counts.refused == 1


async def test_pages_of_other_modules_follow_the_same_rules() -> None:
    async with serving() as served:
        answer = await fetch(served, "GET", "/metrics", {"Accept": "text/x"})
        assert (answer.status, answer.headers["content-type"], answer.body) == (503, "text/plain", b"text/x")
        assert has_all_headers(answer.headers)
        assert (await fetch(served, "GET", "/gone")).status == 404
        assert (await fetch(served, "GET", "/metrics", {"Host": "evil.example"})).status == 421
        assert (await fetch(served, "POST", "/metrics")).status == 405


class Stream:
    """A page's stream, read event by event."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def next(self) -> tuple[str, Any]:
        """The next event, pulses left out."""
        async with asyncio.timeout(LIMIT_S):
            name = ""
            while True:
                line = (await self.reader.readline()).decode()
                assert line, "the stream has ended"
                if line.startswith("event: "):
                    name = line[7:].strip()
                elif line.startswith("data: "):
                    return name, json.loads(line[6:])


@contextlib.asynccontextmanager
async def streaming(served: Served, query: str = "") -> AsyncIterator[Stream]:
    reader, writer = await asyncio.open_connection(served.address.host, served.address.port, limit=1 << 20)
    writer.write(f"GET /api/stream{query} HTTP/1.1\r\nHost: {served.host}\r\n\r\n".encode())
    assert (await reader.readline()).split()[1] == b"200"
    try:
        yield Stream(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_a_stream_begins_with_what_is_known_and_goes_on() -> None:
    async with serving() as served:
        served.hub.publish("view", {"at": 1})
        served.hub.set_incidents("run", [{"seq": 1}, {"seq": 2}])
        async with streaming(served, "?after=1") as stream:
            assert await stream.next() == ("hello", {"can_act": True, "token_to_read": False})
            assert await stream.next() == ("history", {"times": []})
            assert await stream.next() == ("view", {"at": 1})
            assert await stream.next() == ("incidents", {"run_id": "run", "incidents": [{"seq": 2}]})
            served.hub.publish("view", {"at": 2})
            assert await stream.next() == ("view", {"at": 2})


async def test_a_stream_without_news_has_a_pulse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PULSE_S", 0.01)
    async with serving() as served, streaming(served) as stream:
        async with asyncio.timeout(LIMIT_S):
            while await stream.reader.readline() != b": pulse\n":
                pass


async def test_a_market_is_watched_as_long_as_a_page_shows_it() -> None:
    async with serving() as served:
        async with streaming(served, "?symbol=X.SIM"), streaming(served, "?symbol=X.SIM"):
            await wait_until_async(lambda: served.symbols == ["X.SIM", "X.SIM"])
        # a page that has gone is noticed at the next write
        served.hub.publish("view", 1)
        served.hub.publish("view", 2)
        await wait_until_async(lambda: served.symbols == [])
        async with streaming(served, "?symbol=REFUSED") as stream:
            assert [(await stream.next())[0], (await stream.next())[0]] == ["hello", "history"]
            assert await stream.next() == ("refused", {"problem": "too many"})


@pytest.mark.parametrize(
    "query", ["?after=-1", "?after=x", f"?after={'1' * 16}", "?more=1", f"?symbol={'x' * 101}", "?symbol=%0a"]
)
async def test_a_query_that_is_not_understood_is_refused(query: str) -> None:
    async with serving() as served:
        assert (await fetch(served, "GET", f"/api/stream{query}")).status == 400


async def test_the_number_of_streams_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STREAMS_MAX", 1)
    async with serving() as served, streaming(served):
        assert (await fetch(served, "GET", "/api/stream")).status == 503


async def test_a_browser_that_does_not_read_is_dropped_and_others_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "UNREAD_S", 0.3)
    monkeypatch.setattr(module, "SEND_BUFFER_BYTES", 16 * 1024)
    async with serving() as served, streaming(served) as reading, streaming(served) as stuck:
        assert served.server is not None
        stuck.writer.transport.pause_reading()  # type: ignore[attr-defined]  # of a socket it can
        number = 0
        async with asyncio.timeout(LIMIT_S):
            while served.server.counts.dropped == 0:
                number += 1
                served.hub.publish("view", [number, "x" * 100_000])
                while True:
                    name, content = await reading.next()
                    if name == "view" and content[0] == number:
                        break
        assert served.server.counts.dropped == 1
        served.hub.publish("view", "last")
        assert await reading.next() == ("view", "last")


async def test_an_order_reaches_the_run_and_its_outcome_the_page() -> None:
    async with serving() as served:
        answer = await fetch(served, "POST", "/api/action", served.acting, RESTART)
        assert (answer.status, json.loads(answer.body)) == (200, {"ok": True, "problem": ""})
        assert has_all_headers(answer.headers)
        assert served.orders == [RestartRequest("one.a")]
        served.problem = "one.a is being rotated"
        answer = await fetch(served, "POST", "/api/action", served.acting, RESTART)
        assert json.loads(answer.body) == {"ok": False, "problem": "one.a is being rotated"}
        assert served.lines == [
            "order of 127.0.0.1: restart one.a",
            "restart one.a: done",
            "order of 127.0.0.1: restart one.a",
            "restart one.a: one.a is being rotated",
        ]


async def test_the_token_can_be_tried_without_an_order() -> None:
    async with serving() as served:
        assert (await fetch(served, "POST", "/api/unlock", served.acting, b"{}")).status == 200
        wrong = {**served.acting, "Authorization": "Bearer wrong"}
        answer = await fetch(served, "POST", "/api/unlock", wrong, b"{}")
        assert (answer.status, "www-authenticate" in answer.headers) == (401, True)
        assert served.orders == []


@pytest.mark.parametrize("body", [b"", b"{", b"x" * (BODY_BYTES_MAX + 1), RESTART.replace(b'"confirm"', b'"other"')])
async def test_a_body_that_is_no_order_is_refused(body: bytes) -> None:
    async with serving() as served:
        assert (await fetch(served, "POST", "/api/action", served.acting, body)).status == 400
        assert served.orders == []


async def test_a_body_that_does_not_arrive_in_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BODY_S", 0.05)
    async with serving() as served:
        answer = await fetch(served, "POST", "/api/action", {**served.acting, "Content-Length": "50"}, RESTART[:10])
        assert (answer.status, served.orders) == (408, [])


async def test_the_number_of_orders_at_a_time_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ORDERS_MAX", 1)
    async with serving() as served:
        served.release = asyncio.Event()
        first = asyncio.create_task(fetch(served, "POST", "/api/action", served.acting, RESTART))
        await wait_until_async(lambda: served.orders)
        assert (await fetch(served, "POST", "/api/action", served.acting, RESTART)).status == 429
        served.release.set()
        assert (await first).status == 200
        assert (await fetch(served, "POST", "/api/action", served.acting, RESTART)).status == 200


async def test_a_failure_of_ours_is_one_line_and_says_nothing_to_the_browser() -> None:
    async with serving() as served:

        async def failing(_: object) -> str:
            raise ValueError("canary")

        served.order = failing  # type: ignore[method-assign]
        answer = await fetch(served, "POST", "/api/action", served.acting, RESTART)
        assert (answer.status, answer.body) == (500, b"refused\n")
        assert has_all_headers(answer.headers)
        assert served.lines[-1] == "internal error: ValueError: canary"


async def test_an_open_stream_does_not_hold_up_the_end() -> None:
    async with asyncio.timeout(LIMIT_S), contextlib.AsyncExitStack() as stack:
        async with serving() as served:
            stream = await stack.enter_async_context(streaming(served))
            await stream.next()
        assert await exchange_is_refused(served)


async def exchange_is_refused(served: Served) -> bool:
    try:
        await exchange(served.address, b"GET / HTTP/1.1\r\n\r\n")
    except OSError:
        return True
    return False
