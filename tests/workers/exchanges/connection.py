"""An adapter with subscriptions, and what it makes of frames: for the tests of each venue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from foxtrot_protocol.events import MarketEvent
from foxtrot_workers.adapter import Adapter, Notice


class Connection:
    """A connection of `adapter_class` that has subscribed `channels` for `symbols`.

    `requests` are the texts that it sent, decoded.
    """

    def __init__(
        self, adapter_class: type[Adapter], channels: Sequence[str], symbols: Sequence[str], *, adopt: bool = False
    ) -> None:
        self.adapter = adapter_class(adopt=adopt)
        self.topics = self.adapter.topics(channels, symbols)
        self.requests = [msgspec.json.decode(text) for text in self.adapter.subscribe(self.topics)]

    def parse(self, frame: bytes | dict[str, Any] | list[Any], receive_ns: int = 7) -> list[MarketEvent[str]]:
        """The events of `frame`, which is encoded first unless it is bytes."""
        out: list[MarketEvent[str]] = []
        self.adapter.parse(frame if isinstance(frame, bytes) else msgspec.json.encode(frame), receive_ns, out)
        return out

    def take_notices(self) -> list[Notice]:
        """The notices since the last call."""
        notices = list(self.adapter.notices)
        self.adapter.notices.clear()
        return notices


def replaying(adapter_class: type[Adapter]) -> Connection:
    """A connection that accepts frames of all topics, as replay does."""
    return Connection(adapter_class, [], [], adopt=True)
