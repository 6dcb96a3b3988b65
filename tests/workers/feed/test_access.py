"""Asking an exchange where to connect, over real sockets."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import msgspec
import pytest
from aiohttp import web

from foxtrot_workers.adapter import AccessRequest
from foxtrot_workers.feed.access import ANSWER_BYTES_MAX, gain_access, without_secrets
from foxtrot_workers.feed.rate_limit import AddressLimit, RateLimitExhausted
from foxtrot_workers.http.client import HttpClient
from foxtrot_workers.websocket.client import ConnectFailed
from tests.support.proxy_server import proxy_server
from tests.workers.feed.life import Plain

REQUEST = AccessRequest("POST", "/token", weight=3)
TOKEN = "2neAiuYvAU61ZDXANAGAsiL4"


class Guarded(Plain):
    """An exchange that names its address on request."""

    def access_request(self) -> AccessRequest | None:
        return REQUEST

    def on_access(self, base: str, body: bytes) -> str:
        answer = msgspec.json.decode(body, type=dict[str, str])
        if "refusal" in answer:
            raise ValueError(answer["refusal"])
        return answer["url"]


class Limit(AddressLimit):
    """A rate limit that grants everything, or nothing; remembers what was spent."""

    def __init__(self, *, exhausted: bool = False) -> None:
        self.exhausted = exhausted
        self.acquired: list[int] = []
        self.reported: list[float] = []

    async def acquire(self, weight: int = 1) -> None:
        self.acquired.append(weight)
        if self.exhausted:
            raise RateLimitExhausted("spent", 7.0)

    def spent(self, retry_after_s: float) -> None:
        self.reported.append(retry_after_s)


@contextlib.asynccontextmanager
async def answering(answer: web.Response, requests: list[str] | None = None) -> AsyncIterator[str]:
    """An HTTP server that answers every request so; its address."""

    async def handle(request: web.Request) -> web.Response:
        if requests is not None:
            requests.append(f"{request.method} {request.path} {request.headers.get('Content-Length')}")
        return answer

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield site.name
    finally:
        await runner.cleanup()


async def ask(base: str, limit: Limit | None = None, proxy: str | None = None) -> str:
    rest = HttpClient(base, None, proxy)
    try:
        return await gain_access(Guarded(), REQUEST, "wss://example.org", rest, limit or Limit(), 5.0)
    finally:
        rest.close()


async def test_the_answer_says_where_to_connect() -> None:
    requests: list[str] = []
    limit = Limit()
    async with answering(web.json_response({"url": f"ws://127.0.0.1/?token={TOKEN}"}), requests) as base:
        url = await ask(base, limit)
    assert url == f"ws://127.0.0.1/?token={TOKEN}"
    assert requests == ["POST /token 0"]
    assert limit.acquired == [3]


async def test_the_proxy_carries_the_request_too() -> None:
    requests: list[str] = []
    async with answering(web.json_response({"url": "ws://127.0.0.1/"}), requests) as base, proxy_server() as proxy:
        assert await ask(base, proxy=proxy.url) == "ws://127.0.0.1/"
    assert len(requests) == 1


async def test_a_refusal_passes_on_what_the_exchange_wants() -> None:
    limit = Limit()
    async with answering(web.Response(status=429, headers={"Retry-After": "17"}, text=TOKEN)) as base:
        with pytest.raises(ConnectFailed) as raised:
            await ask(base, limit)
    assert raised.value.refused
    assert raised.value.retry_after_s == 17.0
    assert raised.value.cause == "/token: the exchange answered with HTTP 429"
    assert limit.reported == [17.0]


async def test_a_failing_server_is_retried_without_a_word_about_limits() -> None:
    limit = Limit()
    async with answering(web.Response(status=500)) as base:
        with pytest.raises(ConnectFailed) as raised:
            await ask(base, limit)
    assert not raised.value.refused
    assert limit.reported == []


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        ({"refusal": "400100: no such market"}, "no such market"),
        ({}, "cannot be used"),
        ({"url": 3}, "cannot be used"),
        ({"url": f"http://127.0.0.1/?token={TOKEN}"}, "scheme 'http'"),
        ({"url": f"://{TOKEN}"}, "scheme ''"),
    ],
)
async def test_an_unusable_answer_is_a_failed_connect_and_is_not_quoted(answer: dict[str, object], cause: str) -> None:
    async with answering(web.json_response(answer)) as base:
        with pytest.raises(ConnectFailed, match=cause) as raised:
            await ask(base)
    assert TOKEN not in str(raised.value)
    assert not raised.value.refused


async def test_an_answer_that_is_too_large_is_a_failed_connect() -> None:
    async with answering(web.Response(body=b"x" * (ANSWER_BYTES_MAX + 1))) as base:
        with pytest.raises(ConnectFailed, match="answer over"):
            await ask(base)


async def test_nothing_is_sent_before_the_rate_limit_allows_it() -> None:
    requests: list[str] = []
    async with answering(web.json_response({}), requests) as base:
        with pytest.raises(RateLimitExhausted):
            await ask(base, Limit(exhausted=True))
    assert requests == []


async def test_an_unreachable_server_is_a_failed_connect() -> None:
    with pytest.raises(ConnectFailed, match="/token"):
        await ask("http://127.0.0.1:1")


def test_a_text_loses_the_token_of_the_address() -> None:
    url = f"wss://host/?token={TOKEN}&connectId=1&x"
    text = without_secrets(f"{url} failed with ?token={TOKEN}, and {TOKEN} at 1", url)
    assert text == "wss://host/?*** failed with ?token=***, and *** at 1"
    assert without_secrets("nothing to hide", "wss://host/") == "nothing to hide"
