"""Operators' subscribe and unsubscribe requests that wait for the exchange's answer. Pure."""

from __future__ import annotations

from foxtrot_workers.feed.effects import Answer

__all__ = ["REQUESTS_MAX", "OperatorRequests"]

REQUESTS_MAX = 100
"""Maximum number of waiting requests."""


class _Request:
    __slots__ = ("deadline", "errors", "wires")

    def __init__(self, wires: set[str], deadline: float) -> None:
        self.wires = wires
        self.deadline = deadline
        self.errors: list[str] = []


class OperatorRequests:
    """Each request waits for an answer about every one of its topics, at most `answer_s` seconds."""

    def __init__(self, answer_s: float) -> None:
        self._answer_s = answer_s
        self._requests: dict[int, _Request] = {}

    def add(self, request_id: int, wires: set[str], now: float) -> bool:
        """Wait for answers about the topics `wires` (wire names); False: too many requests are waiting."""
        if len(self._requests) >= REQUESTS_MAX:
            return False
        self._requests[request_id] = _Request(wires, now + self._answer_s)
        return True

    @property
    def waiting(self) -> bool:
        """Whether any request waits."""
        return bool(self._requests)

    def answered(self, wire: str, error: str = "") -> None:
        """The exchange has accepted or, with `error`, refused a topic."""
        for request in self._requests.values():
            if wire in request.wires:
                request.wires.discard(wire)
                if error:
                    request.errors.append(f"{wire}: {error}")

    def expire(self, now: float) -> None:
        """Give up waiting for answers that are overdue (monotonic seconds)."""
        for request in self._requests.values():
            if now >= request.deadline and request.wires:
                request.errors.append(f"no answer from the exchange for {', '.join(sorted(request.wires))}")
                request.wires.clear()

    def take_complete(self) -> list[Answer]:
        """Remove and answer the requests that wait for nothing."""
        complete = [request_id for request_id, request in self._requests.items() if not request.wires]
        return [Answer(request_id, "; ".join(self._requests.pop(request_id).errors)) for request_id in complete]
