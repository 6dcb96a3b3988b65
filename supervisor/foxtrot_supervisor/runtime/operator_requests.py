"""Answers operators' requests: begins what they request and waits for the outcome. Decides nothing.

A request that takes time is answered when the records show its outcome, or at its deadline. Nothing outlives its
request: the number of waiting requests is bounded by the number of connected operators.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

from msgspec import Struct, to_builtins

from foxtrot_protocol.commands import Done, FetchList, Subscribe, ToChild, Unsubscribe
from foxtrot_protocol.control import (
    AssignRequest,
    IncidentsRequest,
    LogsRequest,
    ReloadRequest,
    Reply,
    Request,
    RestartAllRequest,
    RestartRequest,
    SplitRequest,
    StatusRequest,
    StopRequest,
    StopWorkersRequest,
    SubscribeRequest,
    UnsubscribeRequest,
)
from foxtrot_supervisor.core.lifecycle import Desired, State
from foxtrot_supervisor.core.records import ChildRecord
from foxtrot_supervisor.core.reload import Reload
from foxtrot_supervisor.report.incidents import IncidentPage
from foxtrot_supervisor.runtime.logs import Log
from foxtrot_supervisor.runtime.rolling_restart import RollingRestart, in_rounds
from foxtrot_supervisor.runtime.splitting import Split

__all__ = ["LOGS_WAIT_MAX_S", "PENDING_MAX", "REQUEST_S", "ROLLING_S_MAX", "SYMBOLS_MAX", "OperatorRequests", "Run"]

REQUEST_S = 20.0
"""Limit in seconds for a worker to answer a subscription request: exchanges acknowledge in well under 10 s."""

LOGS_WAIT_MAX_S = 30.0
"""Longest wait for a log line, in seconds: less than the time after which a silent connection is dropped."""

PENDING_MAX = 100
"""Requests that workers have not answered yet."""

SYMBOLS_MAX = 1000
"""Symbols in one request."""

ROLLING_S_MAX = 900.0
"""Limit in seconds for one worker in a restart of all: until its twin stands in for it, and until it serves again,
the exchange's limit of connects included."""

_REPLACED = ("going", "coming")
"""Phases of a rotation in which the change would not reach the worker, or not its successor."""


class Run(Protocol):
    """What requests need of the running supervisor."""

    async def status_line(self, *, fresh: bool) -> bytes:
        """The encoded reply with the status; `fresh`: assembled after this call."""

    def incidents(self, after: int, limit: int) -> IncidentPage:
        """Incidents with numbers above `after`."""

    def logs(self, request: LogsRequest) -> dict[str, Any] | None:
        """Recent log lines; None if nothing of that name is known."""

    def record(self, name: str) -> ChildRecord | None: ...
    def workers_named(self, name: str) -> list[str]:
        """The worker of that name, or all workers of the connection of that name."""

    def connections(self) -> list[list[str]]:
        """The workers of each connection."""

    def is_stopping(self) -> bool:
        """Whether the final stop has begun."""

    def changes_for(self, name: str, symbols: list[str], *, added: bool) -> dict[str, list[str]]:
        """What each worker of `name` changes; raises ValueError where a sharded connection has no room."""

    def send(self, name: str, incarnation: int, command: ToChild) -> bool: ...
    def ask_stop(self, reason: str) -> None:
        """Begin the final stop, unless it has begun."""

    def ask_restart(self, name: str) -> str:
        """Begin to replace a child; the reason if that is refused."""

    def ask_stop_of(self, names: Sequence[str]) -> str:
        """Begin to stop these workers; the reason if that is refused."""

    def ask_reload(self) -> Reload | str:
        """Begin to read the configuration again; every reason why not, one a line, if that is refused."""

    def reload_must_wait(self) -> bool:
        """Whether a reload would be refused for now: a shard is being split."""

    def ask_split(self, name: str) -> Split | str:
        """Begin to split a shard; the reason if that is refused."""

    def assign(self, request: AssignRequest) -> Reply:
        """Supervise the connections that a cluster has assigned."""

    def preview_reload(self) -> dict[str, Any] | str:
        """What a reload would do; every reason why not, one a line, if it would be refused."""

    def outcome(self) -> dict[str, Any] | None:
        """How the run ended; None while it lasts."""

    def symbols_changed(self, name: str, symbols: list[str], *, added: bool) -> None:
        """A worker has changed its subscriptions."""

    def restart_limit_s(self) -> float:
        """How long a replacement may take at most until it serves or has failed."""


