"""Sends rows to JetStream, many at once, and awaits the acknowledgement of each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from foxtrot_supervisor.sinks.nats.answers import Answer, parse_answer, refuses_stream
from foxtrot_supervisor.sinks.nats.subjects import message_id, subject_of
from foxtrot_supervisor.sinks.sink import RefusedRow, SinkMisconfigured, SinkRow, SinkUnavailable
from foxtrot_supervisor.sinks.stores.fields import json_of

if TYPE_CHECKING:
    from nats.aio.client import Client

__all__ = ["IN_FLIGHT_BYTES", "SUBJECT_BYTES_MAX", "Publisher"]

IN_FLIGHT_BYTES: Final = 8 * 1024 * 1024
"""Bytes of messages that are sent and not acknowledged; one message more may be."""


SUBJECT_BYTES_MAX: Final = 1024
"""A server ends connections whose subjects, with the reply subject, exceed its max_control_line (4096 bytes)."""

_HEADER_BYTES: Final = 64
"""Of the names in the headers, and what separates them."""


class Publisher:
    """Publishes over one connection. `stream`: the one that must take the messages."""

    def __init__(self, client: Client, stream: str, prefix: str, in_flight_rows: int, timeout_s: float) -> None:
        self._client = client
        self._stream = stream
        self._prefix = prefix
        self._in_flight_rows = in_flight_rows
        self._timeout_s = timeout_s
        self._inbox = client.new_inbox()
        self._waiting: dict[str, tuple[SinkRow, int]] = {}
        """Row and bytes of each message without an answer, by the last token of its reply subject."""
        self._bytes = 0
        self._changed = asyncio.Event()
        self._refused: list[RefusedRow] = []
        self._failure: SinkUnavailable | SinkMisconfigured | None = None
        self.duplicates = 0

    async def start(self) -> None:
        """Subscribe to the acknowledgements."""
        await self._client.subscribe(f"{self._inbox}.*", cb=self._on_answer)

    def fail(self, failure: SinkUnavailable | SinkMisconfigured) -> None:
        """Nothing further is acknowledged: the connection has ended, or the server refuses all."""
        self._failure = self._failure or failure
        self._changed.set()

    async def publish(self, rows: Sequence[SinkRow]) -> list[RefusedRow]:
        """Publish rows and wait until each has its answer; return those that are refused.

        Raises `SinkUnavailable` and `SinkMisconfigured`; then some of the rows may have been stored.
        """
        self._refused = []
        for row in rows:
            subject, identifier = subject_of(row, self._prefix), message_id(row)
            payload = self._payload(row, subject, identifier)
            if payload is None:
                continue
            while len(self._waiting) >= self._in_flight_rows or self._bytes >= IN_FLIGHT_BYTES:
                await self._progress()
            self._raise()
            token = str(row.number)
            self._waiting[token] = (row, len(payload))
            self._bytes += len(payload)
            await self._client.publish(
                subject,
                payload,
                reply=f"{self._inbox}.{token}",
                headers={"Nats-Msg-Id": identifier, "Nats-Expected-Stream": self._stream},
            )
        while self._waiting:
            await self._progress()
        self._raise()
        return self._refused

    def _payload(self, row: SinkRow, subject: str, identifier: str) -> bytes | None:
        """Content of the row's message; None, and the row is refused, if no server would take it."""
        try:
            payload = json_of(row)
        except (UnicodeEncodeError, OverflowError) as error:
            self._refused.append((row, f"cannot be encoded: {error}"))
            return None
        size, most = len(payload) + len(identifier) + len(self._stream) + _HEADER_BYTES, self._client.max_payload
        if len(subject) > SUBJECT_BYTES_MAX:
            self._refused.append((row, f"its subject has {len(subject)} bytes, more than {SUBJECT_BYTES_MAX}"))
        elif size > most:
            self._refused.append((row, f"has {size} bytes, more than max_payload of the server ({most})"))
        else:
            return payload
        return None

    async def _progress(self) -> None:
        """Wait for the next answer."""
        self._raise()
        self._changed.clear()
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._changed.wait()
        except TimeoutError:
            raise SinkUnavailable(f"no acknowledgement within {self._timeout_s:g} s") from None
        self._raise()

    def _raise(self) -> None:
        if self._failure is not None:
            raise self._failure

    async def _on_answer(self, message: Any) -> None:
        found = self._waiting.pop(message.subject.rpartition(".")[2], None)
        if found is None:
            return
        row, size = found
        self._bytes -= size
        headers = message.headers
        self._judge(row, parse_answer(message.data, headers.get("Status") if headers else None))
        self._changed.set()

    def _judge(self, row: SinkRow, answer: Answer) -> None:
        error = answer.error
        if error is None:
            self.duplicates += answer.duplicate
        elif error.refuses_row:
            self._refused.append((row, error.description))
        elif refuses_stream(error):
            self._failure = SinkMisconfigured(error.description)
        else:
            self._failure = self._failure or SinkUnavailable(error.description or f"JetStream error {error.err_code}")
