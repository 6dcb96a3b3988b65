"""Control-plane messages between the supervisor and its children.

Transport: ZeroMQ DEALER (child) to ROUTER (supervisor). Each message is one msgpack array whose first element is its
tag. Reference: docs/protocol.md.

* Life: a child sends `Hello` as soon as it runs, `Ready` when it serves, `Heartbeat` at a fixed interval from its event
  loop, and `Failed` before it exits on purpose. The supervisor sends `Stop`.
* Subscriptions: `Subscribe` and `Unsubscribe`, answered by `Done`; `FetchList` alike.
* Rate limits: before a worker connects or sends a REST request it sends `BudgetAsk`, answered by `BudgetGrant`.
* Rotation: a worker whose connection grows old sends `RotateWanted`.
* Backfill: the engine reports identifiers that no worker received (`HoleFound`). The supervisor sends `Backfill` to a
  worker of that connection, which fetches them and answers `Backfilled`.
* Books: the engine requests snapshots of books that its handlers do not have (`BooksWanted`). The supervisor sends
  `Resync` to one worker of the connection; the answer is a `BookSnapshot` in that worker's events.
* Engine: `WorkersStarted`, `Fenced` and `WorkerChanged` tell it which workers exist; `Drained` closes the account of a
  ring.

In every message from a child `worker` is the child's name and `incarnation` its number, from 1. Durations are seconds,
times are nanoseconds since 1970 UTC, totals count from the start of the incarnation.
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
    "FetchList",
    "ForHosts",
    "FromChild",
    "HandlerFigures",
    "Heartbeat",
    "Hello",
    "HoleFound",
    "Left",
    "LogRecord",
    "Logged",
    "Ready",
    "RemoteWorker",
    "RemoteWorkers",
    "Resync",
    "RotateWanted",
    "SourceCounters",
    "StageCounts",
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
"""What an exchange limits for each address: WebSocket handshakes, and weights of REST requests."""

BOOK_ATTEMPTS_EACH: Final = 4
"""Consecutive attempts of `BooksWanted` that go to the same worker; with the delays between them about a minute.

A worker may have to wait for the exchange's rate limit, and two workers that fetch the same snapshots spend it twice.
"""


class Hello(Struct, array_like=True, tag="hello", frozen=True):
    """First message of a child: it runs and its control link works."""

    worker: str
    incarnation: int
    pid: int
    """Process id of the child, in the supervisor's PID namespace."""


class Ready(Struct, array_like=True, tag="ready", frozen=True):
    """The child serves: a worker has received data, or every subscription is acknowledged."""

    worker: str
    incarnation: int
    info: dict[str, str] = {}
    """Addresses that the child offers, by name; from the simulated exchange and from services."""


class TopicStatus(Struct, array_like=True, frozen=True):
    """State of a subscribed topic, as the worker sees it."""

    topic: str
    """The topic's name as the exchange writes it."""
    state: str
    """An `events.FeedState`."""
    age_s: float | None
    """Seconds since its latest data; None before the first."""
    since_s: float = 0.0
    """Seconds in this state."""
    limit_s: float | None = None
    """Age in seconds at which the topic is stale; None: it may be silent for any time."""
    reason: str = ""
    """Why it is in this state, where the exchange or the adapter gave a reason."""
    final: bool = False
    """Refused permanently: not requested again."""
    channel: str = ""
    """The channel that it belongs to."""


class StageCounts(Struct, array_like=True, frozen=True):
    """Events of one stage of their way, by how long it took (`foxtrot_supervisor.telemetry.stages`)."""

    first: int
    """Number of the first bucket of `counts`."""
    counts: list[int]
    """Events in each bucket from there on; buckets before and after are empty."""
    sum_s: float
    """Sum of all durations in seconds."""


class SourceCounters(Struct, array_like=True, frozen=True):
    """The engine's account of one worker, over all its incarnations."""

    applied_total: int
    """Events given to handlers."""
    deduplicated_total: int
    """Events dropped as copies of what another worker of the connection had brought."""
    gaps_total: int
    """Gaps announced to handlers."""
    lost_total: int
    """Events announced as lost."""
    latency_p50_us: float
    """Median time from receipt by the worker to dispatch, in microseconds, of the last seconds."""
    latency_p99_us: float
    """99th percentile of the same."""
    late_total: int = 0
    """Events that arrived again by another path, or after their incarnation was retired: dropped, nothing is lost."""
    wins_total: int = 0
    """Events that this worker brought before the other worker of its connection."""
    lost_batches_total: int = 0
    """Batches announced as lost whose number of events is unknown; `lost_total` leaves them out."""
    superseded_total: int = 0
    """Updates of books that were not handed over, since the next snapshot contains them."""
    demoted_total: int = 0
    """Streams of rule `sequence` whose identifiers were found to leap: their holes are no longer announced."""
    clock_lag_ms: float | None = None
    """Shortest time from the exchange's time of an event to its receipt, in the last minutes; None before the first."""
    stages: list[StageCounts] = []
    """Latencies by stage."""


