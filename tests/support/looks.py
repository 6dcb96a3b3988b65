"""Holds back a receiver's regular looks at rings, so that only what is rung, fenced or ended is read."""

from __future__ import annotations

import threading
import time

from foxtrot_supervisor.engine.bus.event_engine import Event, EventEngine
from foxtrot_supervisor.engine.delivery.receiver import EventReceiver

__all__ = ["hold_looks"]

LIMIT_S = 30.0
HELD_S = 1000.0


def hold_looks(engine: EventEngine, receiver: EventReceiver) -> None:
    """Return when no look is under way, and none will begin. On the dispatch thread: it sets the time of the next."""
    held = threading.Event()

    def hold(_: Event) -> None:
        receiver._look_at = time.monotonic() + HELD_S
        held.set()

    engine.register("hold_looks", hold)
    assert engine.put(Event("hold_looks"))
    assert held.wait(LIMIT_S), "the dispatch thread is busy"
    engine.unregister("hold_looks", hold)
