"""The simulated exchange: WebSocket and REST on one port of the loopback address; the shell around the pure parts.

It serves a seeded market at a settable rate (0: as fast as it is taken), or a recording. `faults` spoils what it
does, `ledger` knows all it did. Nothing here is needed in production.

    async with SimulatedExchange(["BTCUSDT"], rate_per_s=1000) as sim:
        connect(sim.url + "/stream"); fetch(sim.rest_url + "/api/v3/depth?symbol=BTCUSDT")

For other processes: ``POST /sim/fault`` takes one `Fault` as JSON or a list of them, ``DELETE /sim/fault`` disarms
all, ``GET /sim/ledger`` gives counts, ``GET /sim/sent?connection=0&stream=btcusdt@trade`` the ids sent.
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

import msgspec

from foxtrot_workers.owned_tasks import start_task
from foxtrot_workers.simulator.market import messages
from foxtrot_workers.simulator.market.market import Market, MarketOptions, Message
from foxtrot_workers.simulator.recorded.playback import Playback
from foxtrot_workers.simulator.server.faults import ENDLESS, MARKET, Fault, FaultScript
from foxtrot_workers.simulator.server.ledger import Ledger
from foxtrot_workers.simulator.server.peer import Outgoing, Peer
from foxtrot_workers.simulator.server.player import Player, SnapshotDesk
from foxtrot_workers.simulator.venues.binance_session import BadAddress, BinanceSession
from foxtrot_workers.simulator.venues.okx_session import OkxSession
from foxtrot_workers.simulator.venues.options import ExchangeLimits, ExchangeName, PlaybackOptions
from foxtrot_workers.simulator.venues.rest import Answer, answer, error
from foxtrot_workers.simulator.venues.session import Session
from foxtrot_workers.simulator.wire import frames
from foxtrot_workers.simulator.wire.http_wire import HttpRequest

__all__ = ["SimulatedExchange"]

_HOST = "127.0.0.1"
_BATCH_ACTS = 128
"""Orders between two looks at the event loop: a few milliseconds of work."""
_BEHIND_S_MAX = 1.0
"""Orders further behind schedule than this (machine suspended, rate too high) are left out."""
_TAKEN_S = 10.0
"""As fast as it is taken: a client that takes nothing for so long is cut off, lest it stop the market."""
_IDLE_TICK_S = 0.25
_BUSY_TICK_S = 0.01
"""How often timed faults are looked for while any is armed."""
_FLUSH_S = 1.0
_REST_STALL_S = 5.0
_STOP_S = 2.0
_ENDED_MAX = 10_000

_faults_decoder = msgspec.json.Decoder(list[Fault] | Fault)


class SimulatedExchange:
    """One server; an async context manager, or `start` and `stop`. All arguments but `symbols` by name.

    `rate_per_s`: orders a second over all symbols, 0 for as fast as it is taken. `playback`: serve this recording
    instead of a market. `ledger_file`: JSON lines of all that was sent. `ssl_context`: serve wss and https.
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
    ) -> None:
        if playback is None and exchange == "okx":
            raise ValueError("the seeded market speaks Binance's protocol; okx needs a recording")
        self.limits = limits or ExchangeLimits()
        self.compression = compression
        self.faults: FaultScript[Outgoing] = FaultScript(seed, faults)
        self.ledger = Ledger()
        self.market = None if playback else Market(symbols, seed, _now_ms(), market_options)
        self.weight_used = 0
        """REST weight in the running minute."""
        self.left_out_total = 0
        """Orders never made because the rate could not be kept."""
        self._name: ExchangeName = exchange
        self._playback = playback
        self._playback_options = playback_options or PlaybackOptions()
        self._desk = SnapshotDesk(playback, self._playback_options.hold_s) if playback else None
        self._rate_per_s = rate_per_s
        self._port = port
        self._ssl = ssl_context
        self._ledger_path = ledger_file
        self._ledger_io: IO[str] | None = None
        self._server: asyncio.Server | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._arrived: set[Peer] = set()
        self._nobody = asyncio.Event()
        self._nobody.set()
        self._peers: dict[int, Peer] = {}
        """Open WebSocket connections by number."""
        self._players: dict[int, Player] = {}
        self._listeners: dict[str, list[Peer]] = {}
        self._subscribed: dict[int, frozenset[str]] = {}
        self._listening = asyncio.Event()
        self._attempts_s: deque[float] = deque(maxlen=_ENDED_MAX)
        self._weight_minute = 0

    # life

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    @property
    def url(self) -> str:
        """Base address for WebSockets, without a path."""
        return f"{'wss' if self._ssl else 'ws'}://{_HOST}:{self._port}"

    @property
    def rest_url(self) -> str:
        """Base address for REST, without a path."""
        return f"{'https' if self._ssl else 'http'}://{_HOST}:{self._port}"

    @property
    def connections(self) -> int:
        """WebSocket connections open now."""
        return len(self._peers)

    async def start(self) -> None:
        """Listen; raises `OSError` when the port is taken or the ledger file cannot be written."""
        if self._ledger_path is not None:
            self._ledger_io = self._ledger_path.open("w", encoding="utf-8")
            self.ledger = Ledger(self._ledger_io)
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: Peer(self), _HOST, self._port, ssl=self._ssl)
        except OSError:
            self._close_ledger()
            raise
        self._port = self._server.sockets[0].getsockname()[1]
        self._tasks.append(start_task(self._keep_house(), "housekeeping"))
        if self.market is not None:
            self._tasks.append(start_task(self._run_market(self.market), "market"))

    async def stop(self) -> None:
        """Cut all connections, stop listening, write the ledger to its end; within about 2 s."""
        if self._server is None:
            return
        self._server.close()
        for task in self._tasks:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        for peer in list(self._arrived):
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

    # faults, from tests

    def inject(self, *faults: Fault) -> None:
        """Arm faults now; what is due at once happens before this returns."""
        now_s = time.monotonic()
        for fault in faults:
            if fault.kind in MARKET:
                self._change_market(fault)
            else:
                self.faults.arm(fault, now_s)
        for peer in list(self._peers.values()):
            peer.run_deeds(now_s)

    def _change_market(self, fault: Fault) -> None:
        if self.market is None:
            raise ValueError(f"{fault.kind} needs a market, not a recording")
        self.ledger.fault(None, fault.kind, time.time_ns())
        if fault.kind == "ids_restart":
            self.market.restart_identifiers()
        else:
            self.market.trade_id_step = fault.count

    # what peers report

    def arrived(self, peer: Peer) -> None:
        """A TCP connection came."""
        self._arrived.add(peer)
        self._nobody.clear()

    def left(self, peer: Peer, cause: str) -> None:
        """A TCP connection is gone."""
        self._arrived.discard(peer)
        if not self._arrived:
            self._nobody.set()
        if self._peers.pop(peer.number, None) is not None:
            self._index(peer, frozenset())
            del self._subscribed[peer.number]
            self._players.pop(peer.number, None)
            self.faults.closed(peer.number)
            self.ledger.closed(peer.number, cause, time.time_ns())

    def ended(self, peer: Peer) -> None:
        """A connection is closing: from now on it hears nothing."""
        if peer.number in self._subscribed:
            self._index(peer, frozenset())

    def refusal(self, request: HttpRequest) -> Answer | None:
        """Why this handshake is refused, None if it is not."""
        now_s = time.monotonic()
        fault = self.faults.refusal(now_s)
        if fault is not None:
            self.ledger.fault(None, fault.kind, time.time_ns())
            return error(fault.status, -1003, "Too many requests", fault.retry_after_s)
        limits = self.limits
        if limits.attempts_max is not None:
            while self._attempts_s and now_s - self._attempts_s[0] >= limits.attempts_window_s:
                self._attempts_s.popleft()
            if len(self._attempts_s) >= limits.attempts_max:
                return error(429, -1003, "Too many connections", self._attempts_s[0] + limits.attempts_window_s - now_s)
            self._attempts_s.append(now_s)
        if len(self._peers) >= limits.connections_max:
            return error(429, -1003, "Too many connections", 1.0)
        try:
            self._session(request)
        except BadAddress as bad:
            return error(bad.status, -1100, bad.reason)
        return None

    def _session(self, request: HttpRequest) -> Session:
        if self._name == "okx":
            return OkxSession(self._playback.acknowledgements if self._playback else None)
        limits = self.limits
        query = urlsplit(request.target).query
        return BinanceSession(request.path, query, streams_max=limits.streams_max, nested_errors=limits.nested_errors)

    def _subscription_refusal(self, topic: str) -> tuple[int, str] | None:
        fault = self.faults.subscription_refusal(topic, time.monotonic())
        if fault is None:
            return None
        self.ledger.fault(None, fault.kind, time.time_ns())
        return fault.code, fault.reason

    def upgraded(self, peer: Peer, request: HttpRequest) -> None:
        """A handshake was accepted."""
        now_s = time.monotonic()
        peer.number = self.ledger.opened(request.target, time.time_ns()).number
        peer.session = self._session(request)
        peer.session.refuse = self._subscription_refusal
        peer.opened_s = now_s
        peer.ping_due_s = now_s + self.limits.ping_interval_s
        self._peers[peer.number] = peer
        self._subscribed[peer.number] = frozenset()
        self.faults.opened(peer.number, now_s)
        if self._playback is not None and self._desk is not None:
            player = Player(peer, self._playback, self._playback_options, self._desk)
            self._players[peer.number] = player
            peer.spawn(player.run())
        self._subscriptions_changed(peer)

    def message(self, peer: Peer, data: bytes) -> None:
        """The client sent a text."""
        if peer.session is not None:
            peer.reply(peer.session.on_message(data))
            self._subscriptions_changed(peer)

    def _subscriptions_changed(self, peer: Peer) -> None:
        assert peer.session is not None
        if not peer.is_open:
            return
        topics = frozenset(peer.session.topics)
        if topics != self._subscribed.get(peer.number):
            self._index(peer, topics)
            if peer.number in self._players:
                self._players[peer.number].subscribed()

    def _index(self, peer: Peer, topics: frozenset[str]) -> None:
        before = self._subscribed[peer.number]
        for topic in before - topics:
            left = [other for other in self._listeners[topic] if other is not peer]
            if left:
                self._listeners[topic] = left
            else:
                del self._listeners[topic]
        for topic in topics - before:
            self._listeners[topic] = [*self._listeners.get(topic, ()), peer]
        self._subscribed[peer.number] = topics
        if self._listeners:
            self._listening.set()
        else:
            self._listening.clear()

    # REST

    async def answer(self, request: HttpRequest) -> Answer:
        """The answer to one HTTP request, faults included."""
        if request.path.startswith("/sim/"):
            return self._admin(request)
        if request.method != "GET":
            return error(405, -1100, "Method not allowed")
        fault = self.faults.rest_fault(request.path, time.monotonic())
        if fault is not None:
            self.ledger.fault(None, fault.kind, time.time_ns())
            if fault.kind == "rest_refuse":
                return error(fault.status, -1003, "Too many requests", fault.retry_after_s)
            if fault.kind in ENDLESS:
                return Answer(200, b"", endless=ENDLESS[fault.kind], pause_s=1.0 / fault.bytes_per_s)
            if fault.kind == "rest_body":
                return Answer(200, fault.body.encode())
            await asyncio.sleep(_REST_STALL_S if fault.duration_s is None else fault.duration_s)
        found = await self._recorded(request) if self._playback else self._from_market(request)
        return self._weighed(found)

    def _from_market(self, request: HttpRequest) -> Answer:
        assert self.market is not None
        return answer(self.market, request.path, request.query, _now_ms())

    async def _recorded(self, request: HttpRequest) -> Answer:
        assert self._playback is not None
        assert self._desk is not None
        last = request.path.rsplit("/", 1)[-1]
        if last == "depth":
            return await self._desk.answer(request.query.get("symbol", ""))
        if last in ("exchangeInfo", "instruments"):
            return self._playback.instrument_answer(request.query)
        if last == "history-trades" and self._playback.past is not None:
            return self._playback.past.answer(request.query)
        if last == "ping":
            return Answer(200, b"{}")
        if last == "time":
            return Answer(200, b'{"serverTime":%d}' % _now_ms())
        return error(404, -1100, "not in the recording")

    def _weighed(self, found: Answer) -> Answer:
        """Count the request's weight; refuse it where a budget is set and spent."""
        now_s = time.monotonic()
        if int(now_s // 60) != self._weight_minute:
            self._weight_minute, self.weight_used = int(now_s // 60), 0
        self.weight_used += found.weight
        budget = self.limits.weight_per_minute
        if budget is not None and self.weight_used > budget:
            return error(429, -1003, "Too much request weight used", 60.0 - now_s % 60.0)
        headers = {**found.headers, "X-MBX-USED-WEIGHT-1M": str(self.weight_used)}
        return Answer(found.status, found.body, found.weight, headers)

    def _admin(self, request: HttpRequest) -> Answer:
        """Control of the simulator itself; only the loopback address can reach it."""
        if request.path == "/sim/fault" and request.method == "POST":
            try:
                decoded = _faults_decoder.decode(request.body)
                wanted = decoded if isinstance(decoded, list) else [decoded]
                self.inject(*wanted)
            except (msgspec.DecodeError, ValueError) as problem:
                return Answer(400, msgspec.json.encode({"error": str(problem)}))
            return Answer(200, msgspec.json.encode({"armed": len(wanted)}))
        if request.path == "/sim/fault" and request.method == "DELETE":
            self.faults.clear()
            return Answer(200, b"{}")
        if request.path == "/sim/ledger" and request.method == "GET":
            return Answer(200, msgspec.json.encode(self.ledger.summary()))
        if request.path == "/sim/sent" and request.method == "GET":
            number = request.query.get("connection", "")
            stream = request.query.get("stream", "")
            if not number.isdigit():
                return Answer(400, b'{"error":"connection: a number"}')
            body = {
                "ids": self.ledger.sent(int(number), stream),
                "times_ns": self.ledger.sent_times_ns(int(number), stream),
            }
            return Answer(200, msgspec.json.encode(body))
        return Answer(404, b'{"error":"no such control"}')

    # the market

    async def _run_market(self, market: Market) -> None:
        market.wanted = self._listeners
        if self._rate_per_s > 0:
            await self._run_paced(market, self._rate_per_s)
        else:
            await self._run_flood(market)

    async def _run_paced(self, market: Market, rate_per_s: float) -> None:
        loop = asyncio.get_running_loop()
        start_s, done = loop.time(), 0
        while True:
            due = int((loop.time() - start_s) * rate_per_s) - done
            behind = due - int(max(rate_per_s * _BEHIND_S_MAX, 1.0))
            if behind > 0:
                self.left_out_total += behind
                done += behind
                due -= behind
            self._turn(market, min(due, _BATCH_ACTS))
            done += min(due, _BATCH_ACTS)
            if due > _BATCH_ACTS:
                await asyncio.sleep(0)
                continue
            clock_s = (market.next_due_ms - _now_ms()) / 1000.0
            await asyncio.sleep(max(0.0, min(start_s + (done + 1) / rate_per_s - loop.time(), clock_s)))

    async def _run_flood(self, market: Market) -> None:
        while True:
            await self._listening.wait()
            for peer in list(self._peers.values()):
                if peer.blocked and not await peer.free(_TAKEN_S):
                    self.ledger.slow_clients_total += 1
                    peer.abort("too slow")
            self._turn(market, _BATCH_ACTS)
            await asyncio.sleep(0)

    def _turn(self, market: Market, acts: int) -> None:
        """`acts` orders and what the clock brings, published together."""
        now_ms = _now_ms()
        batch = market.advance(now_ms)
        for _ in range(acts):
            batch += market.act(now_ms)
        if batch:
            self._publish(batch)

    def _publish(self, batch: list[Message]) -> None:
        """Give each message to whoever subscribed it, and every message to the ledger."""
        now_ns = time.time_ns()
        peers = self._peers.values()
        for peer in peers:
            peer.ready()
        made, listeners = self.ledger.made, self._listeners
        for message in batch:
            stream, last_id = message.stream, message.last_id
            heard = listeners.get(stream)
            made(stream, message.first_id, last_id, now_ns, heard=heard is not None)
            if heard is None:
                continue
            payload = message.payload
            combined = bare = b""
            for peer in heard:
                session = peer.session
                assert isinstance(session, BinanceSession)
                if peer.compressed:
                    frame = peer.frame_of(session.envelope(stream, payload))
                elif session.combined:
                    frame = combined = combined or frames.frame(frames.combine(stream, payload))
                else:
                    frame = bare = bare or frames.frame(payload)
                peer.sample = (stream, payload)
                peer.deliver(stream, last_id, frame, now_ns)
        for peer in list(peers):
            peer.flush()

    # keeping house

    async def _keep_house(self) -> None:
        """Pings, lifetimes, timed faults, the ledger's file."""
        limits = self.limits
        shortest_s = min(limits.ping_interval_s, limits.pong_timeout_s, limits.lifetime_s) / 10.0
        idle_s = min(_IDLE_TICK_S, max(_BUSY_TICK_S, shortest_s))
        flush_s = time.monotonic() + _FLUSH_S
        while True:
            await asyncio.sleep(_BUSY_TICK_S if self.faults.armed() else idle_s)
            now_s = time.monotonic()
            for peer in list(self._peers.values()):
                self._look_after(peer, now_s)
            if now_s >= flush_s:
                self.ledger.flush()
                flush_s = now_s + _FLUSH_S

    def _look_after(self, peer: Peer, now_s: float) -> None:
        limits = self.limits
        peer.run_deeds(now_s)
        if not peer.is_open:
            return
        if peer.pong_due_s is not None and now_s >= peer.pong_due_s:
            peer.close(1008, "Pong timeout")
            return
        if now_s >= peer.ping_due_s:
            peer.ping(str(_now_ms()).encode())
            peer.ping_due_s = now_s + limits.ping_interval_s
            if peer.pong_due_s is None:
                peer.pong_due_s = now_s + limits.pong_timeout_s
        age_s = now_s - peer.opened_s
        if age_s >= limits.lifetime_s - limits.shutdown_notice_s and not peer.notified:
            self.announce_shutdown(peer)
        if age_s >= limits.lifetime_s:
            peer.close(1001, "lifetime of the connection reached")

    def announce_shutdown(self, peer: Peer) -> None:
        """Tell the client that its connection will be closed, as this exchange does."""
        peer.notified = True
        if isinstance(peer.session, BinanceSession):
            notice = messages.server_shutdown(_now_ms())
            peer.send_text(peer.session.envelope("!serverShutdown", notice).decode())
        elif peer.session is not None:
            peer.send_text(_OKX_NOTICE)


_OKX_NOTICE = (
    '{"event":"notice","code":"64008","msg":"The connection will soon be closed for a service upgrade. '
    'Please reconnect.","connId":"a4d3ae55"}'
)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
