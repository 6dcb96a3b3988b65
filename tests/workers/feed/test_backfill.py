"""What is fetched for a hole, what of the answers is believed, and what is said of the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import ClassVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foxtrot_protocol.commands import Backfill, Backfilled
from foxtrot_protocol.events import EVENT_MARKET_TRADE, Gap, MarketEvent, Trade
from foxtrot_protocol.identity import IdentityRule
from foxtrot_workers.adapter.adapter import Adapter, BackfillOrder
from foxtrot_workers.adapter.limits import Limits, Topic
from foxtrot_workers.adapter.notices import RestRequest
from foxtrot_workers.feed import backfill
from foxtrot_workers.feed.backfill import (
    ANSWER_S_MAX,
    CAUSE,
    HOLE_TRADES_MAX,
    PAGE_BYTES_MAX,
    PAGES_MAX,
    PART_TRADES,
    BackfillEffect,
    Backfiller,
    CommitPart,
    Fetch,
)

START_NS, END_NS, NOW_NS = 5, 6, 77


class History(Adapter):
    """An exchange of which only the past matters; a page is a JSON list of trades, as `row` writes them."""

    name: ClassVar[str] = "history"
    exchange: ClassVar[str] = "HISTORY"
    channels: ClassVar[frozenset[str]] = frozenset({"trade"})
    url: ClassVar[str] = "ws://127.0.0.1"
    rest_url: ClassVar[str] = "http://127.0.0.1"
    limits: ClassVar[Limits] = Limits(silence_s=1.0)
    identities: ClassVar[Mapping[str, IdentityRule]] = {EVENT_MARKET_TRADE: "sequence"}
    page: ClassVar[int] = 10

    def topics(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Topic]:
        return []

    def address(self, base: str) -> str:
        return base

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        return []

    unsubscribe = subscribe

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        return

    def backfill_request(self, symbol: str, stream: str, first_id: int, last_id: int) -> RestRequest | None:
        if stream != EVENT_MARKET_TRADE:
            return None
        return RestRequest("past", f"/{first_id}/{last_id}", 25)

    def on_backfill(self, path: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
        rows = msgspec.json.decode(body, type=list[tuple[str, str, str, str]])
        return [
            Trade(self.exchange, symbol, 1, receive_ns, price, size, "buy", trade_id)
            for symbol, trade_id, price, size in rows
        ]


class Backward(History):
    backfill_order: ClassVar[BackfillOrder] = "backward"


class Newest(History):
    """Its answers do not depend on the request."""

    backfill_order: ClassVar[BackfillOrder] = "newest"


class ByTime(History):
    """Pages by time: what it is asked for is the time of the gap."""

    def backfill_request(self, symbol: str, stream: str, first_id: int, last_id: int) -> RestRequest | None:
        raise AssertionError("it pages by time")

    def backfill_page(
        self, symbol: str, stream: str, first_id: int, last_id: int, start_ns: int, end_ns: int
    ) -> RestRequest | None:
        return RestRequest("past", f"/{start_ns}/{end_ns}/{first_id}")


class Approaching(History):
    """Pages by time begin some way before the gap: each one begins behind the page before."""

    def __init__(self, *, adopt: bool = False) -> None:
        super().__init__(adopt=adopt)
        self.latest = 0

    def backfill_request(self, symbol: str, stream: str, first_id: int, last_id: int) -> RestRequest | None:
        return RestRequest("past", f"/{self.latest}")

    def on_backfill(self, path: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
        trades = super().on_backfill(path, body, receive_ns)
        self.latest = max((int(trade.trade_id) for trade in trades), default=self.latest)
        return trades


class Leaping(History):
    identities: ClassVar[Mapping[str, IdentityRule]] = {EVENT_MARKET_TRADE: "increasing"}


class LeapingBackward(Backward, Leaping):
    pass


ALL: list[type[History]] = [History, Backward, Leaping, LeapingBackward]


def row(number: int | str, price: str = "1.50", symbol: str = "S", size: str = "2") -> tuple[str, str, str, str]:
    return symbol, str(number), price, size


def page_of(*numbers: int | str) -> bytes:
    return msgspec.json.encode([row(number) for number in numbers])


def hole(first: int | str, last: int | str, stream: str = EVENT_MARKET_TRADE) -> Backfill:
    return Backfill(9, "S", stream, str(first), str(last), START_NS, END_NS)


def served(kind: type[History], trades: Sequence[int], path: str) -> bytes:
    """A page as an exchange with these `trades` (ascending) answers it."""
    first, last = (int(part) for part in path.split("/")[1:])
    if kind.backfill_order == "forward":
        return page_of(*[number for number in trades if number >= first][: kind.page])
    return page_of(*[number for number in reversed(trades) if number <= last][: kind.page])


def run(kind: type[History], trades: Sequence[int], first: int, last: int) -> tuple[list[CommitPart], Backfilled, int]:
    """The whole of one hole against an honest exchange; also the number of pages."""
    backfiller = Backfiller(kind(), "w", 1)
    parts: list[CommitPart] = []
    effects = backfiller.ask(hole(first, last), 0.0)
    pages = 0
    while True:
        for effect in effects[:-1]:
            assert isinstance(effect, CommitPart)
            parts.append(effect)
        end = effects[-1]
        if isinstance(end, Backfilled):
            assert backfiller.next_deadline() is None
            return parts, end, pages
        assert isinstance(end, Fetch)
        pages += 1
        path = end.request.path
        effects = backfiller.answered(path, 200, served(kind, trades, path), NOW_NS, 1.0)


def committed(parts: Sequence[BackfillEffect]) -> list[int]:
    """Identifiers of the trades in `parts`, in order."""
    events = [event for part in parts if isinstance(part, CommitPart) for event in part.events]
    return [int(event.trade_id) for event in events if isinstance(event, Trade)]


def filled(parts: Sequence[BackfillEffect]) -> list[tuple[int, int]]:
    """Bounds of what `parts` call filled."""
    gaps = [part.events[-1] for part in parts if isinstance(part, CommitPart)]
    assert all(isinstance(gap, Gap) and gap.filled for gap in gaps)
    return [(int(gap.first_id or ""), int(gap.last_id or "")) for gap in gaps if isinstance(gap, Gap)]


# ---- against an honest exchange


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_a_hole_is_filled_in_order_and_marked(kind: type[History]) -> None:
    parts, end, pages = run(kind, range(1, 200), 50, 84)
    assert committed(parts) == list(range(50, 85))
    assert pages == 4
    assert end == Backfilled("w", 1, 9, 35)
    events = [event for part in parts for event in part.events]
    trades = [event for event in events if isinstance(event, Trade)]
    assert all(trade.backfilled and trade.receive_ns == NOW_NS for trade in trades)
    gap = parts[-1].events[-1]
    assert gap == Gap(
        exchange="HISTORY",
        symbol="S",
        exchange_ns=0,
        receive_ns=NOW_NS,
        stream=EVENT_MARKET_TRADE,
        first_id=gap.first_id,
        last_id="84",
        start_ns=START_NS,
        end_ns=END_NS,
        cause=CAUSE,
        filled=True,
    )
    assert filled(parts)[0][0] == 50


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_one_missing_trade_needs_one_page(kind: type[History]) -> None:
    parts, end, pages = run(kind, range(1, 200), 50, 50)
    assert (committed(parts), filled(parts), end, pages) == ([50], [(50, 50)], Backfilled("w", 1, 9, 1), 1)


def test_large_pages_are_committed_in_parts_that_join_without_a_hole(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ALL:
        monkeypatch.setattr(kind, "page", 1000)
        parts, end, pages = run(kind, range(1, 2000, 2) if "Leaping" in kind.__name__ else range(1, 2000), 11, 711)
        assert max(len(part.events) for part in parts) == PART_TRADES + 1
        bounds = filled(parts)
        assert bounds[0][0] == 11
        assert bounds[-1][1] == 711
        assert all(before[1] + 1 == after[0] for before, after in pairwise(bounds))
        for part, (first, last) in zip(parts, bounds, strict=True):
            assert all(first <= number <= last for number in committed([part]))
        assert (end.left, pages) == ("", 1)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_trades_that_the_exchange_no_longer_has_stay_announced(kind: type[History]) -> None:
    parts, end, _ = run(kind, range(60, 200), 50, 84)
    if kind is Leaping:  # it cannot be told from a stretch without trades
        assert end == Backfilled("w", 1, 9, 25)
        return
    assert committed(parts) == list(range(60, 85))
    assert (end.first_id, end.last_id, end.retry) == ("50", "59", False)
    assert "nothing there" in end.left


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_trades_that_the_exchange_does_not_have_yet_are_retried(kind: type[History]) -> None:
    parts, end, _ = run(kind, range(1, 60), 50, 84)
    if kind is LeapingBackward:
        assert end == Backfilled("w", 1, 9, 10)
        return
    assert committed(parts) == list(range(50, 60))
    assert (end.first_id, end.last_id) == ("60", "84")
    assert end.retry is (kind.backfill_order == "forward")


@pytest.mark.parametrize("kind", [History, Backward], ids=lambda kind: kind.__name__)
def test_a_hole_in_the_history_itself_stays_announced(kind: type[History]) -> None:
    parts, end, _ = run(kind, [*range(1, 55), *range(58, 200)], 50, 84)
    assert committed(parts) == [*range(50, 55), *range(58, 85)]
    assert {number for first, last in filled(parts) for number in range(first, last + 1)} == set(committed(parts))
    assert (end.events, end.first_id, end.last_id, end.retry) == (32, "55", "57", False)


@pytest.mark.parametrize("kind", [Leaping, LeapingBackward], ids=lambda kind: kind.__name__)
def test_identifiers_that_leap_fill_what_lies_between(kind: type[History]) -> None:
    parts, end, _ = run(kind, range(3, 400, 7), 50, 150)
    assert committed(parts) == [number for number in range(3, 400, 7) if 50 <= number <= 150]
    assert (filled(parts)[0][0], filled(parts)[-1][1], end.left) == (50, 150, "")


@pytest.mark.parametrize("kind", [Leaping, LeapingBackward], ids=lambda kind: kind.__name__)
def test_a_range_without_trades_is_filled(kind: type[History]) -> None:
    parts, end, _ = run(kind, [10, 20, 90], 30, 80)
    assert (committed(parts), filled(parts), end) == ([], [(30, 80)], Backfilled("w", 1, 9, 0))


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
@settings(max_examples=150, deadline=None)
@given(
    trades=st.sets(st.integers(1, 60), max_size=60),
    bounds=st.tuples(st.integers(0, 65), st.integers(0, 65)),
    size=st.integers(1, 12),
)
def test_random_histories_yield_correct_trades_and_correct_claims(
    kind: type[History], trades: set[int], bounds: tuple[int, int], size: int
) -> None:
    first, last = sorted(bounds)

    class Sized(kind):  # type: ignore[valid-type,misc] # made for each example
        page = size

    parts, end, _ = run(Sized, sorted(trades), first, last)
    numbers = committed(parts)
    assert numbers == sorted(set(numbers)), "out of order or twice"
    assert set(numbers) <= {number for number in trades if first <= number <= last}
    assert end.events == len(numbers)
    claimed = {number for low, high in filled(parts) for number in range(low, high + 1)}
    assert claimed <= set(range(first, last + 1))
    assert claimed & trades == set(numbers), "called filled without its trades"
    if kind in (History, Backward):
        assert claimed == set(numbers)
    left = set(range(int(end.first_id), int(end.last_id) + 1)) if end.left else set()
    assert claimed | left == set(range(first, last + 1)), "neither filled nor left"


# ---- against others


def answers(kind: type[History], *bodies: bytes, first: int = 50, last: int = 84) -> list[BackfillEffect]:
    """All effects of one hole, its pages being `bodies`."""
    backfiller = Backfiller(kind(), "w", 1)
    effects = done = backfiller.ask(hole(first, last), 0.0)
    for body in bodies:
        fetch = effects[-1]
        assert isinstance(fetch, Fetch)
        effects = backfiller.answered(fetch.request.path, 200, body, NOW_NS, 1.0)
        done = done + effects
    return [effect for effect in done if not isinstance(effect, Fetch)]


def refused(kind: type[History], body: bytes) -> str:
    """Why a page is not believed; nothing of it may get through."""
    (end,) = answers(kind, body)
    assert isinstance(end, Backfilled)
    assert (end.events, end.first_id, end.last_id, end.retry) == (0, "50", "84", True)
    return end.left


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"{}",
        b"[[]]",
        b'{"code":-1003}',
        b"[" * 100_000,
        b" " * (PAGE_BYTES_MAX + 1),
        msgspec.json.encode([row(50, symbol="OTHER")]),
        msgspec.json.encode([row("fifty")]),
        msgspec.json.encode([row("-50")]),
        msgspec.json.encode([row("\u0665\u0660")]),
        msgspec.json.encode([row("")]),
        msgspec.json.encode([row("5" * 65)]),
        msgspec.json.encode([row(50, price="")]),
        msgspec.json.encode([row(50, price="NaN")]),
        msgspec.json.encode([row(50, price="1_0")]),
        msgspec.json.encode([row(50, price=" 1")]),
        msgspec.json.encode([row(50, size="-1")]),
        msgspec.json.encode([row(50, size="1" * 65)]),
        msgspec.json.encode([row(50), row(51), row(50, price="9")]),
    ],
    ids=lambda body: repr(body[:30]),
)
def test_an_impossible_page_is_refused_as_a_whole(kind: type[History], body: bytes) -> None:
    assert "unusable" in refused(kind, body)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_order_and_repetition_do_not_matter(kind: type[History]) -> None:
    effects = answers(kind, page_of(49, 52, 50, 51, 50, 53, 54, 200), last=54)
    assert committed(effects) == [50, 51, 52, 53, 54]
    assert effects[-1] == Backfilled("w", 1, 9, 5)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_pages_without_progress_end_the_backfill(kind: type[History]) -> None:
    """The exchange ignores what was asked for and gives the same again and again."""
    backward = kind.backfill_order == "backward"
    (end,) = answers(kind, page_of(900, 901) if backward else page_of(1, 2))
    assert isinstance(end, Backfilled)
    assert (end.events, end.first_id, end.last_id, end.retry) == (0, "50", "84", True)


@pytest.mark.parametrize(
    ("status", "retry"), [(0, True), (429, True), (418, True), (503, True), (500, True), (400, False), (404, False)]
)
@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_a_status_decides_whether_to_ask_again(kind: type[History], status: int, retry: bool) -> None:
    backfiller = Backfiller(kind(), "w", 1)
    (fetch,) = backfiller.ask(hole(50, 84), 0.0)
    assert isinstance(fetch, Fetch)
    (end,) = backfiller.answered(fetch.request.path, status, b"TimeoutError: why", NOW_NS, 1.0)
    assert isinstance(end, Backfilled)
    assert (end.first_id, end.last_id, end.retry) == ("50", "84", retry)
    assert ("TimeoutError" in end.left) is (status == 0)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_trades_fetched_before_a_failure_are_kept(kind: type[History]) -> None:
    backfiller = Backfiller(kind(), "w", 1)
    (fetch,) = backfiller.ask(hole(50, 84), 0.0)
    assert isinstance(fetch, Fetch)
    path = fetch.request.path
    first = backfiller.answered(path, 200, served(kind, range(1, 200), path), NOW_NS, 1.0)
    fetch = first[-1]
    assert isinstance(fetch, Fetch)
    effects = first[:-1] + backfiller.answered(fetch.request.path, 503, b"", NOW_NS, 2.0)
    backward = kind.backfill_order == "backward"
    assert committed(effects) == list(range(75, 85) if backward else range(50, 60))
    assert effects[-1] == Backfilled("w", 1, 9, 10, "status 503", *(("50", "74") if backward else ("60", "84")), True)


def test_a_failure_is_reported_rather_than_unavailable_trades() -> None:
    """What is left then are the bounds around both: asked for again, it is said again."""
    effects = answers(History, page_of(52, 53), b"no page")
    assert committed(effects) == [52, 53]
    end = effects[-1]
    assert isinstance(end, Backfilled)
    assert (end.first_id, end.last_id, end.retry) == ("50", "84", True)
    assert "unusable" in end.left


def test_the_newest_trades_are_one_page() -> None:
    effects = answers(Newest, page_of(*range(60, 100)))
    assert committed(effects) == list(range(60, 85))
    assert effects[-1] == Backfilled("w", 1, 9, 25, "the exchange has nothing there", "50", "59", False)
    assert answers(Newest, page_of(*range(40, 90)))[-1] == Backfilled("w", 1, 9, 35)
    assert answers(Newest, page_of(*range(90, 99)))[-1] == Backfilled(
        "w", 1, 9, 0, "the exchange has nothing there", "50", "84", False
    )


@pytest.mark.parametrize("page", [page_of(), page_of(*range(40, 84))])
def test_the_newest_trades_that_end_within_the_gap_are_asked_for_again(page: bytes) -> None:
    (end,) = answers(Newest, page)
    assert isinstance(end, Backfilled)
    assert (end.events, end.first_id, end.last_id, end.retry) == (0, "50", "84", True)


# ---- bounds


def test_one_hole_at_a_time_and_only_its_own_answers() -> None:
    backfiller = Backfiller(History(), "w", 1)
    assert backfiller.answered("/50/84", 200, page_of(50), NOW_NS, 0.0) == []
    assert backfiller.tick(0.0) == []
    (fetch,) = backfiller.ask(hole(50, 84), 0.0)
    assert isinstance(fetch, Fetch)
    (refusal,) = backfiller.ask(Backfill(10, "S", EVENT_MARKET_TRADE, "1", "2", 0, 0), 0.0)
    assert refusal == Backfilled("w", 1, 10, 0, "another gap is being filled", "1", "2", True)
    assert backfiller.answered("/1/2", 200, page_of(50), NOW_NS, 0.0) == []
    assert len(backfiller.answered(fetch.request.path, 200, page_of(50), NOW_NS, 0.0)) == 2


@pytest.mark.parametrize(("first", "last"), [("", "5"), ("a", "5"), ("5", "4"), ("-5", "4")])
def test_invalid_bounds_are_refused(first: str, last: str) -> None:
    backfiller = Backfiller(History(), "w", 1)
    (end,) = backfiller.ask(hole(first, last), 0.0)
    assert isinstance(end, Backfilled)
    assert end.left
    assert (end.first_id, end.last_id, end.retry) == (first, last, False)
    assert backfiller.next_deadline() is None


def test_a_stream_without_a_request_is_reported_at_once() -> None:
    (end,) = Backfiller(History(), "w", 1).ask(hole(50, 84, stream="eBook."), 0.0)
    assert end == Backfilled("w", 1, 9, 0, "the exchange has no request for it", "50", "84", False)


def test_a_missing_answer_ends_the_backfill() -> None:
    backfiller = Backfiller(History(), "w", 1)
    backfiller.ask(hole(50, 84), 10.0)
    deadline = backfiller.next_deadline()
    assert deadline == 10.0 + ANSWER_S_MAX
    assert backfiller.tick(deadline - 0.1) == []
    (end,) = backfiller.tick(deadline)
    assert isinstance(end, Backfilled)
    assert (end.first_id, end.last_id, end.retry) == ("50", "84", True)


@pytest.mark.parametrize("kind", [History, Backward], ids=lambda kind: kind.__name__)
def test_the_latest_part_of_a_huge_gap_is_fetched(kind: type[History], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kind, "page", 1000)
    last = 10**6
    parts, end, _ = run(kind, range(last - 2 * HOLE_TRADES_MAX, last + 100), 1, last)
    assert committed(parts) == list(range(last - HOLE_TRADES_MAX + 1, last + 1))
    assert (end.first_id, end.last_id, end.retry) == ("1", str(last - HOLE_TRADES_MAX), False)
    assert str(HOLE_TRADES_MAX) in end.left


@pytest.mark.parametrize("kind", [Leaping, LeapingBackward], ids=lambda kind: kind.__name__)
def test_the_number_of_trades_is_limited_where_identifiers_leap(
    kind: type[History], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "HOLE_TRADES_MAX", 100)
    parts, end, _ = run(kind, range(0, 10_000, 3), 1, 9_000)
    assert len(committed(parts)) == 100
    assert (end.events, end.retry) == (100, False)
    assert "more than" in end.left
    backward = kind.backfill_order == "backward"
    assert (end.first_id, end.last_id) == (("1", "8702") if backward else ("301", "9000"))


def test_the_number_of_pages_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(History, "page", 1)
    parts, end, pages = run(History, range(1, 2 * PAGES_MAX), 1, 2 * PAGES_MAX - 2)
    assert pages == len(committed(parts)) == PAGES_MAX
    assert (end.first_id, end.retry) == (str(PAGES_MAX + 1), False)


def test_an_exchange_that_pages_by_time_gets_begin_and_end_of_the_gap() -> None:
    backfiller = Backfiller(ByTime(), "w", 1)
    (fetch,) = backfiller.ask(hole(5, 9), 0.0)
    assert isinstance(fetch, Fetch)
    assert fetch.request.path == f"/{START_NS}/{END_NS}/5"


def test_pages_that_end_before_the_gap_lead_to_it() -> None:
    backfiller = Backfiller(Approaching(), "w", 1)
    backfiller.ask(hole(7, 8), 0.0)
    assert backfiller.answered("/0", 200, page_of(1, 2, 3), NOW_NS, 0.0) == [Fetch(RestRequest("past", "/3"))]
    assert backfiller.answered("/3", 200, page_of(3, 4, 5, 6), NOW_NS, 0.0) == [Fetch(RestRequest("past", "/6"))]
    part, end = backfiller.answered("/6", 200, page_of(6, 7, 8, 9), NOW_NS, 0.0)
    assert isinstance(part, CommitPart)
    assert [event.trade_id for event in part.events if isinstance(event, Trade)] == ["7", "8"]
    assert isinstance(end, Backfilled)
    assert end.left == ""


@pytest.mark.parametrize("page", [page_of(1, 2, 3), page_of()])
def test_a_page_that_leads_nowhere_is_tried_again_later(page: bytes) -> None:
    backfiller = Backfiller(Approaching(), "w", 1)
    backfiller.ask(hole(7, 8), 0.0)
    backfiller.answered("/0", 200, page_of(1, 2, 3), NOW_NS, 0.0)
    (end,) = backfiller.answered("/3", 200, page, NOW_NS, 0.0)
    assert isinstance(end, Backfilled)
    assert (end.left, end.retry) == ("the exchange has nothing there yet", True)