class HandlerFigures(Struct, array_like=True, frozen=True):
    """Figures of one handler of the EventEngine."""

    type: str
    """Event type that it is registered for; "" for a general handler."""
    handler: str
    """Its name."""
    owners: list[str]
    """Owners that have registered it."""
    calls: int
    p50_us: float
    """Median duration of a call, in microseconds."""
    p99_us: float
    """99th percentile of the same."""
    max_us: float
    """Longest call, in microseconds."""
    slow: int
    """Calls that took longer than `slow_handler_ms`."""
    errors: int
    """Calls that raised."""
    suspended: bool
    """It is not called any more, because too many calls in a row raised."""


class RemoteWorker(Struct, array_like=True, frozen=True, kw_only=True):
    """A worker on another host, as the host of an engine knows it."""

    worker: str
    """Its name at every engine."""
    incarnation: int
    """In the whole cluster; 0: it has not been started yet."""
    shard: str
    """"": no node holds it any more."""
    node: str
    host: str
    state: str
    """Its shard's: ``starting``, ``serving``, ``leaving``; ``away``: its node does not announce itself; ``ended``: what
    it left is handled; or ``unknown``."""
    events_total: int
    """Events that this engine has handled of this incarnation."""
    events_per_s: float
    quiet_s: float | None
    """Seconds since that number last changed, seen at heartbeats; None before the first event."""


class Heartbeat(Struct, array_like=True, tag="heartbeat", frozen=True):
    """Counters of a child, sent every `ChildSpec.heartbeat_s` seconds from its event loop.

    Totals are of this incarnation. The engine fills the fields marked "Engine", workers those marked "Worker"; the
    others leave them at their defaults.
    """

    worker: str
    incarnation: int
    loop_lag_ms: float
    """How late the event loop ran this heartbeat, in milliseconds."""
    rss_bytes: int
    """Resident memory."""
    open_fds: int
    """Open descriptors."""
    tasks: int
    """asyncio tasks."""
    threads: int
    """Threads."""
    frames_total: int = 0
    """Worker: WebSocket frames received; parsed ones and `rejected_total`."""
    events_total: int = 0
    """Worker: events parsed. Engine: events given to handlers."""
    rejected_total: int = 0
    """Worker: frames that could not be parsed. Engine: batches and rings refused or malformed."""
    committed_total: int = 0
    """Worker: events committed to its ring."""
    dropped_total: int = 0
    """Worker: events dropped because the ring was full. Engine: events dropped by a full queue."""
    last_data_age_s: float | None = None
    """Worker: seconds since the latest data of any topic; None before the first."""
    topics: list[TopicStatus] = []
    """Worker: every subscribed topic."""
    queue_depth: int = 0
    """Engine: events waiting in its queue."""
    dispatch_p50_us: float = 0.0
    """Engine: median time to dispatch one event, in microseconds."""
    dispatch_p99_us: float = 0.0
    """Engine: 99th percentile of the same."""
    slow_handlers: int = 0
    """Engine: calls of handlers that took longer than `slow_handler_ms`."""
    handler_errors_total: int = 0
    """Engine: calls of handlers that raised."""
    redelivered_total: int = 0
    """Engine: events given again because the previous engine died while handling them."""
    sources: dict[str, SourceCounters] = {}
    """Engine: the account of each worker, by name."""
    recent: list[str] = []
    """Engine: a few of the latest events, one line each, for people."""
    account_violations_total: int = 0
    """Engine: rings whose committed events are not the sum of applied, deduplicated, superseded and lost ones."""
    budget_waits_total: int = 0
    """Worker: times it waited for the exchange's rate limit."""
    budget_refused_total: int = 0
    """Worker: requests not sent, because too many waited for the limit or the wait exceeded its bound."""
    budget_unanswered_total: int = 0
    """Worker: times the supervisor did not answer in time; the worker went on without an answer."""
    ticks_total: int = 0
    """Engine: ticks made."""
    bars_total: int = 0
    """Engine: bars made of trades and closed."""
    late_trades_total: int = 0
    """Engine: trades that arrived after their bar was closed."""
    leaks_total: int = 0
    """Engine: findings of its leak monitor."""
    leaks: list[str] = []
    """Engine: its latest findings, as text."""
    owners: list[str] = []
    """Engine: open owners of handlers."""
    handlers: list[HandlerFigures] = []
    """Engine: the handlers with the most errors, slow calls and time."""
    snapshots_rejected_total: int = 0
    """Worker: book snapshots that could not be used."""
    templated_total: int = 0
    """Worker: events made by learned frame templates; 0 in pure Python."""
    templates_off_total: int = 0
    """Worker: kinds of frames whose templates were switched off, because their result differed from Python's."""
    counts: dict[str, int] = {}
    """Service: what it counts, by names of its own that end in ``_total``."""
    problem: str = ""
    """Service: what is wrong now, for people; "" if nothing is."""
    cpu_s: float = 0.0
    """Processor time that the process has used since its start, all threads, in seconds."""
    clock_offset_ms: float | None = None
    """Worker: milliseconds by which this machine's clock is ahead of the exchange's, by REST; None: unknown."""
    clock_error_ms: float = 0.0
    """Worker: milliseconds by which that may be wrong: half the round trip."""
    early_bells_total: int = 0
    """Engine: times that it woke because a worker's exchange sent something, before the worker had a batch."""
    early_bells_vain_total: int = 0
    """Engine: of these, times that no batch followed at once."""
    remote_workers: list[RemoteWorker] = []
    """Landing: the workers of the cluster."""


