"""Decodes batches, and keeps what is readable of a malformed one: one invalid number costs one event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from foxtrot_protocol import compiled
from foxtrot_protocol.child import ChildLog
from foxtrot_protocol.codec import Numbers, batch_decoder, read_header
from foxtrot_protocol.errors import MalformedMessage, VersionMismatch
from foxtrot_protocol.events import EVENT_TYPES, Gap
from foxtrot_protocol.framing import Batch

__all__ = ["BatchReader"]

_compiled = compiled.load("foxtrot_supervisor.engine.delivery._batches")

_stamp = msgspec.structs.force_setattr


class BatchReader:
    """Decodes batches with the configured type of numbers, and with numbers as text."""

    def __init__(self, numbers: Numbers, log: ChildLog) -> None:
        self._decoder = batch_decoder(numbers)
        self._decode_compiled = None if _compiled is None else _compiled.Decoder(numbers).decode
        self._text_decoder = batch_decoder("text")
        self._log = log
        self.malformed_total = 0
        """Batches that were malformed, of another version, or refused."""

    def as_text(self, data: bytes) -> Batch[str]:
        """Return a well-formed batch with its numbers as they came."""
        return self._text_decoder.decode(data)

    def decode(self, data: bytes) -> tuple[Batch[Any], Sequence[Gap]] | None:
        """Return a batch and the gaps in it that stand for unreadable events; None, counted, if none is readable.

        Its events are stamped with its `publish_ns`.
        """
        if self._decode_compiled is not None:
            batch = self._decode_compiled(data)
            if batch is not None:
                return batch, ()
        try:
            return _stamped(self._decoder.decode(data)), ()
        except VersionMismatch as error:
            self.malformed_total += 1
            self._log.error("batch_of_other_version", reason=str(error))
            return None
        except MalformedMessage as error:
            return self._salvage(data, error)

    def _salvage(self, data: bytes, error: MalformedMessage) -> tuple[Batch[Any], Sequence[Gap]] | None:
        """Keep the valid events of a batch; a gap takes the place of each invalid one."""
        self.malformed_total += 1
        try:
            text_batch = self._text_decoder.decode(data)
        except (MalformedMessage, VersionMismatch):
            worker, incarnation = _sender_of(data)
            self._log.error("batch_malformed", worker=worker, incarnation=incarnation, reason=str(error))
            return None
        events: list[Any] = []
        made: list[Gap] = []
        for event in text_batch.events:
            single = msgspec.structs.replace(text_batch, events=[event], streams=None, order=None)
            try:
                events.extend(self._decoder.decode(msgspec.msgpack.encode(single)).events)
            except MalformedMessage as reason:
                made.append(_gap_for(event, text_batch.worker))
                events.append(made[-1])
                self._log.error(
                    "event_rejected",
                    worker=text_batch.worker,
                    incarnation=text_batch.incarnation,
                    reason=str(reason),
                    sample=str(event),
                )
        batch = msgspec.structs.replace(text_batch, events=events, streams=None, order=None)
        return _stamped(batch), made


def _stamped(batch: Batch[Any]) -> Batch[Any]:
    """Say in each event when its batch was sent; on the wire only the batch says that."""
    publish_ns = batch.publish_ns
    for event in batch.events:
        _stamp(event, "publish_ns", publish_ns)
    return batch


def _gap_for(event: Any, worker: str) -> Gap:
    """Return the gap that stands for an event with an invalid number."""
    identifier = getattr(event, "trade_id", None)
    first, last = getattr(event, "first_id", identifier), getattr(event, "last_id", identifier)
    at = event.receive_ns
    cause = f"an event of {worker} has a value that is not a number"
    return Gap(event.exchange, event.symbol, 0, at, EVENT_TYPES[type(event)], first, last, at, at, cause)


def _sender_of(data: bytes) -> tuple[str, int]:
    """Return worker and incarnation as the batch says; "unknown" and 0 if it does not even say that."""
    try:
        header = read_header(data)
    except MalformedMessage:
        return "unknown", 0
    return header.worker, header.incarnation
