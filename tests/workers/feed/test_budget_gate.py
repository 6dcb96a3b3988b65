"""A worker's way to the shared budgets: asks, waits, goes on where nobody answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from foxtrot_protocol.commands import BudgetAsk, BudgetGrant, BudgetSpent, FromChild
from foxtrot_workers.adapter.limits import Budget
from foxtrot_workers.feed import budget_gate
from foxtrot_workers.feed.budget_gate import AddressGate, BudgetGate, BudgetRefused, address_of, budget_at

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
        self.gate = BudgetGate(self)  # type: ignore[arg-type]  # what it uses of a context

    def send(self, message: FromChild) -> None:
        self.said.append(message)
        grant = self.answer(message) if isinstance(message, BudgetAsk) else None
        if grant is not None:
            asyncio.get_running_loop().call_soon(self.gate.granted, grant)

    def entrance(self, wait_s_max: float = 10.0) -> AddressGate:
        return AddressGate(self.gate, "rest", "h:1", Budget(10, 60.0), wait_s_max)

    def counts(self) -> tuple[int, int, int]:
        return self.gate.waits_total, self.gate.refused_total, self.gate.unanswered_total


def answers(*grants: tuple[float, bool]) -> Answer:
    left = list(grants)

    def answer(ask: BudgetAsk) -> BudgetGrant:
        wait_s, refused = left.pop(0)
        return BudgetGrant(ask.request_id, wait_s, refused)

    return answer


async def test_what_is_granted_goes_on() -> None:
    context = Context()
    await context.entrance().enter(250)
    assert context.said == [BudgetAsk("w.a", 3, 1, "rest", "h:1", 250, 10, 60.0)]
    assert context.counts() == (0, 0, 0)


async def test_who_has_to_wait_asks_again_as_the_same() -> None:
    context = Context()
    context.answer = answers((0.02, False), (0.02, False), (0.0, False))
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await context.entrance().enter()
    assert loop.time() - begun >= 0.04
    numbers = [message.request_id for message in context.said if isinstance(message, BudgetAsk)]
    assert numbers == [1, 1, 1]
    assert context.counts() == (1, 0, 0), "one wait, however often it asks"


async def test_a_wait_that_is_too_long_is_refused_with_its_length() -> None:
    context = Context()
    context.answer = answers((30.0, False))
    with pytest.raises(BudgetRefused, match="rest budget of h:1") as refused:
        await context.entrance(wait_s_max=5.0).enter()
    assert refused.value.retry_after_s == 30.0
    assert context.counts() == (0, 1, 0)


async def test_where_too_many_wait_it_is_asked_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget_gate, "REFUSED_AGAIN_S", 0.02)
    monkeypatch.setattr(budget_gate, "TOLD_S_MIN", 0.01)
    context = Context()
    context.answer = answers((0.0, True), (0.0, False))
    await context.entrance().enter()
    assert context.counts() == (1, 0, 0)
    assert context.log.events == ["budget_wait"]


async def test_a_supervisor_that_does_not_answer_holds_up_nobody_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget_gate, "ANSWER_S", 0.05)
    context = Context()
    context.answer = lambda ask: None
    await asyncio.wait_for(context.entrance().enter(), 2.0)
    assert context.counts() == (0, 0, 1)
    assert context.log.events == ["budget_unanswered"]


async def test_an_answer_that_comes_late_or_to_nobody_is_nothing() -> None:
    context = Context()
    context.answer = lambda ask: None
    asking = asyncio.create_task(context.entrance().enter())
    await asyncio.sleep(0)
    context.gate.granted(BudgetGrant(7, 0.0))
    context.gate.granted(BudgetGrant(1, 0.0))
    context.gate.granted(BudgetGrant(1, 99.0))
    await asking
    context.gate.granted(BudgetGrant(1, 99.0))
    assert context.counts() == (0, 0, 0)


async def test_one_that_is_cancelled_leaves_nothing() -> None:
    context = Context()
    context.answer = lambda ask: None
    asking = asyncio.create_task(context.entrance().enter())
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert context.gate._asked == {}


async def test_what_the_exchange_said_is_told() -> None:
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
def test_an_address_is_host_and_port_and_by_whom(url: str, proxy: Any, address: str) -> None:
    assert address_of(url, proxy) == address


def test_the_numbers_of_an_exchange_hold_at_its_own_address() -> None:
    budget = Budget(300, 300.0)
    assert budget_at("wss://stream.binance.com:9443", budget) == budget
    for url in ("ws://127.0.0.1:1", "http://localhost:2", "ws://[::1]:3"):
        assert budget_at(url, budget) == Budget(), "a simulated one refuses what it does not want"
