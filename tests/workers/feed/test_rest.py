"""REST against a real server: answers, failures, bounds, Retry-After."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from foxtrot_workers.feed import rest
from foxtrot_workers.feed.rate_limit import RateLimitExhausted
from foxtrot_workers.feed.rest import RestFetcher
from tests.support.mute_server import mute_server
from tests.support.waiting import wait_until_async

LIMIT_S = 5.0


class Site:
    """A server whose answers a test sets."""

    def __init__(self) -> None:
        self.answers: list[web.Response] = []
        self.paths: list[str] = []
        self.hosts: list[str] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.paths.append(str(request.rel_url))
        self.hosts.append(request.host)
        return self.answers.pop(0) if self.answers else web.Response(text="plain")


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    app = web.Application()
    app.router.add_get("/{tail:.*}", site.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0)
    await listener.start()
    site.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield site
    await runner.cleanup()


@pytest.fixture
async def fetcher(site: Site) -> AsyncIterator[RestFetcher]:
    fetcher = RestFetcher(site.url + "/", None, None)
    yield fetcher
    await fetcher.close()


class Answers(list[tuple[str, int, bytes]]):
    def add(self, path: str, status: int, body: bytes) -> None:
        self.append((path, status, body))


async def test_an_answer_comes_back_with_its_path(site: Site, fetcher: RestFetcher) -> None:
    answers = Answers()
    assert fetcher.fetch("k", "/depth?symbol=A&limit=5", 0.0, answers.add)
    await wait_until_async(lambda: answers, LIMIT_S, "the answer")
    assert answers == [("/depth?symbol=A&limit=5", 200, b"plain")]
    assert site.paths == ["/depth?symbol=A&limit=5"]


async def test_errors_are_answers_too(site: Site, fetcher: RestFetcher) -> None:
    answers = Answers()
    site.answers = [
        web.Response(status=500, text="broken"),
        web.Response(status=302, headers={"Location": "/elsewhere"}),
    ]
    fetcher.fetch("a", "/a", 0.0, answers.add)
    await wait_until_async(lambda: len(answers) == 1, LIMIT_S, "the error")
    fetcher.fetch("b", "/b", 0.0, answers.add)
    await wait_until_async(lambda: len(answers) == 2, LIMIT_S, "the redirect")
    assert [status for _, status, _ in answers] == [500, 302]
    assert site.paths == ["/a", "/b"], "redirects are not followed"
    assert fetcher.failures_total == 2


async def test_no_server_is_status_zero_with_the_reason() -> None:
    fetcher = RestFetcher("http://127.0.0.1:1", None, None)
    answers = Answers()
    fetcher.fetch("k", "/x", 0.0, answers.add)
    await wait_until_async(lambda: answers, LIMIT_S, "the failure")
    assert answers[0][1] == 0
    assert answers[0][2]
    await fetcher.close()


async def test_an_oversized_answer_is_refused(
    site: Site, fetcher: RestFetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest, "ANSWER_BYTES_MAX", 1000)
    answers = Answers()
    site.answers = [web.Response(body=b"x" * 1000), web.Response(body=b"x" * 200_000)]
    fetcher.fetch("a", "/a", 0.0, answers.add)
    await wait_until_async(lambda: len(answers) == 1, LIMIT_S, "the first")
    fetcher.fetch("b", "/b", 0.0, answers.add)
    await wait_until_async(lambda: len(answers) == 2, LIMIT_S, "the second")
    assert [(status, len(body) <= 1000) for _, status, body in answers] == [(200, True), (0, True)]


async def test_a_new_request_replaces_a_waiting_one_of_the_same_key(site: Site, fetcher: RestFetcher) -> None:
    answers = Answers()
    fetcher.fetch("k", "/old", 30.0, answers.add)
    fetcher.fetch("k", "/new", 0.0, answers.add)
    await wait_until_async(lambda: answers, LIMIT_S, "the new one")
    assert site.paths == ["/new"]


async def test_requests_are_bounded(fetcher: RestFetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "REQUESTS_MAX", 1)
    answers = Answers()
    assert fetcher.fetch("a", "/a", 30.0, answers.add)
    assert not fetcher.fetch("b", "/b", 30.0, answers.add)
    assert fetcher.refused_total == 1


@pytest.mark.parametrize("status", [429, 418])
async def test_retry_after_delays_all_further_requests(site: Site, fetcher: RestFetcher, status: int) -> None:
    answers = Answers()
    site.answers = [web.Response(status=status, headers={"Retry-After": "1"})]
    fetcher.fetch("a", "/a", 0.0, answers.add)
    await wait_until_async(lambda: answers, LIMIT_S, "the refusal")
    started = time.monotonic()
    fetcher.fetch("b", "/b", 0.0, answers.add)
    await wait_until_async(lambda: len(answers) == 2, LIMIT_S, "the next")
    assert time.monotonic() - started >= 0.9


async def test_a_proxy_is_asked_for_the_whole_address(site: Site) -> None:
    fetcher = RestFetcher("http://exchange.invalid/base", None, site.url)
    answers = Answers()
    fetcher.fetch("k", "/depth?a=1", 0.0, answers.add)
    await wait_until_async(lambda: answers, LIMIT_S, "the answer")
    assert answers[0][1] == 200
    assert site.hosts == ["exchange.invalid"]
    assert site.paths == ["/base/depth?a=1"]
    await fetcher.close()


async def test_close_cuts_a_request_that_hangs() -> None:
    async with mute_server() as port:
        fetcher = RestFetcher(f"http://127.0.0.1:{port}", None, None)
        answers = Answers()
        fetcher.fetch("k", "/x", 0.0, answers.add)
        await wait_until_async(lambda: fetcher._client.connects_total == 1, LIMIT_S, "the connection")
        await asyncio.wait_for(fetcher.close(), LIMIT_S)
        assert answers == []


async def test_a_cancelled_request_frees_its_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many requests that get no answer are given up one after the other; each one's place is free at once."""
    async with mute_server() as port:
        fetcher = RestFetcher(f"http://127.0.0.1:{port}", None, None)
        answers = Answers()
        for number in range(5 * rest.CONCURRENT_MAX):
            fetcher.fetch(f"key {number}", f"/{number}", 0.0, answers.add)
            await wait_until_async(lambda n=number: fetcher.requests_total == n + 1, LIMIT_S, "its turn")  # type: ignore[misc]
            fetcher.cancel(f"key {number}")
        await fetcher.close()
        assert answers == []


