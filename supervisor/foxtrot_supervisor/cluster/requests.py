"""Requests of an engine to the host of a worker: fresh books, holes to be filled. Pure."""

from __future__ import annotations

import msgspec

from foxtrot_protocol.commands import BooksWanted, HoleFound
from foxtrot_protocol.errors import MalformedMessage

__all__ = ["decode_request", "encode_request"]

_decode = msgspec.msgpack.Decoder(BooksWanted | HoleFound).decode
_encode = msgspec.msgpack.Encoder().encode


def encode_request(request: BooksWanted | HoleFound) -> bytes:
    """Return `request` as msgpack."""
    return _encode(request)


def decode_request(data: bytes) -> BooksWanted | HoleFound:
    """Return the request in `data`; raises `MalformedMessage`."""
    try:
        return _decode(data)
    except (ValueError, RecursionError) as error:
        raise MalformedMessage(f"request of an engine: {error}") from None
