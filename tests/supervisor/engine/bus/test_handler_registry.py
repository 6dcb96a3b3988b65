"""Registrations and owners: a removed handler is not called, and not kept alive."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from foxtrot_supervisor.engine.bus.handler_registry import (
    GENERAL,
    HandlerRegistry,
    OwnerRecord,
    Registration,
    handler_name,
)


class Strategy:
    def __init__(self) -> None:
        self.seen: list[Any] = []

    def on_event(self, event: Any) -> None:
        self.seen.append(event)


def nothing(_: Any) -> None:
    pass


def other(_: Any) -> None:
    pass


def add(
    registry: HandlerRegistry,
    handler: Any,
    type_: str = "e",
    owner: OwnerRecord | None = None,
    on_collected: Any = None,
) -> Registration:
    registry.add(type_, handler, owner, on_collected)
    found = registry.find(type_, handler)
    assert found is not None
    return found


def test_once_for_each_type_in_the_order_of_registration() -> None:
    registry = HandlerRegistry()
    first, second = add(registry, other), add(registry, nothing)
    assert add(registry, other) is first
    assert registry.of("e") == (first, second)
    assert registry.of("f") == ()
    assert add(registry, other, "f") is not first
    general = add(registry, other, GENERAL)
    assert registry.of(GENERAL) == (general,)
    assert len(registry) == 4
    assert set(registry) == {first, second, general, *registry.of("f")}


def test_a_removed_registration_is_not_called_from_an_older_list_and_not_kept_alive() -> None:
    registry, strategy = HandlerRegistry(), Strategy()
    registration = add(registry, strategy.on_event)
    route = registry.of("e")
    registry.remove(registration)
    registry.remove(registration)
    route[0].call(1)
    assert strategy.seen == []
    assert registration.handler is None
    gone = weakref.ref(strategy)
    del strategy
    assert gone() is None
    assert len(registry) == 0


def test_removing_a_registration_keeps_the_others() -> None:
    registry = HandlerRegistry()
    first, second = add(registry, other), add(registry, nothing)
    registry.remove(first)
    assert registry.of("e") == (second,)
    registry.clear()
    assert list(registry) == []


def test_calls_of_removed_registrations_still_count() -> None:
    registry = HandlerRegistry()
    add(registry, other).calls += 3
    gone = add(registry, nothing)
    gone.calls += 4
    registry.remove(gone)
    assert registry.calls_total == 7


def test_closing_an_owner_ends_registrations_without_another_owner() -> None:
    registry = HandlerRegistry()
    a, b = registry.open(OwnerRecord("a", "a")), registry.open(OwnerRecord("b", "b"))
    add(registry, other, owner=a)
    shared = add(registry, nothing, owner=a)
    assert add(registry, nothing, owner=b) is shared
    add(registry, nothing, owner=b)
    free = add(registry, other, "f")
    assert [owner.name for owner in shared.owners] == ["a", "b"]
    assert registry.close(a) == 1
    assert registry.of("e") == (shared,)
    assert registry.close(a) == 0
    assert registry.named("a") is None
    assert registry.owners() == [b]
    assert registry.close(b) == 1
    assert list(registry) == [free]


def test_a_registration_also_made_without_an_owner_outlives_its_owners() -> None:
    registry = HandlerRegistry()
    owner = registry.open(OwnerRecord("a", "a"))
    add(registry, other, owner=owner)
    kept = add(registry, other)
    add(registry, other, owner=owner)
    assert kept.owners == []
    assert registry.close(owner) == 0
    assert registry.of("e") == (kept,)


def test_an_unregistered_handler_is_removed_from_its_owners() -> None:
    registry = HandlerRegistry()
    owner = registry.open(OwnerRecord("a", "a"))
    registry.remove(add(registry, other, owner=owner))
    assert owner.registrations == {}
    assert registry.close(owner) == 0


def test_closing_an_older_owner_leaves_a_newer_one_of_the_same_name() -> None:
    registry = HandlerRegistry()
    old = registry.open(OwnerRecord("a", "a"))
    new = registry.open(OwnerRecord("a", "a"))
    registry.close(old)
    assert registry.named("a") is new


def test_an_object_is_an_owner_only_while_it_lives() -> None:
    registry, strategy = HandlerRegistry(), Strategy()
    record = registry.open(OwnerRecord(id(strategy), "Strategy object", weakref.ref(strategy)))
    assert registry.object(strategy) is record
    assert registry.object(registry) is None
    key = record.key
    del strategy
    record.life = None
    assert isinstance(key, int)
    stranger = registry.open(OwnerRecord(id(registry), "another", None))
    assert stranger.life is None
    assert registry.object(registry) is None, "an id alone proves nothing"


def test_a_weakly_held_method_is_removed_with_its_object() -> None:
    registry, strategy, collected = HandlerRegistry(), Strategy(), []
    registration = add(registry, strategy.on_event, on_collected=collected.append)
    assert registration.weak
    assert registration.info().weak
    registration.call(1)
    assert strategy.seen == [1]
    assert registration.handler == strategy.on_event
    call = registration.call
    del strategy
    gc.collect()
    assert collected == [registration]
    call(2)
    assert registration.handler is None


def test_the_collection_of_an_object_without_a_registration_is_not_reported() -> None:
    registry, strategy, collected = HandlerRegistry(), Strategy(), []
    registration = add(registry, strategy.on_event, on_collected=collected.append)
    reference = registration._reference
    registry.remove(registration)
    del registration, strategy
    gc.collect()
    assert reference() is None
    assert collected == []


@pytest.mark.parametrize("handler", [nothing, [].append, lambda event: event])
def test_only_bound_methods_are_held_weakly(handler: Any) -> None:
    with pytest.raises(TypeError, match="only a bound method can be held weakly"):
        HandlerRegistry().add("e", handler, None, lambda _: None)


def test_a_suspended_handler_is_not_called_until_it_is_resumed() -> None:
    registry, strategy = HandlerRegistry(), Strategy()
    registration = add(registry, strategy.on_event)
    registration.suspend()
    assert registry.of("e") == ()
    assert len(registry) == 1
    registration.call(1)
    assert registration.info().suspended
    registration.resume()
    registration.call(2)
    assert strategy.seen == [2]


def test_errors_in_a_row_are_those_without_a_good_call_between() -> None:
    registration = add(HandlerRegistry(), nothing)
    in_row = []
    for fails in (True, True, False, True, True, True):
        registration.calls += 1
        if fails:
            in_row.append(registration.failed())
    assert in_row == [1, 2, 1, 2, 3]
    assert registration.errors == 5
    registration.resume()
    registration.calls += 1
    assert registration.failed() == 1, "a revived handler counts from zero"


def test_figures() -> None:
    registration = add(HandlerRegistry(), nothing)
    empty = registration.info()
    assert (empty.p50_us, empty.p99_us, empty.max_us, empty.timed) == (0.0, 0.0, 0.0, 0)
    registration.calls = 1000
    for _ in range(199):
        registration.took(1000, 1_000_000_000)
    registration.took(1_000_000, 2_000_000_000)
    registration.running_for(5_000_000)
    registration.running_for(1)
    info = registration.info()
    assert (info.type, info.calls, info.timed, info.max_us) == ("e", 1000, 200, 5000.0)
    assert info.p50_us == pytest.approx(1.0, rel=0.13)
    assert info.p99_us == pytest.approx(1.0, rel=0.13)
    assert info.handler == f"{__name__}.nothing"


def test_names_of_handlers() -> None:
    class Callable:
        def __call__(self, _: Any) -> None:
            pass

        def __repr__(self) -> str:
            return "<mine>"

    assert handler_name(Strategy().on_event) == f"{__name__}.Strategy.on_event"
    assert handler_name(Callable()) == "<mine>"
    assert handler_name([].append) == "list.append"


def test_watchers_of_an_event_class_get_present_new_and_removed_handlers() -> None:
    registry, told = HandlerRegistry(), []
    early = add(registry, nothing, type_="eTick.")
    add(registry, nothing, type_="eBook.")

    def watcher(registration: Registration, here: bool) -> None:
        told.append((registration.type, here))

    registry.watch("eTick.", watcher)
    registry.watch("eTick.", watcher)  # two who watch
    add(registry, nothing, type_="eTick.BTC.SIM")
    add(registry, nothing, type_="eTick.BTC.SIM")  # known already
    add(registry, nothing, type_="eTicker.")
    add(registry, nothing, type_="eTickless")
    registry.remove(early)
    assert told == [
        *[("eTick.", True)] * 2,
        *[("eTick.BTC.SIM", True)] * 2,
        *[("eTick.", False)] * 2,
    ]
    registry.forget_watcher(watcher)
    registry.clear()
    assert len(told) == 6


def test_the_worst_are_suspended_then_failing_then_slow_then_busy() -> None:
    registry = HandlerRegistry()
    made = {name: add(registry, nothing, type_=name) for name in ("idle", "busy", "slow", "failing", "suspended")}
    made["busy"].calls = 1000
    made["slow"].slow = 1
    made["failing"].errors = 1
    made["suspended"].suspend()
    assert [each.type for each in registry.worst(4)] == ["suspended", "failing", "slow", "busy"]
    assert len(registry.worst(9)) == 5


def test_watchers_of_owners_get_the_objects_whose_methods_were_removed() -> None:
    registry, told = HandlerRegistry(), []

    def watcher(name: str, things: list[object]) -> None:
        told.append((name, things))

    strategy = Strategy()
    first, second = registry.open(OwnerRecord("1", "first")), registry.open(OwnerRecord("2", "second"))
    registry.watch_owners(watcher)
    registry.add("e", strategy.on_event, first, None)
    registry.add("f", strategy.on_event, first, None)
    registry.add("f", nothing, first, None)
    registry.add("shared", strategy.on_event, first, None)
    registry.add("shared", strategy.on_event, second, None)
    registry.close(first)
    assert told == [("first", [strategy])]
    registry.forget_watcher(watcher)
    registry.close(second)
    assert len(told) == 1
