"""An adapter with subscriptions, and its outputs, for the tests of each module of an exchange."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import msgspec

from foxtrot_protocol.events import MarketEvent
from foxtrot_workers.adapter import Adapter, Notice

A = TypeVar("A", bound=Adapter)

RECEIVE_NS = 1_700_000_000_000_000_000


class Driven(Generic[A]):
    """An adapter that has subscribed channels of symbols; `requests` are the texts it sent."""

    def __init__(
        self, adapter_class: type[A], channels: Sequence[str] = (), symbols: Sequence[str] = (), *, adopt: bool = False
    ) -> None:
        self.adapter = adapter_class(adopt=adopt)
        self.topics = self.adapter.topics(channels, symbols)
        self.requests = self.adapter.subscribe(self.topics)

    def parse(self, frame: bytes | str | Any, receive_ns: int = RECEIVE_NS) -> list[MarketEvent[str]]:
        """The events of `frame`: its bytes, its text, or an object that is encoded first."""
        if isinstance(frame, str):
            frame = frame.encode()
        elif not isinstance(frame, bytes):
            frame = msgspec.json.encode(frame)
        out: list[MarketEvent[str]] = []
        self.adapter.parse(frame, receive_ns, out)
        return out

    def answer(self, path: str, body: Any, status: int = 200, receive_ns: int = RECEIVE_NS) -> list[MarketEvent[str]]:
        """The events of the answer to a REST request."""
        out: list[MarketEvent[str]] = []
        self.adapter.on_rest(
            path, status, body if isinstance(body, bytes) else msgspec.json.encode(body), receive_ns, out
        )
        return out

    def take_notices(self) -> list[Notice]:
        """The notices since the last call."""
        notices = list(self.adapter.notices)
        self.adapter.notices.clear()
        return notices
