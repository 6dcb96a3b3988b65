"""Serving one client a recording in real time: pace, subscriptions, and the meeting with its REST requests.

A book needs its snapshot at the right place: deltas that stand before it in the recording must reach the client
first, those behind it must not run far ahead. The snapshot desk sees to that. Playback that reaches a snapshot
waits until the client has asked for it; a request that comes early waits until playback is there. Both waits are
bounded by ``hold_s``. The client's own port tells nothing about which WebSocket it belongs to, so with several
clients a request may release another's playback; the answer is the same recorded body for both.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from foxtrot_workers.simulator.recorded.playback import DataItem, Playback, SnapshotItem
from foxtrot_workers.simulator.venues.answer import Answer
from foxtrot_workers.simulator.venues.binance.rest import error
from foxtrot_workers.simulator.venues.options import PlaybackOptions

if TYPE_CHECKING:
    from foxtrot_workers.simulator.server.peer import Peer

__all__ = ["Player", "SnapshotDesk"]

_SETTLE_S_MAX = 10.0
"""Playback starts at the latest this long after the first subscription."""

_ANSWER_S = 0.05
"""Time for the client to take a snapshot before more deltas come, so that it need not hold back many."""

_BURST_ITEMS = 64
"""Frames sent between two turns of the event loop when nothing limits the pace."""

BLOCKED_S_MAX = 60.0
"""A client that takes nothing for this long ends its playback."""


class SnapshotDesk:
    """Brings playbacks and snapshot requests together; one for the server."""

    def __init__(self, playback: Playback, hold_s: float) -> None:
        self._playback = playback
        self._hold_s = hold_s
        self._requests: dict[str, deque[asyncio.Future[bytes]]] = {}
        self._waiting: dict[str, deque[tuple[SnapshotItem, asyncio.Future[None]]]] = {}
        self._passed: dict[str, bytes] = {}
        """Latest snapshot by symbol that a playback passed without a request."""
        self._last: dict[str, bytes] = {}
        """Latest snapshot by symbol that any playback reached."""
        self.players: set[Player] = set()

    async def answer(self, symbol: str) -> Answer:
        """Return the snapshot of `symbol` for a client that requests it now."""
        waiting = self._waiting.get(symbol)
        while waiting:
            item, asked = waiting.popleft()
            if not asked.done():
                asked.set_result(None)
                return Answer(200, item.body)
        body = self._passed.pop(symbol, None)
        if body is None and any(player.has_ahead(symbol) for player in self.players):
            body = await self._reached(symbol)
        if body is None:
            body = self._last.get(symbol) or self._first(symbol)
        return Answer(200, body) if body is not None else error(400, -1121, "Invalid symbol.")

    async def _reached(self, symbol: str) -> bytes | None:
        """Wait until a playback reaches a snapshot of `symbol`; None after the bound."""
        request: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._requests.setdefault(symbol, deque()).append(request)
        try:
            async with asyncio.timeout(self._hold_s):
                return await request
        except TimeoutError:
            return None

    def _first(self, symbol: str) -> bytes | None:
        items = self._playback.items
        return next((i.body for i in items if isinstance(i, SnapshotItem) and i.symbol == symbol), None)

    async def reach(self, item: SnapshotItem, *, hold: bool) -> None:
        """A playback has reached `item`; `hold`: wait for the client to request it."""
        self._last[item.symbol] = item.body
        requests = self._requests.get(item.symbol)
        while requests:
            request = requests.popleft()
            if not request.done():
                request.set_result(item.body)
                await asyncio.sleep(_ANSWER_S)
                return
        if not hold:
            self._passed[item.symbol] = item.body
            return
        asked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(item.symbol, deque()).append((item, asked))
        try:
            async with asyncio.timeout(self._hold_s):
                await asked
        except TimeoutError:
            self._passed[item.symbol] = item.body
        else:
            await asyncio.sleep(_ANSWER_S)


class Player:
    """One client's playback, from the beginning."""

    def __init__(self, peer: Peer, playback: Playback, options: PlaybackOptions, desk: SnapshotDesk) -> None:
        self._peer = peer
        self._playback = playback
        self._options = options
        self._desk = desk
        self._subscribed = asyncio.Event()
        self._ahead: dict[str, int] = {}
        """Snapshots still to come, by symbol."""
        for item in playback.items:
            if isinstance(item, SnapshotItem):
                self._ahead[item.symbol] = self._ahead.get(item.symbol, 0) + 1
        self._books_started: set[str] = set()
        self._clock_s: float | None = None
        """Monotonic time that stands for recorded time 0, shifted by every wait."""
        self.finished = False

    def has_ahead(self, symbol: str) -> bool:
        """Whether a snapshot of `symbol` is still to come."""
        return not self.finished and self._ahead.get(symbol, 0) > 0

    def subscribed(self) -> None:
        """The client's subscriptions have changed, and were acknowledged."""
        self._subscribed.set()

    async def run(self) -> None:
        """Serve the recording to its end, or until the connection ends (by cancellation)."""
        self._desk.players.add(self)
        try:
            await self._settled()
            await self._play()
        finally:
            self.finished = True
            self._desk.players.discard(self)
        if self._options.at_end == "close":
            self._peer.close(1000, "end of the recording")

    async def _settled(self) -> None:
        """Wait until the client has made its subscriptions."""
        loop = asyncio.get_running_loop()
        session = self._peer.session
        assert session is not None
        while not session.topics:
            self._subscribed.clear()
            await self._subscribed.wait()
        latest_s = loop.time() + _SETTLE_S_MAX
        while not self._playback.topics <= session.topics.keys():
            self._subscribed.clear()
            try:
                async with asyncio.timeout_at(min(latest_s, loop.time() + self._options.settle_s)):
                    await self._subscribed.wait()
            except TimeoutError:
                return

    async def _play(self) -> None:
        peer = self._peer
        for count, item in enumerate(self._playback.items):
            await self._pace(item.t)
            if isinstance(item, SnapshotItem):
                await self._snapshot(item)
                continue
            if self._wanted(item.topic):
                self._send(item)
            if peer.outlet.is_blocked:
                peer.flush()
                await self._shift(peer.outlet.wait_until_free(BLOCKED_S_MAX))
            elif count % _BURST_ITEMS == 0:
                peer.flush()
                await asyncio.sleep(0)
            if not peer.is_open:
                return
        peer.flush()

    def _wanted(self, topic: str) -> bool:
        session = self._peer.session
        return not topic or self._options.send_all or (session is not None and topic in session.topics)

    def _send(self, item: DataItem) -> None:
        peer, session = self._peer, self._peer.session
        assert session is not None
        if "@depth" in item.topic:
            self._books_started.add(item.topic.split("@", 1)[0].upper())
        payload = session.envelope(item.topic, item.payload) if item.topic else item.payload
        if payload == item.raw or self._playback.exchange == "okx":
            payload = item.raw
        peer.sample = (item.topic, item.payload)
        peer.begin_batch()
        peer.deliver(item.topic, item.line, peer.frame_of(payload), time.time_ns())

    async def _snapshot(self, item: SnapshotItem) -> None:
        """The recording has a snapshot here: the client gets it before the recording continues."""
        peer, session = self._peer, self._peer.session
        assert session is not None
        peer.flush()
        wanted = self._playback.snapshot_topic(item.symbol, session.topics)
        # before its first delta a client has no reason to request it; a later request is answered at once
        hold = wanted and item.symbol in self._books_started
        await self._shift(self._desk.reach(item, hold=hold))
        self._ahead[item.symbol] -= 1

    async def _pace(self, t: int) -> None:
        """Wait until the recorded time `t` has come."""
        if self._options.speed <= 0 or t == 0:
            return
        loop = asyncio.get_running_loop()
        at_s = t / 1e9 / self._options.speed
        if self._clock_s is None:
            self._clock_s = loop.time() - at_s
        wait_s = self._clock_s + at_s - loop.time()
        if wait_s > 0:
            self._peer.flush()
            await asyncio.sleep(wait_s)

    async def _shift(self, wait: Awaitable[object]) -> None:
        """Wait for the client; the recording's clock is paused meanwhile."""
        loop = asyncio.get_running_loop()
        before_s = loop.time()
        await wait
        if self._clock_s is not None:
            self._clock_s += loop.time() - before_s
