"""The function of each identity rule, and which rule fits which kind of event. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from foxtrot_protocol.events import EVENT_BBO, EVENT_BOOK, EVENT_MARKET_TRADE, BookDelta, BookSnapshot, Gap
from foxtrot_supervisor.engine.delivery.rules import books, content, trades
from foxtrot_supervisor.engine.delivery.rules.turn import Turn
from foxtrot_supervisor.engine.delivery.streams import Stream, parse_number

__all__ = ["adopt_rule", "first_number", "fitting_rule"]

Decide: TypeAlias = Callable[[Turn, Stream, Any], int]

_DECISIONS: Final[Mapping[str, Decide]] = {
    "sequence": trades.sequence,
    "increasing": trades.increasing,
    "unique": content.unique,
    "update_ids": books.book,
    "chained": books.book,
    "latest": content.latest,
    "content": content.content,
    "one_side": books.one_side,
}


def fitting_rule(kind: str, rule: str) -> str:
    """Return `rule`, or the next best one if events of this kind lack the identifiers that it needs."""
    if rule in ("sequence", "increasing", "unique") and kind != EVENT_MARKET_TRADE:
        return "latest" if kind == EVENT_BBO else "content"
    if rule in ("update_ids", "chained") and kind != EVENT_BOOK:
        return "content"
    return rule


def adopt_rule(stream: Stream) -> None:
    """Set the attributes of `stream` that follow from its rule and demotion."""
    rule = "increasing" if stream.state.demoted else stream.rule
    stream.dense = rule == "sequence"
    stream.rising = rule == "increasing" or (rule == "latest" and stream.key.kind == EVENT_BBO)
    stream.step = {"update_ids": 1, "chained": 0}.get(rule, -1)
    stream.quick = stream.plain = False
    stream.calm = None
    stream.decide = _DECISIONS[rule]


def first_number(stream: Stream, event: Any) -> int | None:
    """Return the identifier at which a waiting batch continues `stream` with `event`; None if it has none."""
    if event.backfilled:
        return None
    if event.__class__ is Gap:
        last = parse_number(event.last_id) if stream.dense and not event.filled else None
        return None if last is None else last + 1
    if stream.rule in ("unique", "content"):
        received_ns: int = event.receive_ns
        return received_ns
    if stream.rule in ("sequence", "increasing"):
        return parse_number(event.trade_id)
    if stream.rule == "latest":
        return content.order_of(event)[0]
    if event.__class__ in (BookDelta, BookSnapshot):
        return parse_number(event.first_id if event.first_id is not None else event.last_id)
    return None
