"""Fault injection: a seeded script that decides what goes wrong, when, and for which connection. Pure.

A `Fault` is armed (before the start, or while running) and triggers `after_s` seconds or `after_frames` data
frames after the later of its arming and the connection's opening. There are four sorts of faults:

- *filters* change the flow of data frames for a number of frames or for a time: silence, gap, drop, duplicate,
  reorder. `FaultScript.shape` applies them to each frame.
- *one-time faults* happen once: an extra frame (garbage, invalid_utf8, wrong_types, deep_nesting, unknown_type,
  huge), or something done to the connection (close, abort, drip, stall, broken_frame, shutdown, forget).
  `FaultScript.due` returns those that are due to the connection, which performs them.
- *refusals* apply to the next handshake (refuse), subscription (subscribe_refuse) or REST requests (rest_refuse,
  rest_body, rest_trickle, rest_chunks, rest_continue, rest_stall).
- *market faults* change what the market itself makes from now on, for all connections and REST (ids_restart, ids_leap,
  list, delist).

An extra frame never replaces a real one: the ledger still accounts for all that the market sent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from random import Random
from typing import Generic, Literal, TypeVar

from msgspec import Struct

__all__ = [
    "ENDLESS",
    "FILTERS",
    "KINDS",
    "MARKET",
    "ONCE",
    "REFUSALS",
    "Fault",
    "FaultScript",
    "Kind",
    "extra_payloads",
]

T = TypeVar("T")

Kind = Literal[
    "silence",
    "maintenance",
    "gap",
    "drop",
    "duplicate",
    "reorder",
    "garbage",
    "invalid_utf8",
    "wrong_types",
    "deep_nesting",
    "unknown_type",
    "huge",
    "close",
    "abort",
    "drip",
    "stall",
    "broken_frame",
    "shutdown",
    "forget",
    "refuse",
    "rest_refuse",
    "rest_body",
    "subscribe_refuse",
    "rest_trickle",
    "rest_chunks",
    "rest_continue",
    "rest_stall",
    "ids_restart",
    "ids_leap",
    "list",
    "delist",
]

FILTERS: frozenset[str] = frozenset({"silence", "maintenance", "gap", "drop", "duplicate", "reorder"})
ENDLESS: dict[str, tuple[bytes, bytes]] = {
    "rest_trickle": (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b" "),
    "rest_chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "rest_continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}
"""Answers that never end: how each begins, and what follows again and again."""

_REST_KINDS = ("rest_refuse", "rest_body", *ENDLESS, "rest_stall")

REFUSALS: frozenset[str] = frozenset({"refuse", "subscribe_refuse", *_REST_KINDS})
ONCE: frozenset[str] = frozenset(
    {
        "garbage",
        "invalid_utf8",
        "wrong_types",
        "deep_nesting",
        "unknown_type",
        "huge",
        "close",
        "abort",
        "drip",
        "stall",
        "broken_frame",
        "shutdown",
        "forget",
    }
)
MARKET: frozenset[str] = frozenset({"ids_restart", "ids_leap", "list", "delist"})
KINDS = FILTERS | REFUSALS | ONCE | MARKET

_HUGE_BYTES = 100 * 1024 * 1024
_NESTING = 100_000
_PORTAL = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in to this network.</body></html>"
_ARMED_MAX = 1_000


class Fault(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault. Times are in seconds; a kind ignores the fields that are not named for it here.

    ========================  =====================================================================
    silence                   no data frames for `duration_s`; `topic` limits it to matching streams
    maintenance               no data frames for `duration_s`, and the venue's state in REST says `reason`
    gap                       the next `count` depth updates vanish (streams that are books)
    drop, duplicate, reorder  happens to `count` frames (`topic`), each with chance `share`; reorder
                              swaps a frame with the next one of the same connection
    garbage ... unknown_type  `count` extra frames
    huge                      one extra text frame of `size_bytes`, valid JSON
    close                     WebSocket close with `code` and `reason`
    abort                     the TCP connection is reset
    broken_frame              bytes that are no WebSocket frame
    drip                      all bytes leave at `bytes_per_s` for `duration_s`
    stall                     half a frame, then nothing in either direction for `duration_s`
    shutdown                  announces ``serverShutdown``, closes `duration_s` later
    forget                    the streams that match `topic` are no longer subscribed; nobody is told
    subscribe_refuse          the next `count` subscriptions of a matching `topic` answer error `code` and `reason`
    refuse                    the next `count` handshakes answer `status`, `retry_after_s`
    rest_refuse, rest_stall   the next `count` REST requests answer `status` or wait `duration_s`;
                              `topic` limits it to matching paths
    rest_body                 the next `count` REST requests answer 200 with `body`, such as a captive portal's page
    rest_trickle, _chunks,    the next `count` REST requests get an answer that never ends: a body, chunks or interim
    _continue                 answers, at `bytes_per_s` pieces a second
    list, delist              the symbol `topic` joins or leaves the market
    ========================  =====================================================================
    """

    kind: Kind
    connection: int | None = None
    """Number of the connection (in order of acceptance, from 0); None: every one, those to come included."""
    after_s: float = 0.0
    after_frames: int = 0
    count: int = 1
    duration_s: float | None = None
    """None: for ever (silence, stall, drip), at once (shutdown), 5 s (rest_stall)."""
    topic: str = ""
    """Part of a stream's name or of a REST path; a symbol (list, delist)."""
    share: float = 1.0
    size_bytes: int = _HUGE_BYTES
    code: int = 1001
    reason: str = ""
    status: int = 429
    retry_after_s: float | None = None
    bytes_per_s: float = 100.0
    body: str = _PORTAL

    def matches(self, number: int) -> bool:
        """Return whether it applies to this connection."""
        return self.connection is None or self.connection == number


