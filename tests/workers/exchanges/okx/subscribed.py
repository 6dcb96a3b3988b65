"""An adapter with subscriptions, and its outputs, for the tests of each module."""

from __future__ import annotations

from typing import Any

import msgspec

from foxtrot_protocol.events import MarketEvent
from foxtrot_workers.adapter import Notice
from foxtrot_workers.exchanges.okx.adapter import Okx
from tests.workers.exchanges.samples import okx_book, okx_frame

INSTRUMENT = "BTC-USDT"
BOOK_NS = 1597026383085_000_000
"""The time of `okx_book` and `okx_ticker`."""


class Subscribed:
    """An adapter that has subscribed `channels` for BTC-USDT; `requests` are the texts it sent, decoded."""

    def __init__(self, *channels: str, adopt: bool = False) -> None:
        self.adapter = Okx(adopt=adopt)
        self.topics = self.adapter.topics(channels, [INSTRUMENT])
        self.requests = [msgspec.json.decode(text) for text in self.adapter.subscribe(self.topics)]

    def parse(self, frame: bytes | dict[str, Any], receive_ns: int = 7) -> list[MarketEvent[str]]:
        """The events of `frame`, which is encoded first if it is an object."""
        out: list[MarketEvent[str]] = []
        self.adapter.parse(frame if isinstance(frame, bytes) else msgspec.json.encode(frame), receive_ns, out)
        return out

    def book(self, action: str, receive_ns: int = 7, **changes: Any) -> list[MarketEvent[str]]:
        """The events of a frame of ``books``: `okx_book` with `changes`."""
        return self.parse(okx_frame("books", INSTRUMENT, [okx_book(**changes)], action=action), receive_ns)

    def take_notices(self) -> list[Notice]:
        """The notices since the last call."""
        notices = list(self.adapter.notices)
        self.adapter.notices.clear()
        return notices
