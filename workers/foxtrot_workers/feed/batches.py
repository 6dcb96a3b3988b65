"""A batch on its way to the ring: a list of events, or what the compiled form has built of them already."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import msgspec

from foxtrot_protocol.codec import BatchEncoder
from foxtrot_protocol.errors import MessageTooLarge
from foxtrot_protocol.events import MarketEvent
from foxtrot_protocol.framing import PROTOCOL_VERSION

if TYPE_CHECKING:
    from foxtrot_workers.templates._matcher import BuiltBatch

__all__ = ["Batch", "EitherEncoder", "events_of"]

Batch: TypeAlias = "list[MarketEvent[str]] | BuiltBatch"

_decode = msgspec.msgpack.Decoder(list[MarketEvent[str]]).decode


def events_of(batch: Batch) -> list[MarketEvent[str]]:
    """Return the events of a batch."""
    return batch if isinstance(batch, list) else _decode(batch.events_bytes)


class EitherEncoder:
    """Encodes batches of both kinds of one incarnation of a worker."""

    def __init__(self, worker: str, incarnation: int, bytes_max: int) -> None:
        """`bytes_max`: largest message."""
        self._encoder = BatchEncoder(worker, incarnation, bytes_max)
        self._bytes_max = bytes_max
        self._source = msgspec.msgpack.encode((PROTOCOL_VERSION, worker, incarnation))[1:]

    def encode(self, sequence: int, publish_ns: int, batch: Batch) -> bytes:
        """Return one batch as bytes; raises `MessageTooLarge`."""
        if isinstance(batch, list):
            return self._encoder.encode(sequence, publish_ns, batch)
        data = batch.encode(self._source, sequence, publish_ns)
        if len(data) > self._bytes_max:
            raise MessageTooLarge(len(data), self._bytes_max)
        return data
