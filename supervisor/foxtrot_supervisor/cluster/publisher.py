"""Publishes parcels to JetStream without waiting for each acknowledgement, and sends again what gets none."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from foxtrot_protocol.child import ChildLog
from foxtrot_supervisor.cluster.nats_client import NATS_ERRORS, Client, Msg
from foxtrot_supervisor.cluster.outflow import Outflow, Sent

__all__ = ["HEADER_BYTES_MAX", "Publisher"]

HEADER_BYTES_MAX = 1024
"""Bytes of a message beside its payload, at most."""

REFUSALS_LOGGED_S = 5.0
"""Interval at which refusals are logged."""


class _Error(Struct):
    description: str = ""
    err_code: int = 0


class _Answer(Struct):
    """Acknowledgement of a publication (``io.nats.jetstream.api.v1.pub_ack_response``)."""

    error: _Error | None = None
    seq: int = 0
    duplicate: bool = False


_decode = msgspec.json.Decoder(_Answer).decode


class Publisher:
    """One connection's publications into one stream.

    Args:
        complete: gets each parcel that JetStream has, in order for each ring.
        log: gets refusals.
    """

    def __init__(self, complete: Callable[[Sent], None], log: ChildLog) -> None:
        self._complete = complete
        self._log = log
        self._client: Client | None = None
        self._inbox = ""
        self._reconnects = 0
        self._logged_at = float("-inf")
        self.outflow = Outflow()
        self.duplicates_total = 0
        """Parcels that JetStream had already."""
        self.refused_total = 0
        """Refusals."""
        self.problem = ""
        """Why the last refusal came; "" after an acknowledgement."""
        self.room = asyncio.Event()
        """Set with each acknowledgement."""

    @property
    def payload_max(self) -> int:
        """Largest payload of one message, in bytes."""
        assert self._client is not None
        return int(self._client.max_payload) - HEADER_BYTES_MAX

    @property
    def connected(self) -> bool:
        """Whether messages can be sent now."""
        return self._client is not None and bool(self._client.is_connected)

    @property
    def has_room(self) -> bool:
        """Whether something new may be sent now."""
        return self.connected and self.outflow.has_room

    async def use(self, client: Client) -> None:
        """Publish over `client` from now on."""
        self._inbox = client.new_inbox()
        await client.subscribe(f"{self._inbox}.*", cb=self._answered)
        self._client = client

    async def send(self, sent: Sent) -> None:
        """Send a parcel; what cannot be sent now is sent again later."""
        client = self._client
        if client is None or not client.is_connected:
            return
        headers = {"Nats-Msg-Id": sent.message_id}
        try:
            await client.publish(sent.subject, sent.payload, reply=f"{self._inbox}.{sent.number}", headers=headers)
        except NATS_ERRORS:
            self.outflow.refused(sent.number, time.monotonic())

    async def look(self) -> None:
        """Send again what is due; to be called at intervals."""
        client, now = self._client, time.monotonic()
        if client is None or not client.is_connected:
            return
        reconnects = int(client.stats["reconnects"])
        if reconnects != self._reconnects:
            self._reconnects = reconnects
            self.outflow.disconnected(now)
        for sent in self.outflow.due(now):
            await self.send(sent)

    async def _answered(self, message: Msg) -> None:
        number = int(message.subject.rpartition(".")[2])
        reason = _refusal(message)
        if isinstance(reason, str):
            now = time.monotonic()
            self.refused_total += 1
            self.problem = reason
            self.outflow.refused(number, now)
            if now - self._logged_at >= REFUSALS_LOGGED_S:
                self._logged_at = now
                self._log.warning("publication_refused", reason=reason, refused_total=self.refused_total)
            return
        self.problem = ""
        self.duplicates_total += reason.duplicate
        for sent in self.outflow.acknowledged(number):
            self._complete(sent)
        self.room.set()


def _refusal(message: Any) -> str | _Answer:
    """Return the acknowledgement, or why there is none."""
    if not message.data:
        status = (message.headers or {}).get("Status", "")
        return "no server has the stream" if status == "503" else f"status {status}"
    try:
        answer = _decode(message.data)
    except (ValueError, RecursionError) as error:
        return f"not an acknowledgement: {error}"
    return answer if answer.error is None else answer.error.description
