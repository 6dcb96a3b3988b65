"""Messages between an application that is its own engine and the supervisor that is its child. Pure.

The start order is a file in the private run directory, rewritten for a reload; none of it is in the arguments of the
process. News comes back through a pipe, one JSON object a line. Everything else uses the interfaces of every
supervisor: the control plane of its engine, and the operators' socket.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from foxtrot_protocol.errors import MalformedMessage
from foxtrot_supervisor.config.cluster import ClusterConfig, EngineCluster
from foxtrot_supervisor.config.schema import FoxtrotConfig
from foxtrot_supervisor.config.shards import Shard
from foxtrot_supervisor.core.targets import Targets

__all__ = [
    "NEWS_BYTES_MAX",
    "ORDER_NAME",
    "Alive",
    "Call",
    "Ended",
    "News",
    "NewsReader",
    "Serving",
    "StartOrder",
    "decode_order",
    "encode_news",
    "encode_order",
]

ORDER_NAME = "application.json"
"""Name of the order's file in the run directory."""

NEWS_BYTES_MAX = 4 * 1024 * 1024
"""Longest line of news; the report of a run with 1,000 workers has about 300 KB."""


class StartOrder(Struct, frozen=True, kw_only=True):
    """Start order of a supervisor. Descriptor numbers are valid in the child."""

    sys_path: list[str]
    """Module search path of the application."""
    config: FoxtrotConfig
    """With the resolved symbols of all connections but those that become shards."""
    engine_cluster: EngineCluster | None = None
    """Its section ``[cluster]`` where the application's engine gets its events from a cluster (`encode_order`)."""
    shards: dict[str, list[Shard]] = {}
    """What sharded connections become, by their name."""
    run_id: str
    application_pid: int
    directory: int
    """Descriptor of the run directory."""
    lock: int
    """Descriptor of its lock, held by both processes."""
    news: int
    """Descriptor of the pipe for news."""
    log_level: str
    incarnations_before: int = 0
    """Highest incarnation that earlier supervisors of this application may have used."""
    targets: Targets = Targets()


class Serving(Struct, tag="serving", frozen=True):
    """The supervisor answers requests from now on."""

    pid: int


class Call(Struct, tag="call", frozen=True):
    """The application shall register as the engine of this incarnation."""

    incarnation: int


class Alive(Struct, tag="alive", frozen=True):
    """Sign of life of the supervisor's control loop."""


class Ended(Struct, tag="ended", frozen=True):
    """Everything has ended. `outcome`: as a `stop` request gets it. `failure`: why it could not start; "" if it did."""

    exit_code: int
    outcome: dict[str, Any] = {}
    failure: str = ""


News: TypeAlias = Serving | Call | Alive | Ended

_news_decoder = msgspec.json.Decoder(News)


def encode_order(order: StartOrder) -> bytes:
    """Return `order` as JSON."""
    cluster = order.config.cluster
    if isinstance(cluster, EngineCluster):
        config = msgspec.structs.replace(order.config, cluster=ClusterConfig())
        order = msgspec.structs.replace(order, config=config, engine_cluster=cluster)
    return msgspec.json.encode(order)


def decode_order(data: bytes) -> StartOrder:
    """Return the order in `data`; raises `MalformedMessage`."""
    try:
        order = msgspec.json.decode(data, type=StartOrder)
    except (msgspec.MsgspecError, ValueError) as error:
        raise MalformedMessage(f"start order: {error}") from None
    if order.engine_cluster is None:
        return order
    config = msgspec.structs.replace(order.config, cluster=order.engine_cluster)
    return msgspec.structs.replace(order, config=config, engine_cluster=None)


def encode_news(news: News) -> bytes:
    """Return `news` as a line of JSON."""
    return msgspec.json.encode(news) + b"\n"


class NewsReader:
    """Reassembles news from the bytes read from a pipe."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[News]:
        """Return the news that `data` completes; raises `MalformedMessage`."""
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        if len(self._buffer) > NEWS_BYTES_MAX:
            raise MalformedMessage(f"news longer than {NEWS_BYTES_MAX} bytes")
        try:
            return [_news_decoder.decode(line) for line in lines]
        except (msgspec.MsgspecError, ValueError) as error:
            raise MalformedMessage(f"news: {error}") from None
