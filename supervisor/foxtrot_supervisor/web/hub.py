"""What all browsers get, encoded once: a slow browser gets the newest frame, and skips those that it missed.

Only incidents are a sequence: each browser continues after the last one that it has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

__all__ = ["INCIDENTS_MAX", "Hub", "MarketRefused", "Place", "frame", "market_frame"]

INCIDENTS_MAX: Final = 500
"""Incidents kept for browsers that come later."""


_MARKET: Final = "market:"


class Place(Struct):
    """How far one browser has come."""

    incident: int = 0
    """Number of the last incident that it has."""
    run_id: str = ""
    """Run of that incident; "" if the browser has named the number only."""
    symbol: str = ""
    """Symbol whose market it watches, "" for none."""
    versions: dict[str, int] = {}
    """Version of each frame that it has."""


class MarketRefused(Exception):
    """Too many symbols are watched already."""


class Hub:
    """The newest frame of each name, and the latest incidents."""

    def __init__(self) -> None:
        self._frames: dict[str, tuple[int, bytes]] = {}
        self._incidents: list[Mapping[str, Any]] = []
        self._run_id = ""
        self._changed = asyncio.Event()

    def publish(self, name: str, content: Any) -> None:
        """Replace the frame `name`, unless it is the same."""
        encoded = frame(name.partition(":")[0], content)
        version, before = self._frames.get(name, (0, b""))
        if encoded != before:
            self._frames[name] = version + 1, encoded
            self._wake()

    def withdraw(self, name: str) -> None:
        """Forget a frame that nobody wants any longer."""
        self._frames.pop(name, None)

    def set_incidents(self, run_id: str, incidents: Sequence[Mapping[str, Any]]) -> None:
        """Replace the incidents, oldest first, by those of the run `run_id`; only the latest are kept."""
        latest = list(incidents[-INCIDENTS_MAX:])
        if run_id != self._run_id or latest[-1:] != self._incidents[-1:]:
            self._run_id, self._incidents = run_id, latest
            self._wake()

    def news(self, place: Place) -> bytes:
        """Return the frames and incidents that a browser at `place` lacks, and move it on."""
        found = []
        for name, (version, encoded) in self._frames.items():
            if name.startswith(_MARKET) and name != market_frame(place.symbol):
                continue
            if place.versions.get(name) != version:
                place.versions[name] = version
                found.append(encoded)
        if place.run_id != self._run_id:
            # a browser that comes back names the last number that it has: of this run, unless that is too high
            known = place.incident if not place.run_id and self._incidents else 0
            place.run_id = self._run_id
            place.incident = known if known <= self._last() else 0
        lacking = [each for each in self._incidents if each["seq"] > place.incident]
        if lacking:
            place.incident = lacking[-1]["seq"]
            found.append(frame("incidents", {"run_id": self._run_id, "incidents": lacking}))
        return b"".join(found)

    def turn(self) -> asyncio.Event:
        """Return an event that is set at the next change."""
        return self._changed

    def _last(self) -> int:
        return int(self._incidents[-1]["seq"]) if self._incidents else 0

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def market_frame(symbol: str) -> str:
    """Return the name of the frame with the market of `symbol`; browsers get it as ``market``."""
    return _MARKET + symbol


def frame(name: str, content: Any) -> bytes:
    """Return one server-sent event. JSON has no line feed outside of its texts, which escape theirs."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(content))
