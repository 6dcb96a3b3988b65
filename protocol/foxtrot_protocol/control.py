"""Operator requests and replies: one JSON object a line over the run directory's unix socket.

The first element a client sends carries the version, so that an old client gets a clear answer. A request
is answered by one `Reply`, or, for those that stream, by many, the last with ``final`` true.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from foxtrot_protocol.errors import MalformedMessage

__all__ = [
    "CONTROL_VERSION",
    "LINE_BYTES_MAX",
    "ReloadRequest",
    "Reply",
    "Request",
    "RestartRequest",
    "StatusRequest",
    "StopRequest",
    "SubscribeRequest",
    "UnsubscribeRequest",
    "decode_reply",
    "decode_request",
    "encode_line",
]

CONTROL_VERSION = 1
LINE_BYTES_MAX = 4 * 1024 * 1024


class StatusRequest(Struct, tag="status", frozen=True):
    """The whole status, shape: docs/operating.md."""

    version: int = CONTROL_VERSION


class StopRequest(Struct, tag="stop", frozen=True):
    """Stop everything; answered when all has ended, with rungs and audit."""

    version: int = CONTROL_VERSION


class RestartRequest(Struct, tag="restart", frozen=True):
    """Stop and start one worker (revives a FATAL one); answered when it is RUNNING again."""

    worker: str
    version: int = CONTROL_VERSION


class ReloadRequest(Struct, tag="reload", frozen=True):
    """Read the configuration again; start, stop and restart what changed."""

    version: int = CONTROL_VERSION


class SubscribeRequest(Struct, tag="subscribe", frozen=True):
    """Add symbols to a running worker."""

    worker: str
    symbols: list[str]
    version: int = CONTROL_VERSION


class UnsubscribeRequest(Struct, tag="unsubscribe", frozen=True):
    """Remove symbols from a running worker."""

    worker: str
    symbols: list[str]
    version: int = CONTROL_VERSION


Request: TypeAlias = (
    StatusRequest | StopRequest | RestartRequest | ReloadRequest | SubscribeRequest | UnsubscribeRequest
)


class Reply(Struct, frozen=True, omit_defaults=True):
    """`error` is "" on success; `data` is the answer, shaped by the request."""

    error: str = ""
    data: dict[str, Any] = {}
    final: bool = True


# of both, ValueError is the base of what msgspec raises, and what it lets through for text that is no UTF-8
_request_decoder = msgspec.json.Decoder(Request)
_reply_decoder = msgspec.json.Decoder(Reply)


def encode_line(message: Request | Reply) -> bytes:
    """`message` as one JSON line."""
    return msgspec.json.encode(message) + b"\n"


def decode_request(line: bytes) -> Request:
    """The request in `line`; raises `MalformedMessage`, also for another version."""
    try:
        request: Request = _request_decoder.decode(line)
    except (ValueError, RecursionError) as error:
        raise MalformedMessage(f"request: {error}") from None
    if request.version != CONTROL_VERSION:
        raise MalformedMessage(f"request of version {request.version}, this supervisor speaks {CONTROL_VERSION}")
    return request


def decode_reply(line: bytes) -> Reply:
    """The reply in `line`; raises `MalformedMessage`."""
    try:
        return _reply_decoder.decode(line)
    except (ValueError, RecursionError) as error:
        raise MalformedMessage(f"reply: {error}") from None
