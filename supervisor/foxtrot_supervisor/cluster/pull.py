"""Reads a stream in order from a given sequence on, by a durable pull consumer of its own.

Messages are requested ahead, so that one is always on its way, up to a bound. The consumer numbers what it delivers: a
hole in its numbers, or a message that is delivered again, means that messages were lost with a connection or a server.
Then the consumer is made again behind the last message that was read.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from foxtrot_protocol.child import ChildLog
from foxtrot_supervisor.cluster.nats_client import NATS_ERRORS, Client, Msg, Subscription, api, errors

__all__ = ["IDLE_S", "REQUEST_COUNT", "OrderedPull"]

REQUEST_COUNT = 256
"""Messages requested at once; requested again when half of them have come."""

REQUEST_S = 30.0
"""How long a request stays open at the server."""

HEARTBEAT_S = 1.0
"""Interval at which the server shows that an open request is alive."""

IDLE_S = 3.5
"""Silence after which the consumer is made again."""

INACTIVE_S = 3600.0
"""A consumer that nobody uses is removed by the server after this time; the position is not kept in it."""

RETRY_S = 0.5
"""Interval of attempts to make the consumer."""

_NANOSECONDS = 1_000_000_000


class _Position(Struct):
    delivered: int
    stream_sequence: int
    consumer_sequence: int


class OrderedPull:
    """One reader of one stream, on the event loop.

    Args:
        stream: name of the stream.
        consumer: name of the consumer, which is this reader's own.
        subject: subjects that are read.
        take: gets stream sequence and payload of each message, in order.
        paused: whether nothing more is to be requested now.
        log: gets ``consumer_made``.
    """

    def __init__(
        self,
        client: Client,
        stream: str,
        consumer: str,
        subject: str,
        take: Callable[[int, bytes], None],
        paused: Callable[[], bool],
        log: ChildLog,
    ) -> None:
        self._client = client
        self._js: Any = client.jetstream()
        self._stream = stream
        self._consumer = consumer
        self._subject = subject
        self._take = take
        self._paused = paused
        self._log = log
        self._inbox = ""
        self._subscription: Subscription | None = None
        self._round = 0
        self._expected = 1
        self._requested = 0
        self._heard_at = 0.0
        self._broken = ""
        self._acks: dict[int, str] = {}
        self._wake = asyncio.Event()
        self.last = 0
        """Stream sequence of the last message that was taken."""
        self.made_total = 0
        """Times the consumer was made."""
        self.pending = 0
        """Messages of the stream that have not been delivered."""

    async def run(self, start: int) -> None:
        """Read from stream sequence `start` on until cancelled."""
        self.last = start - 1
        try:
            while True:
                try:
                    await self._make()
                    await self._read()
                except NATS_ERRORS as error:
                    self._broken = f"{type(error).__name__}: {error}"
                    await asyncio.sleep(RETRY_S)
        finally:
            await self._unsubscribe()

    def resume(self) -> None:
        """Request more: `paused` may have changed."""
        self._wake.set()

    async def acknowledge(self, position: int) -> None:
        """Acknowledge everything up to a stream sequence, for those who watch the consumer."""
        reply = ""
        for sequence in list(self._acks):
            if sequence > position:
                break
            reply = self._acks.pop(sequence)
        if reply and self._client.is_connected:
            with contextlib.suppress(*NATS_ERRORS):
                await self._client.publish(reply, b"+ACK")

    async def remove(self) -> None:
        """Remove the consumer from the server."""
        await self._unsubscribe()
        with contextlib.suppress(*NATS_ERRORS):
            await self._js.delete_consumer(self._stream, self._consumer)

    async def _make(self) -> None:
        """Make the consumer behind the last message that was taken."""
        await self._unsubscribe()
        with contextlib.suppress(errors.NotFoundError):
            await self._js.delete_consumer(self._stream, self._consumer)
        await self._js.add_consumer(
            self._stream,
            api.ConsumerConfig(
                durable_name=self._consumer,
                deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE,
                opt_start_seq=self.last + 1,
                ack_policy=api.AckPolicy.ALL,
                ack_wait=INACTIVE_S,
                max_ack_pending=-1,
                filter_subject=self._subject,
                inactive_threshold=INACTIVE_S,
            ),
        )
        self.made_total += 1
        self._round += 1
        self._expected = 1
        self._requested = 0
        self._broken = ""
        self._acks.clear()
        self._inbox = self._client.new_inbox()
        self._subscription = await self._client.subscribe(
            self._inbox, cb=self._on_message, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        self._log.info("consumer_made", consumer=self._consumer, position=self.last, made_total=self.made_total)

    async def _read(self) -> None:
        """Request messages until the consumer has to be made again."""
        self._heard_at = time.monotonic()
        reconnects = self._client.stats["reconnects"]
        while not self._broken:
            if self._requested <= REQUEST_COUNT // 2 and not self._paused():
                await self._request()
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_S):
                    await self._wake.wait()
            silent = time.monotonic() - self._heard_at
            if self._client.stats["reconnects"] != reconnects:
                self._broken = "connected again"
            elif self._requested and silent > IDLE_S:
                self._broken = f"nothing was heard for {silent:.1f} s"

    async def _request(self) -> None:
        count = REQUEST_COUNT - self._requested
        request = {
            "batch": count,
            "expires": int(REQUEST_S * _NANOSECONDS),
            "idle_heartbeat": int(HEARTBEAT_S * _NANOSECONDS),
        }
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._consumer}"
        if not self._requested:
            self._heard_at = time.monotonic()
        self._requested += count
        await self._client.publish(subject, msgspec.json.encode(request), reply=self._inbox)

    async def _on_message(self, message: Msg) -> None:
        if message.subject == self._inbox and not message.reply:
            self._on_status(message)
            return
        place = _position_of(message.reply)
        if place is None or self._broken:
            return
        self._heard_at = time.monotonic()
        position, self.pending = place
        if position.delivered != 1 or position.consumer_sequence != self._expected:
            self._broken = f"message {position.consumer_sequence} came in place of {self._expected}"
            self._wake.set()
            return
        self._expected += 1
        self._requested -= 1
        self.last = position.stream_sequence
        self._acks[position.stream_sequence] = message.reply
        self._take(position.stream_sequence, message.data)
        if self._requested <= REQUEST_COUNT // 2:
            self._wake.set()

    def _on_status(self, message: Msg) -> None:
        headers = message.headers or {}
        status = headers.get("Status", "")
        self._heard_at = time.monotonic()
        if status == "100":
            return
        if status in ("408", "404"):  # the request has ended
            self._requested = max(0, self._requested - int(headers.get("Nats-Pending-Messages", self._requested)))
        else:
            self._broken = f"status {status} {headers.get('Description', '')}".strip()
        self._wake.set()

    async def _unsubscribe(self) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            with contextlib.suppress(*NATS_ERRORS):
                await subscription.unsubscribe()


def _position_of(reply: str) -> tuple[_Position, int] | None:
    """Return where a message stands, from its reply subject, and how many follow; None for anything else."""
    tokens = reply.split(".")
    if len(tokens) == 9 and tokens[:2] == ["$JS", "ACK"]:
        figures = tokens[4:]
    elif len(tokens) >= 11 and tokens[:2] == ["$JS", "ACK"]:  # with domain and account
        figures = tokens[6:]
    else:
        return None
    try:
        return _Position(int(figures[0]), int(figures[1]), int(figures[2])), int(figures[4])
    except ValueError:
        return None