class _Armed:
    """A fault and its progress on one connection."""

    __slots__ = ("fault", "frames", "from_s", "left", "until_s")

    def __init__(self, fault: Fault, now_s: float) -> None:
        self.fault = fault
        self.from_s = now_s + fault.after_s
        self.frames = 0
        """Data frames seen since arming."""
        self.left = fault.count
        self.until_s: float | None = None
        """End of a timed filter, set when it triggers."""

    def is_triggered(self, now_s: float) -> bool:
        """Return whether both conditions are met."""
        return now_s >= self.from_s and self.frames >= self.fault.after_frames


class _ConnectionFaults(Generic[T]):
    """The faults of one connection, and the frame that a reordering holds back."""

    def __init__(self) -> None:
        self.armed: list[_Armed] = []
        self.held: T | None = None


class FaultScript(Generic[T]):
    """All faults of one server; `T` is the server's type of a frame. Times are monotonic seconds."""

    def __init__(
        self,
        seed: int,
        faults: Iterable[Fault] = (),
        *,
        is_book: Callable[[str], bool] = lambda stream: "@depth" in stream,
    ) -> None:
        """`is_book`: whether a stream is a book with updates, for `gap`."""
        self._is_book = is_book
        self._random = Random(f"faults:{seed}")
        self._standing: list[Fault] = []
        """Faults that apply to future connections too."""
        self._refusals: list[_Armed] = []
        self._maintenance = ("", 0.0, 0.0)
        """Reason, begin and end."""
        self._lines: dict[int, _ConnectionFaults[T]] = {}
        for fault in faults:
            self.arm(fault, 0.0)

    def arm(self, fault: Fault, now_s: float) -> None:
        """Add a fault; raises `ValueError` when too many are armed."""
        if len(self._standing) + len(self._refusals) >= _ARMED_MAX:
            raise ValueError(f"more than {_ARMED_MAX} faults")
        if fault.kind in REFUSALS:
            self._refusals.append(_Armed(fault, now_s))
            return
        if fault.kind == "maintenance":
            begins_at = now_s + fault.after_s
            ends_at = math.inf if fault.duration_s is None else begins_at + fault.duration_s
            self._maintenance = (fault.reason or "system maintenance", begins_at, ends_at)
        self._standing.append(fault)
        for number, line in self._lines.items():
            if fault.matches(number):
                line.armed.append(_Armed(fault, now_s))

    def clear(self) -> None:
        """Disarm everything; a frame that a reordering holds back is sent with the next one."""
        self._maintenance = ("", 0.0, 0.0)
        self._standing.clear()
        self._refusals.clear()
        for line in self._lines.values():
            line.armed.clear()

    def opened(self, number: int, now_s: float) -> None:
        """A connection was accepted."""
        line = self._lines[number] = _ConnectionFaults()
        line.armed = [_Armed(fault, now_s) for fault in self._standing if fault.matches(number)]

    def closed(self, number: int) -> None:
        """A connection ended; faults for it alone are disarmed."""
        self._lines.pop(number, None)
        self._standing = [fault for fault in self._standing if fault.connection != number]

    def maintenance(self, now_s: float) -> str:
        """Return what is maintained now; "": nothing."""
        reason, begins_at, ends_at = self._maintenance
        return reason if begins_at <= now_s < ends_at else ""

    def is_quiet(self, number: int) -> bool:
        """Return whether no fault can change what is sent on this connection now: the server's fast path."""
        line = self._lines.get(number)
        return line is None or (not line.armed and line.held is None)

    def shape(self, number: int, stream: str, item: T, now_s: float) -> list[T]:
        """Return what to send in place of `item`, a data frame of `stream`."""
        line = self._lines[number]
        items = [item]
        for armed in list(line.armed):
            armed.frames += 1
            fault = armed.fault
            # A frame that completes the count still passes: the fault begins after it.
            if fault.kind not in FILTERS or armed.frames <= fault.after_frames or now_s < armed.from_s:
                continue
            if fault.kind == "reorder" and line.held is not None:
                continue
            if self._expired(armed, now_s):
                line.armed.remove(armed)
            elif self._applies_to(fault, stream) and (fault.share >= 1.0 or self._random.random() < fault.share):
                items = self._apply(line, armed, items)
        if line.held is not None and items and items[-1] is not line.held:
            items = [*items, line.held]
            line.held = None
        return [found for found in items if found is not line.held]

    def _applies_to(self, fault: Fault, stream: str) -> bool:
        if fault.kind == "gap":
            return self._is_book(stream) and fault.topic in stream
        return fault.topic in stream

    def _expired(self, armed: _Armed, now_s: float) -> bool:
        """Return whether a timed filter has ended; the first call starts its time."""
        if armed.fault.kind not in ("silence", "maintenance") or armed.fault.duration_s is None:
            return False
        if armed.until_s is None:
            armed.until_s = max(now_s, armed.from_s) + armed.fault.duration_s
        return now_s >= armed.until_s

    def _apply(self, line: _ConnectionFaults[T], armed: _Armed, items: list[T]) -> list[T]:
        kind = armed.fault.kind
        if kind in ("silence", "maintenance"):
            return []
        armed.left -= 1
        if armed.left <= 0:
            line.armed.remove(armed)
        if kind == "duplicate":
            return [found for found in items for _ in range(2)]
        if kind == "reorder" and items:
            line.held = items[-1]
            return items
        return [] if kind in ("drop", "gap") else items

    def due(self, number: int, now_s: float) -> list[Fault]:
        """Return the one-time faults to perform on this connection now, each once."""
        line = self._lines.get(number)
        if line is None:
            return []
        found = [a for a in line.armed if a.fault.kind in ONCE and a.is_triggered(now_s)]
        for armed in found:
            line.armed.remove(armed)
        return [armed.fault for armed in found]

    def has_timed_faults(self) -> bool:
        """Return whether a one-time fault is still armed: the server then checks more often."""
        return any(a.fault.kind in ONCE for line in self._lines.values() for a in line.armed)

    def refusal(self, now_s: float) -> Fault | None:
        """Return the fault that refuses the handshake that has just come; None accepts it."""
        return self._refuse("refuse", "", now_s)

    def subscription_refusal(self, topic: str, now_s: float) -> Fault | None:
        """Return the fault that refuses the subscription of `topic` that has just come; None accepts it."""
        return self._refuse("subscribe_refuse", topic, now_s)

    def rest_fault(self, path: str, now_s: float) -> Fault | None:
        """Return the fault of the REST request for `path` that has just come; None if there is none."""
        return next((fault for kind in _REST_KINDS if (fault := self._refuse(kind, path, now_s))), None)

    def _refuse(self, kind: str, path: str, now_s: float) -> Fault | None:
        for armed in self._refusals:
            fault = armed.fault
            if fault.kind == kind and now_s >= armed.from_s and fault.topic in path:
                armed.left -= 1
                if armed.left <= 0:
                    self._refusals.remove(armed)
                return fault
        return None

    def extra_frames(self, fault: Fault, sample: bytes) -> list[bytes]:
        """Return the payloads of the extra frames of `fault`; `sample` is a real payload to damage."""
        return extra_payloads(fault, sample, self._random)


