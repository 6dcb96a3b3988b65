"""Announcing what is missing from a stream. Pure."""

from __future__ import annotations

from typing import Any

from foxtrot_protocol.events import Gap
from foxtrot_supervisor.engine.delivery.rules.turn import Turn
from foxtrot_supervisor.engine.delivery.streams import HOLES_MAX, Hole, Stream

__all__ = ["announce", "announce_hole", "announce_missed", "is_alone_again", "open_hole"]


def announce(
    turn: Turn,
    stream: Stream,
    first: str | None,
    last: str | None,
    event: Any,
    cause: str,
    *,
    start_ns: int | None = None,
    filled: bool = False,
) -> None:
    """Hand over a gap before `event`; `first` and `last`: missing identifiers, inclusive, None where unknown.

    `start_ns`: receive time of the last event before the gap; None: that of the position.
    """
    key = stream.key
    turn.before.append(
        Gap(
            exchange=stream.exchange,
            symbol=key.symbol,
            exchange_ns=0,
            receive_ns=event.receive_ns,
            stream=key.kind,
            first_id=first,
            last_id=last,
            start_ns=stream.times()[1] if start_ns is None else start_ns,
            end_ns=event.receive_ns,
            cause=cause,
            filled=filled,
            redelivered=event.redelivered,
        )
    )


def announce_hole(turn: Turn, stream: Stream, first: int, last: int, event: Any, cause: str) -> None:
    """Announce identifiers that no side has brought, and accept them from now on."""
    announce(turn, stream, str(first), str(last), event, cause)
    gap = turn.before[-1]
    open_hole(turn, stream, first, last, gap.start_ns, gap.end_ns)


def open_hole(turn: Turn, stream: Stream, first: int, last: int, start_ns: int, end_ns: int) -> None:
    """Remember an announced hole, so that events that fill it are recognized."""
    hole = Hole(first, last, start_ns, end_ns)
    turn.holes.append((stream.key, hole))
    # the successor of an engine that died before it saved the position makes the same decision again
    if all((each.first, each.last) != (first, last) for each in stream.state.holes):
        stream.change(holes=(*stream.state.holes, hole)[-HOLES_MAX:])


def announce_missed(turn: Turn, stream: Stream, event: Any) -> None:
    """Announce a gap without bounds if no side was connected before `event`: identifiers do not show it."""
    if is_alone_again(stream):
        announce(turn, stream, None, None, event, "nobody was connected")


def is_alone_again(stream: Stream) -> bool:
    """Whether the current event is the first of its side, and no side continues the stream from before.

    A side whose first event is a copy has been connected since before the last event: it has missed nothing.
    """
    return stream.first and stream.known and not stream.state.sides
