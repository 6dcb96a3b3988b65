"""Turns what the observer of the run sees into what pages show, once for all browsers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any, Final

from foxtrot_protocol.control import Request
from foxtrot_protocol.errors import RemoteError
from foxtrot_supervisor.client.market_view import MarketView
from foxtrot_supervisor.client.observer import Observer
from foxtrot_supervisor.client.trust import NotRunning
from foxtrot_supervisor.report.diagnosis import Surroundings, diagnose
from foxtrot_supervisor.telemetry.disk import disk_space
from foxtrot_supervisor.web.hub import Hub, MarketRefused, market_frame
from foxtrot_supervisor.web.page_data import history_of, market_of, topic_matrix, view

__all__ = ["MARKETS_MAX", "ORDER_S", "TURN_S", "Publisher"]

TURN_S: Final = 0.25
"""Shortest time between two frames of a kind, in seconds."""

MARKETS_MAX: Final = 6
"""Symbols that all browsers together may watch: each is one of the 16 readers that the engine allows."""

ORDER_S: Final = 180.0
"""Longest wait for the outcome of an order, in seconds."""


class Publisher:
    """Publishes what `observer` sees to `hub`."""

    def __init__(self, observer: Observer, hub: Hub) -> None:
        self._observer = observer
        self._hub = hub
        self._markets: dict[str, tuple[MarketView, int]] = {}
        """By symbol: its market, and how many browsers watch it."""

    async def run(self) -> None:
        """Publish each change until cancelled."""
        version, shown_at = 0, -1.0
        while True:
            version = await self._observer.changed(version)
            status_at = self._observer.status_at
            if not self._observer.connected:
                away = {"problem": self._observer.problem, "since_ms": int(self._observer.status_at * 1e3)}
                self._hub.publish("away", away)
                shown_at = -1.0
            elif status_at != shown_at:
                self._hub.publish("away", None)
                self._show(status_at)
                shown_at = status_at
            run_id = str(self._observer.status.get("supervisor", {}).get("run_id", ""))
            self._hub.set_incidents(run_id, self._observer.incidents)
            for symbol, (market, _) in self._markets.items():
                self._hub.publish(market_frame(symbol), market_of(symbol, market))
            await asyncio.sleep(TURN_S)

    def history(self) -> dict[str, Any]:
        """Return the rates and latencies of the last minutes, for a browser that comes."""
        return history_of(self._observer.history)

    @contextlib.contextmanager
    def watched(self, symbol: str) -> Iterator[None]:
        """Publish the market of `symbol` (``BTCUSDT.BINANCE``) meanwhile; raises `MarketRefused`."""
        if symbol not in self._markets and len(self._markets) >= MARKETS_MAX:
            raise MarketRefused(f"{MARKETS_MAX} symbols are watched already, in other pages: choose one of them")
        name, _, exchange = symbol.rpartition(".")
        market, count = self._markets.get(symbol) or (self._observer.follow(MarketView("", exchange, name)), 0)
        self._markets[symbol] = (market, count + 1)
        try:
            yield
        finally:
            market, count = self._markets[symbol]
            if count > 1:
                self._markets[symbol] = (market, count - 1)
            else:
                del self._markets[symbol]
                self._observer.leave(market)
                self._hub.withdraw(market_frame(symbol))

    async def order(self, request: Request) -> str:
        """Send an order to the run; return why it failed, "" on success."""
        try:
            return (await self._observer.request(request, ORDER_S)).error
        except TimeoutError:
            return f"no answer within {ORDER_S:g} s; it may still be carried out"
        except (NotRunning, RemoteError) as error:
            return str(error)

    def _show(self, at_s: float) -> None:
        status = self._observer.status
        free, total = disk_space(self._observer.run_dir)
        findings = diagnose(status, Surroundings(free, total))
        self._hub.publish("view", view(status, findings, int(at_s * 1e9)))
        self._hub.publish("topics", topic_matrix(status["workers"]))
