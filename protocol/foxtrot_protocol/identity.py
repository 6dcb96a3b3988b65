"""How two copies of one event are recognized, for each event type of a connection: the rules' names and their text.

A connection may be served by two workers at once (twins, or the old and the new one of a rotation). Each gets every
event from the exchange; handlers must get it once. What tells a copy from a new event differs by exchange and stream,
so the adapter says it (`Adapter.identities`), the worker writes it into its ring's header, and the engine, which has no
code of any exchange, reads it there.
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
"""How the events of a stream (one event type of one symbol) are told from each other.

* ``sequence``: whole numbers, each one more than the one before: holes are known exactly
* ``increasing``: whole numbers that only grow: a copy is known, a hole is not
* ``unique``: identifiers without order: the last ones are remembered
* ``update_ids``: books whose updates name their first and last number (``first_id`` <= last + 1)
* ``chained``: books whose updates name the one before (``first_id`` == last)
* ``latest``: states: the newest by update identifier, else by exchange time, wins; equal content is dropped
* ``content``: no identifier: what is equal in all fields is the same, as far as the last ones are remembered
* ``one_side``: nothing tells them apart: taken from one worker only, as long as that lives
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
"""For an adapter that says nothing: assumes as little as can be."""

RULES_BYTES_MAX: Final = 512
"""Of a connection's rules as text."""


def pack_rules(rules: Mapping[str, str]) -> bytes:
    """As text, ``eMarketTrade.=sequence eBbo.=latest``; raises ValueError."""
    for kind, rule in rules.items():
        if rule not in IDENTITY_RULES:
            raise ValueError(f"there is no identity rule {rule!r} (for {kind})")
        if not kind or set(kind) & set(" =") or not kind.isprintable():
            raise ValueError(f"no event type is named {kind!r}")
    text = " ".join(f"{kind}={rule}" for kind, rule in rules.items()).encode()
    if len(text) > RULES_BYTES_MAX:
        raise ValueError(f"identity rules have at most {RULES_BYTES_MAX} bytes, these have {len(text)}")
    return text


def parse_rules(data: bytes) -> dict[str, IdentityRule]:
    """The rules in `data`; raises `MalformedMessage`."""
    rules: dict[str, IdentityRule] = {}
    try:
        words = data.decode().split(" ") if data else []
    except UnicodeDecodeError:
        raise MalformedMessage("identity rules: no text") from None
    for word in words:
        kind, _, rule = word.partition("=")
        if not kind or rule not in IDENTITY_RULES or kind in rules:
            raise MalformedMessage(f"identity rules: {word[:100]!r}")
        rules[kind] = rule  # type: ignore[assignment]  # it is one of them
    return rules
