"""Follows one run from outside, on asyncio: status, incidents, rates over time, and the market of a symbol.

For live views. It is an ordinary client of the operator socket and of the event stream, so any number of observers may
follow a run, in any process of the same user::

    async with Observer(run_dir) as observer:
        observer.watch(worker="binance-spot.a")      # optional: the market of its first symbol
        version = 0
        while True:
            version = await observer.changed(version)
            if not observer.connected:
                print(observer.problem)
                continue
            print(observer.status["supervisor"]["state"], observer.incidents[-5:], observer.market.top)

It survives the end of the run: `connected` is false and `problem` says why, what was seen last stays, and it connects
to the next run in the same directory. That one has another ``run_id``: incidents and history begin again.

With a market selected, versions may follow each other a hundred times a second: draw at your own rate.

Everything is bounded: incidents by `INCIDENTS_MAX`, series by `history`, books and trades by `market_view`.
"""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Any, Final

from foxtrot_protocol.codec import batch_decoder
from foxtrot_protocol.control import IncidentsRequest, Reply, Request, StatusRequest
from foxtrot_protocol.endpoints import tap_path
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_supervisor.client.async_control import AsyncControlClient, open_trusted
from foxtrot_supervisor.client.history import History
from foxtrot_supervisor.client.market_view import MarketView
from foxtrot_supervisor.client.tap_decoder import BatchBytes, TapDecoder
from foxtrot_supervisor.client.trust import NotRunning

__all__ = ["ANSWER_S", "INCIDENTS_MAX", "INTERVAL_S", "RETRY_S", "Observer"]

INTERVAL_S: Final = 1.0
"""Seconds between two polls of status and incidents."""

ANSWER_S: Final = 10.0
"""Longest wait for an answer; then the run counts as not answering."""

RETRY_S: Final = 0.5
"""Seconds between two attempts to connect."""

INCIDENTS_MAX: Final = 2000
"""Latest incidents kept."""

_CHUNK_BYTES: Final = 256 * 1024


