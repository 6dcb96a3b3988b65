"""Control-plane messages between the supervisor and its children.

Over DEALER/ROUTER, one msgpack array a message, tagged by its first element. A child says `Hello` as soon
as it runs, `Ready` when it serves, `Heartbeat` at a fixed pace from its own event loop, `Failed` before
it exits on purpose. Before it connects or asks by REST it asks for its share of the exchange's limits (`BudgetAsk`),
and when its connection grows old it says `RotateWanted`. The supervisor says `Stop`, `Subscribe`, `Unsubscribe`,
`Fenced`, `BudgetGrant`.

A hole that nobody received goes round: the engine says `HoleFound`, the supervisor gives it as `Backfill` to a
worker of that connection, which fetches what it can, and answers `Backfilled`. So do books: the engine says
`BooksWanted` for those that its handlers cannot know, the supervisor gives it as `Resync` to one worker of the
connection; the answer is the `BookSnapshot` in that worker's stream of events.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from msgspec import Struct

__all__ = [
    "BOOK_ATTEMPTS_EACH",
    "Backfill",
    "Backfilled",
    "BooksWanted",
    "BudgetAsk",
    "BudgetGrant",
    "BudgetKind",
    "BudgetSpent",
    "Done",
    "Drained",
    "Failed",
    "Fenced",
    "FromChild",
    "HandlerFigures",
    "Heartbeat",
    "Hello",
    "HoleFound",
    "Left",
    "LogRecord",
    "Logged",
    "Ready",
    "Resync",
    "RotateWanted",
    "SourceCounters",
    "Stop",
    "Subscribe",
    "ToChild",
    "TopicStatus",
    "TwinFresh",
    "Unsubscribe",
    "WorkerChanged",
    "WorkersStarted",
]


BudgetKind: TypeAlias = Literal["connect", "rest"]
"""What an exchange counts of one address: WebSocket handshakes, and the weights of REST requests."""

BOOK_ATTEMPTS_EACH: Final = 4
"""Consecutive attempts of `BooksWanted` that go to the same worker, over a good minute. A worker may have to wait for
the exchange's rate limit, and two workers that fetch the same snapshots spend it twice."""


class Hello(Struct, array_like=True, tag="hello", frozen=True):
    """First words of a child: it exists, its control link works."""

    worker: str
    incarnation: int
    pid: int


class Ready(Struct, array_like=True, tag="ready", frozen=True):
    """It serves: first data or every subscription acknowledged; `info` holds addresses it offers."""

    worker: str
    incarnation: int
    info: dict[str, str] = {}


class TopicStatus(Struct, array_like=True, frozen=True):
    """A subscribed topic as the worker sees it; times in seconds."""

    topic: str
    state: str
    age_s: float | None
    """Of its latest data; None until data came."""
    since_s: float = 0.0
    """How long it has been in this state."""
    limit_s: float | None = None
    """At this age it is stale; None: it may rest."""
    reason: str = ""
    """Why it is in this state, where the exchange or the adapter gave a reason."""
    final: bool = False
    """Refused for good: not asked for again."""


class SourceCounters(Struct, array_like=True, frozen=True):
    """The engine's account of one worker, over all its incarnations."""

    applied_total: int
    deduplicated_total: int
    gaps_total: int
    lost_total: int
    latency_p50_us: float
    latency_p99_us: float
    late_total: int = 0
    """Events that came once more by another path, or after their incarnation was done with: dropped, harmless."""
    wins_total: int = 0
    """Events that this worker brought first, while its twin might have."""
    lost_batches_total: int = 0
    """Batches announced as lost whose number of events is unknown; `lost_total` leaves them out."""
    superseded_total: int = 0
    """Updates of books that were not handed over, since the next snapshot contains them."""
    demoted_total: int = 0
    """Streams of rule `sequence` whose identifiers were found to leap: their holes are not told any more."""


class HandlerFigures(Struct, array_like=True, frozen=True):
    """One registration of the EventEngine; `type` is "" for a general handler, times are in microseconds."""

    type: str
    handler: str
    owners: list[str]
    calls: int
    p50_us: float
    p99_us: float
    max_us: float
    slow: int
    errors: int
    suspended: bool


