"""Parts are committed one at a time, without re-entrance; refused and cancelled requests end in an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from foxtrot_protocol.commands import Backfill, Backfilled
from foxtrot_protocol.events import EVENT_MARKET_TRADE, MarketEvent, Trade
from foxtrot_workers.exchanges.binance.adapter import Binance
from foxtrot_workers.feed import backfill, backfill_runner
from foxtrot_workers.feed.backfill_runner import BackfillRunner
from tests.support.waiting import wait_until_async

LIMIT_S = 5.0


class Rest:
    """Holds requests until a test answers them."""

    def __init__(self) -> None:
        self.refuse = False
        self.waiting: list[tuple[str, Callable[[str, int, bytes], None]]] = []
        self.cancelled = 0

    def fetch(self, key: str, path: str, delay_s: float, on_answer: Callable[..., None], weight: int = 1) -> bool:
        if not self.refuse:
            self.waiting.append((path, on_answer))
        return not self.refuse

    def cancel(self, key: str) -> None:
        self.cancelled += 1

    def answer(self, first: int, count: int) -> None:
        path, on_answer = self.waiting.pop(0)
        rows = [
            {"id": number, "price": "1", "qty": "2", "time": 1, "isBuyerMaker": True}
            for number in range(first, first + count)
        ]
        on_answer(path, 200, msgspec.json.encode(rows))


class Worker:
    def __init__(self) -> None:
        self.rest = Rest()
        self.room = True
        self.trades: list[int] = []
        self.commits = 0
        self.tries = 0
        self.answers: list[Backfilled] = []
        adapter = Binance()
        adapter.subscribe(adapter.topics(["trade"], ["BTCUSDT"]))
        rest: Any = self.rest
        self.runner = BackfillRunner(adapter, rest, self.commit, self.answers.append, worker="w", incarnation=1)

    def commit(self, events: Sequence[MarketEvent[str]]) -> bool:
        self.tries += 1
        if self.room:
            self.commits += 1
            self.trades += [int(event.trade_id) for event in events if isinstance(event, Trade)]
        return self.room

    def ask(self, request_id: int, first: int, last: int) -> None:
        self.runner.ask(Backfill(request_id, "BTCUSDT", EVENT_MARKET_TRADE, str(first), str(last), 1, 2))


async def test_pages_are_committed_in_parts_and_answered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "PART_TRADES", 10)
    worker = Worker()
    worker.ask(1, 101, 150)
    worker.rest.answer(101, 30)
    await wait_until_async(lambda: worker.rest.waiting, LIMIT_S, "the second page")
    worker.rest.answer(131, 21)
    await wait_until_async(lambda: worker.answers, LIMIT_S, "the answer")
    assert worker.trades == list(range(101, 151))
    assert worker.commits == 5
    assert [(answer.request_id, answer.events, answer.left) for answer in worker.answers] == [(1, 50, "")]


async def test_a_refused_page_between_parts_starts_no_second_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer to a page that could not be requested is handled within the loop that requested it."""
    monkeypatch.setattr(backfill, "PART_TRADES", 5)
    monkeypatch.setattr(backfill_runner, "WAIT_S", 0.01)
    worker = Worker()
    timers: list[float] = []
    loop = asyncio.get_running_loop()

    def call_later(delay_s: float, callback: Callable[..., Any], *args: Any) -> asyncio.TimerHandle:
        timers.append(delay_s)
        return loop.call_later(delay_s, callback, *args)

    worker.runner._loop = type("Loop", (), {"call_later": staticmethod(call_later)})()  # type: ignore[assignment]
    worker.ask(1, 101, 150)
    worker.rest.refuse = True
    worker.rest.answer(101, 20)
    await wait_until_async(lambda: worker.answers, LIMIT_S, "the answer")
    assert worker.trades == list(range(101, 121))
    assert len(timers) == worker.commits == 4, "one timer for each part"
    (answer,) = worker.answers
    assert (answer.first_id, answer.last_id, answer.retry) == ("121", "150", True)
    assert "too many requests" in answer.left


async def test_parts_wait_for_room_and_another_hole_is_refused_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill_runner, "WAIT_S", 0.01)
    worker = Worker()
    worker.room = False
    worker.ask(1, 101, 110)
    worker.rest.answer(101, 11)
    await wait_until_async(lambda: worker.tries >= 3, LIMIT_S, "some tries")
    worker.ask(2, 201, 210)
    assert [(answer.request_id, answer.retry) for answer in worker.answers] == [(2, True)]
    worker.room = True
    await wait_until_async(lambda: len(worker.answers) == 2, LIMIT_S, "the answer")
    assert worker.trades == list(range(101, 111))


async def test_after_close_nothing_happens() -> None:
    worker = Worker()
    worker.room = False
    worker.ask(1, 101, 110)
    worker.rest.answer(101, 11)
    worker.runner.close()
    worker.room = True
    worker.ask(2, 201, 210)
    worker.runner.tick(1e12)
    await asyncio.sleep(0.1)
    assert (worker.trades, worker.answers, worker.rest.waiting) == ([], [], [])
