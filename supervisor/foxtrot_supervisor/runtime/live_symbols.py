"""Symbols of running workers that a new configuration changes: subscribed and unsubscribed on their connections."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from foxtrot_supervisor.core.child_specs import SymbolChange
from foxtrot_supervisor.core.lifecycle import State
from foxtrot_supervisor.core.records import ChildRecord
from foxtrot_supervisor.runtime.logs import Log
from foxtrot_supervisor.runtime.operator_requests import OperatorRequests
from foxtrot_supervisor.runtime.timers import Timers

__all__ = ["AGAIN_S", "ATTEMPTS_MAX", "BATCH_SYMBOLS", "LiveSymbols", "change_in_batches"]

AGAIN_S = 1.0
"""Seconds until a worker that could not be changed is asked again."""

ATTEMPTS_MAX = 60
"""Attempts for one worker; whatever happens then, its successor begins with the right symbols."""

BATCH_SYMBOLS = 100
"""Symbols in one command to a worker: the exchange acknowledges them in a few seconds."""


class _Pending:
    """What a worker has not changed yet."""

    def __init__(self, incarnation: int) -> None:
        self.incarnation = incarnation
        self.attempts = 0
        self.added: dict[str, None] = {}
        self.removed: dict[str, None] = {}

    def merge(self, change: SymbolChange) -> None:
        """Add a later change."""
        for symbols, into, out_of in (
            (change.added, self.added, self.removed),
            (change.removed, self.removed, self.added),
        ):
            for symbol in symbols:
                out_of.pop(symbol, None)
                into[symbol] = None


class LiveSymbols:
    """Brings workers to the symbols of the configuration in force; later incarnations begin with them anyway.

    Args:
        record: returns what is known of a worker.
        requests: sends the commands.
        timers: for repetition.
        log: gets ``symbols_not_changed``.
    """

    def __init__(
        self, record: Callable[[str], ChildRecord | None], requests: OperatorRequests, timers: Timers, log: Log
    ) -> None:
        self._record = record
        self._requests = requests
        self._timers = timers
        self._log = log
        self._pending: dict[str, _Pending] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, changes: Mapping[str, SymbolChange]) -> None:
        """Change the symbols of these workers, as far as they run."""
        for name, change in changes.items():
            record = self._record(name)
            if record is None:
                continue
            pending = self._pending.get(name)
            if pending is None or pending.incarnation != record.incarnation:
                pending = self._pending[name] = _Pending(record.incarnation)
            pending.merge(change)
        self._look()

    def close(self) -> None:
        """Give up what is under way."""
        for task in self._tasks.values():
            task.cancel()

    def _look(self) -> None:
        for name, pending in list(self._pending.items()):
            record = self._record(name)
            if record is None or record.incarnation != pending.incarnation:
                del self._pending[name]  # it began, or its successor begins, with the right symbols
            elif record.state is State.RUNNING and name not in self._tasks:
                self._tasks[name] = asyncio.create_task(self._change(name, pending), name=f"symbols of {name}")
        if self._pending:
            self._timers.call_later("live_symbols", AGAIN_S, self._look)

    async def _change(self, name: str, pending: _Pending) -> None:
        try:
            added, removed = list(pending.added), list(pending.removed)
            pending.attempts += 1
            error = await change_in_batches(self._requests, name, removed, added=False)
            error = error or await change_in_batches(self._requests, name, added, added=True)
            if not error:
                for symbols, done in ((pending.added, added), (pending.removed, removed)):
                    for symbol in done:
                        symbols.pop(symbol, None)
            if error and pending.attempts >= ATTEMPTS_MAX:
                self._log.error("symbols_not_changed", worker=name, reason=error)
            if (not error and not pending.added and not pending.removed) or pending.attempts >= ATTEMPTS_MAX:
                self._pending.pop(name, None)
        finally:
            del self._tasks[name]


async def change_in_batches(
    requests: OperatorRequests, name: str, symbols: list[str], *, added: bool, delisted: bool = False
) -> str:
    """Have worker `name` subscribe or unsubscribe `symbols`; return the reason of a failure, "" without one."""
    for first in range(0, len(symbols), BATCH_SYMBOLS):
        batch = symbols[first : first + BATCH_SYMBOLS]
        outcome = await requests.change(name, batch, added=added, delisted=delisted)
        if isinstance(outcome, str):
            return outcome
    return ""
