"""Whatever two workers and their engines suffer: each trade once, in order, holes exactly what nobody received."""

from __future__ import annotations

import os
import random
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foxtrot_supervisor.engine.delivery.merge import Admission, StreamMerge
from foxtrot_supervisor.engine.delivery.positions import PositionFile
from foxtrot_supervisor.engine.delivery.ring_reader import RingReader
from foxtrot_supervisor.engine.delivery.rings import Rings
from foxtrot_supervisor.engine.delivery.rules import trades
from foxtrot_supervisor.engine.delivery.rules.turn import Turn
from foxtrot_supervisor.engine.delivery.streams import COPY, Side
from tests.support.twin_world import TwinWorld

SIDES = st.sampled_from("ab")
STEPS = st.one_of(
    st.tuples(st.just("emit"), st.integers(1, 12)),
    st.tuples(st.just("commit"), SIDES, st.integers(1, 6)),
    st.tuples(st.just("commit"), SIDES, st.integers(1, 6)),
    st.tuples(st.just("start"), SIDES),
    st.tuples(st.just("kill"), SIDES),
    st.tuples(st.just("fence")),
    st.tuples(st.just("pump"), st.one_of(st.none(), st.integers(0, 40))),
    st.tuples(st.just("pump"), st.none()),
    st.tuples(st.just("replace_engine")),
    st.tuples(st.just("expire")),
)


def live(steps: list[tuple[Any, ...]]) -> None:
    """Let `steps` happen to a world of its own."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        world = TwinWorld(Path(folder))
        world.install(patch)
        try:
            world.start("a")
            world.start("b")
            for name, *details in steps:
                if name == "pump":
                    world.pump(die_at=details[0])
                else:
                    getattr(world, name)(*details)
            world.settle()
            world.check()
        finally:
            world.close()


@pytest.mark.timeout(900)
@settings(max_examples=3000 if os.environ.get("FOXTROT_SLOW") else 150)
@given(st.lists(STEPS, max_size=60))
def test_each_trade_once_in_order_and_every_hole_named(steps: list[tuple[Any, ...]]) -> None:
    live(steps)


def some_steps(seed: int) -> list[tuple[Any, ...]]:
    """The same without hypothesis: for tests that look for any failure."""
    chance = random.Random(seed)
    side = lambda: chance.choice("ab")  # noqa: E731
    kinds: list[Callable[[], tuple[Any, ...]]] = [
        lambda: ("emit", chance.randint(1, 12)),
        lambda: ("emit", chance.randint(1, 12)),
        lambda: ("commit", side(), chance.randint(1, 6)),
        lambda: ("commit", side(), chance.randint(1, 6)),
        lambda: ("start", side()),
        lambda: ("start", side()),
        lambda: ("kill", side()),
        lambda: ("fence",),
        lambda: ("pump", None),
        lambda: ("pump", chance.randint(0, 40)),
    ]
    return [chance.choice(kinds)() for _ in range(60)]


def fails(reason: str) -> None:
    """Some life of the many goes wrong, and for this reason."""
    for seed in range(300):
        try:
            live(some_steps(seed))
        except AssertionError as error:
            if re.search(reason, str(error)):
                return
    pytest.fail(f"300 lives without {reason}")


def everything_is_new(self: StreamMerge, side: Side, events: Sequence[Any], **_: Any) -> Admission:
    return Admission(events, None, len(events), 0, 0, [])


def never_waits(self: Turn, stream: Any, number: int, event: Any, **_: bool) -> bool:
    return False


def test_as_it_is_those_lives_go_well() -> None:
    for seed in range(40):
        live(some_steps(seed))


def test_without_deduplication_the_same_test_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StreamMerge, "admit", everything_is_new)
    fails("came twice")


def test_without_waiting_for_the_twin_the_same_test_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Turn, "has_to_wait", never_waits)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trades, "_fill", lambda *_: COPY)  # nor is a late one taken
        fails("lost")


def test_without_kept_positions_the_same_test_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PositionFile, "save", lambda self, connection, stream: None)
    fails("came twice and unmarked")


def test_with_ring_space_freed_before_positions_are_saved_the_same_test_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    mark = RingReader.mark_applied

    def mark_and_consume(self: Any, sequence: int, *figures: int) -> None:
        mark(self, sequence, *figures)
        record = self.next()
        if record is not None:
            self.consume_to(record.end)

    monkeypatch.setattr(RingReader, "mark_applied", mark_and_consume)
    monkeypatch.setattr(RingReader, "consume_to", once_a_record(RingReader.consume_to))
    fails("came twice and unmarked")


def once_a_record(consume_to: Any) -> Any:
    def forward(self: Any, end: int) -> None:
        if end > self.tail:
            consume_to(self, end)

    return forward


def test_without_redelivery_of_what_was_in_flight_the_same_test_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def begin(self: Any, now: float) -> None:
        for ring in self._sources.rings():
            ring.redeliver = 0
        self._sources.positions = PositionFile.open(self._run_dir)

    monkeypatch.setattr(Rings, "begin", begin)
    fails("came twice and unmarked")