class Observer:
    """What is known of the run in `run_dir`; an async context manager. Its attributes are read only.

    `interval_s`: seconds between two polls.
    """

    def __init__(self, run_dir: str, *, interval_s: float = INTERVAL_S) -> None:
        self.run_dir = run_dir
        self.connected = False
        self.problem = "connecting"
        """Why there is no connection; "" while there is one."""
        self.changed_at = time.monotonic()
        """Monotonic time at which `connected` last changed."""
        self.status: dict[str, Any] = {}
        """Latest answer to ``status`` (docs/operating.md); {} before the first."""
        self.status_at = 0.0
        """Unix time of that answer, in seconds."""
        self.incidents: list[dict[str, Any]] = []
        """Latest incidents as the supervisor sends them (docs/monitoring.md), oldest first."""
        self.incidents_missed = 0
        """Incidents that had fallen out of the supervisor's memory before they could be read."""
        self.history = History()
        self.market: MarketView | None = None
        """The market that `watch` has selected; None without one."""
        self._interval_s = interval_s
        self._version = 0
        self._turn = asyncio.Event()
        self._run_id = ""
        self._cursor = 0
        self._polling: asyncio.Task[None] | None = None
        self._following: dict[MarketView, asyncio.Task[None]] = {}

    async def changed(self, after: int) -> int:
        """Wait until anything has changed since version `after` (0: since the beginning); return the new version."""
        while self._version <= after:
            await self._turn.wait()
        return self._version

    def watch(self, worker: str = "", exchange: str = "", symbol: str = "") -> None:
        """Follow the market of a symbol as `market`; arguments as of `MarketView`. The one before is dropped."""
        self.unwatch()
        self.market = self.follow(MarketView(worker, exchange, symbol))

    def unwatch(self) -> None:
        """Follow no market."""
        if self.market is not None:
            self.leave(self.market)
            self.market = None

    def follow(self, market: MarketView) -> MarketView:
        """Feed a market from now on, beside others; return it. Each is one of the readers that the engine allows."""
        self._following[market] = asyncio.create_task(self._follow(market), name="observer-market")
        self._changed()
        return market

    def leave(self, market: MarketView) -> None:
        """Feed a market no longer."""
        self._following.pop(market).cancel()
        self._changed()

    async def request(self, request: Request, timeout_s: float | None = None) -> Reply:
        """Send a request, such as a restart, on a connection of its own; errors as of `control_client`."""
        async with AsyncControlClient(self.run_dir) as client:
            return await client.request(request, timeout_s)

    async def __aenter__(self) -> Observer:
        self._polling = asyncio.create_task(self._poll(), name="observer-poll")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tasks = [*self._following.values()]
        if self._polling is not None:
            tasks.append(self._polling)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ---- status and incidents

    async def _poll(self) -> None:
        async with AsyncControlClient(self.run_dir) as client:
            due = time.monotonic()
            while True:
                try:
                    await self._look(client)
                except (NotRunning, MalformedMessage) as error:
                    self._disconnected(str(error))
                except TimeoutError:
                    self._disconnected(f"the supervisor does not answer within {ANSWER_S:g} s")
                now = time.monotonic()
                due = max(due + (self._interval_s if self.connected else RETRY_S), now)
                await asyncio.sleep(due - now)

    async def _look(self, client: AsyncControlClient) -> None:
        reply = await client.request(StatusRequest(), ANSWER_S)
        if reply.error:
            raise MalformedMessage(reply.error)
        run_id = str(reply.data.get("supervisor", {}).get("run_id"))
        if run_id != self._run_id:
            self._run_id, self._cursor, self.incidents_missed = run_id, 0, 0
            self.incidents, self.history = [], History()
        self.status, self.status_at = reply.data, time.time()
        self.history.add(self.status_at, self.status)
        if not self.connected:
            self.connected, self.problem, self.changed_at = True, "", time.monotonic()
        self._changed()
        await self._read_incidents(client)

    async def _read_incidents(self, client: AsyncControlClient) -> None:
        more = True
        while more:
            reply = await client.request(IncidentsRequest(self._cursor), ANSWER_S)
            found = reply.data.get("incidents") or []  # a supervisor of an earlier version has none
            if not found:
                return
            self.incidents_missed += max(0, int(reply.data.get("first_seq", 0)) - self._cursor - 1)
            self.incidents = [*self.incidents, *found][-INCIDENTS_MAX:]
            self._cursor = int(found[-1]["seq"])
            more = bool(reply.data.get("more"))
            self._changed()

    def _disconnected(self, problem: str) -> None:
        if self.connected or problem != self.problem:
            self.connected, self.problem, self.changed_at = False, problem, time.monotonic()
            self._changed()

    def _changed(self) -> None:
        self._version += 1
        turn, self._turn = self._turn, asyncio.Event()
        turn.set()

    # ---- the market

    async def _follow(self, market: MarketView) -> None:
        while True:
            await self._read(market)
            await asyncio.sleep(RETRY_S)  # the engine is away

    async def _read(self, market: MarketView) -> None:
        """Feed `market` from the event stream until the engine ends it."""
        decode, tap = batch_decoder("text").decode, TapDecoder()
        try:
            reader, writer = await open_trusted(tap_path(self.run_dir), _CHUNK_BYTES)
        except NotRunning:
            return
        try:
            while data := await reader.read(_CHUNK_BYTES):
                seen = False
                for record in tap.feed(data):
                    if not isinstance(record, BatchBytes):
                        market.dropped()
                        seen = True
                    elif market.may_concern(record.data):
                        seen |= market.feed(decode(record.data))
                if seen:
                    self._changed()
                await asyncio.sleep(0)
        except (OSError, MalformedMessage):
            pass  # it is read again
        finally:
            writer.transport.abort()
            market.dropped()
