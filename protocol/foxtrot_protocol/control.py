"""Operator requests and replies: one JSON object a line over ``operator.sock`` in the run directory.

Each request carries the protocol version, so that a client of another version gets a clear error. Each request is
answered by one `Reply`, in order.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

from foxtrot_protocol.errors import MalformedMessage

__all__ = [
    "CONTROL_VERSION",
    "LINE_BYTES_MAX",
    "AssignRequest",
    "IncidentsRequest",
    "LogLevel",
    "LogsRequest",
    "ReloadRequest",
    "Reply",
    "Request",
    "RestartAllRequest",
    "RestartRequest",
    "StatusRequest",
    "StopRequest",
    "StopWorkersRequest",
    "SubscribeRequest",
    "UnsubscribeRequest",
    "decode_reply",
    "decode_request",
    "encode_line",
]

CONTROL_VERSION = 1
"""Version of requests and replies."""

LINE_BYTES_MAX = 64 * 1024 * 1024
"""Longest line of a reply: the status of 1,000 workers with ten topics each has 2.6 MB, with 200 each 35 MB."""


LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]


class StatusRequest(Struct, tag="status", frozen=True):
    """Return the status; docs/operating.md describes its fields.

    The supervisor assembles it at most twice a second for all who ask. `fresh`: assemble it after this request has
    come, such as after an action; then the answer may take a little longer.
    """

    fresh: bool = False
    version: int = CONTROL_VERSION


class IncidentsRequest(Struct, tag="incidents", frozen=True):
    """Return incidents with sequence numbers above `after`, oldest first; docs/monitoring.md describes the answer."""

    after: int = 0
    limit: int = 500
    """Most incidents in the answer; more than 500 are never given."""
    version: int = CONTROL_VERSION


class StopRequest(Struct, tag="stop", frozen=True):
    """Stop everything; answered when all children have ended, with their rungs and the audit."""

    version: int = CONTROL_VERSION


class StopWorkersRequest(Struct, tag="stop_workers", frozen=True):
    """Stop workers, or those of connections, until they are restarted; answered when they have ended, with rungs."""

    workers: list[str]
    version: int = CONTROL_VERSION


class RestartRequest(Struct, tag="restart", frozen=True):
    """Stop and start one worker, a FATAL one too; answered when it is RUNNING again."""

    worker: str
    version: int = CONTROL_VERSION


class RestartAllRequest(Struct, tag="restart_all", frozen=True):
    """Restart all workers, a few at a time, never both sides of a connection; answered when all are RUNNING again.

    Ends early, with an error, when a worker is not RUNNING again. Closing the connection starts no further restart.
    """

    version: int = CONTROL_VERSION


class ReloadRequest(Struct, tag="reload", frozen=True):
    """Read the configuration again; start, stop and restart what has changed.

    `dry_run`: change nothing, and answer at once what would happen.
    """

    dry_run: bool = False
    version: int = CONTROL_VERSION


class AssignRequest(Struct, tag="assign", frozen=True):
    """Supervise exactly these connections. Only for a node of a cluster.

    No process of theirs is left at `ends_at`, seconds on the monotonic clock of this machine; their stop begins
    `stop_s` seconds before that. A later request moves the end.

    `connections`: tables as in the configuration, with ``merged_as`` and ``part``; None: those that are assigned.
    Answered at once with the names of the connections, and with incarnation, state and cause of each worker.
    """

    ends_at: float
    stop_s: float
    connections: list[dict[str, Any]] | None = None
    version: int = CONTROL_VERSION


class SplitRequest(Struct, tag="split", frozen=True):
    """Give half of the symbols of a shard to a new worker; answered when that brings them, and only that one."""

    shard: str
    version: int = CONTROL_VERSION


class SubscribeRequest(Struct, tag="subscribe", frozen=True):
    """Subscribe a running worker to further symbols; answered when the exchange has acknowledged them."""

    worker: str
    symbols: list[str]
    version: int = CONTROL_VERSION


class UnsubscribeRequest(Struct, tag="unsubscribe", frozen=True):
    """Unsubscribe symbols of a running worker; answered when the exchange has acknowledged."""

    worker: str
    symbols: list[str]
    version: int = CONTROL_VERSION


class LogsRequest(Struct, tag="logs", frozen=True):
    """Return recent log lines that the supervisor has in memory, oldest first.

    `after`: number of the last line that is known, 0: none. `worker`: only lines written by, or about, this worker,
    connection or process; "": all. `level`: only lines of this level or worse. `since_ns`: ns since 1970. `wait_s`:
    seconds to wait for a line if there is none, at most 30.
    """

    after: int = 0
    worker: str = ""
    level: LogLevel = "debug"
    since_ns: int = 0
    wait_s: float = 0.0
    version: int = CONTROL_VERSION


Request: TypeAlias = (
    StatusRequest
    | IncidentsRequest
    | StopRequest
    | StopWorkersRequest
    | RestartRequest
    | RestartAllRequest
    | ReloadRequest
    | AssignRequest
    | SplitRequest
    | SubscribeRequest
    | UnsubscribeRequest
    | LogsRequest
)


class Reply(Struct, frozen=True, omit_defaults=True):
    """`error` is "" on success; `data` depends on the request; `final` is always true."""

    error: str = ""
    data: dict[str, Any] = {}
    final: bool = True


# of both, ValueError is the base of what msgspec raises, and what it lets through for text that is no UTF-8
_request_decoder = msgspec.json.Decoder(Request)
_reply_decoder = msgspec.json.Decoder(Reply)


def encode_line(message: Request | Reply) -> bytes:
    """Return `message` as one JSON line."""
    return msgspec.json.encode(message) + b"\n"


def decode_request(line: bytes) -> Request:
    """Return the request in `line`; raises `MalformedMessage`, for another version too."""
    try:
        request: Request = _request_decoder.decode(line)
    except (ValueError, RecursionError) as error:
        raise MalformedMessage(f"request: {error}") from None
    if request.version != CONTROL_VERSION:
        raise MalformedMessage(f"request of version {request.version}, this supervisor speaks {CONTROL_VERSION}")
    return request


def decode_reply(line: bytes) -> Reply:
    """Return the reply in `line`; raises `MalformedMessage`."""
    try:
        return _reply_decoder.decode(line)
    except (ValueError, RecursionError) as error:
        raise MalformedMessage(f"reply: {error}") from None
