"""Finds unknown symbols in an exchange's instrument list.

Some exchanges acknowledge an unknown symbol and send nothing; some refuse a list that is requested with one unknown
symbol among known ones. So a list for certain symbols that was refused is requested again in full, which also provides
similar names to suggest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec

from foxtrot_protocol.child import ChildLog
from foxtrot_protocol.symbols import describe_unknown
from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.feed.frames_record import FramesRecord
from foxtrot_workers.feed.rest import RestFetcher

__all__ = ["GROUPS_MAX", "SymbolCheck"]

GROUPS_MAX = 8
"""Maximum number of lists requested for one check, where an exchange has one for each kind of instrument."""

_REASONABLE = frozenset({400, 404, 422})
"""HTTP statuses that may mean that a symbol in the request is unknown."""

Verdict: TypeAlias = Callable[[dict[str, str]], None]
"""Called with the unknown symbols, each with an explanation."""


class SymbolCheck:
    """Checks symbols of one connection; `log` receives failures, `record` keeps answers."""

    def __init__(self, adapter: Adapter, rest: RestFetcher, log: ChildLog, record: FramesRecord | None = None) -> None:
        self._adapter = adapter
        self._rest = rest
        self._log = log
        self._record = record

    def start(self, key: str, symbols: Sequence[str], on_verdict: Verdict) -> None:
        """Look up `symbols`, as the venue writes them, and call `on_verdict` once.

        Symbols count as known if there is no list, or none that can be fetched and read. A check replaces an earlier
        one with the same `key`.
        """
        groups = self._groups(symbols)
        if not groups:
            on_verdict({})
            return
        _Run(self._adapter, self._rest, self._log, self._record, key, groups, on_verdict)

    def cancel(self, key: str) -> None:
        """Cancel the check `key`; its verdict is not reported."""
        for number in range(GROUPS_MAX):
            self._rest.cancel(f"{key} {number}")

    def _groups(self, symbols: Sequence[str]) -> list[tuple[str, list[str]]]:
        """Return the paths of instrument lists, each with the symbols to look up in it."""
        path = self._adapter.instruments_path(symbols)
        if path is not None:
            return [(path, list(symbols))]
        groups: dict[str, list[str]] = {}
        for symbol in symbols:
            path = self._adapter.instruments_path([symbol])
            if path is not None and (path in groups or len(groups) < GROUPS_MAX):
                groups.setdefault(path, []).append(symbol)
        return list(groups.items())


class _Run:
    """One check: requests each list at most twice, narrowed and in full."""

    def __init__(
        self,
        adapter: Adapter,
        rest: RestFetcher,
        log: ChildLog,
        record: FramesRecord | None,
        key: str,
        groups: list[tuple[str, list[str]]],
        on_verdict: Verdict,
    ) -> None:
        self._adapter = adapter
        self._rest = rest
        self._log = log
        self._record = record
        self._on_verdict = on_verdict
        self._unknown: dict[str, str] = {}
        self._left = len(groups)
        for number, (path, symbols) in enumerate(groups):
            self._fetch(f"{key} {number}", path, symbols, whole=False)

    def _fetch(self, key: str, path: str, symbols: list[str], *, whole: bool) -> None:
        def answered(path: str, status: int, body: bytes) -> None:
            if self._record is not None:
                self._record.answered("instruments", path, status, body, time.time_ns())
            self._answered(key, path, status, body, symbols, whole=whole)

        if not self._rest.fetch(key, path, 0.0, answered, self._adapter.limits.instruments_weight):
            self._log.warning("instruments_unavailable", rest_path=path, http_status=0, reason="too many requests wait")
            self._finish()

    def _answered(self, key: str, path: str, status: int, body: bytes, symbols: list[str], *, whole: bool) -> None:
        try:
            known = self._adapter.instruments(body) if status == 200 else {}
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            self._log.warning("instruments_unreadable", rest_path=path, reason=str(error))
            self._finish()
            return
        unknown = [symbol for symbol in symbols if symbol not in known]
        full = self._adapter.instruments_path([])
        if unknown and (status == 200 or status in _REASONABLE) and not whole and full not in (None, path):
            assert full is not None
            self._fetch(key, full, symbols, whole=True)
            return
        if status != 200:
            self._log.warning("instruments_unavailable", rest_path=path, http_status=status)
        elif known:
            venue = self._adapter.name
            self._unknown.update({symbol: describe_unknown(venue, symbol, known) for symbol in unknown})
        self._finish()

    def _finish(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._on_verdict(self._unknown)
