"""Client of the shared rate limits: requests, waits, and proceeds where no answer comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from foxtrot_protocol.commands import BudgetAsk, BudgetGrant, BudgetSpent, FromChild
from foxtrot_workers.adapter.limits import Budget
from foxtrot_workers.feed import rate_limit
from foxtrot_workers.feed.rate_limit import AddressLimit, RateLimitClient, RateLimitExhausted, address_of, budget_at

Answer = Callable[[BudgetAsk], BudgetGrant | None]


class Log:
    def __init__(self) -> None:
        self.events: list[str] = []

    def __getattr__(self, level: str) -> Callable[..., None]:
        return lambda event, **fields: self.events.append(event)


class Spec:
    name = "w.a"
    incarnation = 3


class Context:
    """Answers what the worker asks by `answer`, as a supervisor would, a turn of the loop later."""

    spec = Spec()

    def __init__(self) -> None:
        self.log = Log()
        self.said: list[FromChild] = []
        self.answer: Answer = lambda ask: BudgetGrant(ask.request_id, 0.0)
        self.gate = RateLimitClient(self)  # type: ignore[arg-type]  # what it uses of a context

    def send(self, message: FromChild) -> None:
        self.said.append(message)
        grant = self.answer(message) if isinstance(message, BudgetAsk) else None
        if grant is not None:
            asyncio.get_running_loop().call_soon(self.gate.granted, grant)

    def entrance(self, wait_s_max: float = 10.0) -> AddressLimit:
        return AddressLimit(self.gate, "rest", "h:1", Budget(10, 60.0), wait_s_max)

    def counts(self) -> tuple[int, int, int]:
        return self.gate.waits_total, self.gate.refused_total, self.gate.unanswered_total


def answers(*grants: tuple[float, bool]) -> Answer:
    left = list(grants)

    def answer(ask: BudgetAsk) -> BudgetGrant:
        wait_s, refused = left.pop(0)
        return BudgetGrant(ask.request_id, wait_s, refused)

    return answer


async def test_a_grant_is_returned_at_once() -> None:
    context = Context()
    await context.entrance().acquire(250)
    assert context.said == [BudgetAsk("w.a", 3, 1, "rest", "h:1", 250, 10, 60.0)]
    assert context.counts() == (0, 0, 0)


async def test_a_waiting_request_is_repeated_with_the_same_id() -> None:
    context = Context()
    context.answer = answers((0.02, False), (0.02, False), (0.0, False))
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await context.entrance().acquire()
    assert loop.time() - begun >= 0.04
    numbers = [message.request_id for message in context.said if isinstance(message, BudgetAsk)]
    assert numbers == [1, 1, 1]
    assert context.counts() == (1, 0, 0), "one wait, however often it asks"


async def test_a_wait_that_is_too_long_is_refused_with_its_length() -> None:
    context = Context()
    context.answer = answers((30.0, False))
    with pytest.raises(RateLimitExhausted, match="rest budget of h:1") as refused:
        await context.entrance(wait_s_max=5.0).acquire()
    assert refused.value.retry_after_s == 30.0
    assert context.counts() == (0, 1, 0)


async def test_a_request_refused_because_too_many_wait_is_repeated_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "RETRY_REFUSED_S", 0.02)
    monkeypatch.setattr(rate_limit, "LOGGED_S_MIN", 0.01)
    context = Context()
    context.answer = answers((0.0, True), (0.0, False))
    await context.entrance().acquire()
    assert context.counts() == (1, 0, 0)
    assert context.log.events == ["budget_wait"]


async def test_without_an_answer_the_worker_proceeds_after_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "ANSWER_S", 0.05)
    context = Context()
    context.answer = lambda ask: None
    await asyncio.wait_for(context.entrance().acquire(), 2.0)
    assert context.counts() == (0, 0, 1)
    assert context.log.events == ["budget_unanswered"]


async def test_late_and_unexpected_answers_are_ignored() -> None:
    context = Context()
    context.answer = lambda ask: None
    asking = asyncio.create_task(context.entrance().acquire())
    await asyncio.sleep(0)
    context.gate.granted(BudgetGrant(7, 0.0))
    context.gate.granted(BudgetGrant(1, 0.0))
    context.gate.granted(BudgetGrant(1, 99.0))
    await asking
    context.gate.granted(BudgetGrant(1, 99.0))
    assert context.counts() == (0, 0, 0)


async def test_a_cancelled_request_leaves_no_state() -> None:
    context = Context()
    context.answer = lambda ask: None
    asking = asyncio.create_task(context.entrance().acquire())
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert context.gate._pending == {}


async def test_a_retry_after_is_reported_to_the_supervisor() -> None:
    context = Context()
    context.entrance().spent(12.5)
    assert context.said == [BudgetSpent("w.a", 3, "rest", "h:1", 12.5)]


@pytest.mark.parametrize(
    ("url", "proxy", "address"),
    [
        ("wss://stream.example.com:9443/ws?x=1", None, "stream.example.com:9443"),
        ("https://API.example.com", None, "api.example.com:443"),
        ("ws://127.0.0.1", None, "127.0.0.1:80"),
        ("https://api.example.com", "http://proxy:8080", "api.example.com:443 through proxy:8080"),
    ],
)
def test_an_address_is_host_port_and_proxy(url: str, proxy: Any, address: str) -> None:
    assert address_of(url, proxy) == address


def test_limits_hold_at_the_exchange_and_not_at_loopback_addresses() -> None:
    budget = Budget(300, 300.0)
    assert budget_at("wss://stream.binance.com:9443", budget) == budget
    for url in ("ws://127.0.0.1:1", "http://localhost:2", "ws://[::1]:3"):
        assert budget_at(url, budget) == Budget(), "a simulated one refuses what it does not want"