class Failed(Struct, array_like=True, tag="failed", frozen=True):
    """Why the child is about to exit."""

    worker: str
    incarnation: int
    cause: str
    """For people."""
    retry_after_s: float | None = None
    """Seconds after which the exchange allows the next attempt; None if it named no delay."""


class Drained(Struct, array_like=True, tag="drained", frozen=True):
    """From the engine: a dead worker's ring has been read to its end and its file is removed. Its account, in events.

    `committed` = `applied` + `deduplicated` + `superseded` + `lost`, unless a violation was announced.
    """

    worker: str
    incarnation: int
    source: str
    """The worker of the ring."""
    source_incarnation: int
    committed: int
    """Committed by the worker."""
    applied: int
    """Given to handlers."""
    lost: int
    """Announced as lost."""
    redelivered: int
    """Given twice; counted once in `applied`."""
    deduplicated: int = 0
    """Dropped as copies."""
    superseded: int = 0
    """Updates of books that were not given, because the next snapshot contains them."""


class Left(Struct, array_like=True, tag="left", frozen=True):
    """From an application that is the engine: it has detached; takes the place of a child's exit."""

    worker: str
    incarnation: int


class Done(Struct, array_like=True, tag="done", frozen=True):
    """Answer to a `Subscribe`, `Unsubscribe` or `FetchList`."""

    worker: str
    incarnation: int
    request_id: int
    """That of the request."""
    error: str
    """For people; "" on success."""
    symbols: list[str] = []
    """Symbols of the request, as the exchange writes them."""


class HoleFound(Struct, array_like=True, tag="hole_found", frozen=True):
    """From the engine: no worker of the connection has brought these identifiers of a stream.

    A restarted engine reports again every hole that is still open.
    """

    worker: str
    incarnation: int
    connection: str
    """The connection's name in the configuration."""
    symbol: str
    """As the exchange writes it."""
    stream: str
    """Event type, such as "eMarketTrade."."""
    first_id: str
    """First missing identifier; where identifiers leap, the lower bound of what is missing."""
    last_id: str
    """Last missing identifier, inclusive; where identifiers leap, the upper bound."""
    start_ns: int
    """Receive time of the last event before the hole."""
    end_ns: int
    """Receive time of the first event after it."""


class Backfilled(Struct, array_like=True, tag="backfilled", frozen=True):
    """From a worker: the answer to a `Backfill`."""

    worker: str
    incarnation: int
    request_id: int
    """That of the `Backfill`."""
    events: int
    """Events fetched; they are committed."""
    left: str = ""
    """Why not everything was fetched; "": the hole is filled."""
    first_id: str = ""
    """First identifier that is still missing; "" if none is."""
    last_id: str = ""
    """Last identifier that is still missing, inclusive."""
    retry: bool = False
    """Whether another attempt may succeed."""


class BooksWanted(Struct, array_like=True, tag="books_wanted", frozen=True):
    """From the engine: handlers need snapshots of these books. Repeated until they have come."""

    worker: str
    incarnation: int
    connection: str
    """The connection's name in the configuration."""
    symbols: list[str]
    """As the exchange writes them."""
    attempt: int
    """From 1. The workers of the connection take turns, each for `BOOK_ATTEMPTS_EACH` attempts."""


class RemoteWorkers(Struct, array_like=True, tag="remote_workers", frozen=True):
    """From the service that lands the events of a cluster: workers on other hosts, for the engine.

    The first message names all known ones. The engine reads no ring before it.
    """

    worker: str
    incarnation: int
    started: dict[str, int]
    """Latest incarnation by worker, as in `WorkersStarted`."""
    fenced: dict[str, int]
    """Incarnation by worker up to which it is dead, as in `Fenced`."""


