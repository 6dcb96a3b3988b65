"""What nodes, shards and their holders are, as JSON in the cluster's buckets (pure)."""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

__all__ = [
    "MISSED",
    "ClusterSettings",
    "Desired",
    "Failure",
    "Holder",
    "NodeInfo",
    "NodeRequest",
    "Previous",
    "State",
    "decode",
    "encode",
]

MISSED: Final = 3
"""Announcements of a node that are missed before it counts as away."""

State: TypeAlias = Literal["starting", "serving", "leaving", "gone"]
"""Of a shard at its holder: its worker starts; it serves; another node is to take it over; it has been stopped."""


class ClusterSettings(Struct, frozen=True, kw_only=True):
    """What holds for all nodes."""

    ack_wait_s: float
    """Silence of a node after which its shards are given to others."""
    lease_s: float
    """How long a node runs on without NATS."""
    shards: int = 0
    """Number of shards."""


class Desired(Struct, frozen=True, kw_only=True):
    """One shard as it is configured."""

    shard: str
    connection: str
    """Name under which the engine merges it."""
    side: str
    exchange: str
    table: dict[str, Any]
    """The connection table."""
    connections_max: int = 0
    """Shards of this exchange on one address; 0: unlimited."""


class Previous(Struct, frozen=True):
    """The holder that serves until its successor does."""

    node: str
    epoch: int
    part: str


class Failure(Struct, frozen=True):
    """A node on which the worker of a shard has failed for good (`failures`)."""

    at: float
    """Seconds since 1970."""
    count: int
    """Failures there, one after the other."""
    reason: str
    table: str
    """Fingerprint of the connection table."""


class Holder(Struct, frozen=True, kw_only=True):
    """Who holds a shard. Written with compare-and-set."""

    token: int
    """Fencing token: the delivery count of the shard's message. A holder that sees a higher one has lost the shard."""
    epoch: int
    """Token with which this holder began."""
    node: str
    instance: str
    """The run of the node."""
    host: str
    addresses: list[str]
    connection: str
    side: str
    part: str
    state: State
    ack: str
    """Where the delivery is acknowledged: a new agent of the same node goes on with it."""
    workers: dict[str, int] = {}
    """Incarnation of each living local worker."""
    previous: Previous | None = None
    """Set while the node that had the shard before serves it too."""
    lacking: bool = False
    """``leaving``: only for a node that holds less than its exact share rounded down (`shares.Limit`)."""
    gentle: bool = False
    """``leaving`` only to even out the load: others take it no faster than their share in a minute (`pace`)."""
    failed: dict[str, Failure] = {}
    """By node, where the shard's worker has failed for good."""


class NodeInfo(Struct, frozen=True, kw_only=True):
    """A node, as it describes itself."""

    node: str
    instance: str
    host: str
    addresses: list[str]
    capacity: int
    held: list[str]
    """Shards."""
    exchanges: list[str]
    by_exchange: dict[str, int] = {}
    """Number of shards held, by exchange."""
    draining: bool = False
    every_s: float = 1.0
    """Interval of its announcements; without three of them it counts as away."""
    problem: str = ""

    @property
    def away_after_s(self) -> float:
        """Age of its latest announcement from which on it counts as away, in seconds."""
        return MISSED * self.every_s


class NodeRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request to a node about one delivery of a shard."""

    shard: str = ""
    token: int = 0
    ack: str = ""
    on: bool = True
    """``drain``: begin or end."""
    forced: bool = False
    """``offer``: no other node has room. ``claim``: nobody takes what this node wants to hand over."""
    lacking: bool = False
    gentle: bool = False
    """``offer``: both as in the entry of the holder that hands the shard over."""


T = TypeVar("T", bound=Struct)

_encoder = msgspec.json.Encoder()


def encode(value: Struct) -> bytes:
    """Return `value` as JSON."""
    return _encoder.encode(value)


def decode(data: bytes, kind: type[T]) -> T:
    """Return the `kind` in `data`; raises ValueError."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"{kind.__name__}: {error}") from None
