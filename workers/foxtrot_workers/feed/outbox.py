"""Texts that wait to be sent under the exchange's rate limit for messages. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from foxtrot_workers.feed.effects import Send

__all__ = ["OUTBOX_COUNT", "Outbox"]

OUTBOX_COUNT = 10_000
"""Maximum number of waiting texts; more is a fault of ours, not a large subscription."""


class Outbox:
    """Queue of texts, sent at least `interval_s` seconds apart; while `held`, nothing is sent."""

    def __init__(self, interval_s: float, *, held: bool = False) -> None:
        self._interval_s = interval_s
        self._held = held
        self._texts: deque[str] = deque()
        self.next_send_at = 0.0
        """Monotonic time at which the next text may be sent."""

    def __bool__(self) -> bool:
        return bool(self._texts) and not self._held

    def release(self) -> None:
        """Send from now on."""
        self._held = False

    def put(self, texts: Iterable[str]) -> None:
        """Append `texts`; raises OverflowError when the queue is full."""
        for text in texts:
            if len(self._texts) >= OUTBOX_COUNT:
                raise OverflowError(f"more than {OUTBOX_COUNT} texts wait to be sent")
            self._texts.append(text)

    def put_first(self, text: str) -> None:
        """Queue an answer to a ping, or a ping, ahead of all requests."""
        self._texts.appendleft(text)

    def take_due(self, now: float) -> list[Send]:
        """Dequeue what may be sent now (monotonic seconds)."""
        due: list[Send] = []
        while self and now >= self.next_send_at:
            due.append(Send(self._texts.popleft()))
            self.next_send_at = now + self._interval_s
        return due
