"""How much of the stream an engine may have beyond what its state in NATS says. Pure.

The landing hands batches to the engine's rings. What it has handed over, and what no durable state says is handled, is
the *hand-over*: if the host dies, another one gives these events to handlers again, marked ``redelivered``. It is
bounded in events and bytes. The next state is written as soon as something was handled, so that under a small load it
holds what came within one write.
"""

from __future__ import annotations

__all__ = ["AHEAD_LEAST", "HANDOVER_BYTES_MAX", "HANDOVER_EVENTS_MAX", "STUCK_S", "Handover"]

HANDOVER_EVENTS_MAX = 8192
"""Events that may come again after the death of an engine's host. A single batch may have more."""

HANDOVER_BYTES_MAX = 1024 * 1024
"""Bytes of them. A single batch may have more."""

AHEAD_LEAST = 4
"""Batches of each worker beyond those that have come, which a state names as handed over: they need not wait for it."""

STUCK_S = 0.05
"""A full hand-over of which the engine takes nothing for so long: it waits for another worker, which may go on."""


class Handover:
    """Counts what is handed over, handled, and known to be handled in NATS; times in monotonic seconds."""

    def __init__(self) -> None:
        self._events = self._bytes = 0
        """Handed over since the start."""
        self._handled_events = self._handled_bytes = 0
        self._noted = (0, 0)
        """What was handled when the state that is being written was made."""
        self._durable_events = self._durable_bytes = 0
        self._moved_at = 0.0
        self.events_most = 0
        """Most events that were handed over at a time."""
        self.passed_total = 0
        """Batches that were handed over beyond the bounds, because the engine waited for them."""

    @property
    def events(self) -> int:
        """Events that would come again if this host died now, at most."""
        return self._events - self._durable_events

    @property
    def is_idle(self) -> bool:
        """Whether nothing was handled since the last state was made."""
        return self._handled_events == self._noted[0]

    def has_room(self, events: int, size: int) -> bool:
        """Whether a batch may be handed over now."""
        handed = self._events - self._durable_events
        if not handed:
            return True
        return handed + events <= HANDOVER_EVENTS_MAX and self._bytes - self._durable_bytes + size <= HANDOVER_BYTES_MAX

    def is_stuck(self, now: float) -> bool:
        """Whether the engine has handled nothing for a while, and everything that it had handled is durable."""
        return self._handled_events == self._durable_events and now - self._moved_at >= STUCK_S

    def handed(self, events: int, size: int, now: float) -> None:
        """A batch was handed over."""
        if self._handled_events == self._events:
            self._moved_at = now
        self._events += events
        self._bytes += size
        self.events_most = max(self.events_most, self.events)

    def handled(self, events: int, size: int, now: float) -> None:
        """The engine has handled a batch."""
        self._handled_events += events
        self._handled_bytes += size
        self._moved_at = now

    def note(self) -> None:
        """A state is made now; it says that everything that was handled is handled."""
        self._noted = self._handled_events, self._handled_bytes

    def durable(self) -> None:
        """That state is in NATS."""
        self._durable_events, self._durable_bytes = self._noted
