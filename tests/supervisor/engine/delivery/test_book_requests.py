from __future__ import annotations

from foxtrot_supervisor.engine.delivery.book_requests import AGAIN_S_FIRST, AGAIN_S_MAX, LOOK_S, BookWants


def asked_at(wants: BookWants, unknown: list[str], start: float, stop: float) -> list[float]:
    """When it asks, checked every second."""
    return [float(now) for now in range(int(start), int(stop)) if wants.look(unknown, now)]


def test_what_is_unknown_is_asked_for_at_once_and_later_each_time() -> None:
    wants = BookWants()
    assert wants.look(["X"], 100.0) == 1
    assert asked_at(wants, ["X"], 101, 180) == [105.0, 115.0, 135.0, 175.0]
    assert max(wants.look(["X"], 200.0 + AGAIN_S_MAX * number) for number in range(2000)) > 1024


def test_as_long_as_some_come_it_is_asked_again_soon() -> None:
    wants = BookWants()
    assert wants.look(["X", "Y", "Z"], 100.0) == 1
    assert wants.look(["X", "Y", "Z"], 105.0) == 2
    assert wants.look(["Y", "Z"], 115.0) == 1
    assert wants.look(["Y", "Z"], 115.0 + AGAIN_S_FIRST) == 2


def test_what_becomes_unknown_later_is_asked_for_when_it_is_seen() -> None:
    wants = BookWants()
    assert wants.look(["X"], 100.0) == 1
    assert wants.look([], 101.0) == 0
    assert wants.look(["X"], 102.0) == 1


def test_it_is_looked_at_a_pace() -> None:
    wants = BookWants()
    assert wants.due(100.0)
    wants.look([], 100.0)
    assert not wants.due(100.0 + LOOK_S / 2)
    assert wants.due(100.0 + LOOK_S)
