"""The simulated exchange: WebSocket and REST on one port of the loopback address. The shell around the pure parts.

It serves a seeded market at a settable rate, or a recording. `faults` spoils what it does, `ledger` records all it
did. Production needs nothing of this.

    async with SimulatedExchange(["BTCUSDT"], rate_per_s=1000) as sim:
        connect(sim.url + "/stream"); fetch(sim.rest_url + "/api/v3/depth?symbol=BTCUSDT")

Other processes control it by requests (`controls`).
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Self
from urllib.parse import urlsplit

from foxtrot_workers.owned_tasks import start_task
from foxtrot_workers.simulator.market.market import Market, MarketOptions
from foxtrot_workers.simulator.recorded.playback import Playback
from foxtrot_workers.simulator.server import controls
from foxtrot_workers.simulator.server.faults import MARKET, Fault, FaultScript
from foxtrot_workers.simulator.server.housekeeping import keep_house
from foxtrot_workers.simulator.server.ledger import Ledger
from foxtrot_workers.simulator.server.market_feed import MarketFeed
from foxtrot_workers.simulator.server.peer import Outgoing, Peer
from foxtrot_workers.simulator.server.player import Player, SnapshotDesk
from foxtrot_workers.simulator.server.rest_api import RestApi, from_market, from_recording
from foxtrot_workers.simulator.server.subscriptions import Subscriptions
from foxtrot_workers.simulator.venues.answer import Answer
from foxtrot_workers.simulator.venues.catalog import make_venue
from foxtrot_workers.simulator.venues.okx.session import OkxSession
from foxtrot_workers.simulator.venues.options import ExchangeLimits, ExchangeName, PlaybackOptions
from foxtrot_workers.simulator.venues.session import BadAddress, Session
from foxtrot_workers.simulator.wire.http_wire import HttpRequest

__all__ = ["HOST", "LIMITED_HOST", "SimulatedExchange"]

HOST = "127.0.0.1"

LIMITED_HOST = "127.0.0.2"
"""An address of this machine at which workers keep the exchange's rate limits."""

_STOP_S = 2.0
_ATTEMPTS_MAX = 10_000
"""Handshakes remembered for the limit of attempts."""


