"""Interface of a sink: what it is given, what it promises, and the errors by which it says what is wrong.

A kind of sink is a class. Its module must be importable without the store's client library, because a configuration is
checked with it: import that library in `Sink.open`. ``foxtrot_supervisor.sinks.catalog`` finds the class by the
``kind`` of a ``[[sinks]]`` table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol, TypeAlias, runtime_checkable

from msgspec import Struct

from foxtrot_protocol.child import ChildLog
from foxtrot_protocol.events import KINDS_OF_EVENTS, EventKind, MarketEvent

__all__ = [
    "KINDS_OF_EVENTS",
    "EventKind",
    "RefusedRow",
    "Sink",
    "SinkContext",
    "SinkError",
    "SinkKind",
    "SinkMisconfigured",
    "SinkRefuses",
    "SinkRow",
    "SinkUnavailable",
]


class SinkRow(Struct, frozen=True, array_like=True):
    """One event on its way to a store."""

    number: int
    """Row number, contiguous for the life of the spool; a row that comes again has the same number. A new spool begins
    with a number above all that were used before (microseconds since 1970)."""
    key: str
    """Identity of the event (`keys`): the same event has the same key in every process that received it."""
    connection: str
    """Name of the connection that brought it; "" if several may have, or none (some gaps)."""
    exchange: str
    """The adapter's name in upper case; "" for gaps of whole connections."""
    kind: EventKind
    symbol: str
    """As the exchange writes it; "" for gaps that concern a whole connection."""
    event: MarketEvent[str]
    """The event; prices and sizes are the exchange's own decimal text."""


RefusedRow: TypeAlias = tuple[SinkRow, str]
"""A row and the reason for which the store refuses it."""


class SinkError(Exception):
    """What a sink may raise; `reason` is for people and must hold no secret."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SinkUnavailable(SinkError):
    """The store cannot be reached or does not answer now. The same rows come again after a pause."""


class SinkMisconfigured(SinkError):
    """A person has to change something first: a wrong password, a missing library, a foreign table.

    Rows go on into the spool; the next attempt comes after the longest pause.
    """


class SinkRefuses(SinkError):
    """The store refuses single rows, for what they contain. These go to the dead-letter file, the others come again."""

    def __init__(self, rows: Sequence[RefusedRow]) -> None:
        super().__init__(f"{len(rows)} rows are refused, the first one: {rows[0][1]}" if rows else "no row is refused")
        self.rows = list(rows)


class SinkContext(Struct, frozen=True):
    """What a sink may use of the process that it runs in."""

    name: str
    """Of the sink, as configured."""
    run_dir: str
    """Directory of the run (0700), for local sockets."""
    directory: str
    """The sink's own directory (0700): it is kept between runs, for what the sink has to remember."""
    log: ChildLog
    spool: str = ""
    """Identifies the spool: random, made with it, and gone with it. Row numbers mean something within one spool."""


@runtime_checkable
class Sink(Protocol):
    """One store, or other end, that rows are handed to. Used by one task: calls never overlap.

    Delivery is at least once: after a crash or an error, rows that were written already come again, with the same
    number and key. A sink makes "once" of it by the key.

    A call that takes long delays this sink only. One that blocks the event loop ends the process, as hung.
    """

    async def open(self) -> None:
        """Connect, create what is missing (tables, streams).

        Called before the first `write`, and again after `SinkUnavailable` (after `close`). Raises `SinkUnavailable`
        (repeated with growing pauses) or `SinkMisconfigured`.
        """

    async def write(self, rows: Sequence[SinkRow]) -> int:
        """Write `rows` (ascending, contiguous, not empty); return the number up to which all rows are durable.

        That may be less than the last number, down to what was returned before, where the store makes rows durable
        later (`flush`). Rows beyond the returned number must be kept by the sink until they are durable: they are not
        given again, unless an error is raised or the process ends. Raises `SinkUnavailable`: all rows that are not
        durable come again. Raises `SinkRefuses`: the rows named are put aside, all others that are not durable come
        again.
        """

    async def flush(self) -> int:
        """Make durable what can be made durable now; return the number up to which all rows are, 0 if unknown.

        Called at the end of a run and, while no rows come, every second, or as a class attribute ``flush_s`` says
        (seconds; None: only at the end); also when the spool is nearly full. May raise as `write`.
        """

    async def close(self) -> None:
        """Release everything; must not raise. Called after errors too, and `open` may follow."""

    def counts(self) -> dict[str, int]:
        """Return figures of the sink's own for metrics and ``status``, by name (a-z, 0-9, "_"), at most 20."""


class SinkKind(Protocol):
    """What an entry point of the group ``foxtrot.sinks`` names: a class of sinks.

    >>> class AcmeSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    ...     url: str
    ...     timeout_s: float = 5.0
    """

    settings: ClassVar[type[Struct]]
    """The kind's own keys of a ``[[sinks]]`` table. A field may be annotated with `config.setting.Setting`, which adds
    its range and description to checks and documents."""

    def __call__(self, settings: Struct, context: SinkContext) -> Sink:
        """Make a sink; must not connect, and must not fail for settings that `problems` accepts."""

    def problems(self, settings: Struct) -> Sequence[tuple[str, str]]:
        """Return key and reason of each mistake that the types do not show, such as a missing file or library.

        A static method. Paths in `settings` are as written in the file, relative ones to its folder, which is the
        working directory of the check.
        """
