"""Trades with numbers: rule `sequence` (each one more than the last) and rule `increasing` (each higher). Pure."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from foxtrot_protocol.events import FeedStatus, Gap
from foxtrot_supervisor.engine.delivery.fills import missing_fills, weigh
from foxtrot_supervisor.engine.delivery.rules.content import content
from foxtrot_supervisor.engine.delivery.rules.holes import announce, announce_hole, is_alone_again
from foxtrot_supervisor.engine.delivery.rules.resets import is_before_reset, is_outdated, judge_low, restart_sequence
from foxtrot_supervisor.engine.delivery.rules.turn import Turn
from foxtrot_supervisor.engine.delivery.streams import APPLY, COPY, HOLES_MAX, WAIT, Stream, parse_number

__all__ = ["LEAPS_MAX", "LEAP_RUN", "filled_late", "increasing", "note_fills", "sequence"]

LEAPS_MAX: Final = 32
"""Holes in a row, with fewer than `LEAP_RUN` events between them, after which identifiers are taken to leap."""

LEAP_RUN: Final = 4


def sequence(turn: Turn, stream: Stream, event: Any) -> int:
    """Decide a trade whose identifier must be one more than the last."""
    number = parse_number(event.trade_id)
    if number is None:
        return content(turn, stream, event)
    last = stream.last
    if event.backfilled:
        return _fill(turn, stream, event, number)
    if number == last + 1 or not stream.known:
        stream.last = number
        return APPLY
    if stream.sequence.behind and is_before_reset(turn, stream, event, number):
        return COPY
    if number <= last:
        if stream.state.holes and _fill(turn, stream, event, number) == APPLY:
            return APPLY
        return _judge_low(turn, stream, event, number)
    if is_outdated(stream, event):
        return COPY
    if turn.has_to_wait(stream, number, event):
        return WAIT
    if _leaps(stream, number):
        _demote(turn, stream, event)
    else:
        announce_hole(turn, stream, last + 1, number - 1, event, "nobody received them")
    stream.last = number
    return APPLY


def increasing(turn: Turn, stream: Stream, event: Any) -> int:
    """Decide a trade whose identifier must be higher than the last."""
    number = parse_number(event.trade_id)
    if number is None:
        return content(turn, stream, event)
    if event.backfilled:
        return _fill(turn, stream, event, number)
    if not stream.known:
        stream.last = number
        return APPLY
    if stream.sequence.behind and is_before_reset(turn, stream, event, number):
        return COPY
    if number <= stream.last:
        return _judge_low(turn, stream, event, number)
    if is_outdated(stream, event):
        return COPY
    if stream.first and turn.has_to_wait(stream, number, event, carriers=True):
        return WAIT  # the other side is about to bring what lies between
    if is_alone_again(stream):
        _announce_missing_fills(turn, stream, number, event)
    elif stream.sequence.merged and not stream.first:
        _learn(stream, number, event.count)
    stream.last = number
    return APPLY


def note_fills(stream: Stream) -> None:
    """Remember how many fills the last trade of the batch before stands for."""
    stream.fills = stream.newest.count
    if stream.fills != 1 and not stream.sequence.merged:
        stream.sequence = replace(stream.sequence, merged=True)


def _learn(stream: Stream, number: int, count: int) -> None:
    """Learn from two adjacent trades which of their fills an identifier names."""
    evidence = weigh(stream.sequence.evidence, number - stream.last, stream.last_fills(), count)
    if evidence != stream.sequence.evidence:
        stream.sequence = replace(stream.sequence, evidence=evidence)


def _announce_missing_fills(turn: Turn, stream: Stream, number: int, event: Any) -> None:
    """Announce the fills between the position and `number`: no side was connected to receive them."""
    found = missing_fills(stream.last, stream.last_fills(), number, event.count, stream.sequence.evidence)
    if found.certain is not None:
        cause = "nobody was connected: what lies between is missing"
        announce_hole(turn, stream, *found.certain, event, cause)
    for first, last in found.doubtful:
        announce(turn, stream, str(first), str(last), event, "nobody was connected: may be part of an adjacent trade")


def filled_late(stream: Stream) -> Gap:
    """Return the `filled` gap for identifiers that a worker has brought late."""
    assert stream.late is not None
    first, last, event = stream.late
    key = stream.key
    return Gap(
        exchange=stream.exchange,
        symbol=key.symbol,
        exchange_ns=0,
        receive_ns=event.receive_ns,
        stream=key.kind,
        first_id=str(first),
        last_id=str(last),
        start_ns=event.receive_ns,
        end_ns=event.receive_ns,
        cause="a worker brought them late",
        filled=True,
        redelivered=event.redelivered,
    )


def _judge_low(turn: Turn, stream: Stream, event: Any, number: int) -> int:
    verdict = judge_low(turn, stream, event, number)
    if verdict == APPLY:
        restart_sequence(turn, stream, event, number)
    return verdict


def _fill(turn: Turn, stream: Stream, event: Any, number: int) -> int:
    """Decide an event from before the position: of an open hole, or a copy."""
    for hole in stream.state.holes:
        if hole.first <= number <= hole.last:
            break
    else:
        return COPY
    left = [each for each in stream.state.holes if each is not hole]
    if hole.first < number and stream.dense:  # where identifiers leap, there was nothing between the last and this
        left.append(replace(hole, last=number - 1))
    if number < hole.last:
        left.append(replace(hole, first=number + 1))
    stream.change(holes=tuple(left[-HOLES_MAX:]))
    if stream.sequence.leaps:
        stream.sequence = replace(stream.sequence, leaps=0)  # identifiers that were left out exist
    if event.backfilled:
        first, last = stream.state.fill or (number, number)
        stream.change(fill=(min(first, number), max(last, number)))
    else:
        if stream.late is None:
            turn.late.append(stream)
        first, last, _ = stream.late or (number, number, None)
        stream.late = (min(first, number), max(last, number), event)
        stream.seen = number
        turn.mark(event, "backfilled")
    return APPLY


def _leaps(stream: Stream, number: int) -> bool:
    """Count a hole before `number`; True if there are so many that the identifiers leap by nature."""
    before = stream.sequence
    leaps = before.leaps + 1 if stream.last - before.leap_at < LEAP_RUN else 1
    stream.sequence = replace(before, leap_at=number, leaps=leaps)
    return leaps > LEAPS_MAX


def _demote(turn: Turn, stream: Stream, event: Any) -> None:
    """Treat identifiers as increasing only from here on: holes are no longer announced."""
    stream.change(demoted=True, holes=(), fill=None)
    key = stream.key
    turn.before.append(
        FeedStatus(
            exchange=stream.exchange,
            symbol=key.symbol,
            exchange_ns=0,
            receive_ns=event.receive_ns,
            topic=key.kind,
            state="demoted",
            age_s=0.0,
            redelivered=event.redelivered,
        )
    )
    turn.demoted.append(stream)
