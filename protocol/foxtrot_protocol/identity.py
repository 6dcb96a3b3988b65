"""How two copies of one event are recognized, for each event type of a connection: the rules' names and their text.

A connection may be served by two workers at once: twins, or the old and the new worker of a rotation. Both receive
every event from the exchange; handlers must get it once. What distinguishes a copy from a new event differs by exchange
and stream: the adapter declares it (`Adapter.identities`), the worker writes it into its ring's header, and the engine,
which has no code of any exchange, reads it there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias, get_args

from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.events import (
    EVENT_BAR,
    EVENT_BBO,
    EVENT_BOOK,
    EVENT_FUNDING,
    EVENT_LIQUIDATION,
    EVENT_MARK_PRICE,
    EVENT_MARKET_TRADE,
    EVENT_OPEN_INTEREST,
    EVENT_TICKER,
)

__all__ = ["DEFAULT_IDENTITIES", "IDENTITY_RULES", "RULES_BYTES_MAX", "IdentityRule", "pack_rules", "parse_rules"]

IdentityRule: TypeAlias = Literal[
    "sequence", "increasing", "unique", "update_ids", "chained", "latest", "content", "one_side"
]
"""How copies are recognized in a stream (one event type of one symbol).

* ``sequence``: identifiers are whole numbers, each one more than the last: holes are known exactly
* ``increasing``: identifiers are whole numbers that only grow: copies are known, holes are not
* ``unique``: identifiers have no order: the latest ones are remembered
* ``update_ids``: books whose updates name their first and last number (``first_id`` <= last + 1)
* ``chained``: books whose updates name the previous update (``first_id`` == last)
* ``latest``: states: the newest by update identifier, else by exchange time, wins; equal content is dropped
* ``content``: no identifiers: events equal in all fields are copies, as far as the latest ones are remembered
* ``one_side``: copies cannot be recognized: events are taken from one worker only, while it lives
"""

IDENTITY_RULES: Final[frozenset[str]] = frozenset(get_args(IdentityRule))

DEFAULT_IDENTITIES: Final[Mapping[str, IdentityRule]] = {
    EVENT_MARKET_TRADE: "unique",
    EVENT_BBO: "latest",
    EVENT_BOOK: "one_side",
    EVENT_TICKER: "latest",
    EVENT_BAR: "latest",
    EVENT_FUNDING: "latest",
    EVENT_MARK_PRICE: "latest",
    EVENT_OPEN_INTEREST: "latest",
    EVENT_LIQUIDATION: "content",
}
"""Rules of an adapter that declares none: the weakest assumptions."""

RULES_BYTES_MAX: Final = 512
"""Longest text of a connection's rules."""


def pack_rules(rules: Mapping[str, str]) -> bytes:
    """Return rules as text, ``eMarketTrade.=sequence eBbo.=latest``; raises ValueError."""
    for kind, rule in rules.items():
        if rule not in IDENTITY_RULES:
            raise ValueError(f"unknown identity rule {rule!r} (for {kind})")
        if not kind or set(kind) & set(" =") or not kind.isprintable():
            raise ValueError(f"not a name of an event type: {kind!r}")
    text = " ".join(f"{kind}={rule}" for kind, rule in rules.items()).encode()
    if len(text) > RULES_BYTES_MAX:
        raise ValueError(f"identity rules have at most {RULES_BYTES_MAX} bytes, these have {len(text)}")
    return text


def parse_rules(data: bytes) -> dict[str, IdentityRule]:
    """Return the rules in `data`, by event type; raises `MalformedMessage`."""
    rules: dict[str, IdentityRule] = {}
    try:
        words = data.decode().split(" ") if data else []
    except UnicodeDecodeError:
        raise MalformedMessage("identity rules: not UTF-8") from None
    for word in words:
        kind, _, rule = word.partition("=")
        if not kind or rule not in IDENTITY_RULES or kind in rules:
            raise MalformedMessage(f"identity rules: {word[:100]!r}")
        rules[kind] = rule  # type: ignore[assignment]  # it is one of them
    return rules
