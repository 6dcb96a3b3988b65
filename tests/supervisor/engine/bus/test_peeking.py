"""What programs written for vn.py's or Foxtrot's engine find under its private names."""

from __future__ import annotations

import queue
from collections import defaultdict
from typing import Any

import pytest

from foxtrot_supervisor.engine.bus.event import Event
from foxtrot_supervisor.engine.bus.event_engine import EventEngine


def handler(_: Any) -> None:
    return None


def other(_: Any) -> None:
    return None


def test_handlers_are_shown_as_they_are_now() -> None:
    engine = EventEngine()
    assert isinstance(engine._handlers, defaultdict)
    engine.register("e", handler)
    engine.register("e", other)
    engine.register_general(handler)
    assert dict(engine._handlers) == {"e": [handler, other]}
    assert engine._general_handlers == [handler]
    engine.unregister("e", handler)
    assert engine._handlers["e"] == [other]
    engine.unregister("e", other)
    engine.unregister_general(handler)
    assert "e" not in engine._handlers
    assert engine._general_handlers == []


def test_an_unknown_type_has_no_handlers_and_stays_known_to_the_view() -> None:
    engine = EventEngine()
    assert engine._handlers["unknown"] == []
    assert "unknown" in engine._handlers


def test_changing_a_view_changes_nothing() -> None:
    engine = EventEngine()
    engine._handlers["e"].append(handler)
    engine._general_handlers.append(handler)
    assert engine.handler_count() == 0


def test_the_queue_view_shows_its_size_and_refuses_put_and_get() -> None:
    engine = EventEngine()
    waiting = engine._queue
    assert isinstance(waiting, queue.Queue)
    assert (waiting.qsize(), waiting.empty(), waiting.full()) == (0, True, False)
    engine.put(Event("e"))
    assert (waiting.qsize(), waiting.empty()) == (1, False)
    with pytest.raises(TypeError, match="put"):
        waiting.put(Event("e"))
    with pytest.raises(TypeError, match="register"):
        waiting.get()


def test_thread_and_timer_live_as_long_as_the_engine_runs() -> None:
    engine = EventEngine()
    assert (engine._active, engine._thread.is_alive(), engine._timer.is_alive()) == (False, False, False)
    engine.start()
    assert (engine._active, engine._thread.is_alive(), engine._timer.is_alive()) == (True, True, True)
    engine.stop()
    assert (engine._active, engine._thread.is_alive(), engine._timer.is_alive()) == (False, False, False)
