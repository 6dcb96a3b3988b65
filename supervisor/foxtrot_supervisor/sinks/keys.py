"""Identity of events across processes: a key that a store can recognize a repeated write by. Pure.

``exchange/kind/symbol/identifier/digest`` and, for an event equal to an earlier one in all that it says, ``/n``:

* a trade with an identifier: ``BINANCE/trade/BTCUSDT/501-483251/9f86d081884c7d65``. ``501`` counts hours since 1970,
  because exchanges restart their numbers; the digest is that of price, size and side
* any other event: ``BINANCE/book/BTCUSDT/delta/2c26b46b68ffc68f``, the digest of all that the exchange sent, with its
  identifiers and times; where it sends neither, also of the receive time

Two receivers (twins, another host) make the same key for the same event, except where its exchange sends neither an
identifier nor a time.
"""

from __future__ import annotations

import functools
import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Final

from foxtrot_protocol.event_lines import plain_number
from foxtrot_protocol.events import BookDelta, BookSnapshot, FeedStatus, Gap, Quote, Trade
from foxtrot_supervisor.engine.delivery.rules.content import content_of
from foxtrot_supervisor.sinks.sink import KINDS_OF_EVENTS

__all__ = ["KEYS_REMEMBERED", "EventKeys", "base_key"]

KEYS_REMEMBERED: Final = 8192
"""Latest keys among which an equal event is numbered."""

_plain = functools.lru_cache(maxsize=8192)(plain_number)
"""Most prices and sizes come repeatedly."""

_HOUR_NS: Final = 3_600_000_000_000


class EventKeys:
    """Makes the keys of a sequence of events; remembers `KEYS_REMEMBERED` of them to number equal events."""

    def __init__(self) -> None:
        self._times: OrderedDict[str, int] = OrderedDict()
        """Number of events of each base key; the latest last."""

    def remember(self, events: Iterable[Any]) -> None:
        """Take note of events whose keys were made before."""
        for event in events:
            self.key(event)

    def key(self, event: Any) -> str:
        """Return the key of the next event."""
        base = base_key(event)
        times = self._times.get(base, 0)
        self._times[base] = times + 1
        if times:
            self._times.move_to_end(base)
            return f"{base}/{times}"
        if len(self._times) > KEYS_REMEMBERED:
            self._times.popitem(last=False)
        return base


def base_key(event: Any) -> str:
    """Return the key of an event that no event before it equals."""
    kind = event.__class__
    if kind is Trade and event.trade_id:
        said = f"{_plain(event.price)} {_plain(event.size)} {event.side}".encode()
        identifier = f"{event.exchange_ns // _HOUR_NS}-{event.trade_id}"
        return f"{event.exchange}/trade/{event.symbol}/{identifier}/{_digest(said)}"
    said = content_of(event)
    if kind is FeedStatus or kind is Gap or not (event.exchange_ns or _has_identifier(event)):
        said += event.receive_ns.to_bytes(8, "little")
    stream = f"{event.exchange}/{KINDS_OF_EVENTS[kind]}/{event.symbol}"
    if kind is BookSnapshot:
        stream += "/snapshot"
    elif kind is BookDelta:
        stream += "/delta"
    return f"{stream}/{_digest(said)}"


def _has_identifier(event: Any) -> bool:
    kind = event.__class__
    if kind is Quote:
        return bool(event.update_id)
    return (kind is BookDelta or kind is BookSnapshot) and event.last_id is not None


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()
