"""Checks of the connection facts that an adapter declares. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from msgspec import NODEFAULT, structs

from foxtrot_protocol.channels import kind_of
from foxtrot_workers.adapter import Adapter, Limits, VenueFacts

__all__ = ["facts_defects"]

_UNSOURCED = ("title", "documentation", "remarks", "absent", "sources")
"""Facts that need no source: they name the exchange, or explain others."""


def facts_defects(adapter_class: type[Adapter]) -> list[str]:
    """Return what is wrong or missing in the facts of `adapter_class`; empty if it states none."""
    facts = adapter_class.facts
    if facts is None:
        return []
    kinds = {kind_of(channel) for channel in adapter_class.channels}
    books = {channel for channel in adapter_class.channels if kind_of(channel) == "book"}
    found = [
        f"facts.{field} is empty" for field in ("title", "documentation", "keep_alive") if not getattr(facts, field)
    ]
    if set(facts.books) != books:
        found.append(f"facts.books has {sorted(facts.books)}, the book channels are {sorted(books)}")
    found += [
        f"facts.books[{channel!r}] has neither order nor checksum: nothing tells that an update is missing"
        for channel, book in facts.books.items()
        if book.snapshot != "every" and not book.order and not book.checksum
    ]
    for field, channels in (("backfill", facts.backfill), ("remarks", facts.remarks)):
        unknown = [channel for channel in channels if channel not in adapter_class.channels and channel not in kinds]
        found += [f"facts.{field} names {channel!r}, which is no channel" for channel in unknown]
    found += [
        f"facts.absent names {channel!r}, which is a channel"
        for channel in facts.absent
        if channel in adapter_class.channels or channel in kinds
    ]
    if facts.testnet_rest_url and not facts.testnet_url:
        found.append("facts.testnet_rest_url stands without testnet_url")
    needed = [*_declared(adapter_class.limits), *(field for field in _declared(facts) if field not in _UNSOURCED)]
    found += [f"facts.sources lacks {field!r}" for field in needed if not facts.sources.get(field)]
    return found + _pace_defects(adapter_class.limits, facts)


def _declared(values: Limits | VenueFacts) -> list[str]:
    """Return the fields that differ from their defaults."""
    defaults: Mapping[str, Any] = {
        field.name: field.default if field.default_factory is NODEFAULT else field.default_factory()
        for field in structs.fields(values)
    }
    return [name for name, default in defaults.items() if getattr(values, name) != default]


def _pace_defects(limits: Limits, facts: VenueFacts) -> list[str]:
    """Return whether subscribing and unsubscribing a full connection would exceed its messages."""
    if not facts.messages.limit:
        return []
    messages = 2 * math.ceil(limits.topics_max / limits.topics_per_request)
    if limits.send_interval_s:
        messages = min(messages, int(facts.messages.period_s / limits.send_interval_s) + 1)
    if messages <= facts.messages.limit:
        return []
    return [
        f"limits.send_interval_s allows {messages} messages in {facts.messages.period_s:g} s, "
        f"the exchange {facts.messages.limit}"
    ]
