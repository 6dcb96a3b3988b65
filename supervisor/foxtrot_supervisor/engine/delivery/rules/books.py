"""Books whose updates build on a snapshot: rules `update_ids`, `chained` and `one_side`. Pure.

A book is valid while handlers can follow it. A hole makes it invalid until a snapshot comes, which fills the announced
hole. Handlers of a new engine have no book: updates before its first snapshot are superseded by it and announced with
it.

With `Turn.deliver_updates` such updates are handed over, in order.
"""

from __future__ import annotations

from typing import Any

from foxtrot_protocol.events import EVENT_BOOK, BookSnapshot
from foxtrot_supervisor.engine.delivery.rules.holes import announce, announce_missed
from foxtrot_supervisor.engine.delivery.rules.resets import (
    follow_reset,
    goes_back,
    is_before_reset,
    is_outdated,
    judge_low,
    waits_for_old_sequence,
)
from foxtrot_supervisor.engine.delivery.rules.turn import Turn
from foxtrot_supervisor.engine.delivery.streams import (
    APPLY,
    COPY,
    DROP,
    SUPERSEDED,
    WAIT,
    Stream,
    parse_number,
)

__all__ = ["book", "one_side"]


def book(turn: Turn, stream: Stream, event: Any) -> int:
    """Decide a snapshot or an update of a book with identifiers."""
    last_id = parse_number(event.last_id)
    if last_id is None:
        return one_side(turn, stream, event)
    if stream.sequence.behind and is_before_reset(turn, stream, event, last_id):
        return COPY
    if event.__class__ is BookSnapshot:
        return _snapshot(turn, stream, event, last_id)
    first_id = parse_number(event.first_id)
    chained = stream.rule == "chained"
    state = stream.state
    if not stream.known and state.valid:
        return _lose(turn, stream, event, last_id, None, event.last_id, "an update came before any snapshot")
    last = stream.last
    if chained and first_id == last and last_id != last:
        if last_id < last:
            follow_reset(turn, stream, last_id)
        return _continue(turn, stream, event, last_id)
    if last_id <= last:
        verdict = judge_low(turn, stream, event, last_id) if last_id < last else _copy(stream, last_id)
        if verdict != APPLY:
            return verdict
        cause = f"identifiers went back from {last} to {last_id}"
        follow_reset(turn, stream, last_id)
        stream.last = last_id
        return _lose(turn, stream, event, last_id, None, None, cause)
    if first_id is None:
        first_id = last
    follows = first_id <= last + stream.step  # sizes are absolute: repeated updates do no harm
    if follows or ((state.unseen or not state.valid) and not turn.deliver_updates):
        return _continue(turn, stream, event, last_id)
    if is_outdated(stream, event):
        return COPY
    if turn.has_to_wait(stream, first_id, event):
        return WAIT
    cause = f"updates after {last} are missing"
    if chained:
        return _lose(turn, stream, event, last_id, None, str(first_id), cause)
    return _lose(turn, stream, event, last_id, str(last + 1), str(first_id - 1), cause)


def _copy(stream: Stream, last_id: int) -> int:
    stream.seen = last_id
    return COPY


def _continue(turn: Turn, stream: Stream, event: Any, last_id: int) -> int:
    """Decide an update that continues the book, which handlers may not have."""
    state = stream.state
    if state.valid and not state.unseen and not state.repeat_to:
        stream.last = last_id
        return APPLY
    if turn.deliver_updates:
        stream.last = last_id
        if state.repeat_to:
            if last_id <= state.repeat_to:
                turn.mark(event, "redelivered")
            else:
                stream.change(repeat_to=0)
        return APPLY
    if not state.valid:
        return DROP
    if state.unseen:
        if state.superseded is None:
            # an update that names its predecessor is the first that is missing, though identifiers leap
            follows = stream.rule == "chained" and parse_number(event.first_id) == stream.last
            first = last_id if follows else stream.last + 1
            stream.change(superseded=(str(first), stream.times()[1]))
        stream.last = last_id
        return SUPERSEDED
    stream.last = last_id  # `repeat_to` is left from an earlier setting
    return APPLY


def _lose(turn: Turn, stream: Stream, event: Any, last_id: int, first: str | None, last: str | None, cause: str) -> int:
    """Mark the book as invalid from `event` on, until a snapshot; `first` and `last`: missing identifiers."""
    announce(turn, stream, first, last, event, cause)
    if stream.state.lost is not None:
        first = stream.state.lost[0]
    stream.change(valid=False, lost=(first or "", last or ""))
    if not turn.deliver_updates:
        return DROP
    stream.last = last_id
    return APPLY


