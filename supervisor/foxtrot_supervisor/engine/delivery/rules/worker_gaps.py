"""Gaps that a worker announces for what it had to drop. Pure."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from foxtrot_protocol.events import EVENT_BOOK, Gap
from foxtrot_supervisor.engine.delivery.rules.holes import open_hole
from foxtrot_supervisor.engine.delivery.rules.turn import Turn
from foxtrot_supervisor.engine.delivery.streams import APPLY, COPY, HOLES_MAX, WAIT, Hole, Stream, parse_number

__all__ = ["worker_gap"]

_BOOK_RULES = ("update_ids", "chained", "one_side")


def worker_gap(turn: Turn, stream: Stream, gap: Gap) -> int:
    """Decide a gap of `stream`: it is handed over if no other side brings what is missing."""
    if gap.filled:
        return _filled(stream, gap)
    last = parse_number(gap.last_id)
    if stream.dense and last is not None:
        if last <= stream.last:
            return COPY
        if turn.has_to_wait(stream, last + 1, gap):
            return WAIT
        return _take_hole(turn, stream, gap, last)
    if turn.others_bring(stream):
        # the other side brings it
        if stream.rule not in _BOOK_RULES:
            # where nothing shows the hole, what this side brings next waits like the first event of a side
            stream.rejoins = stream.first = True
            stream.quick = stream.copies = False
        return COPY
    counted = stream.rule in ("sequence", "increasing")
    if counted and last is not None and last > stream.last:
        return _take_hole(turn, stream, gap, last)
    if gap.stream == EVENT_BOOK and stream.rule in _BOOK_RULES:
        began = gap.first_id if stream.state.lost is None else stream.state.lost[0]
        stream.change(valid=False, lost=(began or "", gap.last_id or ""))
        if turn.deliver_updates and last is not None and last > stream.last:
            stream.last = last
    return APPLY


def _take_hole(turn: Turn, stream: Stream, gap: Gap, last: int) -> int:
    """Open a hole from the position to `last`, which the worker dropped."""
    first = stream.last + 1
    msgspec.structs.force_setattr(gap, "first_id", str(first))
    open_hole(turn, stream, first, last, gap.start_ns, gap.end_ns)
    stream.last = last
    return APPLY


def _filled(stream: Stream, gap: Gap) -> int:
    first, last = parse_number(gap.first_id), parse_number(gap.last_id)
    if stream.rule not in ("sequence", "increasing") or first is None or last is None:
        return APPLY
    fill = stream.state.fill
    told = fill is None or fill[1] < first or last < fill[0]
    if told and (stream.dense or all(hole.last < first or last < hole.first for hole in stream.state.holes)):
        return COPY  # another side has filled it; but where identifiers leap, nothing may have been missing
    left: list[Hole] = []
    for hole in stream.state.holes:
        if hole.last < first or last < hole.first:
            left.append(hole)
            continue
        if hole.first < first:
            left.append(replace(hole, last=first - 1))
        if last < hole.last:
            left.append(replace(hole, first=last + 1))
    stream.change(fill=None, holes=tuple(left[-HOLES_MAX:]))
    return APPLY
