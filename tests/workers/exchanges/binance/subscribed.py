"""An adapter with subscriptions, and its outputs, for the tests of each module."""

from __future__ import annotations

from typing import Any

import msgspec

from foxtrot_protocol.events import MarketEvent
from foxtrot_workers.adapter import Notice
from foxtrot_workers.exchanges.binance.adapter import Binance

BOOK_STREAM = "bnbbtc@depth@100ms"
SNAPSHOT_PATH = "/api/v3/depth?symbol=BNBBTC&limit=1000"


class Subscribed:
    """An adapter that has subscribed `channels` for BNBBTC; `requests` are the texts it sent, decoded."""

    def __init__(self, *channels: str, adopt: bool = False, base: str = Binance.url) -> None:
        self.adapter = Binance(adopt=adopt)
        self.topics = self.adapter.topics(channels, ["BNBBTC"])
        self.adapter.address(base)
        self.requests = [msgspec.json.decode(text) for text in self.adapter.subscribe(self.topics)]

    def parse(self, frame: bytes | dict[str, Any], receive_ns: int = 7) -> list[MarketEvent[str]]:
        """The events of `frame`, which is encoded first if it is an object."""
        out: list[MarketEvent[str]] = []
        self.adapter.parse(frame if isinstance(frame, bytes) else msgspec.json.encode(frame), receive_ns, out)
        return out

    def rest(self, body: Any, *, path: str = SNAPSHOT_PATH, status: int = 200) -> list[Any]:
        """The events of a REST answer that arrives at 8 ns."""
        out: list[MarketEvent[str]] = []
        self.adapter.on_rest(path, status, body if isinstance(body, bytes) else msgspec.json.encode(body), 8, out)
        return out

    def take_notices(self) -> list[Notice]:
        """The notices since the last call."""
        notices = list(self.adapter.notices)
        self.adapter.notices.clear()
        return notices
