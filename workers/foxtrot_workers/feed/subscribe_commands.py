"""Changes of a connection's symbols by an operator, and the check of the configured ones.

Symbols are looked up in the exchange's instrument list (`symbol_check`): before an operator's SUBSCRIBE is carried out,
and beside the stream for the symbols that are configured.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from foxtrot_protocol.child import ChildContext
from foxtrot_protocol.commands import Done, Subscribe, Unsubscribe
from foxtrot_protocol.spec import FeedSettings
from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.adapter.notices import Refused
from foxtrot_workers.feed.connection_life import ConnectionLife
from foxtrot_workers.feed.effects import FeedEffect
from foxtrot_workers.feed.symbol_check import SymbolCheck

__all__ = ["SYMBOL_CHECK_S", "UNKNOWN_WAIT_S", "SubscribeCommands"]

SYMBOL_CHECK_S = 6.0
"""Longest wait of a subscription for the instrument list; then it is carried out unchecked."""

UNKNOWN_WAIT_S = 5.0
"""Seconds in which topics of unknown symbols may still deliver data: the instrument list may be that of another
environment."""

_Change: TypeAlias = Callable[[int, Sequence[str], Sequence[str], float], list[FeedEffect]]
"""A change of topics: request id, symbols, channels, monotonic seconds."""


class SubscribeCommands:
    """Symbols of one connection.

    Args:
        context: its log and its link to the supervisor.
        settings: of the worker: channels and configured symbols.
        life: subscribes and unsubscribes.
        check: looks symbols up.
        call_later: schedules a callback (delay in seconds).
        perform: carries out effects of `life`.
    """

    def __init__(
        self,
        context: ChildContext,
        settings: FeedSettings,
        adapter: Adapter,
        life: ConnectionLife,
        check: SymbolCheck,
        *,
        call_later: Callable[[float, Callable[[], None]], asyncio.TimerHandle],
        perform: Callable[[list[FeedEffect]], None],
    ) -> None:
        self._context = context
        self._settings = settings
        self._adapter = adapter
        self._life = life
        self._check = check
        self._call_later = call_later
        self._perform = perform
        self._symbols: dict[int, list[str]] = {}
        """Symbols of requests that the exchange has not answered, by request id."""
        self._closed = False

    def close(self) -> None:
        """Ignore instrument lists that arrive later."""
        self._closed = True

    def check_configured(self) -> None:
        """Look the configured symbols up; topics of unknown symbols are refused unless they deliver data."""
        self._check.start("instruments", self._adapter.canonical(self._settings.symbols), self._on_configured_checked)

    def change(self, command: Subscribe | Unsubscribe) -> None:
        """Carry out an operator's command; the supervisor gets `Done`."""
        symbols = self._adapter.canonical(command.symbols)
        if isinstance(command, Unsubscribe):
            change = self._life.delist if command.delisted else self._life.remove
            self._change_topics(command.request_id, symbols, change)
            return
        key = f"symbols {command.request_id}"

        def unchecked() -> None:
            self._check.cancel(key)
            self._context.log.warning("symbols_unchecked", symbols=", ".join(symbols), waited_s=SYMBOL_CHECK_S)
            self._change_topics(command.request_id, symbols, self._life.add)

        def checked(unknown: dict[str, str]) -> None:
            timer.cancel()
            if unknown:
                self._reply(command.request_id, "; ".join(unknown.values()), symbols)
            else:
                self._change_topics(command.request_id, symbols, self._life.add)

        timer = self._call_later(SYMBOL_CHECK_S, unchecked)
        self._check.start(key, symbols, checked)

    def answered(self, request_id: int, error: str) -> None:
        """Report the exchange's answer to a request; `error` is "" on success."""
        self._reply(request_id, error, self._symbols.get(request_id, []))

    def _change_topics(self, request_id: int, symbols: list[str], change: _Change) -> None:
        if self._closed:
            return
        self._symbols[request_id] = symbols
        try:
            effects = change(request_id, symbols, self._settings.channels, time.monotonic())
        except (ValueError, OverflowError) as error:
            self._reply(request_id, str(error), symbols)
            return
        self._perform(effects)

    def _reply(self, request_id: int, error: str, symbols: Sequence[str]) -> None:
        self._symbols.pop(request_id, None)
        spec = self._context.spec
        self._context.send(Done(spec.name, spec.incarnation, request_id, error, list(symbols)))

    def _on_configured_checked(self, unknown: dict[str, str]) -> None:
        if not unknown or self._closed:
            return
        symbols, reasons = ", ".join(unknown), "; ".join(unknown.values())
        self._context.log.error("unknown_symbols", symbols=symbols, reason=reasons)
        self._call_later(UNKNOWN_WAIT_S, lambda: self._refuse_unknown(unknown))

    def _refuse_unknown(self, unknown: dict[str, str]) -> None:
        """Refuse the topics of unknown symbols; topics that flow prove the instrument list wrong."""
        if self._closed:
            return
        now = time.monotonic()
        for symbol, reason in unknown.items():
            topics = self._adapter.topics(self._settings.channels, [symbol])
            wires = tuple(topic.wire for topic in topics if not self._life.flows(topic.wire))
            if wires:
                self._perform(self._life.noticed([Refused(wires, reason, "never")], now))
