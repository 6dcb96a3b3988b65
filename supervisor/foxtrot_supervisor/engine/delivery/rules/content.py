"""Events recognized by their content: rules `unique`, `content` and, for states, `latest`. Pure."""

from __future__ import annotations

import hashlib
import zlib
from typing import Any, Final

import msgspec

from foxtrot_protocol.events import Bar, BookSnapshot, Quote
from foxtrot_supervisor.engine.delivery.rules.holes import announce_missed
from foxtrot_supervisor.engine.delivery.rules.resets import is_before_reset, is_outdated, judge_low, restart_sequence
from foxtrot_supervisor.engine.delivery.rules.turn import Turn
from foxtrot_supervisor.engine.delivery.streams import APPLY, COPY, EQUAL_MAX, WAIT, Stream, Window, parse_number

__all__ = ["content", "content_of", "latest", "order_of", "unique"]

_encode = msgspec.msgpack.Encoder().encode

_ADDED: Final = frozenset(("receive_ns", "publish_ns", "redelivered", "backfilled"))
_SENT: Final[dict[type, tuple[str, ...]]] = {}
"""Fields that the exchange fills, by event class."""


def unique(turn: Turn, stream: Stream, event: Any) -> int:
    """Decide a trade whose identifier has no order."""
    return _remembered(turn, stream, event, event.trade_id.encode() if event.trade_id else content_of(event))


def content(turn: Turn, stream: Stream, event: Any) -> int:
    """Decide an event without identifier: a copy is equal in all that the exchange said."""
    return _remembered(turn, stream, event, content_of(event))


def latest(turn: Turn, stream: Stream, event: Any) -> int:
    """Decide a state: the newest wins; of the same identifier or time, each content once."""
    order, is_identifier = order_of(event)
    if not stream.known:
        stream.last = order
        if not is_identifier:
            stream.change(equal=(_checksum(event),))
        return APPLY
    if stream.sequence.behind and is_before_reset(turn, stream, event, order):
        return COPY
    if order < stream.last or (order == stream.last and is_identifier):
        verdict = judge_low(turn, stream, event, order, timed=order == event.exchange_ns)
        if verdict == APPLY:
            restart_sequence(turn, stream, event, order)
            stream.change(equal=() if is_identifier else (_checksum(event),))
        return verdict
    if order == stream.last:
        checksum = _checksum(event)
        equal = stream.state.equal
        if checksum in equal:
            stream.seen = order
            return COPY
    elif is_outdated(stream, event):
        return COPY
    else:
        checksum = 0 if is_identifier else _checksum(event)
        equal = ()
    if stream.first and turn.has_to_wait(stream, order, event, carriers=True):
        return WAIT  # the other side is about to bring older states, or others of the same time
    announce_missed(turn, stream, event)
    stream.last = order
    if not is_identifier:
        stream.change(equal=(*equal, checksum)[-EQUAL_MAX:])
    elif stream.state.equal:
        stream.change(equal=())
    return APPLY


def order_of(event: Any) -> tuple[int, bool]:
    """Return the number that orders states, and whether equal numbers mean equal states."""
    kind = event.__class__
    number = None
    if kind is Quote:
        number = parse_number(event.update_id) if event.update_id else None
    elif kind is BookSnapshot:
        number = parse_number(event.last_id)
    elif kind is Bar and not event.exchange_ns:
        return event.start_ns, False
    return (event.exchange_ns, False) if number is None else (number, True)


def _remembered(turn: Turn, stream: Stream, event: Any, data: bytes) -> int:
    window = stream.window
    if window is None:
        window = stream.window = Window()
    if not window.add(int.from_bytes(hashlib.blake2b(data, digest_size=8).digest())):
        return COPY
    if stream.first and stream.known and turn.has_to_wait(stream, event.receive_ns, event, carriers=True):
        return WAIT  # the other side is about to bring it, in its order; receive times stand in for identifiers
    announce_missed(turn, stream, event)
    return APPLY


def content_of(event: Any) -> bytes:
    """Return all fields that the exchange sent, encoded."""
    kind = event.__class__
    names = _SENT.get(kind)
    if names is None:
        names = _SENT[kind] = tuple(name for name in kind.__struct_fields__ if name not in _ADDED)
    return _encode([getattr(event, name) for name in names])


def _checksum(event: Any) -> int:
    return zlib.crc32(content_of(event))
