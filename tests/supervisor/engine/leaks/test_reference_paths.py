"""Holders of an object are found and named, for each way that Python has to refer to one."""

from __future__ import annotations

import asyncio
import functools
import gc
import sys
import threading
import weakref
from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest

from foxtrot_supervisor.engine.leaks import reference_paths
from foxtrot_supervisor.engine.leaks.reference_paths import Holding, find_holding

REGISTRY: dict[str, Any] = {}

PATIENCE_S = 20.0
"""Time limit of searches on a busy machine; one takes a few hundredths of a second."""


class Strategy:
    """Something that should be gone."""

    def __init__(self) -> None:
        self.other: Any = None

    def on_tick(self, event: Any) -> None:
        pass


class Slotted:
    __slots__ = ("kept",)


@pytest.fixture(autouse=True)
def _no_leftovers() -> Iterator[None]:
    yield
    REGISTRY.clear()


def held(make: Any) -> Holding:
    """Return what holds a strategy that `make` has planted; this function drops its own reference."""
    strategy = Strategy()
    make(strategy)
    there = weakref.ref(strategy)
    del strategy
    return _look(there)


def _look(there: weakref.ref[Strategy]) -> Holding:
    # as the monitor does: the reference is taken within the call
    return find_holding(there(), search_s=PATIENCE_S)


def test_a_module_is_named_with_the_key() -> None:
    holding = held(lambda strategy: REGISTRY.update(a=strategy))
    assert holding == Holding("root", f"{__name__}.REGISTRY['a']")


@pytest.mark.parametrize(
    ("wrap", "path"),
    [
        (lambda s: [s], "[0]"),
        (lambda s: (1, s), "[1]"),
        (lambda s: deque([0, s]), "[1]"),
        (lambda s: {s}, "{member}"),
        (lambda s: {s: 1}, "{key}"),
        (lambda s: s.on_tick, ".__self__"),
        (lambda s: functools.partial(print, s), ".args[0]"),
        (lambda s: lambda: s, ".__closure__[0].cell_contents"),
    ],
    ids=["list", "tuple", "deque", "set", "key", "bound method", "partial", "closure"],
)
def test_every_kind_of_holder_has_its_name(wrap: Any, path: str) -> None:
    holding = held(lambda strategy: REGISTRY.update(x=wrap(strategy)))
    assert holding == Holding("root", f"{__name__}.REGISTRY['x']{path}")


def test_attributes_and_slots_are_named() -> None:
    def plant(strategy: Strategy) -> None:
        outer, slotted = Strategy(), Slotted()
        slotted.kept = strategy
        outer.other = slotted
        REGISTRY["x"] = outer

    assert held(plant).path == f"{__name__}.REGISTRY['x'].other.kept"


def test_attributes_are_named_after_the_dictionary_was_read() -> None:
    def plant(strategy: Strategy) -> None:
        outer = Strategy()
        vars(outer)["other"] = strategy
        REGISTRY["x"] = outer

    assert held(plant).path == f"{__name__}.REGISTRY['x'].other"


def test_a_class_is_a_root() -> None:
    class Holder:
        latest: Any = None

    holding = held(lambda strategy: setattr(Holder, "latest", strategy))
    assert holding.kind == "root"
    assert "Holder" in holding.path
    Holder.latest = None


def test_a_cycle_is_described_once_around() -> None:
    gc.collect()
    gc.disable()
    try:
        holding = held(lambda strategy: setattr(strategy, "other", [strategy]))
    finally:
        gc.enable()
    assert holding == Holding("cycle", f"{__name__}.Strategy.other[0] is itself")
    gc.disable()
    try:
        assert held(lambda strategy: setattr(strategy, "other", strategy)).path.endswith("Strategy.other is itself")
    finally:
        gc.enable()
        gc.collect()


def test_a_local_variable_of_another_thread_is_named() -> None:
    ready, done = threading.Event(), threading.Event()

    def keep(strategy: list[Any]) -> None:
        kept = strategy.pop()
        ready.set()
        done.wait(10)
        del kept

    def plant(strategy: Strategy) -> None:
        threading.Thread(target=keep, args=([strategy],), name="hoarder").start()
        ready.wait(10)

    try:
        holding = held(plant)
    finally:
        done.set()
    assert holding.kind == "root"
    assert "thread hoarder" in holding.path
    assert holding.path.endswith("keep(): kept")


async def test_a_coroutine_that_waits_is_named() -> None:
    async def wait(strategy: Any) -> None:
        await asyncio.sleep(10)
        strategy.on_tick(None)

    task: list[Any] = []
    there = _in_task(wait, task)
    await asyncio.sleep(0)
    holding = _look(there)
    task[0].cancel()
    assert "wait" in holding.path
    assert holding.path.endswith(": strategy")


def _in_task(wait: Any, task: list[Any]) -> weakref.ref[Strategy]:
    strategy = Strategy()
    task.append(asyncio.get_running_loop().create_task(wait(strategy)))
    return weakref.ref(strategy)


def test_an_object_without_references_is_gone() -> None:
    holding = find_holding(Strategy(), search_s=PATIENCE_S)
    assert holding.kind == "gone"


def test_the_search_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    def plant(strategy: Strategy) -> None:
        chain: Any = strategy
        for _ in range(reference_paths.DEPTH_MAX + 5):
            chain = [chain]
        REGISTRY["x"] = chain

    assert held(plant).kind == "unknown"
    monkeypatch.setattr(reference_paths, "OBJECTS_MAX", 2)
    assert held(plant).kind == "unknown"
    strategy = Strategy()
    strategy.other = [[strategy]]
    assert find_holding(strategy, search_s=0.0).kind in ("unknown", "root")


def test_a_search_leaves_nothing_behind() -> None:
    strategy = Strategy()
    REGISTRY["x"] = strategy
    gc.collect()
    gc.disable()
    try:
        before = sys.getrefcount(strategy)
        kinds = {find_holding(strategy, search_s=PATIENCE_S).kind for _ in range(3)}
        after = sys.getrefcount(strategy)
    finally:
        gc.enable()
    assert kinds == {"root"}
    assert after == before
