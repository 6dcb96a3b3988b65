"""One thread for all that is watched, and none when nothing is."""

from __future__ import annotations

import threading

import pytest

from foxtrot_supervisor.engine.bus.watch import HandlerWatch
from tests.support.waiting import wait_until


class Watched:
    def __init__(self) -> None:
        self.looks: list[float] = []

    def look(self, now: float) -> None:
        self.looks.append(now)


def test_all_are_looked_at_by_one_thread_that_ends_with_the_last() -> None:
    watch, first, second = HandlerWatch(), Watched(), Watched()
    before = threading.active_count()
    watch.add(first)
    watch.add(first)
    watch.add(second)
    assert threading.active_count() == before + 1
    wait_until(lambda: len(first.looks) >= 3 and len(second.looks) >= 3, 5.0, "three looks at each")
    watch.remove(first)
    looked = len(first.looks)
    wait_until(lambda: len(second.looks) >= 6, 5.0, "more looks")
    assert len(first.looks) <= looked + 1
    watch.remove(second)
    watch.remove(second)
    assert threading.active_count() == before


def test_without_a_thread_nothing_is_watched_and_nothing_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    watch, watched = HandlerWatch(), Watched()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert not watch.add(watched)
    watch.remove(watched)
    assert watch.add(watched)
    watch.remove(watched)


def test_it_can_begin_again() -> None:
    watch, watched = HandlerWatch(), Watched()
    before = threading.active_count()
    for _ in range(3):
        watch.add(watched)
        watch.remove(watched)
    assert threading.active_count() == before
