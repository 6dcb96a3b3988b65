"""The engine's end of the data plane: batches in, checked by sequence, stamped, dispatched, counted.

Runs on the EventEngine's dispatch thread. What it cannot read it counts and, as far as it can be read,
still delivers: one malformed number costs one event, not its batch.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec
import zmq

from foxtrot_protocol import endpoints
from foxtrot_protocol.child import ChildLog
from foxtrot_protocol.codec import BATCH_BYTES_MAX, Numbers, batch_decoder, read_header
from foxtrot_protocol.commands import SourceCounters
from foxtrot_protocol.errors import MalformedMessage, VersionMismatch
from foxtrot_protocol.events import EVENT_GAP, EVENT_TYPES, Gap
from foxtrot_protocol.framing import Batch
from foxtrot_protocol.sequence import SequenceTracker, Verdict
from foxtrot_supervisor.event_engine import Event, EventEngine
from foxtrot_supervisor.latency import LatencyHistogram

__all__ = ["BATCHES_PER_TURN", "WORKERS_MAX", "EventReceiver"]

BATCHES_PER_TURN = 64
"""Batches handled before the queue and the timer are looked at again."""

WORKERS_MAX = 10_000
"""Different worker names that are accounted for; more cannot come from one supervisor."""

_stamp = msgspec.structs.force_setattr


class _Account:
    """What was received from one worker, over all its incarnations."""

    def __init__(self) -> None:
        self.applied_total = 0
        self.late_total = 0
        self.gaps_total = 0
        self.lost_batches_total = 0
        self.rejected_total = 0
        self.latency = LatencyHistogram()


class EventReceiver:
    """A source for the EventEngine (`event_engine.EventSource`): the PULL socket that workers push to."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        endpoint: str,
        numbers: Numbers,
        engine: EventEngine,
        log: ChildLog,
        on_batch: Callable[[bytes], None],
    ) -> None:
        """`on_batch` gets the bytes of each batch that is applied (the tap of live events)."""
        self._engine = engine
        self._numbers: Numbers = numbers
        self._decoder = batch_decoder(numbers)
        self._text_decoder = batch_decoder("text")
        self._tracker = SequenceTracker()
        self._accounts: dict[str, _Account] = {}
        self._log = log
        self._on_batch = on_batch
        self.events_total = 0
        self.malformed_total = 0
        self.last_event: Any = None
        self._socket = context.socket(zmq.PULL)
        self._socket.setsockopt(zmq.RCVHWM, endpoints.DATA_RECEIVE_HWM)
        self._socket.setsockopt(zmq.MAXMSGSIZE, BATCH_BYTES_MAX)
        self._socket.setsockopt(zmq.HANDSHAKE_IVL, endpoints.DATA_HANDSHAKE_MS)
        self._socket.setsockopt(zmq.ZAP_DOMAIN, endpoints.ZAP_DOMAIN)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.bind(endpoint)
        self._fd = int(self._socket.getsockopt(zmq.FD))

    def fileno(self) -> int:
        return self._fd

    def pump(self) -> bool:
        receive = self._socket.recv
        try:
            for _ in range(BATCHES_PER_TURN):
                self._receive(receive(zmq.NOBLOCK))
        except zmq.Again:
            return False
        return True

    def fence(self, worker: str, incarnation: int) -> None:
        """Batches of `incarnation` and older are late from now on."""
        self._tracker.fence(worker, incarnation)

    def accounts(self, now: float) -> dict[str, SourceCounters]:
        """The account of each worker, for the heartbeat; `now` in monotonic seconds."""
        counters = {}
        for worker, account in list(self._accounts.items()):
            account.latency.rotate(now)
            counters[worker] = SourceCounters(
                applied_total=account.applied_total,
                deduplicated_total=account.late_total,
                gaps_total=account.gaps_total,
                lost_total=account.lost_batches_total + account.rejected_total,
                latency_p50_us=account.latency.percentile_us(0.5),
                latency_p99_us=account.latency.percentile_us(0.99),
            )
        return counters

    def close(self) -> None:
        """Close the socket; only after the dispatch thread has ended."""
        self._socket.close(linger=0)

    def _receive(self, data: bytes) -> None:
        try:
            batch = self._decoder.decode(data)
        except VersionMismatch as error:
            self.malformed_total += 1
            self._log.error("batch_of_other_version", reason=str(error))
            return
        except MalformedMessage as error:
            salvaged = self._salvage(data, error)
            if salvaged is None:
                return
            batch = salvaged
        account = self._account(batch.worker)
        if account is None:
            self.malformed_total += 1
            return
        seen = self._tracker.observe(batch.worker, batch.incarnation, batch.sequence)
        if seen.verdict is Verdict.STALE or seen.verdict is Verdict.DUPLICATE:
            account.late_total += len(batch.events)
            return
        if seen.missing_last:
            self._announce_lost(batch, account, seen.missing_first, seen.missing_last)
        self._apply(batch, account)
        self._on_batch(data)

    def _apply(self, batch: Batch[Any], account: _Account) -> None:
        started_ns = time.time_ns()
        publish_ns = batch.publish_ns
        events = batch.events
        for event in events:
            _stamp(event, "publish_ns", publish_ns)
        self._engine.dispatch_batch(events)
        if not events:
            return
        ended_ns = time.time_ns()
        count = len(events)
        account.applied_total += count
        self.events_total += count
        self.last_event = events[-1]
        account.latency.record(started_ns - events[-1].receive_ns, count)
        self._engine.dispatch_latency.record((ended_ns - started_ns) // count, count)
        for event in events:
            if event.__class__ is Gap:
                account.gaps_total += 1

    def _account(self, worker: str) -> _Account | None:
        account = self._accounts.get(worker)
        if account is None and len(self._accounts) < WORKERS_MAX:
            account = self._accounts[worker] = _Account()
        return account

    def _announce_lost(self, batch: Batch[Any], account: _Account, first: int, last: int) -> None:
        """Batches are missing on the wire: say so, with what is known of them."""
        account.gaps_total += 1
        account.lost_batches_total += last - first + 1
        sample = batch.events[0] if batch.events else None
        gap = Gap(
            exchange=sample.exchange if sample else "",
            symbol=sample.symbol if sample else "",
            exchange_ns=0,
            receive_ns=time.time_ns(),
            stream="",
            first_id=None,
            last_id=None,
            start_ns=0,
            end_ns=batch.publish_ns,
            cause=f"batches {first} to {last} of {batch.worker}#{batch.incarnation} did not arrive",
        )
        self._log.error("batches_lost", source=batch.worker, first=first, last=last)
        self._engine.dispatch(Event(EVENT_GAP, gap))

    def _salvage(self, data: bytes, error: MalformedMessage) -> Batch[Any] | None:
        """A batch with a number that is none: keep its other events."""
        self.malformed_total += 1
        try:
            text_batch = self._text_decoder.decode(data)
        except (MalformedMessage, VersionMismatch):
            source = _sender_of(data)
            self._log.error("batch_malformed", reason=str(error), source=source)
            return None
        good = []
        account = self._account(text_batch.worker)
        for event in text_batch.events:
            single = msgspec.structs.replace(text_batch, events=[event])
            try:
                good.extend(self._decoder.decode(msgspec.msgpack.encode(single)).events)
            except MalformedMessage as reason:
                if account is not None:
                    account.rejected_total += 1
                kind = EVENT_TYPES[type(event)]
                self._log.error("event_rejected", source=text_batch.worker, type=kind, reason=str(reason), sample=event)
        return msgspec.structs.replace(text_batch, events=good)


def _sender_of(data: bytes) -> str:
    try:
        header = read_header(data)
    except MalformedMessage:
        return "unknown"
    return f"{header.worker}#{header.incarnation}"
