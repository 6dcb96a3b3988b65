"""Subscription requests that are not answered yet: which topics a request's id stands for. Pure.

An answer or a refusal often names only the id of its request. A topic may also be subscribed again before its earlier
unsubscription is acknowledged; that acknowledgement must not end it.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["REQUESTS_MAX", "SentRequests"]

REQUESTS_MAX = 2_000
"""Unanswered requests that are remembered; beyond it the oldest is forgotten."""


class SentRequests:
    """Requests of one connection. Ids count from 1."""

    def __init__(self) -> None:
        self._last_id = 0
        self._sent: dict[int, tuple[str, ...]] = {}
        self._leaving: set[str] = set()
        """Topics whose unsubscription has been requested, and no subscription since."""

    def subscribe(self, wires: Iterable[str]) -> int:
        """Return the id of a new request that subscribes these topics."""
        topics = tuple(wires)
        self._leaving.difference_update(topics)
        return self._remember(topics)

    def unsubscribe(self, wires: Iterable[str]) -> int:
        """Return the id of a new request that unsubscribes these topics."""
        topics = tuple(wires)
        self._leaving.update(topics)
        return self._remember(topics)

    def _remember(self, topics: tuple[str, ...]) -> int:
        self._last_id += 1
        if len(self._sent) >= REQUESTS_MAX:
            del self._sent[next(iter(self._sent))]
        self._sent[self._last_id] = topics
        return self._last_id

    def take(self, request_id: str | int | None) -> tuple[str, ...]:
        """Return the topics of a request, and forget it; () for an unknown id. An id may come back as text."""
        if isinstance(request_id, str):
            request_id = (
                int(request_id) if request_id.isascii() and request_id.isdigit() and len(request_id) < 20 else None
            )
        return () if request_id is None else self._sent.pop(request_id, ())

    def take_oldest(self) -> tuple[str, ...]:
        """Return the topics of the oldest request, and forget it: for an answer without an id."""
        return self._sent.pop(next(iter(self._sent)), ()) if self._sent else ()

    def has_left(self, wire: str) -> bool:
        """Return whether an acknowledged unsubscription ends the topic: it was not subscribed again since."""
        if wire not in self._leaving:
            return False
        self._leaving.discard(wire)
        return True
