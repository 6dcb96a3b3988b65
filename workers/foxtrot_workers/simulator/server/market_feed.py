"""The seeded market, run in real time and published to its subscribers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from foxtrot_workers.simulator.market.market import Market
from foxtrot_workers.simulator.market.publisher import Message
from foxtrot_workers.simulator.server.ledger import Ledger
from foxtrot_workers.simulator.server.peer import Peer
from foxtrot_workers.simulator.server.subscriptions import Subscriptions
from foxtrot_workers.simulator.wire import frames

__all__ = ["MarketFeed"]

BATCH_ACTS = 128
"""Orders between two turns of the event loop: a few milliseconds of work."""

BEHIND_S_MAX = 1.0
"""Orders further behind schedule than this (machine suspended, rate too high) are left out."""

BLOCKED_S_MAX = 10.0
"""Without a rate, a client that takes nothing for this long is cut off: otherwise it would stop the market."""


class MarketFeed:
    """Runs a market at a rate, and sends what it makes.

    Args:
        rate_per_s: orders a second over all symbols; 0: as fast as every client takes it.
        peers: open connections, by number.
        ahead_ms: milliseconds by which the exchange's clock is ahead of this machine's.
    """

    def __init__(
        self,
        market: Market,
        rate_per_s: float,
        peers: Mapping[int, Peer],
        subscriptions: Subscriptions,
        ledger: Ledger,
        ahead_ms: int = 0,
    ) -> None:
        self._market = market
        self._rate_per_s = rate_per_s
        self._peers = peers
        self._subscriptions = subscriptions
        self._ledger = ledger
        self._ahead_ms = ahead_ms
        self.left_out_total = 0
        """Orders never made because the rate could not be kept."""

    async def run(self) -> None:
        """Run the market until cancelled."""
        self._market.publisher.wanted = self._subscriptions.peers
        if self._rate_per_s > 0:
            await self._run_paced()
        else:
            await self._run_unpaced()

    async def _run_paced(self) -> None:
        loop, rate_per_s = asyncio.get_running_loop(), self._rate_per_s
        start_s, done = loop.time(), 0
        while True:
            due = int((loop.time() - start_s) * rate_per_s) - done
            behind = due - int(max(rate_per_s * BEHIND_S_MAX, 1.0))
            if behind > 0:
                self.left_out_total += behind
                done += behind
                due -= behind
            self._advance(min(due, BATCH_ACTS))
            done += min(due, BATCH_ACTS)
            if due > BATCH_ACTS:
                await asyncio.sleep(0)
                continue
            clock_s = (self._market.next_due_ms - self._now_ms()) / 1000.0
            await asyncio.sleep(max(0.0, min(start_s + (done + 1) / rate_per_s - loop.time(), clock_s)))

    async def _run_unpaced(self) -> None:
        while True:
            await self._subscriptions.any.wait()
            for peer in list(self._peers.values()):
                if peer.outlet.is_blocked and not await peer.outlet.wait_until_free(BLOCKED_S_MAX):
                    self._ledger.slow_clients_total += 1
                    peer.abort("too slow")
            self._advance(BATCH_ACTS)
            await asyncio.sleep(0)

    def _advance(self, acts: int) -> None:
        """Make `acts` orders and what the clock brings, and publish it together."""
        now_ms = self._now_ms()
        batch = self._market.advance(now_ms)
        for _ in range(acts):
            batch += self._market.act(now_ms)
        if batch:
            self._publish(batch)

    def _publish(self, batch: list[Message]) -> None:
        """Send each message to the subscribers of its stream, and note every message in the ledger."""
        now_ns = time.time_ns()
        peers = self._peers.values()
        for peer in peers:
            peer.begin_batch()
        made, subscribers = self._ledger.made, self._subscriptions.peers
        for message in batch:
            stream, last_id = message.stream, message.last_id
            receivers = subscribers.get(stream)
            made(stream, message.first_id, last_id, now_ns, heard=receivers is not None)
            if receivers is None:
                continue
            payload = message.payload
            framed: dict[str, bytes] = {}
            for peer in receivers:
                session = peer.session
                assert session is not None
                if peer.compressed:
                    frame = peer.frame_of(session.envelope(stream, payload))
                else:
                    known = framed.get(session.form)
                    if known is None:
                        known = framed[session.form] = frames.frame(session.envelope(stream, payload))
                    frame = known
                peer.sample = (stream, payload)
                peer.deliver(stream, last_id, frame, now_ns)
        for peer in list(peers):
            peer.flush()

    def _now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self._ahead_ms
