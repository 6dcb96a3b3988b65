"""Subscription requests, and what their answers mean ("WebSocket", "List Subscriptions").

A request names all topics of the connection: it replaces the one before. It is not acknowledged; so a second message
asks for the list of subscriptions, which comes back with its ticket.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Any

import msgspec

from foxtrot_workers.adapter import Acknowledged, Notice, Refused
from foxtrot_workers.adapter.sent_requests import SentRequests
from foxtrot_workers.exchanges.upbit.constants import FORMAT, NEVER_NAMES, REASON_CHARS
from foxtrot_workers.exchanges.upbit.messages import ErrorBody, SubscriptionRow

__all__ = ["Requests", "parts_of", "plain_code"]

_TICKET = "foxtrot-"
"""Beginning of a ticket; the number of the request follows."""


def parts_of(wire: str) -> tuple[str, str]:
    """Return type and code of the topic `wire`, ``TYPE:CODE``; the code may have a number of units."""
    kind, _, code = wire.partition(":")
    return kind, code


def plain_code(code: str) -> str:
    """Return a market's code without the number of units: ``KRW-BTC.5`` is of ``KRW-BTC``."""
    return code.partition(".")[0]


class Requests:
    """Subscription requests of one connection."""

    def __init__(self) -> None:
        self._sent = SentRequests()
        self._wanted: dict[str, None] = {}
        """Topics of the latest request."""

    def subscribe(self, wires: Sequence[str]) -> list[str]:
        """Return the texts that subscribe these topics beside those that are subscribed."""
        if not wires:
            return []
        self._wanted.update(dict.fromkeys(wires))
        return self._texts(self._sent.subscribe(wires), self._wanted, only_snapshot=False)

    def unsubscribe(self, wires: Sequence[str]) -> list[str]:
        """Return the texts that leave out these topics.

        A request must name something: where nothing is left, it asks for the present state of the topics, once.
        """
        if not wires:
            return []
        for wire in wires:
            self._wanted.pop(wire, None)
        number = self._sent.unsubscribe(wires)
        if self._wanted:
            return self._texts(number, self._wanted, only_snapshot=False)
        return self._texts(number, wires, only_snapshot=True)

    @staticmethod
    def _texts(number: int, wires: Iterable[str], *, only_snapshot: bool) -> list[str]:
        codes: dict[str, list[str]] = {}
        for wire in wires:
            kind, code = parts_of(wire)
            codes.setdefault(kind, []).append(code)
        ticket, form = {"ticket": f"{_TICKET}{number}"}, {"format": FORMAT}
        parts: list[dict[str, Any]] = []
        for kind, of_kind in codes.items():
            part: dict[str, Any] = {"type": kind, "codes": of_kind}
            if only_snapshot:
                part["is_only_snapshot"] = True
            elif kind == "trade":  # the latest trade may be old
                part["is_only_realtime"] = True
            parts.append(part)
        request = [ticket, *parts, form]
        listing = [ticket, {"method": "LIST_SUBSCRIPTIONS"}, form]
        return [msgspec.json.encode(message).decode() for message in (request, listing)]

    def take_list(
        self, ticket: str, rows: Sequence[SubscriptionRow], flowing: Container[str]
    ) -> tuple[list[Notice], list[str]]:
        """Return what a list of subscriptions means for the request with its ticket, and the topics that have ended.

        `flowing`: topics that have delivered data; they are subscribed, whatever the list says.
        """
        wires = self._sent.take(ticket.removeprefix(_TICKET))
        listed = {(row.type, plain_code(code)) for row in rows for code in row.codes}
        ended = [wire for wire in wires if wire not in self._wanted and self._sent.has_left(wire)]
        present: list[str] = []
        missing: list[str] = []
        for wire in wires:
            kind, code = parts_of(wire)
            if wire in self._wanted:
                is_present = wire in flowing or (kind, plain_code(code)) in listed
                (present if is_present else missing).append(wire)
        notices: list[Notice] = []
        if present:
            notices.append(Acknowledged(tuple(present)))
        if missing:
            self._forget(missing)
            notices.append(Refused(tuple(missing), "not in the list of subscriptions", "later"))
        if ended:
            notices.append(Acknowledged(tuple(ended), subscribed=False))
        return notices, ended

    def take_error(self, error: ErrorBody) -> Refused:
        """Return what an error means: of the oldest request that is not answered, else of no known topic."""
        wires = tuple(wire for wire in self._sent.take_oldest() if wire in self._wanted)
        self._forget(wires)
        reason = f"{error.name}: {error.message}"[:REASON_CHARS]
        return Refused(wires, reason, "never" if error.name in NEVER_NAMES else "later", exact=len(wires) == 1)

    def _forget(self, wires: Iterable[str]) -> None:
        for wire in wires:
            self._wanted.pop(wire, None)
