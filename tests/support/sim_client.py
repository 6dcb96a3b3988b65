"""A plain client of the simulated exchange for tests: HTTP by hand, and the documented book rules."""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import Any
from urllib.parse import urlsplit

__all__ = ["FoldedBook", "fetch", "fetch_json"]


async def fetch(
    url: str, method: str = "GET", body: bytes = b"", context: ssl.SSLContext | None = None
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (names in lower case) and body of one request on a connection of its own."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, ssl=context)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        head = f"{method} {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        raw = await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()
    top, _, rest = raw.partition(b"\r\n\r\n")
    first, *lines = top.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split(" ")[1]), headers, rest


async def fetch_json(url: str) -> Any:
    """The JSON of one successful request."""
    status, _, body = await fetch(url)
    assert status == 200, (status, body[:300])
    return json.loads(body)


class FoldedBook:
    """A book kept by the rules that the exchange documents, written without any of the product's code."""

    def __init__(self, snapshot: dict[str, Any]) -> None:
        self.last_id = int(snapshot["lastUpdateId"])
        self.bids = dict(map(tuple, snapshot["bids"]))
        self.asks = dict(map(tuple, snapshot["asks"]))
        self.applied = 0

    def update(self, delta: dict[str, Any]) -> None:
        """Apply one depthUpdate; asserts that it continues the book."""
        if delta["u"] <= self.last_id:
            assert self.applied == 0, "an old update after newer ones"
            return
        if self.applied == 0:
            assert delta["U"] <= self.last_id + 1 <= delta["u"], "the first update does not fit the snapshot"
        else:
            assert delta["U"] == self.last_id + 1, "a gap between updates"
        for side, levels in ((self.bids, delta["b"]), (self.asks, delta["a"])):
            for price, size in levels:
                if float(size) == 0.0:
                    side.pop(price, None)
                else:
                    side[price] = size
        self.last_id = delta["u"]
        self.applied += 1

    def picture(self) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Bids and asks, best first, as text."""
        return (
            sorted(self.bids.items(), key=lambda level: -float(level[0])),
            sorted(self.asks.items(), key=lambda level: float(level[0])),
        )