class Heartbeat(Struct, array_like=True, tag="heartbeat", frozen=True):
    """Counters of a child, sent each `heartbeat_s` from its event loop; totals are of this incarnation.

    `frames_total` = frames parsed + `rejected_total`. `committed_total` counts events handed to the data
    plane. The engine fills `queue_depth` to `sources`; workers leave them at their defaults. `recent`: a few
    of the latest events, one line each, for people to look at.
    """

    worker: str
    incarnation: int
    loop_lag_ms: float
    rss_bytes: int
    open_fds: int
    tasks: int
    threads: int
    frames_total: int = 0
    events_total: int = 0
    rejected_total: int = 0
    committed_total: int = 0
    dropped_total: int = 0
    last_data_age_s: float | None = None
    topics: list[TopicStatus] = []
    queue_depth: int = 0
    dispatch_p50_us: float = 0.0
    dispatch_p99_us: float = 0.0
    slow_handlers: int = 0
    handler_errors_total: int = 0
    redelivered_total: int = 0
    sources: dict[str, SourceCounters] = {}
    recent: list[str] = []
    account_violations_total: int = 0
    """Engine: incarnations whose events committed were not those applied and announced as lost."""
    budget_waits_total: int = 0
    """Worker: times it had to wait for its share of the exchange's limits."""
    budget_refused_total: int = 0
    """Worker: times it went without, because too many waited or the wait was longer than it may take."""
    budget_unanswered_total: int = 0
    """Worker: times the supervisor did not answer soon enough; it went on unasked."""
    ticks_total: int = 0
    """Engine: ticks folded."""
    bars_total: int = 0
    """Engine: bars made of trades and closed."""
    late_trades_total: int = 0
    """Engine: trades that came after their bar was closed."""
    leaks_total: int = 0
    """Engine: findings of its leak monitor."""
    leaks: list[str] = []
    """Engine: the latest of them, as text."""
    owners: list[str] = []
    """Engine: owners of handlers that are open."""
    handlers: list[HandlerFigures] = []
    """Engine: the handlers that most need looking at."""
    snapshots_rejected_total: int = 0
    """Worker: snapshots of books that could not be used."""


class Failed(Struct, array_like=True, tag="failed", frozen=True):
    """Why the child is about to exit; `retry_after_s` is the exchange's own wish, if it told one."""

    worker: str
    incarnation: int
    cause: str
    retry_after_s: float | None = None


class Drained(Struct, array_like=True, tag="drained", frozen=True):
    """From the engine: all of a worker's ring is done with, its file goes. Its account, in events."""

    worker: str
    incarnation: int
    source: str
    source_incarnation: int
    committed: int
    applied: int
    lost: int
    redelivered: int
    deduplicated: int = 0
    superseded: int = 0


class Left(Struct, array_like=True, tag="left", frozen=True):
    """From an engine that is no child of the supervisor: it has let go, as a child says by its exit."""

    worker: str
    incarnation: int


class Done(Struct, array_like=True, tag="done", frozen=True):
    """Answer to a request with this id; `error` is "" on success.

    `symbols`: those that the request concerned, as the venue writes them.
    """

    worker: str
    incarnation: int
    request_id: int
    error: str
    symbols: list[str] = []


class HoleFound(Struct, array_like=True, tag="hole_found", frozen=True):
    """From the engine: it has no events of a stream between these bounds, and knows no worker that had them.

    Told again for each hole still open by an engine that was started anew. `stream` is the event type; `first_id` and
    `last_id` are the first and the last identifier missing, where identifiers leap the bounds between which whatever is
    missing lies. `start_ns` and `end_ns`: receive times around the hole.
    """

    worker: str
    incarnation: int
    connection: str
    symbol: str
    stream: str
    first_id: str
    last_id: str
    start_ns: int
    end_ns: int


class Backfilled(Struct, array_like=True, tag="backfilled", frozen=True):
    """From a worker: it is done with a `Backfill`.

    `events` were fetched and are committed. `left` is "" if the hole is filled; else why not all of it is: then what is
    missing lies between `first_id` and `last_id`, and `retry` says whether asking again may help.
    """

    worker: str
    incarnation: int
    request_id: int
    events: int
    left: str = ""
    first_id: str = ""
    last_id: str = ""
    retry: bool = False


class BooksWanted(Struct, array_like=True, tag="books_wanted", frozen=True):
    """From the engine: handlers know nothing of these books until a snapshot of each comes.

    `attempt`: counts from 1; the workers of the connection take turns, each for `BOOK_ATTEMPTS_EACH` attempts.
    """

    worker: str
    incarnation: int
    connection: str
    symbols: list[str]
    attempt: int


class RotateWanted(Struct, array_like=True, tag="rotate_wanted", frozen=True):
    """This connection should be replaced while it still streams: its planned age is reached, or its end announced.

    The worker streams on; the supervisor decides when. Said again every few seconds until something follows.
    """

    worker: str
    incarnation: int
    reason: str