class _Pending(Struct):
    """A request that a worker has been sent."""

    name: str
    incarnation: int
    answer: asyncio.Future[Done | str]
    """The worker's answer, or the reason why there is none."""


class OperatorRequests:
    """Answers requests for `run`. `look` must be called whenever anything has changed."""

    def __init__(self, run: Run, log: Log) -> None:
        self._run = run
        self._rolling = RollingRestart(self._restart_patiently, log)
        self._ids = itertools.count(1)
        self._pending: dict[int, _Pending] = {}
        self._changed: set[asyncio.Future[None]] = set()
        self._looking = False

    async def answer(self, request: Request) -> Reply | bytes:
        """The reply to `request`, as soon as there is one; bytes: encoded already."""
        match request:
            case StatusRequest():
                return await self._run.status_line(fresh=request.fresh)
            case IncidentsRequest():
                return Reply(data=to_builtins(self._run.incidents(request.after, request.limit)))
            case LogsRequest():
                return await self._logs(request)
            case StopRequest():
                return await self._stop()
            case StopWorkersRequest():
                return await self._stop_workers(request.workers)
            case RestartRequest():
                return await self._restart(request.worker)
            case RestartAllRequest():
                return await self._rolling.run(in_rounds(self._run.connections()))
            case SubscribeRequest():
                return await self._change_symbols(request.worker, request.symbols, added=True)
            case UnsubscribeRequest():
                return await self._change_symbols(request.worker, request.symbols, added=False)
            case ReloadRequest(dry_run=True):
                preview = self._run.preview_reload()
                return Reply(error=preview) if isinstance(preview, str) else Reply(data=preview)
            case ReloadRequest():
                return await self._reload()
            case AssignRequest():
                return self._run.assign(request)
            case SplitRequest():
                return await self._split(request.shard)

    def look(self) -> None:
        """Something has changed: check whether any waiting request has its outcome."""
        waiting, self._changed = self._changed, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def done(self, name: str, message: Done) -> None:
        """A worker has answered."""
        pending = self._pending.get(message.request_id)
        if pending is not None and pending.name == name and not pending.answer.done():
            pending.answer.set_result(message)

    def ended(self, name: str, incarnation: int) -> None:
        """A worker has died: fail the requests that it has not answered."""
        for pending in self._pending.values():
            if (pending.name, pending.incarnation) == (name, incarnation) and not pending.answer.done():
                pending.answer.set_result(f"{name} ended before it answered")

    def logged(self) -> None:
        """A line has been logged: those who wait for lines look soon. Call it in the event loop's thread."""
        if self._changed and not self._looking:
            self._looking = True
            asyncio.get_running_loop().call_soon(self._look_at_lines)

    def _look_at_lines(self) -> None:
        self._looking = False
        self.look()

    # ---- each request

    async def _logs(self, request: LogsRequest) -> Reply:
        deadline = time.monotonic() + min(request.wait_s, LOGS_WAIT_MAX_S)

        def check() -> Reply | None:
            lines = self._run.logs(request)
            if lines is None:
                return Reply(error=_unknown(request.worker))
            waits = not lines["lines"] and not lines["missed"] and self._run.outcome() is None
            return None if waits and time.monotonic() < deadline else Reply(data=lines)

        reply = check()
        while reply is None:
            await self._wait_for_change(deadline - time.monotonic())
            reply = check()
        return reply

    async def _stop(self) -> Reply:
        self._run.ask_stop("stop requested by an operator")
        return await self._until(self._stopped, None)

    def _stopped(self) -> Reply | None:
        outcome = self._run.outcome()
        return None if outcome is None else Reply(data=outcome)

    def _named(self, name: str) -> list[str]:
        """Return the child of that name, or the workers of the connection of that name."""
        return [name] if self._run.record(name) is not None else self._run.workers_named(name)

    async def _stop_workers(self, given: Sequence[str]) -> Reply:
        """All of them or, if one is refused, none."""
        names = list(dict.fromkeys(worker for name in given for worker in self._named(name)))
        unknown = [name for name in given if not self._named(name)]
        if unknown or not names:
            return Reply(error="; ".join(map(_unknown, unknown)) or "no worker is named")
        records = [record for name in names if (record := self._run.record(name)) is not None]
        lived = {record.name for record in records if record.may_live}
        refused = self._run.ask_stop_of(names)
        if refused:
            return Reply(error=refused)
        return await self._until(lambda: _ended(records, lived), None)

    async def _restart(self, name: str) -> Reply:
        """A child, or each worker of a connection, one after the other."""
        names = self._named(name)
        if not names:
            return Reply(error=_unknown(name))
        replies: list[dict[str, Any]] = []
        for each in names:
            reply = await self._restart_one(each, patient=bool(replies))
            if reply.error or len(names) == 1:
                return reply
            replies.append(reply.data)
        return Reply(data={"connection": name, "workers": replies})

    async def _restart_one(self, name: str, *, patient: bool) -> Reply:
        """`patient`: wait until its twin, which was replaced just before, stands in for it again."""
        record = self._run.record(name)
        if record is None:
            return Reply(error=_unknown(name))
        before = record.incarnation
        refused = self._run.ask_restart(name)
        if refused and patient:
            begun = await self._until(
                lambda: None if self._run.ask_restart(name) else Reply(), self._run.restart_limit_s()
            )
            refused = begun.error and refused
        if refused:
            return Reply(error=refused)
        return await self._until(lambda: _restarted(record, before), self._run.restart_limit_s())

    async def _restart_patiently(self, name: str) -> Reply:
        """Restart one worker as soon as its twin stands in for it, and until it serves, however often it must retry."""
        record = self._run.record(name)
        if record is None:
            return Reply()  # a reload has removed it
        if record.stopped_by_operator:
            return Reply()  # it stays as it is
        before = record.incarnation

        def begun() -> Reply | None:
            refused = self._run.ask_restart(name)
            return Reply(error=refused) if not refused or self._run.is_stopping() else None

        reply = await self._until(begun, ROLLING_S_MAX)
        if reply.error:
            return reply

        def ended() -> Reply | None:
            return None if record.state is State.BACKOFF else _restarted(record, before)

        return await self._until(ended, ROLLING_S_MAX)

    async def _split(self, name: str) -> Reply:
        begun = self._run.ask_split(name)
        if isinstance(begun, str):
            return Reply(error=begun)
        return await self._until(lambda: _split(begun), None)

    async def _reload(self) -> Reply:
        await self._until(lambda: None if self._run.reload_must_wait() else Reply(), None)
        begun = self._run.ask_reload()
        if isinstance(begun, str):
            return Reply(error=begun)
        return await self._until(lambda: _reloaded(begun), None)

    async def _change_symbols(self, worker: str, symbols: list[str], *, added: bool) -> Reply:
        symbols = list(dict.fromkeys(symbols))
        names = self._run.workers_named(worker)
        if not names:
            return Reply(error=_unknown(worker))
        if not symbols or len(symbols) > SYMBOLS_MAX or not all(symbols):
            return Reply(error=f"between 1 and {SYMBOLS_MAX} symbols are expected, none of them empty")
        rotated = [name for name in names if (record := self._run.record(name)) and record.rotation in _REPLACED]
        if rotated:
            return Reply(error=f"{', '.join(rotated)}: being rotated; ask again in a moment")
        try:
            changes = self._run.changes_for(worker, symbols, added=added)
        except ValueError as error:
            return Reply(error=str(error))
        names = list(changes)
        outcomes = await asyncio.gather(*(self.change(name, changes[name], added=added) for name in names))
        failed = [
            f"{name}: {outcome}" for name, outcome in zip(names, outcomes, strict=True) if isinstance(outcome, str)
        ]
        changed = dict.fromkeys(symbol for outcome in outcomes if not isinstance(outcome, str) for symbol in outcome)
        return Reply(
            error="; ".join(dict.fromkeys(failed)), data={"workers": names, "symbols": list(changed) or symbols}
        )

    async def change(self, name: str, symbols: list[str], *, added: bool, delisted: bool = False) -> list[str] | str:
        """Subscribe or unsubscribe symbols of one worker.

        `delisted`: of symbols to unsubscribe, whether the exchange has ended them. Returns the changed symbols in the
        spelling of the venue; a text: the reason of the failure.
        """

        def command(number: int) -> ToChild:
            return Subscribe(number, symbols) if added else Unsubscribe(number, symbols, delisted)

        done = await self._ask_worker(name, command, REQUEST_S)
        if isinstance(done, str):
            return done
        changed = list(done.symbols) or symbols
        self._run.symbols_changed(name, changed, added=added)
        return changed

    async def fetch_list(self, name: str, path: str, limit_s: float) -> str:
        """Have a worker write its exchange's instrument list to `path` within `limit_s` seconds; return the error."""
        done = await self._ask_worker(name, lambda number: FetchList(number, path), limit_s)
        return done if isinstance(done, str) else ""

    async def _ask_worker(self, name: str, command: Callable[[int], ToChild], limit_s: float) -> Done | str:
        """Send a worker the command of a number, and return its answer; a text: the reason of the failure."""
        record = self._run.record(name)
        if record is None or record.state is not State.RUNNING:
            return f"it is {record.state.value if record is not None else 'gone'}"
        if len(self._pending) >= PENDING_MAX:
            return f"{PENDING_MAX} requests are waiting already"
        number = next(self._ids)
        if not self._run.send(name, record.incarnation, command(number)):
            return "it cannot be reached"
        answer: asyncio.Future[Done | str] = asyncio.get_running_loop().create_future()
        self._pending[number] = _Pending(name, record.incarnation, answer)
        try:
            async with asyncio.timeout(limit_s):
                done = await answer
        except TimeoutError:
            return f"no answer within {limit_s:g} s"
        finally:
            del self._pending[number]
        return done if isinstance(done, str) or not done.error else done.error

    async def _until(self, check: Callable[[], Reply | None], limit_s: float | None) -> Reply:
        deadline = None if limit_s is None else time.monotonic() + limit_s
        while True:
            reply = check()
            if reply is not None:
                return reply
            left_s = None if deadline is None else deadline - time.monotonic()
            if left_s is not None and left_s <= 0:
                return Reply(error=f"not done within {limit_s:g} s")
            await self._wait_for_change(left_s)

    async def _wait_for_change(self, limit_s: float | None) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._changed.add(future)
        try:
            await asyncio.wait((future,), timeout=None if limit_s is None else max(0.0, limit_s))
        finally:
            self._changed.discard(future)


