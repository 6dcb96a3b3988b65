"""What workers share: backfills, the rate limits of venues, fresh books, evidence of a dead stream."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from foxtrot_protocol.commands import (
    Backfilled,
    BooksWanted,
    BudgetAsk,
    BudgetGrant,
    BudgetSpent,
    Heartbeat,
    HoleFound,
    Resync,
    ToChild,
    TwinFresh,
)
from foxtrot_supervisor.core.child_specs import other_side_of
from foxtrot_supervisor.core.coordination.backfills import BackfillFigures, Backfills, Worker
from foxtrot_supervisor.core.coordination.books import turn_of
from foxtrot_supervisor.core.coordination.rate_limits import ADDRESS_CHARS_MAX, RateLimits
from foxtrot_supervisor.core.coordination.twin_evidence import fresh_twin_age_s
from foxtrot_supervisor.core.lifecycle import Desired, State
from foxtrot_supervisor.core.records import ChildRecord
from foxtrot_supervisor.runtime.active_config import ActiveConfig
from foxtrot_supervisor.runtime.logs import Log
from foxtrot_supervisor.runtime.timers import Timers
from foxtrot_supervisor.telemetry.vitals import Vitals

__all__ = ["Coordinator"]


class Coordinator:
    """Hands requests of the engine and of workers to the workers that can serve them.

    Args:
        active: the configuration in force.
        records: the core's records by name.
        vitals: the vital signs of children by name.
        send: sends a command to an incarnation of a child; returns whether it could be sent.
        timers: for deadlines of backfills.
        log: gets ``hole_stays``, ``books_asked`` and ``budget_spent``.
    """

    def __init__(
        self,
        active: ActiveConfig,
        records: Mapping[str, ChildRecord],
        vitals: Mapping[str, Vitals],
        send: Callable[[str, int, ToChild], bool],
        timers: Timers,
        log: Log,
    ) -> None:
        self._active = active
        self._records = records
        self._vitals = vitals
        self._send = send
        self._timers = timers
        self._log = log
        self._backfills = Backfills(active.connections_with_backfill)
        self._rate_limits = RateLimits()

    def reconfigured(self) -> None:
        """Another configuration is in force."""
        self._backfills.configure(self._active.connections_with_backfill)

    def ended(self, name: str, incarnation: int) -> None:
        """A child is dead: give its backfills to others, free its place at the rate limits."""
        self._backfills.ended(name, incarnation, time.monotonic())
        self._rate_limits.forget(name, incarnation)

    def backfill_figures(self) -> Mapping[str, BackfillFigures]:
        """Return the figures of backfills by connection, for ``status``."""
        return self._backfills.figures()

    def rate_limits(self, now: float) -> list[dict[str, Any]]:
        """Return the state of each rate limit, for ``status``."""
        return self._rate_limits.as_list(now)

    # ---- backfills

    def take_hole(self, hole: HoleFound) -> None:
        """The engine has found a hole."""
        self._backfills.found(hole, time.monotonic())
        self.assign_backfills()

    def take_backfilled(self, name: str, incarnation: int, answer: Backfilled) -> None:
        """A worker has answered a backfill."""
        self._backfills.answered(Worker(name, incarnation), answer, time.monotonic())
        self.assign_backfills()

    def assign_backfills(self) -> None:
        """Give holes to workers that serve; to be called whenever holes or workers may have changed."""
        now = time.monotonic()
        for given in self._backfills.due(self._holders, now):
            if not self._send(given.worker.name, given.worker.incarnation, given.command):
                self._backfills.refused(given.worker, given.command.request_id, now)
        for hole, reason in self._backfills.take_given_up():
            self._log.warning(
                "hole_stays",
                connection=hole.connection,
                symbol=hole.symbol,
                stream=hole.stream,
                first_id=hole.first_id,
                last_id=hole.last_id,
                reason=reason,
            )
        deadline = self._backfills.next_deadline(now)
        if deadline is not None:
            self._timers.call_later("backfills", max(0.0, deadline - now), self.assign_backfills)

    # ---- books

    def request_books(self, wanted: BooksWanted) -> None:
        """Have a worker resynchronize books. A request that cannot be sent is dropped: the engine repeats it."""
        places = self._active.specs.places
        parts: defaultdict[str, list[Worker]] = defaultdict(list)
        for worker in self._serving(wanted.connection):
            parts[places[worker.name].connection.name].append(worker)
        for serving in parts.values():  # of a split shard each part has some of the books, and ignores the others
            worker = serving[turn_of(wanted.attempt, len(serving))]
            if self._send(worker.name, worker.incarnation, Resync(wanted.symbols)):
                self._log.info("books_asked", worker=worker.name, count=len(wanted.symbols), attempt=wanted.attempt)

    # ---- rate limits

    def acquire(self, name: str, incarnation: int, ask: BudgetAsk) -> None:
        """Answer a worker that asks for a share of a rate limit."""
        grant = self._rate_limits.acquire(ask, time.monotonic())
        self._send(name, incarnation, BudgetGrant(ask.request_id, grant.wait_s, grant.refused))

    def close_rate_limit(self, spent: BudgetSpent) -> None:
        """A venue has refused a request: let nobody ask until the time that it has named."""
        self._rate_limits.close(spent.kind, spent.address, spent.retry_after_s, time.monotonic())
        self._log.warning(
            "budget_spent",
            worker=spent.worker,
            kind=spent.kind,
            address=spent.address[:ADDRESS_CHARS_MAX],
            retry_after_s=spent.retry_after_s,
        )

    # ---- twins

    def compare_with_twin(self, name: str, beat: Heartbeat) -> None:
        """Tell a worker without data that the other side has some: then its own stream is dead."""
        place = self._active.specs.places.get(name)
        if place is None or not beat.topics:
            return
        twin = self._vitals.get(other_side_of(place))
        age_s = fresh_twin_age_s(beat.last_data_age_s, [twin.data_age_s(time.monotonic())] if twin is not None else ())
        if age_s is not None:
            self._send(name, beat.incarnation, TwinFresh(age_s))

    def _holders(self, connection: str, symbol: str) -> list[Worker]:
        """Return the serving workers that have `symbol`: of a split shard only some; all, where none is known to."""
        serving, places = self._serving(connection), self._active.specs.places
        if len({places[worker.name].connection.name for worker in serving}) < 2:
            return serving
        return [worker for worker in serving if symbol in self._active.specs.symbols(worker.name)] or serving

    def _serving(self, connection: str) -> list[Worker]:
        """Return the workers merged as `connection` that serve and will not be stopped."""
        records = [self._records.get(name) for name in self._active.workers_merged_as(connection)]
        return [
            Worker(record.name, record.incarnation)
            for record in records
            if record is not None and record.state is State.RUNNING and record.desired is Desired.RUNNING
        ]