def extra_payloads(fault: Fault, sample: bytes, random: Random) -> list[bytes]:
    """Return `fault.count` payloads of its kind, for text frames; not for `huge`, which is too large to copy."""
    return [_payload(fault.kind, sample, random) for _ in range(fault.count)]


def _payload(kind: str, sample: bytes, random: Random) -> bytes:
    if kind == "garbage":
        letters = "".join(chr(33 + int(random.random() * 90)) for _ in range(8 + int(random.random() * 200)))
        return b"<" + letters.encode()
    if kind == "invalid_utf8":
        return b'{"e":"trade","s":"\xff\xfe\xc3\x28"}'
    if kind == "deep_nesting":
        return b"[" * _NESTING + b"]" * _NESTING
    if kind == "unknown_type":
        return b'{"e":"notOfThisWorld%d","E":1,"x":[1,{"y":null}]}' % int(random.random() * 1000)
    assert kind == "wrong_types", kind
    return _damage(sample, random)


def _damage(sample: bytes, random: Random) -> bytes:
    """Return `sample` with a wrong type in one known field: text for a number, or a number for text."""
    damages = [
        (b'"p":"', b'"p":{"was":"', b'"', b'"}'),
        (b'"q":"', b'"q":["', b'"', b'"]'),
        (b'"u":', b'"u":"x', b",", b'",'),
        (b'"b":[', b'"b":7,"was":[', b"", b""),
        (b'"b":"', b'"b":{"was":"', b'"', b'"}'),
    ]
    possible = [damage for damage in damages if damage[0] in sample]
    if not possible:
        return b'{"e":"trade","E":"soon","s":["BTCUSDT"],"t":{},"p":1,"q":false,"T":null,"m":"no"}'
    field, instead, end, instead_end = possible[int(random.random() * len(possible))]
    before, after = sample.split(field, 1)
    if end:
        value, rest = after.split(end, 1)
        after = value + instead_end + rest
    return before + instead + after