class RotateWanted(Struct, array_like=True, tag="rotate_wanted", frozen=True):
    """From a worker: replace this connection while it still streams.

    Its planned age is reached, or the exchange has announced its end. The supervisor decides when. Repeated every few
    seconds until the worker is replaced.
    """

    worker: str
    incarnation: int
    reason: str
    """For people."""


class BudgetAsk(Struct, array_like=True, tag="budget_ask", frozen=True):
    """From a worker: may it spend `weight` at `address` now? Answered by `BudgetGrant` at once.

    The rate limit is the exchange's, shared by all workers of the address. A worker that was told to wait asks again
    with the same `request_id` after that time: it keeps its place in the queue.
    """

    worker: str
    incarnation: int
    request_id: int
    kind: BudgetKind
    address: str
    """``HOST:PORT``, or ``HOST:PORT through HOST:PORT`` with a proxy."""
    weight: int
    """What the request costs, in the exchange's units; at least 1."""
    limit: int
    """At most this weight within any `period_s` seconds; 0: unknown, only a Retry-After of the exchange holds it up."""
    period_s: float


class BudgetSpent(Struct, array_like=True, tag="budget_spent", frozen=True):
    """From a worker: the exchange has answered 429 or 418."""

    worker: str
    incarnation: int
    kind: BudgetKind
    address: str
    retry_after_s: float
    """Seconds in which no worker may send a request to the address."""


class LogRecord(Struct, array_like=True, tag="log", frozen=True):
    """One structured log line of a child."""

    worker: str
    level: str
    """"debug", "info", "warning", "error" or "critical"."""
    event: str
    fields: dict[str, str]
    at_ns: int = 0
    """When it was written, ns since 1970; 0: unknown."""


class Stop(Struct, array_like=True, tag="stop", frozen=True):
    """Stop reading, flush, close, and exit with code 0."""

    grace_s: float
    """Seconds for all of that."""


class Subscribe(Struct, array_like=True, tag="subscribe", frozen=True):
    """Subscribe to symbols on every channel of the connection, without reconnecting. Answered by `Done`."""

    request_id: int
    symbols: list[str]
    """In any case if the exchange ignores it."""


class Unsubscribe(Struct, array_like=True, tag="unsubscribe", frozen=True):
    """Unsubscribe symbols from every channel of the connection, without reconnecting. Answered by `Done`."""

    request_id: int
    symbols: list[str]
    delisted: bool = False
    """The exchange has ended them: their topics end at once, announced as ``delisted``."""


class FetchList(Struct, array_like=True, tag="fetch_list", frozen=True):
    """To a worker: fetch the exchange's instrument list within its rate limit. Answered by `Done`."""

    request_id: int
    path: str
    """A file that does not exist yet: gets one JSON object, an `instruments.Listing`."""


class Backfill(Struct, array_like=True, tag="backfill", frozen=True):
    """To a worker: fetch a hole over REST; fields as in `HoleFound`. Answered by `Backfilled`."""

    request_id: int
    symbol: str
    stream: str
    first_id: str
    last_id: str
    start_ns: int
    end_ns: int


class Resync(Struct, array_like=True, tag="resync", frozen=True):
    """To a worker: send a fresh snapshot of each of these books, on the running connection."""

    symbols: list[str]


class TwinFresh(Struct, array_like=True, tag="twin_fresh", frozen=True):
    """To a worker without data: the other side of its connection, which has the same topics, receives data."""

    age_s: float
    """Seconds since that side's latest data."""


class BudgetGrant(Struct, array_like=True, tag="budget_grant", frozen=True):
    """Answer to a `BudgetAsk`."""

    request_id: int
    """That of the `BudgetAsk`."""
    wait_s: float
    """0: granted, and spent now. Else seconds after which to ask again."""
    refused: bool = False
    """Too many wait already: no place is kept."""


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
    """To the engine: `incarnation` and all earlier ones of `worker` are dead; what they have not committed is late."""

    worker: str
    incarnation: int


class WorkerChanged(Struct, array_like=True, tag="worker_changed", frozen=True):
    """To the engine: becomes the `eWorker.` event; fields as in `events.WorkerStatus`."""

    worker: str
    incarnation: int
    state: str
    cause: str
    exit_code: int | None
    signal: int | None
    rung: str | None
    restarts: int


class ForHosts(Struct, array_like=True, tag="for_hosts", frozen=True):
    """To the service that lands a cluster's events: a request of the engine, for the hosts of that connection."""

    request: HoleFound | BooksWanted


class Logged(Struct, array_like=True, tag="logged", frozen=True):
    """To an application that is the engine: one structured log line of the supervisor or a child."""

    worker: str
    """The child, or "supervisor"."""
    level: str
    """As in `LogRecord`."""
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
    | RemoteWorkers
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
    | FetchList
    | Backfill
    | Resync
    | TwinFresh
    | BudgetGrant
    | Fenced
    | WorkersStarted
    | WorkerChanged
    | Logged
    | ForHosts
)
