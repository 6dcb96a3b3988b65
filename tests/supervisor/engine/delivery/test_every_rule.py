"""Every rule: what any side brings beyond the position is handed over once and in order.

A simulated exchange numbers its events. Sides join, lag, die and come back; each brings what the exchange sent while it
was connected, in order, in batches of any size at any time. What handlers get is compared with what was brought.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foxtrot_protocol import stream_ranges
from foxtrot_protocol.events import (
    EVENT_BBO,
    EVENT_BOOK,
    EVENT_LIQUIDATION,
    EVENT_MARK_PRICE,
    EVENT_MARKET_TRADE,
    BookDelta,
    BookSnapshot,
    Gap,
    Liquidation,
    MarkPrice,
    Quote,
    Trade,
)
from foxtrot_protocol.stream_ranges import StreamRanges
from foxtrot_supervisor.engine.delivery.merge import StreamMerge
from foxtrot_supervisor.engine.delivery.rules.turn import Turn

SECOND = 1_000_000_000
STEP_NS = 1_000_000
"""Between two events of the exchange."""


def _trade(number: int, received_ns: int) -> Any:
    return Trade("SIM", "X", number * STEP_NS, received_ns, "1", "1", "buy", str(number))


def _quote(number: int, received_ns: int) -> Any:
    return Quote("SIM", "X", 0, received_ns, "1", "1", "2", "1", str(number))


def _price(number: int, received_ns: int) -> Any:
    return MarkPrice("SIM", "X", number * STEP_NS, received_ns, str(number))


def _partial_book(number: int, received_ns: int) -> Any:
    return BookSnapshot("SIM", "X", 0, received_ns, [], [], None, str(number), None)


def _liquidation(number: int, received_ns: int) -> Any:
    return Liquidation("SIM", "X", 1, received_ns, "buy", "1", str(number))


def _update(number: int, received_ns: int) -> Any:
    return BookDelta("SIM", "X", number * STEP_NS, received_ns, [], [], str(number), str(number), None)


def _linked_update(number: int, received_ns: int) -> Any:
    return BookDelta("SIM", "X", number * STEP_NS, received_ns, [], [], str(number - 1), str(number), None)


RULES: dict[str, tuple[str, str, Callable[[int, int], Any]]] = {
    "sequence": (EVENT_MARKET_TRADE, "sequence", _trade),
    "increasing": (EVENT_MARKET_TRADE, "increasing", _trade),
    "unique": (EVENT_MARKET_TRADE, "unique", _trade),
    "latest by identifier": (EVENT_BBO, "latest", _quote),
    "latest by time": (EVENT_MARK_PRICE, "latest", _price),
    "partial books": (EVENT_BOOK, "latest", _partial_book),
    "content": (EVENT_LIQUIDATION, "content", _liquidation),
    "update_ids": (EVENT_BOOK, "update_ids", _update),
    "chained": (EVENT_BOOK, "chained", _linked_update),
}


class Connection:
    """One incarnation of a side: what it has received and the engine has not taken."""

    def __init__(self, side: tuple[str, int]) -> None:
        self.side = side
        self.ahead: list[Any] = []
        self.alive = True


@pytest.fixture(params=[False, True], ids=["", "described"], autouse=True)
def described(request: pytest.FixtureRequest) -> Iterator[None]:
    """Batches with and without what their worker says of their streams, however small they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream_ranges, "EVENTS_PER_RANGE_MIN", 0)
        patch.setattr(World, "described", request.param)
        yield


