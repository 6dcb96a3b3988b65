"""Handlers of a strategy are removed with it, however it ends."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import threading
import weakref

import pytest

from foxtrot_supervisor.engine.bus.event_engine import Event, EventEngine
from foxtrot_supervisor.engine.bus.owner import OwnerClosed, unshared_owner
from tests.support.waiting import wait_until

SLOW = os.environ.get("FOXTROT_SLOW") == "yes"
REGISTRATIONS = 1_000_000 if SLOW else 20_000
OWNERS = 10_000 if SLOW else 1_000


class Strategy:
    def __init__(self) -> None:
        self.seen: list[object] = []

    def on_event(self, event: Event) -> None:
        self.seen.append(event.data)


def handler(_: Event) -> None:
    pass


def other(_: Event) -> None:
    pass


@pytest.fixture
def engine() -> EventEngine:
    """Not started: the tests dispatch themselves."""
    return EventEngine()


def test_a_block_owns_what_is_registered_in_it_and_closes_at_its_end(engine: EventEngine) -> None:
    with engine.owner("strategy-1") as owner:
        engine.register("e", handler)
        engine.register_general(other)
        assert [(info.type, info.owners) for info in engine.handlers()] == [
            ("e", ["strategy-1"]),
            ("", ["strategy-1"]),
        ]
        assert engine.owners() == ["strategy-1"]
    assert engine.handler_count() == 0
    assert engine.owners() == []
    assert owner.closed
    assert repr(owner) == "<Owner 'strategy-1' closed>"
    engine.register("e", handler)
    assert engine.handlers()[0].owners == [], "after the block nobody owns"


def test_blocks_nest_and_a_block_ends_by_an_exception_too(engine: EventEngine) -> None:
    with engine.owner("outer"):
        engine.register("e", handler)
        inner = engine.owner("inner")
        with contextlib.suppress(RuntimeError), inner:
            engine.register("e", other)
            raise RuntimeError
        assert [info.owners for info in engine.handlers()] == [["outer"]]
        engine.register("f", other)
    assert engine.handler_count() == 0


def test_a_block_owns_nothing_of_other_threads_tasks_or_engines(engine: EventEngine) -> None:
    another = EventEngine()
    with engine.owner("mine"):
        thread = threading.Thread(target=engine.register, args=("e", handler))
        thread.start()
        thread.join()
        another.register("e", handler)
    assert engine.handler_count() == 1
    assert another.handlers()[0].owners == []


async def test_a_block_in_a_task_owns_what_that_task_registers(engine: EventEngine) -> None:
    inside, leave = asyncio.Event(), asyncio.Event()

    async def strategy() -> None:
        with engine.owner("task"):
            inside.set()
            await leave.wait()
            engine.register("e", other)
            assert engine.handlers()[-1].owners == ["task"]

    task = asyncio.create_task(strategy())
    await inside.wait()
    engine.register("e", handler)
    leave.set()
    await task
    assert [info.owners for info in engine.handlers()] == [[]]


def test_close_returns_how_many_were_removed_and_may_be_repeated(engine: EventEngine) -> None:
    owner = engine.owner("s")
    owner.register("e", handler)
    owner.register("f", handler)
    owner.register_general(handler)
    assert [info.type for info in owner.handlers()] == ["e", "f", ""]
    assert owner.close() == 3
    assert owner.close() == 0
    assert engine.handler_count() == 0
    with pytest.raises(OwnerClosed, match="owner 's' is closed"):
        owner.register("e", handler)
    with pytest.raises(OwnerClosed), owner:
        pass


def test_a_name_finds_its_owner_and_a_closed_name_can_be_used_again(engine: EventEngine) -> None:
    owner = engine.owner("s")
    assert engine.owner("s") is owner
    assert engine.owner(owner) is owner
    engine.register("e", handler, owner="s")
    assert engine.owner("s").close() == 1
    again = engine.owner("s")
    assert again is not owner
    assert not again.closed


def test_handlers_of_a_name_stay_until_it_is_closed(engine: EventEngine) -> None:
    engine.register("e", handler, owner="s")
    engine.owner("s")
    gc.collect()
    assert engine.handler_count() == 1
    assert engine.owner("s").close() == 1


def test_an_owner_that_is_collected_is_closed(engine: EventEngine) -> None:
    owner = engine.owner("s")
    owner.register("e", handler)
    del owner
    gc.collect()
    assert engine.handler_count() == 0
    assert engine.owners() == []


def test_handlers_are_removed_with_the_object_that_owns_them(engine: EventEngine) -> None:
    strategy = Strategy()
    engine.register("e", strategy.on_event, owner=strategy)
    engine.register("e", handler, owner=strategy)
    assert engine.owners() == ["Strategy object"]
    engine.dispatch(Event("e", 1))
    assert strategy.seen == [1]
    gone = weakref.ref(strategy)
    del strategy
    gc.collect()
    assert gone() is None, "its own bound method does not hold it"
    assert engine.handler_count() == 0
    assert engine.owners() == []
    engine.dispatch(Event("e", 2))


def test_the_owner_of_an_object_can_be_closed_before_its_collection(engine: EventEngine) -> None:
    strategy = Strategy()
    engine.owner(strategy).register("e", handler)
    gc.collect()
    assert engine.handler_count() == 1, "the object lives"
    assert engine.owner(strategy).close() == 1
    engine.owner(strategy)
    del strategy
    gc.collect()
    assert engine.owners() == []


def test_a_bound_method_is_held_weakly_on_request(engine: EventEngine) -> None:
    strategy = Strategy()
    engine.register("e", strategy.on_event, weak=True)
    engine.register_general(strategy.on_event, weak=True)
    engine.dispatch(Event("e", 1))
    assert strategy.seen == [1, 1]
    assert all(info.weak for info in engine.handlers())
    del strategy
    gc.collect()
    assert engine.handler_count() == 0


def test_two_owners_of_one_handler(engine: EventEngine) -> None:
    first, second = engine.owner("first"), engine.owner("second")
    first.register("e", handler)
    second.register("e", handler)
    assert first.close() == 0
    assert engine.handler_count() == 1
    assert second.close() == 1


def test_an_invalid_owner_is_refused(engine: EventEngine) -> None:
    with pytest.raises(TypeError, match="17 cannot be an owner"):
        engine.register("e", handler, owner=17)
    stranger = EventEngine().owner("s")
    with pytest.raises(ValueError, match="belongs to another engine"):
        engine.register("e", handler, owner=stranger)
    assert engine.handler_count() == 0


def test_an_owner_may_close_from_any_thread_while_events_flow() -> None:
    engine = EventEngine(queue_limit=2000)
    flowing = True
    answered: list[object] = []
    engine.register("answer", lambda event: answered.append(event.data))
    engine.start()

    def flood() -> None:
        while flowing:
            engine.put(Event("e", "before"))

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        for cycle in range(25):
            seen: list[object] = []
            with engine.owner("turnstile") as owner:
                owner.register("e", lambda event, seen=seen: seen.append(event.data))  # type: ignore[misc]
            engine.put(Event("e", "after"))
            engine.put(Event("answer", cycle))
            wait_until(lambda cycle=cycle: cycle in answered, 10.0, "the events before it")  # type: ignore[misc]
            assert "after" not in seen
    finally:
        flowing = False
        thread.join()
    assert engine.stop(10.0) == 0
    assert engine.handler_errors_total == 0


def test_registering_and_owners_leave_nothing_behind(engine: EventEngine) -> None:
    strategy: Strategy | None = Strategy()

    def cycle(strategy: Strategy, registrations: int, owners: int) -> None:
        for _ in range(registrations):
            engine.register("e", strategy.on_event)
            engine.unregister("e", strategy.on_event)
        for number in range(owners):
            with engine.owner(f"s{number}"):
                engine.register(f"e{number}", strategy.on_event)
                engine.register_general(strategy.on_event)
                engine.dispatch(Event(f"e{number}"))

    cycle(strategy, 1000, 100)
    strategy.seen.clear()
    gc.collect()
    objects = len(gc.get_objects())
    cycle(strategy, REGISTRATIONS, OWNERS)
    strategy.seen.clear()
    gc.collect()
    assert engine.handler_count() == 0
    assert engine.owners() == []
    assert len(gc.get_objects()) - objects < 50, "objects, not bytes: nothing grew with the number of cycles"
    gone = weakref.ref(strategy)
    strategy = None
    gc.collect()
    assert gone() is None


def test_an_unshared_owner_has_a_name_of_its_own() -> None:
    engine = EventEngine()
    first, second, third = (unshared_owner(engine, "folds") for _ in range(3))
    assert [owner.name for owner in (first, second, third)] == ["folds", "folds 2", "folds 3"]
    second.close()
    assert unshared_owner(engine, "folds").name == "folds 2"
    assert not first.closed


def test_registering_for_an_owner_leaves_it_open() -> None:
    engine = EventEngine()
    owner = engine.owner("one")
    with owner.registering():
        engine.register("e", print)
        with engine.owner("inner").registering():
            engine.register("f", print)
    engine.register("g", print)
    assert [info.type for info in owner.handlers()] == ["e"]
    assert not owner.closed
    assert owner.close() == 1
    with pytest.raises(OwnerClosed), owner.registering():
        pass
