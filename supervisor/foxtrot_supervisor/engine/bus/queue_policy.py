"""Policy for a full queue, by class of events. Pure.

The class of an event is its type up to and including the first dot: ``eTick.`` for ``eTick.BTCUSDT.BINANCE``.
Three policies:

* ``block``: `put` waits for room until a deadline; then the event is dropped and counted
* ``conflate``: only the newest event of a symbol waits, at its own position; the older one is removed and counted.
  Handlers see a subset of the events, in order
* ``never_drop``: a separate, far higher limit; `put` waits there too, and then raises an error instead of losing
  the event silently
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Literal, TypeAlias

from foxtrot_protocol.events import (
    EVENT_BBO,
    EVENT_FEED_STATUS,
    EVENT_GAP,
    EVENT_LOG,
    EVENT_MARK_PRICE,
    EVENT_TICK,
    EVENT_TICKER,
    EVENT_TIMER,
    EVENT_WORKER,
)

__all__ = ["POLICIES", "Policy", "conflation_key", "event_class", "policies_with", "policy_of"]

Policy: TypeAlias = Literal["block", "conflate", "never_drop"]

POLICIES: Mapping[str, Policy] = {
    EVENT_TICK: "conflate",
    EVENT_BBO: "conflate",
    EVENT_TICKER: "conflate",
    EVENT_MARK_PRICE: "conflate",
    # vn.py's names for the user's own orders and money; eQuote. is a user's two-sided order, not market data
    "eOrder.": "never_drop",
    "eTrade.": "never_drop",
    "eQuote.": "never_drop",
    "ePosition.": "never_drop",
    "eAccount.": "never_drop",
    "eContract.": "never_drop",
    EVENT_LOG: "never_drop",
    EVENT_TIMER: "never_drop",
    # reports of missing data must not be missing themselves
    EVENT_GAP: "never_drop",
    EVENT_WORKER: "never_drop",
    EVENT_FEED_STATUS: "never_drop",
}
"""Policies by event class; every other class blocks."""


def event_class(type: str) -> str:  # noqa: A002 - vn.py's name
    """Return the class of events of `type`."""
    return type[: type.find(".") + 1] or type


def policy_of(policies: Mapping[str, Policy], type: str) -> Policy:  # noqa: A002 - vn.py's name
    """Return the policy of exactly this `type`, or of its class, or ``block``."""
    return policies.get(type) or policies.get(event_class(type)) or "block"


def policies_with(
    *, block: Iterable[str] = (), conflate: Iterable[str] = (), never_drop: Iterable[str] = ()
) -> dict[str, Policy]:
    """Return the default policies with these types or classes changed.

    Raises `ValueError` if a name is given two policies.
    """
    changed: dict[str, Policy] = {}
    named: tuple[tuple[Policy, Iterable[str]], ...] = (
        ("block", block),
        ("conflate", conflate),
        ("never_drop", never_drop),
    )
    for policy, names in named:
        for name in names:
            if changed.setdefault(name, policy) != policy:
                raise ValueError(f'"{name}" has two policies: {changed[name]} and {policy}')
    return {**POLICIES, **changed}


def conflation_key(type: str, data: Any) -> Hashable | None:  # noqa: A002 - vn.py's name
    """Return the key by which a newer event replaces an older one; None if `data` has no symbol."""
    symbol = getattr(data, "vt_symbol", None)
    if symbol is not None:
        return (type, symbol)
    symbol = getattr(data, "symbol", None)
    if symbol is None:
        return None
    return (type, symbol, getattr(data, "exchange", None))