async def test_close_cancels_requests_in_flight(site: Site) -> None:
    fetcher = RestFetcher(site.url, None, None)
    answers = Answers()
    fetcher.fetch("a", "/a", 60.0, answers.add)
    await asyncio.wait_for(fetcher.close(), LIMIT_S)
    assert answers == []
    tasks: set[asyncio.Task[Any]] = {task for task in asyncio.all_tasks() if task.get_name().startswith("rest-")}
    assert not tasks


class Gate:
    """Stands for the shared budget: what was asked of it and what it was told."""

    def __init__(self) -> None:
        self.weights: list[int] = []
        self.closed: list[float] = []
        self.refusal: RateLimitExhausted | None = None

    async def acquire(self, weight: int = 1) -> None:
        self.weights.append(weight)
        if self.refusal is not None:
            raise self.refusal

    def spent(self, retry_after_s: float) -> None:
        self.closed.append(retry_after_s)


@pytest.fixture
async def gated(site: Site) -> AsyncIterator[tuple[RestFetcher, Gate]]:
    gate = Gate()
    fetcher = RestFetcher(site.url, None, None, gate)  # type: ignore[arg-type]  # the same two methods
    yield fetcher, gate
    await fetcher.close()


async def test_each_request_acquires_its_weight_first(site: Site, gated: tuple[RestFetcher, Gate]) -> None:
    fetcher, gate = gated
    answers = Answers()
    fetcher.fetch("k", "/depth", 0.0, answers.add, 250)
    await wait_until_async(lambda: answers, LIMIT_S, "the answer")
    assert gate.weights == [250]


async def test_a_request_beyond_the_rate_limit_is_not_sent(site: Site, gated: tuple[RestFetcher, Gate]) -> None:
    fetcher, gate = gated
    gate.refusal = RateLimitExhausted("the budget is spent", 30.0)
    answers = Answers()
    fetcher.fetch("k", "/depth", 0.0, answers.add)
    await wait_until_async(lambda: answers, LIMIT_S, "the failure")
    assert answers == [("/depth", 0, b"the budget is spent")]
    assert site.paths == []
    assert (fetcher.requests_total, fetcher.failures_total) == (0, 1)


@pytest.mark.parametrize(("headers", "closed_s"), [({"Retry-After": "7"}, 7.0), ({}, 1.0)])
async def test_too_many_requests_are_reported_to_all_workers(
    site: Site, gated: tuple[RestFetcher, Gate], headers: dict[str, str], closed_s: float
) -> None:
    fetcher, gate = gated
    site.answers = [web.Response(status=418, headers=headers)]
    answers = Answers()
    fetcher.fetch("k", "/x", 0.0, answers.add)
    await wait_until_async(lambda: answers, LIMIT_S, "the answer")
    assert gate.closed == [closed_s]


async def test_a_cancelled_request_is_not_sent(site: Site, fetcher: RestFetcher) -> None:
    answers = Answers()
    fetcher.fetch("a", "/a", 0.2, answers.add)
    fetcher.cancel("a")
    fetcher.cancel("never asked")
    fetcher.fetch("b", "/b", 0.3, answers.add)
    await wait_until_async(lambda: answers, LIMIT_S, "the other answer")
    assert site.paths == ["/b"]
