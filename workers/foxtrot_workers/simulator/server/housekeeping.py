"""What the simulated exchange does by the clock: pings, lifetimes, timed faults, writing the ledger."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from foxtrot_workers.simulator.server.faults import FaultScript
from foxtrot_workers.simulator.server.ledger import Ledger
from foxtrot_workers.simulator.server.peer import Peer
from foxtrot_workers.simulator.venues.options import ExchangeLimits

__all__ = ["keep_house"]

_IDLE_TICK_S = 0.25
_BUSY_TICK_S = 0.01
"""How often timed faults are checked while any is armed."""
_FLUSH_S = 1.0


async def keep_house(
    limits: ExchangeLimits, faults: FaultScript[Any], ledger: Ledger, peers: Mapping[int, Peer]
) -> None:
    """Look after `peers`, the open connections by number, until cancelled."""
    times_s = (limits.ping_interval_s, limits.pong_timeout_s, limits.lifetime_s, limits.idle_s)
    shortest_s = min(time_s for time_s in times_s if time_s is not None) / 10.0
    idle_s = min(_IDLE_TICK_S, max(_BUSY_TICK_S, shortest_s))
    flush_s = time.monotonic() + _FLUSH_S
    while True:
        await asyncio.sleep(_BUSY_TICK_S if faults.has_timed_faults() else idle_s)
        now_s = time.monotonic()
        for peer in list(peers.values()):
            _check(peer, limits, now_s)
        if now_s >= flush_s:
            ledger.flush()
            flush_s = now_s + _FLUSH_S


def _check(peer: Peer, limits: ExchangeLimits, now_s: float) -> None:
    peer.perform_due_faults(now_s)
    if not peer.is_open:
        return
    if peer.pong_due_s is not None and now_s >= peer.pong_due_s:
        peer.close(1008, "Pong timeout")
        return
    now_ns = time.time_ns()
    now_ms = now_ns // 1_000_000
    if peer.session is not None:
        sent_s, received_s = now_s - peer.sent_s, now_s - peer.received_s
        peer.reply(peer.session.idle(now_s - peer.opened_s, received_s, sent_s, now_ns))
    if limits.ping_interval_s is not None and now_s >= peer.ping_due_s:
        peer.ping(str(now_ms).encode())
        peer.ping_due_s = now_s + limits.ping_interval_s
        if peer.pong_due_s is None:
            peer.pong_due_s = now_s + limits.pong_timeout_s
    if limits.lifetime_s is None:
        return
    age_s = now_s - peer.opened_s
    if age_s >= limits.lifetime_s - limits.shutdown_notice_s and not peer.notified:
        peer.announce_shutdown(now_ms)
    if age_s >= limits.lifetime_s:
        peer.close(1001, "lifetime of the connection reached")