class SimulatedExchange:
    """One server; an async context manager, or `start` and `stop`. All arguments but `symbols` by name.

    Args:
        symbols: those of the market, as the exchange writes them or without its separator.
        seed: of the market and the faults; the same seed makes the same market.
        rate_per_s: orders a second over all symbols; 0: as fast as every client takes it.
        port: 0: one that is free.
        exchange: whose protocol it speaks.
        playback: serve this recording instead of a market.
        faults: armed from the start.
        ledger_file: where JSON lines of all that was sent are written.
        ssl_context: serve wss and https.
        compression: accept compressed WebSocket connections.
        limits: in place of those of the exchange.
        clock_ahead_s: seconds by which the exchange's clock is ahead of this machine's, below 0: behind.
        host: address of this machine; workers keep the exchange's rate limits at any but the usual ones.
    """

    def __init__(
        self,
        symbols: Sequence[str] = ("BTCUSDT", "ETHUSDT"),
        *,
        seed: int = 1,
        rate_per_s: float = 50.0,
        port: int = 0,
        exchange: ExchangeName = "binance",
        playback: Playback | None = None,
        playback_options: PlaybackOptions | None = None,
        market_options: MarketOptions | None = None,
        limits: ExchangeLimits | None = None,
        faults: Iterable[Fault] = (),
        ledger_file: Path | None = None,
        ssl_context: ssl.SSLContext | None = None,
        compression: bool = False,
        clock_ahead_s: float = 0.0,
        host: str = HOST,
    ) -> None:
        self._venue = make_venue(exchange)
        self._venue.limits_used = self.limits = limits or self._venue.limits
        self.compression = compression
        self.faults: FaultScript[Outgoing] = FaultScript(seed, faults, is_book=self._venue.is_book)
        self.ledger = Ledger()
        self.market: Market | None = None
        self._name: ExchangeName = exchange
        self._playback = playback
        self._playback_options = playback_options or PlaybackOptions()
        self._port = port
        self._host = host
        self._ssl = ssl_context
        self._ledger_path = ledger_file
        self._ledger_io: IO[str] | None = None
        self._server: asyncio.Server | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._connected: set[Peer] = set()
        self._nobody = asyncio.Event()
        self._nobody.set()
        self._peers: dict[int, Peer] = {}
        """Open WebSocket connections by number."""
        self._players: dict[int, Player] = {}
        self._subscriptions = Subscriptions()
        self._attempts_s: deque[float] = deque(maxlen=_ATTEMPTS_MAX)
        self._snapshots: SnapshotDesk | None = None
        self._feed: MarketFeed | None = None
        if playback is not None:
            self._snapshots = SnapshotDesk(playback, self._playback_options.hold_s)
            source = from_recording(playback, self._snapshots, self._venue)
        else:
            joined = [symbol.replace(self._venue.separator, "", 1) for symbol in symbols]
            ahead_ms = round(clock_ahead_s * 1e3)
            began_ms = time.time_ns() // 1_000_000 + ahead_ms
            self.market = Market(joined, seed, began_ms, self._venue.publisher, market_options)
            self._feed = MarketFeed(self.market, rate_per_s, self._peers, self._subscriptions, self.ledger, ahead_ms)
            source = from_market(self.market, self._venue, ahead_ms)
        self._rest = RestApi(source, self.faults, self.ledger, self._venue)

    # -- life

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    @property
    def url(self) -> str:
        """Base address for WebSockets, without a path."""
        return f"{'wss' if self._ssl else 'ws'}://{self._host}:{self._port}"

    @property
    def rest_url(self) -> str:
        """Base address for REST, without a path."""
        return f"{'https' if self._ssl else 'http'}://{self._host}:{self._port}"

    @property
    def connections(self) -> int:
        """WebSocket connections open now."""
        return len(self._peers)

    @property
    def left_out_total(self) -> int:
        """Orders never made because the rate could not be kept."""
        return 0 if self._feed is None else self._feed.left_out_total

    async def start(self) -> None:
        """Listen; raises `OSError` when the port is taken or the ledger file cannot be written."""
        if self._ledger_path is not None:
            self._ledger_io = self._ledger_path.open("w", encoding="utf-8")
            self.ledger.write_to(self._ledger_io)
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: Peer(self), self._host, self._port, ssl=self._ssl)
        except OSError:
            self._close_ledger()
            raise
        self._port = self._server.sockets[0].getsockname()[1]
        housekeeping = keep_house(self.limits, self.faults, self.ledger, self._peers)
        self._tasks.append(start_task(housekeeping, "housekeeping"))
        if self._feed is not None:
            self._tasks.append(start_task(self._feed.run(), "market"))

    async def stop(self) -> None:
        """Cut all connections, stop listening, write the ledger to its end; within about 2 s."""
        if self._server is None:
            return
        self._server.close()
        for task in self._tasks:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        for peer in list(self._connected):
            peer.abort("exchange stopped")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_S):
                await self._nobody.wait()
        self._server = None
        self._tasks.clear()
        self.ledger.finish()
        self._close_ledger()
        for result in results:
            if isinstance(result, Exception):
                raise result

    def _close_ledger(self) -> None:
        if self._ledger_io is not None:
            self._ledger_io.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # -- faults, from tests

    def inject(self, *faults: Fault) -> None:
        """Arm faults now; what is due at once happens before this returns.

        Raises:
            ValueError: too many faults are armed, or a recording cannot have this one.
        """
        now_s = time.monotonic()
        for fault in faults:
            if fault.kind in MARKET:
                self._change_market(fault)
            else:
                self.faults.arm(fault, now_s)
        for peer in list(self._peers.values()):
            peer.perform_due_faults(now_s)

    def _change_market(self, fault: Fault) -> None:
        if self.market is None:
            raise ValueError(f"{fault.kind} needs a market, not a recording")
        self.ledger.fault(None, fault.kind, time.time_ns())
        if fault.kind == "ids_restart":
            self.market.restart_identifiers()
        elif fault.kind == "list":
            self.market.add_symbol(fault.topic, time.time_ns() // 1_000_000)
        elif fault.kind == "delist":
            self.market.remove_symbol(fault.topic)
        else:
            self.market.trade_id_step = fault.count

    # -- what connections report and ask (host.Host)

    def connected(self, peer: Peer) -> None:
        """A TCP connection was accepted."""
        self._connected.add(peer)
        self._nobody.clear()

    def disconnected(self, peer: Peer, cause: str) -> None:
        """A TCP connection is gone."""
        self._connected.discard(peer)
        if not self._connected:
            self._nobody.set()
        if self._peers.pop(peer.number, None) is not None:
            self._subscriptions.close(peer)
            self._players.pop(peer.number, None)
            self.faults.closed(peer.number)
            self.ledger.closed(peer.number, cause, time.time_ns())

    def closing(self, peer: Peer) -> None:
        """A WebSocket connection is closing: no data is sent on it from now on."""
        self._subscriptions.clear(peer)

    def refusal(self, request: HttpRequest) -> Answer | None:
        """Return the answer that refuses this handshake; None accepts it."""
        now_s = time.monotonic()
        fault = self.faults.refusal(now_s)
        if fault is not None:
            self.ledger.fault(None, fault.kind, time.time_ns())
            return self._venue.failure(fault.status, "Too many requests", fault.retry_after_s)
        limits = self.limits
        if limits.attempts_max is not None:
            while self._attempts_s and now_s - self._attempts_s[0] >= limits.attempts_window_s:
                self._attempts_s.popleft()
            if len(self._attempts_s) >= limits.attempts_max:
                self.ledger.violated("attempts")
                wait_s = self._attempts_s[0] + limits.attempts_window_s - now_s
                return self._venue.failure(429, "Too many connections", wait_s)
            self._attempts_s.append(now_s)
        banned_s = self._rest.weight.banned_s(now_s)
        if banned_s:
            self.ledger.violated("banned")
            return self._venue.failure(418, "Banned", banned_s)
        if len(self._peers) >= limits.connections_max:
            self.ledger.violated("connections")
            return self._venue.failure(429, "Too many connections", 1.0)
        try:
            self._session(request)
        except BadAddress as bad:
            return self._venue.failure(bad.status, bad.reason)
        return None

    def _session(self, request: HttpRequest) -> Session:
        if self._playback is not None and self._name == "okx":
            return OkxSession(self._playback.acknowledgements)
        return self._venue.session(request.path, urlsplit(request.target).query)

    def _subscription_refusal(self, topic: str) -> tuple[int, str] | None:
        fault = self.faults.subscription_refusal(topic, time.monotonic())
        if fault is None:
            return None
        self.ledger.fault(None, fault.kind, time.time_ns())
        return fault.code, fault.reason

    def upgraded(self, peer: Peer, request: HttpRequest) -> None:
        """A handshake was accepted: give the peer its number and session."""
        now_s = time.monotonic()
        peer.number = self.ledger.opened(request.target, time.time_ns()).number
        peer.session = self._session(request)
        peer.session.refuse = self._subscription_refusal
        peer.session.over_limit = lambda: self.ledger.violated("topics")
        peer.opened_s = peer.received_s = peer.sent_s = now_s
        if self.limits.ping_interval_s is not None:
            peer.ping_due_s = now_s + self.limits.ping_interval_s
        self._peers[peer.number] = peer
        self._subscriptions.open(peer)
        self.faults.opened(peer.number, now_s)
        if self._playback is not None and self._snapshots is not None:
            player = Player(peer, self._playback, self._playback_options, self._snapshots)
            self._players[peer.number] = player
            peer.spawn(player.run())
        peer.reply(peer.session.greeting(time.time_ns()))
        self._update_subscriptions(peer, peer.session)

    def message(self, peer: Peer, data: bytes) -> None:
        """The client sent a message."""
        if peer.session is not None:
            peer.reply(peer.session.on_message(data, time.time_ns()))
            self._update_subscriptions(peer, peer.session)

    def forget(self, peer: Peer, topic: str) -> None:
        """End the subscriptions of a connection whose stream names contain `topic`."""
        if peer.session is not None:
            for stream in [stream for stream in peer.session.topics if topic in stream]:
                del peer.session.topics[stream]
            self._update_subscriptions(peer, peer.session)

    def _update_subscriptions(self, peer: Peer, session: Session) -> None:
        if not peer.is_open:
            return
        before = self._subscriptions.of(peer)
        if not self._subscriptions.update(peer, frozenset(session.topics)):
            return
        if peer.number in self._players:
            self._players[peer.number].subscribed()
        elif self.market is not None:
            self._welcome(peer, session, [t for t in session.topics if t not in before and session.wants_first(t)])

    def _welcome(self, peer: Peer, session: Session, topics: Sequence[str]) -> None:
        """Send what new subscribers of `topics` are sent first."""
        now_ns = time.time_ns()
        peer.begin_batch()
        for topic in topics:
            for first in self._venue.publisher.welcome(topic, now_ns // 1_000_000):
                frame = peer.frame_of(session.envelope(first.stream, first.payload))
                peer.deliver(first.stream, first.last_id, frame, now_ns)
        peer.flush()

    async def answer(self, request: HttpRequest) -> Answer:
        """Return the answer to one HTTP request."""
        if request.path.startswith(controls.PREFIX):
            return controls.answer_control(request, self.inject, self.faults, self.ledger)
        return await self._rest.answer(request)