def _reloaded(reload: Reload) -> Reply | None:
    outcome = reload.outcome
    if outcome is None:
        return None
    failed = [f"{name}: {reason}" for name, reason in outcome["failed"].items()]
    return Reply(error="the new configuration is in force, but " + "; ".join(failed) if failed else "", data=outcome)


def _split(split: Split) -> Reply | None:
    if not split.ended:
        return None
    return Reply(error=split.reason if split.state == "failed" else "", data=split.as_dict())


def _unknown(name: str) -> str:
    return f"there is no worker or connection called {name!r}"


def _ended(records: Sequence[ChildRecord], lived: Collection[str]) -> Reply | None:
    """Return how workers have ended that an operator has stopped; `lived`: those that had a process. None: not yet."""
    if any(record.may_live and record.state is not State.LOST and record.stopped_by_operator for record in records):
        return None
    workers = [
        {
            "worker": record.name,
            "state": record.state.value,
            "rung": record.rung if record.name in lived else None,
            "cause": record.cause,
        }
        for record in records
    ]
    others = [record for record in records if record.may_live]
    error = "; ".join(f"{record.name} is {record.state.value}: {record.cause}" for record in others)
    return Reply(error=error, data={"workers": workers})


def _restarted(record: ChildRecord, before: int) -> Reply | None:
    """Return the outcome of a restart accepted while `before` was the incarnation; None: it is not known yet."""
    death = next((death for death in reversed(record.deaths) if death.incarnation == before), None)
    if record.incarnation > before and record.state is State.RUNNING:
        rung = death.rung if death is not None else None
        data = {"worker": record.name, "incarnation": record.incarnation, "pid": record.pid, "rung": rung}
        return Reply(data=data)
    awaits_turn = record.state is State.STOPPED and record.desired is Desired.RUNNING
    if record.state in (State.STOPPED, State.EXITED, State.FATAL, State.LOST) and not awaits_turn:
        return Reply(error=f"{record.name} is {record.state.value}: {record.cause}")
    if record.incarnation > before and record.state is State.BACKOFF:
        return Reply(error=f"{record.name} could not be started, it will be tried again: {record.cause}")
    return None