class World:
    """An exchange, two sides, the merge, and what handlers were given."""

    described = False

    def __init__(self, name: str) -> None:
        kind, rule, self._make = RULES[name]
        self._is_book = rule in ("update_ids", "chained")
        self.merge = StreamMerge({kind: rule})
        self._ranges = StreamRanges({kind: rule})
        self.number = 0
        self.now_ns = SECOND
        self.sides: dict[str, list[Connection]] = {"a": [], "b": []}
        self._incarnations = 0
        self.brought: set[int] = set()
        """Numbers that any side has brought or will bring, from the first one handed over on."""
        self.given: list[int] = []
        self.announced: list[Gap] = []

    def emit(self, count: int) -> None:
        for _ in range(count):
            self.number += 1
            self.now_ns += STEP_NS
            for lanes in self.sides.values():
                if lanes and lanes[-1].alive:
                    lanes[-1].ahead.append(self._make(self.number, self.now_ns))
                    self.brought.add(self.number)

    def join(self, name: str) -> None:
        lanes = self.sides[name]
        if lanes and lanes[-1].alive:
            return
        self._incarnations += 1
        connection = Connection((name, self._incarnations))
        self.merge.opened(connection.side)
        if self._is_book:
            connection.ahead.append(BookSnapshot("SIM", "X", 0, self.now_ns, [], [], None, str(self.number), None))
        lanes.append(connection)

    def die(self, name: str) -> None:
        lanes = self.sides[name]
        if lanes:
            lanes[-1].alive = False
            self._retire(name)

    def take(self, name: str, size: int) -> bool:
        """Apply the next batch of a side, unless it has to wait."""
        lanes = self.sides[name]
        while len(lanes) > 1 and not lanes[0].ahead:
            self._retire(name)
        if not lanes or not lanes[0].ahead:
            return False
        connection = lanes[0]
        events = connection.ahead[:size]
        streams, order = (self._ranges.describe(events) if self.described else None) or (None, None)
        admission = self.merge.admit(connection.side, events, may_wait=True, streams=streams, order=order)
        if admission is None:
            return False
        self.merge.settle()
        del connection.ahead[: len(events)]
        for event in admission.events:
            self._handle(event)
        self._retire(name)
        return True

    def drain(self) -> None:
        """All sides bring all that they have; one that waits for a dead or idle side does not wait for ever."""
        for _ in range(10_000):
            # twice: a side that has to wait tells the other where it stands
            if not sum(self.take(name, 3) for name in "abab"):
                waiting = [name for name in "ab" if self.sides[name] and self.sides[name][0].ahead]
                if not waiting:
                    return
                # HOLE_WAIT_S has passed, and nothing has come: only a side that has brought all it has is given up
                idle = [name for name in "ab" if name not in waiting]
                assert idle, "two sides wait for each other"
                self.merge.give_up(waiting[0])
        raise AssertionError("it never ends")

    def _retire(self, name: str) -> None:
        lanes = self.sides[name]
        if lanes and not lanes[0].alive and not lanes[0].ahead:
            self.merge.closed(lanes.pop(0).side)

    def _handle(self, event: Any) -> None:
        if isinstance(event, Gap):
            if not event.filled:
                self.announced.append(event)
            return
        if self._is_book and isinstance(event, BookSnapshot):
            self.given.append(-int(event.last_id or 0))
        else:
            self.given.append(_number_of(event))


def _number_of(event: Any) -> int:
    if isinstance(event, Trade):
        return int(event.trade_id)
    if isinstance(event, Quote):
        return int(event.update_id)
    if isinstance(event, MarkPrice):
        return int(event.price)
    if isinstance(event, Liquidation):
        return int(event.size)
    return int(event.last_id)


def check(world: World) -> None:
    """Handed over once and in order, and all that was brought from the first event on; no false gap."""
    numbers = [number for number in world.given if number > 0]
    assert numbers == sorted(set(numbers)), "once and in order"
    covered = set(numbers)
    position = 0
    for number in world.given:
        if number <= 0:  # a snapshot contains what no side has brought in updates
            covered.update(each for each in range(position + 1, -number + 1) if each not in world.brought)
        position = max(position, abs(number))
    start = abs(world.given[0]) if world.given else 0
    missing = [number for number in world.brought if number > start and number not in covered]
    assert missing == [], "lost, though a side brought it"
    for gap in world.announced:
        if gap.first_id and gap.last_id and gap.stream == EVENT_MARKET_TRADE:
            between = range(int(gap.first_id), int(gap.last_id) + 1)
            assert not world.brought & set(between), "announced as missing, though a side brought it"


def play(name: str, steps: Sequence[tuple[Any, ...]]) -> None:
    world = World(name)
    world.join("a")
    world.emit(2)
    world.take("a", 1)
    for step, *details in steps:
        getattr(world, step)(*details)
    world.drain()
    check(world)


def some_steps(chance: random.Random) -> list[tuple[Any, ...]]:
    steps: list[tuple[Any, ...]] = []
    for _ in range(chance.randint(4, 40)):
        side = chance.choice("ab")
        steps.append(
            chance.choices(
                [("emit", chance.randint(1, 6)), ("take", side, chance.randint(1, 5)), ("join", side), ("die", side)],
                weights=[4, 6, 2, 1],
            )[0]
        )
    return steps


SIDES = st.sampled_from("ab")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("emit"), st.integers(1, 6)),
        st.tuples(st.just("take"), SIDES, st.integers(1, 5)),
        st.tuples(st.just("take"), SIDES, st.integers(1, 5)),
        st.tuples(st.just("join"), SIDES),
        st.tuples(st.just("die"), SIDES),
    ),
    max_size=40,
)


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_what_any_side_brings_is_handed_over_once_and_in_order(name: str, steps: list[tuple[Any, ...]]) -> None:
    play(name, steps)


@pytest.mark.parametrize("name", RULES)
def test_the_same_in_a_thousand_seeded_schedules(name: str) -> None:
    for seed in range(1000):
        play(name, some_steps(random.Random(seed)))


@pytest.mark.parametrize("name", [name for name in RULES if name not in ("sequence", "update_ids", "chained")])
def test_without_waiting_for_a_side_that_lags_events_are_lost(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The property is sharp: rules whose identifiers do not show holes lose events if a joining side does not wait."""
    monkeypatch.setattr(Turn, "has_to_wait", lambda *_, **__: False)
    for seed in range(1000):
        try:
            play(name, some_steps(random.Random(seed)))
        except AssertionError:
            return
    pytest.fail("a thousand schedules without a loss")
