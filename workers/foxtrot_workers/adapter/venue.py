"""Connection facts of one exchange, as its documentation states them. Data only, pure.

`Limits` has the figures that a worker keeps; `VenueFacts` has what people, `check` and the reference page of exchanges
need beside them, and the source of each figure of both. ``docs/exchanges.md`` is generated from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

from foxtrot_workers.adapter.limits import Budget

__all__ = ["BookFacts", "Snapshot", "VenueFacts"]

Snapshot: TypeAlias = Literal["rest", "stream", "every"]
"""Where a book's first levels come from: a REST answer; a first message on the stream; ``every`` message is a full
book of the subscribed depth."""


class BookFacts(Struct, frozen=True, kw_only=True):
    """How the books of one channel are published and kept in step."""

    snapshot: Snapshot
    levels: int | None = None
    """Levels of each side; None: all that the exchange has."""
    order: str = ""
    """What tells that an update is missing, by the names of the wire fields: ``U = previous u + 1``; "": nothing."""
    checksum: str = ""
    """Checksum that the exchange sends and that is compared: ``CRC32 of 25 levels``; "": none."""


class VenueFacts(Struct, frozen=True, kw_only=True):
    """What is known of one exchange beside `Limits`. Texts are short, for a cell of a table."""

    title: str
    """``Binance spot``."""
    documentation: str
    """Address or name of the exchange's own documentation."""
    keep_alive: str
    """Who pings, how often, and by when the answer is due."""
    closes: str = ""
    """How the exchange announces or forces the end of a connection, beside `Limits.lifetime_s`."""
    endpoints: tuple[str, ...] = ()
    """Further WebSocket addresses that `Adapter.address` chooses from, by channel."""
    testnet_url: str = ""
    """WebSocket address of the test network, to be set as ``url``; "": none."""
    testnet_rest_url: str = ""
    """REST address of the test network. ``check`` puts it beside a ``url`` of the same host as `testnet_url`, so that
    books of the test network are not built on snapshots of the real exchange."""
    messages: Budget = Budget()
    """Messages that one connection may send, as documented; `Limits.send_interval_s` stays below it."""
    books: Mapping[str, BookFacts] = {}
    """By channel: each book channel of the adapter."""
    backfill: Mapping[str, str] = {}
    """By channel: how past events are fetched by REST: ``1,000 trades a request, from an id``."""
    remarks: Mapping[str, str] = {}
    """By channel or kind of channel (`foxtrot_protocol.channels.kind_of`): what is special about its events."""
    absent: Mapping[str, str] = {}
    """By channel or kind of channel that the exchange has not: the reason, or what it has instead."""
    sources: Mapping[str, str] = {}
    """By field of `Limits` that differs from its default, and by field of this struct that is set (``books``,
    ``keep_alive``, ``messages``, ...): section of the documentation, a measurement, or ``ours: reason``."""
