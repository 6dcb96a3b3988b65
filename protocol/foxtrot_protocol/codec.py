"""msgpack bytes to typed messages and back: version, size limits, strict on input.

A consumer chooses its number type by the decoder it makes. Malformed input raises `MalformedMessage`,
another version `VersionMismatch`; nothing a peer sends can raise anything else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Generic, Literal, TypeAlias, TypeVar

import msgspec

from foxtrot_protocol.commands import FromChild, ToChild
from foxtrot_protocol.errors import MalformedMessage, MessageTooLarge, VersionMismatch
from foxtrot_protocol.events import MarketEvent
from foxtrot_protocol.framing import PROTOCOL_VERSION, VERSIONS_READ, Batch, BatchHeader
from foxtrot_protocol.stream_ranges import StreamRanges

__all__ = [
    "BATCH_BYTES_MAX",
    "CONTROL_BYTES_MAX",
    "BatchDecoder",
    "BatchEncoder",
    "Numbers",
    "batch_decoder",
    "decode_from_child",
    "decode_to_child",
    "encode_control",
    "read_header",
]

N = TypeVar("N")

Numbers: TypeAlias = Literal["float", "decimal", "text"]
"""Type of decoded prices and sizes: ``float``, ``decimal.Decimal``, or the exchange's own text."""

BATCH_BYTES_MAX = 4 * 1024 * 1024
"""Largest batch. A snapshot of 5,000 levels has about 300 KB."""

CONTROL_BYTES_MAX = 1024 * 1024
"""Largest control message."""


class BatchEncoder:
    """Encodes the batches of one incarnation of one worker; the caller counts sequences."""

    def __init__(
        self, worker: str, incarnation: int, bytes_max: int = BATCH_BYTES_MAX, rules: Mapping[str, str] | None = None
    ) -> None:
        """Make an encoder.

        Args:
            worker: name of the sender.
            incarnation: of the sender.
            bytes_max: largest batch, at most `BATCH_BYTES_MAX`.
            rules: identity rules by event type, to describe the streams of each batch; None: batches end with their
                events. In Python a description costs more than it saves the engine.
        """
        self._bytes_max = bytes_max
        self._worker = worker
        self._incarnation = incarnation
        self._ranges = None if rules is None else StreamRanges(rules)
        self._encode = msgspec.msgpack.Encoder().encode

    def encode(self, sequence: int, publish_ns: int, events: Sequence[MarketEvent[str]]) -> bytes:
        """Return one batch as bytes; raises `MessageTooLarge` over `bytes_max`."""
        batch = (PROTOCOL_VERSION, self._worker, self._incarnation, sequence, publish_ns, events)
        described = None if self._ranges is None else self._ranges.describe(events)
        data = self._encode(batch if described is None else (*batch, *described))
        if len(data) > self._bytes_max:
            raise MessageTooLarge(len(data), self._bytes_max)
        return data


class BatchDecoder(Generic[N]):
    """Decodes batches into one number type; make it with `batch_decoder`."""

    def __init__(self, decoder: msgspec.msgpack.Decoder[Batch[N]]) -> None:
        self._decode = decoder.decode

    def decode(self, data: bytes) -> Batch[N]:
        """Return the batch in `data`; raises `MalformedMessage` or `VersionMismatch`."""
        if len(data) > BATCH_BYTES_MAX:
            raise MalformedMessage(f"batch of {len(data)} bytes is over the limit of {BATCH_BYTES_MAX}")
        try:
            batch = self._decode(data)
        except (msgspec.MsgspecError, RecursionError, ValueError, ArithmeticError) as error:
            version = _version_of(data)
            if version is not None and version not in VERSIONS_READ:
                raise VersionMismatch(version, PROTOCOL_VERSION) from None
            raise MalformedMessage(f"batch: {error}") from None
        if batch.version not in VERSIONS_READ:
            raise VersionMismatch(batch.version, PROTOCOL_VERSION)
        return batch


def batch_decoder(numbers: Numbers) -> BatchDecoder[Any]:
    """Return a decoder that makes numbers of this type."""
    if numbers == "float":
        # strict=False lets msgspec read a float from the decimal text, in C
        return BatchDecoder(msgspec.msgpack.Decoder(Batch[float], strict=False))
    if numbers == "decimal":
        return BatchDecoder(msgspec.msgpack.Decoder(Batch[Decimal]))
    return BatchDecoder(msgspec.msgpack.Decoder(Batch[str]))


_header_decoder = msgspec.msgpack.Decoder(BatchHeader)
_from_child_decoder = msgspec.msgpack.Decoder(FromChild)
_to_child_decoder = msgspec.msgpack.Decoder(ToChild)
_control_encoder = msgspec.msgpack.Encoder()


def read_header(data: bytes) -> BatchHeader:
    """Return the header of a batch whose events may be unreadable; raises `MalformedMessage`."""
    try:
        return _header_decoder.decode(data)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise MalformedMessage(f"batch header: {error}") from None


def _version_of(data: bytes) -> int | None:
    # version stands first and is a small positive number: array header, then one byte
    if len(data) >= 2 and data[0] & 0xF0 == 0x90 and data[1] < 0x80:
        return data[1]
    return None


def encode_control(message: FromChild | ToChild) -> bytes:
    """Return a control message as bytes; raises `MessageTooLarge` over `CONTROL_BYTES_MAX`."""
    data = _control_encoder.encode(message)
    if len(data) > CONTROL_BYTES_MAX:
        raise MessageTooLarge(len(data), CONTROL_BYTES_MAX)
    return data


def decode_from_child(data: bytes) -> FromChild:
    """Return the message of a child; raises `MalformedMessage`."""
    message: FromChild = _decode_control(_from_child_decoder, data)
    return message


def decode_to_child(data: bytes) -> ToChild:
    """Return the message of the supervisor; raises `MalformedMessage`."""
    message: ToChild = _decode_control(_to_child_decoder, data)
    return message


C = TypeVar("C")


def _decode_control(decoder: msgspec.msgpack.Decoder[C], data: bytes) -> C:
    if len(data) > CONTROL_BYTES_MAX:
        raise MalformedMessage(f"control message of {len(data)} bytes is over the limit of {CONTROL_BYTES_MAX}")
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise MalformedMessage(f"control message: {error}") from None