def _mend(turn: Turn, stream: Stream, event: Any) -> None:
    """Mark the book as valid with the snapshot `event`, which contains what was missing."""
    state = stream.state
    if state.lost is not None:
        first, last = state.lost
        announce(turn, stream, first or None, last or None, event, "the snapshot that follows contains it", filled=True)
    if state.lost is not None or not state.valid or state.unseen or state.superseded is not None:
        stream.change(lost=None, valid=True, unseen=False, superseded=None)


def _snapshot(turn: Turn, stream: Stream, event: Any, number: int) -> int:
    last = stream.last
    state = stream.state
    if state.unseen and state.valid:
        # an older one too: what this side brings next continues it, although the other side has brought that already
        _announce_superseded(turn, stream, event, number)
    elif stream.known and state.valid:
        if number < last or (number == last and turn.others_bring(stream)):
            return _low_snapshot(turn, stream, event, number)
        if number > last and turn.has_to_wait(stream, number, event, carriers=True):
            return WAIT  # another side is about to reach it
        if number > last:
            _announce_skipped(turn, stream, event, number)
    _mend(turn, stream, event)
    if turn.deliver_updates and number < last and (state.unseen or not state.valid):
        stream.change(repeat_to=max(last, state.repeat_to))
    stream.last = number
    return APPLY


def _low_snapshot(turn: Turn, stream: Stream, event: Any, number: int) -> int:
    """Decide a snapshot of a valid book at or below the position: of a lagging side, or after a sequence reset."""
    if not goes_back(turn, stream, event, number):
        return _copy(stream, number)
    if waits_for_old_sequence(turn, stream, event, number):
        return WAIT
    _announce_skipped(turn, stream, event, number)
    follow_reset(turn, stream, number)
    _mend(turn, stream, event)
    stream.last = number
    return APPLY


def _announce_superseded(turn: Turn, stream: Stream, event: Any, number: int) -> None:
    """Announce the updates not handed over since the death of an engine, which the snapshot contains."""
    state = stream.state
    if turn.deliver_updates and number <= stream.last:
        return
    if state.superseded is not None and not turn.deliver_updates:
        first, start_ns = state.superseded
        first_id = parse_number(first)
        if first_id is not None and first_id > number:
            return  # the snapshot is older than the first of them
        cause = "the engine was replaced: updates before the snapshot were not handed over"
        announce(turn, stream, first or None, str(number), event, cause, start_ns=start_ns)
        stream.change(lost=(first, str(number)))
    elif number > stream.last:
        _announce_skipped(turn, stream, event, number)


def _announce_skipped(turn: Turn, stream: Stream, event: Any, number: int) -> None:
    """Announce what lies between the position and the snapshot `event`."""
    last = stream.last
    if number < last:
        cause = f"identifiers went back from {last} to {number}"
        announce(turn, stream, None, None, event, cause)
        stream.change(lost=("", ""))
        return
    first = "" if stream.rule == "chained" else str(last + 1)
    announce(turn, stream, first or None, str(number), event, "the book continues with a snapshot")
    stream.change(lost=(first, str(number)))


def one_side(turn: Turn, stream: Stream, event: Any) -> int:
    """Decide an event whose copies cannot be recognized: those of one side are applied while it lives."""
    name = turn.name
    leader = stream.state.leader
    is_snapshot = event.__class__ is BookSnapshot
    begins = stream.state.unseen and is_snapshot
    if leader != name:
        if leader and turn.sides.is_open(leader) and not begins:
            return COPY
        stream.change(leader=name)
        if stream.known and not begins:
            announce(turn, stream, None, None, event, "taken over from another worker")
            if stream.key.kind == EVENT_BOOK:
                stream.change(valid=False, lost=("", ""))  # handlers do not have what its updates build on
    else:
        announce_missed(turn, stream, event)
    if is_snapshot:
        if stream.state.superseded is not None:
            cause = "the engine was replaced: updates were not handed over"
            announce(turn, stream, None, None, event, cause, start_ns=stream.state.superseded[1])
            stream.change(lost=("", ""))
        _mend(turn, stream, event)
    elif turn.deliver_updates:
        return APPLY
    elif stream.state.unseen and stream.state.valid:
        if stream.state.superseded is None:
            stream.change(superseded=("", stream.times()[1]))
        return SUPERSEDED
    return APPLY if stream.state.valid else DROP
