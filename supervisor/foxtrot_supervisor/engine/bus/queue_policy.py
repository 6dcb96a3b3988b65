"""What a full queue means for each class of events; pure.

The class of an event is its type up to and including the first dot: ``eTick.`` for ``eTick.BTCUSDT.BINANCE``.
Three policies:

* ``block``: whoever puts waits for room, with a deadline; after that the event is dropped and counted
* ``conflate``: of the events of one symbol only the newest waits; it stands where it was put, the older one is
  gone and counted, so what handlers see is a part of what was put, in the same order
* ``never_drop``: has a bound of its own, far above the others'; there, too, whoever puts waits, and after that
  gets an error instead of a silent loss
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
    # vn.py's names: what concerns the user's own orders and money; eQuote. is a user's two-sided order, no market data
    "eOrder.": "never_drop",
    "eTrade.": "never_drop",
    "eQuote.": "never_drop",
    "ePosition.": "never_drop",
    "eAccount.": "never_drop",
    "eContract.": "never_drop",
    EVENT_LOG: "never_drop",
    EVENT_TIMER: "never_drop",
    # what tells that something is missing must not be missing itself
    EVENT_GAP: "never_drop",
    EVENT_WORKER: "never_drop",
    EVENT_FEED_STATUS: "never_drop",
}
"""Policies by event class; every other class blocks."""


def event_class(type: str) -> str:  # noqa: A002 - vn.py's name
    """The class that events of `type` belong to."""
    return type[: type.find(".") + 1] or type


def policy_of(policies: Mapping[str, Policy], type: str) -> Policy:  # noqa: A002 - vn.py's name
    """What `policies` say of exactly this `type`, else of its class, else ``block``."""
    return policies.get(type) or policies.get(event_class(type)) or "block"


def policies_with(
    *, block: Iterable[str] = (), conflate: Iterable[str] = (), never_drop: Iterable[str] = ()
) -> dict[str, Policy]:
    """The default policies with these types or classes changed; raises `ValueError` where one is named twice."""
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
    """What two events must share for the newer to replace the older; None where `data` names no symbol."""
    symbol = getattr(data, "vt_symbol", None)
    if symbol is not None:
        return (type, symbol)
    symbol = getattr(data, "symbol", None)
    if symbol is None:
        return None
    return (type, symbol, getattr(data, "exchange", None))
