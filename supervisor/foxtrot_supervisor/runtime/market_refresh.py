"""Reads the instrument lists of connections with patterns again: listings are subscribed live, delistings end."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from foxtrot_protocol.instruments import Instrument
from foxtrot_supervisor.config.markets import source_of
from foxtrot_supervisor.config.refreshed import Refreshed, has_pattern, refreshed, sharded
from foxtrot_supervisor.config.shards import Shard
from foxtrot_supervisor.core.child_specs import SymbolChange
from foxtrot_supervisor.core.lifecycle import State
from foxtrot_supervisor.core.records import ChildRecord
from foxtrot_supervisor.markets.market_list import FETCH_S, ListSource, ListUnavailable, cache_path, take
from foxtrot_supervisor.runtime.active_config import ActiveConfig
from foxtrot_supervisor.runtime.live_symbols import LiveSymbols, change_in_batches
from foxtrot_supervisor.runtime.logs import Log
from foxtrot_supervisor.runtime.operator_requests import OperatorRequests
from foxtrot_supervisor.runtime.reloading import Reloading
from foxtrot_supervisor.runtime.splitting import Splitting
from foxtrot_supervisor.runtime.timers import Timers

__all__ = ["RETRY_S", "SHOWN_MAX", "WORKERS_ASKED_MAX", "MarketRefresh"]

RETRY_S = 60.0
"""Seconds after which a refresh that failed is tried again, unless the next one is due before."""

SHOWN_MAX = 20
"""Symbols of the latest listings and delistings in ``status``."""

WORKERS_ASKED_MAX = 3
"""Workers that are asked for a list, one after the other."""


class _Account(Struct):
    """What is known of one sharded connection."""

    refreshed_at: float | None = None
    """Wall clock of the latest list, seconds since 1970; None before the first."""
    listed_total: int = 0
    delisted_total: int = 0
    listed: list[str] = []
    delisted: list[str] = []
    error: str = ""

    def note(self, listed: Sequence[str], delisted: Sequence[str]) -> None:
        """Add what a list has changed."""
        self.listed_total += len(listed)
        self.delisted_total += len(delisted)
        self.listed = [*self.listed, *listed][-SHOWN_MAX:]
        self.delisted = [*self.delisted, *delisted][-SHOWN_MAX:]


class MarketRefresh:
    """One refresh at a time, every ``markets_refresh_s``.

    Args:
        active: the configuration in force.
        record: returns what is known of a worker.
        requests: asks workers.
        reloading: puts a configuration with other symbols in force.
        splitting: for its figures.
        run_dir: where workers write lists.
        timers: for the next refresh.
        log: gets ``listed``, ``delisted`` and ``markets_refresh_failed``.
    """

    def __init__(
        self,
        active: ActiveConfig,
        record: Callable[[str], ChildRecord | None],
        requests: OperatorRequests,
        reloading: Reloading,
        splitting: Splitting,
        run_dir: str,
        timers: Timers,
        log: Log,
    ) -> None:
        self._active = active
        self._record = record
        self._requests = requests
        self._reloading = reloading
        self._splitting = splitting
        self._run_dir = run_dir
        self._directory = cache_path(dict(os.environ), os.path.expanduser("~"))
        self._live_symbols = LiveSymbols(record, requests, timers, log)
        self._timers = timers
        self._log = log
        self._numbers = itertools.count(1)
        self._accounts: dict[str, _Account] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Refresh at the interval of the configuration in force, which a reload may have changed."""
        period_s = self._active.config.supervisor.markets_refresh_s
        if period_s > 0 and self._task is None and any(map(has_pattern, sharded(self._active.config).values())):
            failed = any(account.error for account in self._accounts.values())
            self._timers.call_later("markets", min(period_s, RETRY_S) if failed else period_s, self._begin)

    def adopted(self, changes: Mapping[str, SymbolChange]) -> None:
        """Another configuration is in force: running workers change these symbols."""
        self._live_symbols.begin(changes)
        self.start()

    def close(self) -> None:
        """Give up what is under way."""
        self._live_symbols.close()
        if self._task is not None:
            self._task.cancel()

    async def settle(self) -> None:
        """Give up what is under way, and return when it has ended."""
        self.close()
        if self._task is not None:
            await asyncio.wait({self._task})

    def figures(self) -> dict[str, Any]:
        """Return what ``status`` shows as ``markets``, by the name of the sharded connection."""
        figures = {}
        for name, shards in self._active.placements().items():
            account = self._accounts.get(name, _Account())
            figures[name] = {
                "symbols": len({symbol for shard in shards for symbol in shard.symbols}),
                "shards": len(shards),
                "refreshed_at": account.refreshed_at,
                "listed_total": account.listed_total,
                "delisted_total": account.delisted_total,
                "listed": account.listed,
                "delisted": account.delisted,
                "error": account.error,
                **self._splitting.figures(name),
            }
        return figures

    def _begin(self) -> None:
        self._task = asyncio.create_task(self._run(), name="markets")

    async def _run(self) -> None:
        try:
            await self._refresh()
        finally:
            self._task = None
        self.start()

    async def _refresh(self) -> None:
        lists = await self._lists()
        if self._reloading.is_under_way:
            for name in lists:
                self._failed(name, self._reloading.refusal)
            return
        result = refreshed(self._active.config, self._active.placements(), lists)
        for name in lists:
            if name in result.refused:
                self._failed(name, result.refused[name])
        if not result.listed and not result.delisted:
            return
        for name, symbols in result.delisted.items():
            await self._end(name, symbols)
        begun = self._reloading.put_in_force(result.config)
        if isinstance(begun, str):
            for name in result.listed:
                self._failed(name, begun)
        else:
            self._note(result)

    async def _lists(self) -> dict[str, list[Instrument]]:
        """Return the new lists, by the name of the sharded connection."""
        found: dict[ListSource, list[Instrument] | str] = {}
        lists: dict[str, list[Instrument]] = {}
        for name, shard in sharded(self._active.config).items():
            if not has_pattern(shard):
                continue
            source = source_of(shard)
            if source not in found:
                found[source] = await self._fetched(name, source)
            instruments = found[source]
            account = self._accounts.setdefault(name, _Account())
            if isinstance(instruments, str):
                self._failed(name, instruments)
            else:
                account.refreshed_at, account.error = time.time(), ""
                lists[name] = instruments
        return lists

    async def _fetched(self, name: str, source: ListSource) -> list[Instrument] | str:
        """Return a list, or why there is none."""
        reason = "no worker runs"
        asked = [worker for worker in self._workers(name) if self._runs(worker)]
        for worker in asked[:WORKERS_ASKED_MAX]:
            path = os.path.join(self._run_dir, f"instruments-{next(self._numbers)}.json")
            reason = await self._requests.fetch_list(worker, path, FETCH_S)
            if not reason:
                try:
                    return take(path, source, self._directory, time.time()).instruments
                except ListUnavailable as failure:
                    reason = str(failure)
        return reason

    async def _end(self, name: str, symbols: list[str]) -> None:
        """Announce the end of `symbols` on the workers that have them."""
        for worker in self._workers(name):
            held = self._active.specs.symbols(worker)
            ended = [symbol for symbol in symbols if symbol in held]
            if self._runs(worker) and ended:
                await change_in_batches(self._requests, worker, ended, added=False, delisted=True)

    def _workers(self, name: str) -> list[str]:
        places = self._active.specs.places
        return [worker for worker in self._active.workers_of(name) if isinstance(places[worker].connection, Shard)]

    def _runs(self, worker: str) -> bool:
        record = self._record(worker)
        return record is not None and record.state is State.RUNNING

    def _note(self, result: Refreshed) -> None:
        for name, listed in result.listed.items():
            delisted = result.delisted[name]
            self._accounts[name].note(listed, delisted)
            for event, symbols in (("listed", listed), ("delisted", delisted)):
                if symbols:
                    self._log.info(event, connection=name, symbols=", ".join(symbols))

    def _failed(self, name: str, reason: str) -> None:
        self._accounts[name].error = reason
        self._log.warning("markets_refresh_failed", connection=name, reason=reason)
