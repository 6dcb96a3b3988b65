"""One thread for all watched engines, and none without any."""

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


def test_one_thread_watches_all_and_ends_with_the_last() -> None:
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


def test_add_returns_false_where_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    watch, watched = HandlerWatch(), Watched()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert not watch.add(watched)
    watch.remove(watched)
    assert watch.add(watched)
    watch.remove(watched)


def test_watching_can_start_again() -> None:
    watch, watched = HandlerWatch(), Watched()
    before = threading.active_count()
    for _ in range(3):
        watch.add(watched)
        watch.remove(watched)
    assert threading.active_count() == before