class BudgetAsk(Struct, array_like=True, tag="budget_ask", frozen=True):
    """May I spend `weight` at `address` now? Answered by `BudgetGrant` at once.

    The budget is the exchange's: at most `limit` in any `period_s` seconds, shared by all workers of the address
    (`limit` 0: no number is known, only a Retry-After closes it). Told to wait, a worker asks again, with the same
    `request_id`, when that time is over: its place among those who wait is kept meanwhile.
    """

    worker: str
    incarnation: int
    request_id: int
    kind: BudgetKind
    address: str
    weight: int
    limit: int
    period_s: float


class BudgetSpent(Struct, array_like=True, tag="budget_spent", frozen=True):
    """The exchange answered 429 or 418: nobody asks it before `retry_after_s` seconds have passed."""

    worker: str
    incarnation: int
    kind: BudgetKind
    address: str
    retry_after_s: float


class LogRecord(Struct, array_like=True, tag="log", frozen=True):
    """One structured log line of a child."""

    worker: str
    level: str
    event: str
    fields: dict[str, str]


class Stop(Struct, array_like=True, tag="stop", frozen=True):
    """Finish within `grace_s`: stop reading, flush, close, exit 0."""

    grace_s: float


class Subscribe(Struct, array_like=True, tag="subscribe", frozen=True):
    """Add symbols on every channel of the connection, without reconnecting."""

    request_id: int
    symbols: list[str]


class Unsubscribe(Struct, array_like=True, tag="unsubscribe", frozen=True):
    """Remove symbols from every channel of the connection, without reconnecting."""

    request_id: int
    symbols: list[str]


class Backfill(Struct, array_like=True, tag="backfill", frozen=True):
    """To a worker: fetch what is missing of a stream, as in `HoleFound`; answered by `Backfilled`."""

    request_id: int
    symbol: str
    stream: str
    first_id: str
    last_id: str
    start_ns: int
    end_ns: int


class Resync(Struct, array_like=True, tag="resync", frozen=True):
    """To a worker: show the books of these symbols whole once more, on the running connection."""

    symbols: list[str]


class TwinFresh(Struct, array_like=True, tag="twin_fresh", frozen=True):
    """To a worker without data: the other side of its connection, with the same topics, has data of `age_s`."""

    age_s: float


class BudgetGrant(Struct, array_like=True, tag="budget_grant", frozen=True):
    """Answer to a `BudgetAsk`: `wait_s` 0 means go, it is spent now; else ask again after so many seconds.

    `refused`: too many wait already, no place is kept.
    """

    request_id: int
    wait_s: float
    refused: bool = False


class WorkersStarted(Struct, array_like=True, tag="workers_started", frozen=True):
    """To the engine: the latest incarnation of each worker that this supervisor has started.

    The engine reads the rings of these incarnations, and of earlier ones of the same workers, and of no others. Sent in
    full in answer to the engine's `Hello` (in several messages with `more`, but for the last), before all else; then
    with one worker before each start.
    """

    workers: dict[str, int]
    """Incarnation, from 1, by worker."""
    more: bool = False
    """Further ones follow directly."""


class Fenced(Struct, array_like=True, tag="fenced", frozen=True):
    """To the engine: `incarnation` and all before it are dead; whatever comes of them now is late."""

    worker: str
    incarnation: int


class WorkerChanged(Struct, array_like=True, tag="worker_changed", frozen=True):
    """To the engine: becomes the `eWorker.` event (fields as in events.WorkerStatus)."""

    worker: str
    incarnation: int
    state: str
    cause: str
    exit_code: int | None
    signal: int | None
    rung: str | None
    restarts: int


class Logged(Struct, array_like=True, tag="logged", frozen=True):
    """To an engine that is no child of the supervisor: a line of its log; `worker`: whose, or "supervisor"."""

    worker: str
    level: str
    event: str
    fields: dict[str, str]


FromChild: TypeAlias = (
    Hello
    | Ready
    | Heartbeat
    | Failed
    | Done
    | Drained
    | HoleFound
    | BooksWanted
    | Backfilled
    | RotateWanted
    | Left
    | BudgetAsk
    | BudgetSpent
    | LogRecord
)
ToChild: TypeAlias = (
    Stop
    | Subscribe
    | Unsubscribe
    | Backfill
    | Resync
    | TwinFresh
    | BudgetGrant
    | Fenced
    | WorkersStarted
    | WorkerChanged
    | Logged
)
