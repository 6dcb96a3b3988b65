"""What all browsers get, encoded once: a slow browser gets the newest frame, and skips those that it missed.

Only incidents are a sequence: each browser continues after the last one that it has.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

__all__ = ["INCIDENTS_MAX", "Hub", "Place", "frame"]

INCIDENTS_MAX: Final = 500
"""Incidents kept for browsers that come later."""


class Place(Struct):
    """How far one browser has come."""

    incident: int = 0
    """Number of the last incident that it has."""
    versions: dict[str, int] = {}
    """Version of each frame that it has."""


class Hub:
    """The newest frame of each name, and the latest incidents."""

    def __init__(self) -> None:
        self._frames: dict[str, tuple[int, bytes]] = {}
        self._incidents: deque[Mapping[str, Any]] = deque(maxlen=INCIDENTS_MAX)
        self._run_id = ""
        self._changed = asyncio.Event()

    def publish(self, name: str, content: Any) -> None:
        """Replace the frame `name`, unless it is the same."""
        encoded = frame(name, content)
        version, before = self._frames.get(name, (0, b""))
        if encoded != before:
            self._frames[name] = version + 1, encoded
            self._wake()

    def add_incidents(self, run_id: str, incidents: Sequence[Mapping[str, Any]]) -> None:
        """Append incidents of the run `run_id`, oldest first; those of an earlier run are forgotten."""
        if run_id != self._run_id:
            self._run_id = run_id
            self._incidents.clear()
        if incidents:
            self._incidents.extend(incidents)
            self._wake()

    def news(self, place: Place) -> bytes:
        """Return the frames and incidents that a browser at `place` lacks, and move it on."""
        found = []
        for name, (version, encoded) in self._frames.items():
            if place.versions.get(name) != version:
                place.versions[name] = version
                found.append(encoded)
        if self._incidents and place.incident > self._incidents[-1]["seq"]:
            place.incident = 0  # it has numbers of another run
        lacking = [each for each in self._incidents if each["seq"] > place.incident]
        if lacking:
            place.incident = lacking[-1]["seq"]
            found.append(frame("incidents", {"run_id": self._run_id, "incidents": lacking}))
        return b"".join(found)

    async def changed(self) -> None:
        """Wait for the next change."""
        await self._changed.wait()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def frame(name: str, content: Any) -> bytes:
    """Return one server-sent event. JSON has no line feed outside of its texts, which escape theirs."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(content))
