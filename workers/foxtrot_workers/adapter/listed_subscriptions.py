"""Subscriptions of an exchange whose answers list all of them, and whose refusals name no request. Pure.

An answer says what is subscribed now; what has changed since the answer before is concluded. Requests are answered in
their order, so a refusal is of the oldest one without an answer, unless it names a symbol of a later one. One unknown
symbol refuses the whole request.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence

from foxtrot_workers.adapter.notices import Acknowledged, Notice, Refused, Retry

__all__ = ["REQUESTS_MAX", "ListedSubscriptions", "symbol_of"]

REQUESTS_MAX = 1_000
"""Unanswered requests that are remembered; beyond it the oldest is forgotten."""


def symbol_of(wire: str) -> str:
    """Return the symbol of a wire name ``CHANNEL:SYMBOL``."""
    return wire.partition(":")[2]


class ListedSubscriptions:
    """Subscriptions of one connection, by wire name ``CHANNEL:SYMBOL``."""

    def __init__(self) -> None:
        self._wanted: dict[str, None] = {}
        """Topics that are subscribed, or requested."""
        self._leaving: dict[str, None] = {}
        """Topics whose unsubscription is not acknowledged yet."""
        self._acknowledged: set[str] = set()
        self._asked: deque[tuple[str, ...]] = deque(maxlen=REQUESTS_MAX)
        """Topics of the subscription requests that are not answered yet, oldest first."""

    def subscribe(self, wires: Sequence[str]) -> None:
        """Remember that one request subscribes these topics."""
        self._wanted.update(dict.fromkeys(wires))
        for wire in wires:
            self._leaving.pop(wire, None)
        self._acknowledged.difference_update(wires)  # to be acknowledged again
        self._asked.append(tuple(wires))

    def unsubscribe(self, wires: Iterable[str]) -> None:
        """Remember that these topics are unsubscribed."""
        for wire in wires:
            self._wanted.pop(wire, None)
            self._leaving[wire] = None

    def wanted_symbols(self) -> set[str]:
        """Return the symbols that have a topic."""
        return {symbol_of(wire) for wire in self._wanted}

    def take_list(self, present: Collection[str]) -> list[Acknowledged]:
        """Return which topics have been accepted, and which have ended; `present`: all that are subscribed now."""
        notices = []
        accepted = [wire for wire in self._wanted if wire in present and wire not in self._acknowledged]
        if accepted:
            self._acknowledged.update(accepted)
            notices.append(Acknowledged(tuple(accepted)))
            unanswered = [wires for wires in self._asked if not all(wire in present for wire in wires)]
            self._asked = deque(unanswered, maxlen=REQUESTS_MAX)
        ended = [wire for wire in self._leaving if wire not in present]
        if ended:
            for wire in ended:
                del self._leaving[wire]
            self._acknowledged.difference_update(ended)
            notices.append(Acknowledged(tuple(ended), subscribed=False))
        return notices

    def take_refusal(self, reason: str, retry_of: Callable[[str], Retry]) -> list[Notice]:
        """Return what a refusal means: of the symbol that it names, and of the others in the same request.

        Args:
            reason: text of the exchange.
            retry_of: tells whether a request refused for a reason can succeed later.
        """
        words = set(reason.replace(",", " ").replace("'", " ").split())
        wires = next(
            (wires for wires in self._asked if any(symbol_of(wire) in words for wire in wires)),
            self._asked[0] if self._asked else (),
        )
        if wires:
            self._asked.remove(wires)
        named = tuple(wire for wire in wires if symbol_of(wire) in words)
        if not named:
            return [Refused(wires, reason, retry_of(reason), exact=False)]
        notices: list[Notice] = [Refused(named, reason, retry_of(reason))]
        if others := tuple(wire for wire in wires if wire not in named):
            notices.append(Refused(others, f"refused together with {named[0]}", "now"))
        return notices
