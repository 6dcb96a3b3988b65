"""Sequence resets: an exchange's identifiers restart below the last one. Pure.

An identifier at or below the position is a copy, unless there is evidence of a sequence reset:

* its exchange time is later than that of the position by more than `RESET_MARGIN_NS`; or
* `LOW_RUN_MIN` identifiers in a row rise from below what the *same side* has brought before. One connection delivers
  in order, so a lagging side never goes back. A new connection has brought nothing before. If no other side brings the
  stream, it counts as gone back when it begins below the position more than `RESET_MARGIN_NS` after it. If it begins
  earlier, it may lag: it counts as gone back as soon as it rises too slowly to reach the position (`CATCH_UP_RATIO`);
  or
* there are no exchange times, the side has brought nothing, and nothing newer has come for `RESET_QUIET_NS`.

After a reset other sides may still bring identifiers of the old sequence. They are copies until the side is reset too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from foxtrot_supervisor.engine.delivery.rules.holes import announce
from foxtrot_supervisor.engine.delivery.rules.turn import Turn
from foxtrot_supervisor.engine.delivery.streams import APPLY, COPY, NUMBER_MAX, UNKNOWN, WAIT, LowRun, Stream

__all__ = [
    "CATCH_UP_RATIO",
    "LOW_RUN_MIN",
    "RESET_MARGIN_NS",
    "RESET_QUIET_NS",
    "follow_reset",
    "forget_low_run",
    "goes_back",
    "is_before_reset",
    "is_outdated",
    "judge_low",
    "restart_sequence",
    "waits_for_old_sequence",
]

LOW_RUN_MIN: Final = 3
"""Rising identifiers in a row, from below the last one of the same side, that show a sequence reset."""

CATCH_UP_RATIO: Final = 10
"""A new connection more than this many times as far below the position as it has risen does not merely lag."""

RESET_MARGIN_NS: Final = 500_000_000
"""Advance of exchange time at which an identifier at or below the position shows a sequence reset."""

RESET_QUIET_NS: Final = 10_000_000_000
"""The same in receive time, without other evidence: the largest lag of a copy."""


def is_outdated(stream: Stream, event: Any) -> bool:
    """Whether a higher identifier belongs, by its exchange time, to a sequence before the last reset."""
    return bool(0 < event.exchange_ns < stream.times()[0] - RESET_MARGIN_NS)


def is_before_reset(turn: Turn, stream: Stream, event: Any, number: int) -> bool:
    """Whether `number` is a copy: a lagging side brings it from before the last sequence reset."""
    sequence = stream.sequence
    if turn.name not in sequence.behind:
        return False
    own = stream.own_last()
    exchange_ns, receive_ns = stream.times()
    dated = event.exchange_ns and exchange_ns
    is_later = event.exchange_ns > exchange_ns if dated else event.receive_ns > receive_ns
    if own is None or number < own or (number > sequence.old_last and is_later):
        stream.sequence = replace(sequence, behind=sequence.behind - {turn.name})
        stream.seen = number
        return False
    stream.seen = number
    return True


def judge_low(turn: Turn, stream: Stream, event: Any, number: int, *, timed: bool = False) -> int:
    """Decide on a `number` at or below the position: COPY, APPLY on a sequence reset, WAIT for lagging sides.

    `timed`: the identifier is the exchange time.
    """
    exchange_ns, receive_ns = stream.times()
    dated = bool(event.exchange_ns and exchange_ns) and not timed
    is_newer = dated and event.exchange_ns - exchange_ns > RESET_MARGIN_NS
    own = stream.own_last()
    low = stream.sequence.low
    if own is not None and number >= own and not low and not is_newer:
        if stream.newest is None:
            stream.seen = number
        return COPY  # one connection delivers in order: its side has brought lower ones before, so it lags
    name = turn.name
    run = low.get(name)
    went_back = goes_back(turn, stream, event, number, slack=RESET_MARGIN_NS if timed else 0)
    begins = not (went_back or timed) and stream.first and own is None and not turn.others_bring(stream)
    if dated and event.exchange_ns < exchange_ns:
        went_back = begins = False
    if went_back or begins:
        stream.copies = False
        run = _extended(run, stream, number, begins=begins)
        stream.sequence = replace(stream.sequence, low={**low, name: run})
    is_reset = is_newer
    if not dated and not timed:
        is_reset = (own is None or number < own) and event.receive_ns - receive_ns > RESET_QUIET_NS
    if is_reset or (went_back and run is not None and _is_reset(run, stream, event.receive_ns - receive_ns)):
        return WAIT if waits_for_old_sequence(turn, stream, event, number) else APPLY
    if not (went_back or begins):
        stream.seen = number
        if run is not None:
            stream.sequence = replace(stream.sequence, low=_without(stream.sequence.low, name))
    return COPY


def waits_for_old_sequence(turn: Turn, stream: Stream, event: Any, number: int) -> bool:
    """Whether to wait for a side that may still bring the rest of the old sequence, which is handed over first."""
    lagging = any(_lags(stream, name, number) for name in turn.names_of(stream))
    return lagging and turn.has_to_wait(stream, NUMBER_MAX, event, carriers=True, reset=True)


def forget_low_run(stream: Stream, name: str) -> None:
    """After a batch of side `name`: forget its low run if its own later events have passed it."""
    run = stream.sequence.low.get(name)
    if run is not None and stream.newest is not None and run.position != stream.last:
        stream.sequence = replace(stream.sequence, low=_without(stream.sequence.low, name))


def goes_back(turn: Turn, stream: Stream, event: Any, number: int, *, slack: int = 0) -> bool:
    """Whether the current side goes back by more than `slack` with `number`: evidence of a sequence reset."""
    own = stream.own_last()
    if own is not None:
        return number < own - slack
    if turn.name in stream.sequence.low:
        return True
    # a new connection has brought nothing: it lags, or it was made after the position was reached
    is_later: bool = event.receive_ns - stream.times()[1] > RESET_MARGIN_NS
    return stream.first and not turn.others_bring(stream) and is_later


def follow_reset(turn: Turn, stream: Stream, number: int) -> None:
    """Record a sequence reset to about `number`; sides that have not reached it are marked as lagging."""
    sequence = stream.sequence
    behind = frozenset(name for name in turn.names_of(stream) if _lags(stream, name, number))
    stream.new_own = {name: run.last for name, run in sequence.low.items()}
    stream.sequence = replace(sequence, low={}, behind=behind, old_last=stream.last, leap_at=0, leaps=0)
    stream.seen = UNKNOWN
    stream.copies = False


def restart_sequence(turn: Turn, stream: Stream, event: Any, number: int) -> None:
    """Announce the sequence reset and go on from `number`."""
    run = stream.sequence.low.get(turn.name)
    skipped = run is not None and run.first < number
    first = str(run.first) if run is not None and skipped else None
    last = str(number - 1) if skipped else None
    announce(turn, stream, first, last, event, f"identifiers went back from {stream.last} to {number}")
    follow_reset(turn, stream, number)
    stream.last = number
    stream.change(holes=(), fill=None)


def _lags(stream: Stream, name: str, number: int) -> bool:
    """Whether this side's last identifier belongs to the sequence of the position, not to that of `number`."""
    own = stream.own.get(name)
    return own is not None and name not in stream.sequence.low and abs(stream.last - own) < abs(own - number)


def _without(low: Mapping[str, LowRun], name: str) -> dict[str, LowRun]:
    return {each: run for each, run in low.items() if each != name}


def _is_reset(run: LowRun, stream: Stream, later_ns: int) -> bool:
    """Whether a run shows a sequence reset; `later_ns`: receive time since the position."""
    if run.count < LOW_RUN_MIN:
        return False
    if not run.may_lag:
        return True
    is_slow = stream.last - run.last > CATCH_UP_RATIO * (run.last - run.first)
    return later_ns > (RESET_MARGIN_NS if is_slow else RESET_QUIET_NS)


def _extended(run: LowRun | None, stream: Stream, number: int, *, begins: bool) -> LowRun:
    """`run` with `number` added; a new run where `number` does not continue it. `begins`: a new connection may lag."""
    if run is not None and number == run.last:
        return run
    broken = run is None or number < run.last or (run.batch == stream.batch and run.position != stream.last)
    if run is None or broken:
        return LowRun(number, number, 1, stream.last, stream.batch, begins)
    return LowRun(run.first, number, run.count + 1, stream.last, stream.batch, run.may_lag)
