"""The loop that calls handlers, with its measurements.

All methods except `look` and `current_name` are called on the dispatch thread only.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeAlias

from foxtrot_protocol import compiled
from foxtrot_protocol.child import ChildLog
from foxtrot_supervisor.engine.bus.event import Event
from foxtrot_supervisor.engine.bus.handler_registry import Registration
from foxtrot_supervisor.engine.bus.handler_table import HandlerTable
from foxtrot_supervisor.engine.bus.slow_calls import SlowCallJudge

_compiled = compiled.load("foxtrot_supervisor.engine.bus._calls")

__all__ = ["BATCHES_TIMED", "ERRORS_LOGGED", "HANDLER_ERRORS", "Call", "Dispatcher"]

BATCHES_TIMED = 8
"""One in this many batches of market data has the handlers of its first event timed."""

ERRORS_LOGGED = 10
"""Number of failures of a handler that are all logged; after that the 16th, 32nd, 64th ... are."""

HANDLER_ERRORS = BaseException
"""Caught from handlers: SystemExit and CancelledError, too, would end the dispatch thread."""

Call: TypeAlias = tuple[Event, tuple[Registration, ...]]
"""An event and the registrations to call for it, in this order."""


class Dispatcher:
    """Calls handlers, counts and times the calls, and survives what they raise.

    `slow_handler_ms`: a call that takes longer is reported by `look`; None: never. `suspend_after`: a handler that
    fails so many times in a row is suspended; None: never.
    """

    def __init__(
        self,
        table: HandlerTable,
        log: ChildLog,
        *,
        slow_handler_ms: float | None,
        suspend_after: int | None,
    ) -> None:
        self._table = table
        self.routes = table.routes
        """Cached registrations by event type; see `route`."""
        self._market_routes = table.market_routes
        self._log = log
        self._suspend_after = suspend_after
        self._judge = None if slow_handler_ms is None else SlowCallJudge(slow_handler_ms / 1000.0)
        self._batches = 0
        self.current: Registration | None = None
        """The registration whose handler is running."""
        self.before_first_call: Callable[[], None] | None = None
        """Called once, before the next handler: an engine that only waits for events needs no watch thread."""
        self.errors_total = 0
        self.slow_calls_total = 0

    @property
    def judges_slow_calls(self) -> bool:
        """Whether `look` has anything to do."""
        return self._judge is not None

    def dispatch(self, event: Event) -> None:
        """Call the handlers of `event` now; may be called by a handler."""
        before = self.current
        self.call(((event, self.route(event)),))
        self.current = before

    def dispatch_timed(self, event: Event) -> None:
        """Call the handlers of `event` and note how long each took."""
        self._call_timed(((event, self.route(event)),))
        self.current = None

    def dispatch_batch(self, batch: Iterable[Any]) -> None:
        """Dispatch each of `batch` under its event type, and under that type plus ``SYMBOL.EXCHANGE``.

        `batch`: structs of `foxtrot_protocol.events` with a symbol. A general handler sees each once, under the plain
        type.
        """
        before = self.current
        rest = iter(batch)
        self._batches += 1
        if self._batches % BATCHES_TIMED == 0:
            self._call_timed(self._market_calls(islice(rest, 1)))
        if self.before_first_call is not None:
            self._prepare()
        if _compiled is None:
            self._call_market(rest)
        else:
            _compiled.call_market(self, rest)
        self.current = before

    def route(self, event: Event) -> tuple[Registration, ...]:
        """Return the registrations to call for `event`."""
        route = self.routes.get(event.type)
        return self._table.route(event.type) if route is None else route

    def call(self, calls: Iterable[Call]) -> None:
        """Call handlers. `current` stays what it was last: the caller restores it."""
        if self.before_first_call is not None:
            self._prepare()
        # Hot path of the engine process. `_call_timed` is the same loop with two clock reads for each handler; they
        # cost a third of a short handler, so there are two loops.
        for event, registrations in calls:
            for registration in registrations:
                self.current = registration
                registration.calls += 1
                try:
                    registration.call(event)
                except HANDLER_ERRORS as error:
                    self._failed(registration, event, error)

    def look(self, now: float) -> Registration | None:
        """Return the running registration if its call has just become slow; called regularly by another thread.

        `now`: monotonic seconds.
        """
        registration = self.current
        if self._judge is None:
            return None
        elapsed_s, newly_slow = self._judge.look(registration, now)
        if registration is None:
            return None
        registration.running_for(int(elapsed_s * 1e9))
        if not newly_slow:
            return None
        registration.slow += 1
        self.slow_calls_total += 1
        return registration

    def current_name(self) -> str:
        """Return the name of the running handler, or a text that says there is none."""
        registration = self.current
        return "the dispatch thread, in no handler," if registration is None else registration.name

    def _market_calls(self, batch: Iterable[Any]) -> Iterator[Call]:
        routes = self._market_routes
        for data in batch:
            key = (data.__class__, data.symbol, data.exchange)
            route = routes.get(key)
            if route is None:
                route = self._table.market_route(key)
            for name, registrations in route:
                yield Event(name, data), registrations

    def _call_market(self, batch: Iterator[Any]) -> None:
        # `call(self._market_calls(batch))` written out: the generator costs as much as a short handler. The compiled
        # form is `_calls.call_market`
        routes, only_routes, changes = self._market_routes, self._table.only_routes, self._table.changes
        state = kind = only = None
        for data in batch:
            if type(data) is not kind or changes[0] is not state:
                state, kind = changes[0], type(data)
                only = only_routes[kind] if kind in only_routes else self._table.only_route(kind)
                if only is not None:
                    name, registration = only
                    self.current = registration  # a handler that dispatches leaves it as it was
            if only is not None:
                # half of what the rest takes: no look-up for each event, and no loops over one element
                registration.calls += 1
                event = Event(name, data)
                try:
                    registration.call(event)
                except HANDLER_ERRORS as error:
                    self._failed(registration, event, error)
                continue
            key = (data.__class__, data.symbol, data.exchange)
            route = routes.get(key)
            if route is None:
                route = self._table.market_route(key)
            for name, registrations in route:
                event = Event(name, data)
                for registration in registrations:
                    self.current = registration
                    registration.calls += 1
                    try:
                        registration.call(event)
                    except HANDLER_ERRORS as error:
                        self._failed(registration, event, error)

    def _call_timed(self, calls: Iterable[Call]) -> None:
        if self.before_first_call is not None:
            self._prepare()
        for event, registrations in calls:
            for registration in registrations:
                self.current = registration
                registration.calls += 1
                started_ns = time.monotonic_ns()
                try:
                    registration.call(event)
                except HANDLER_ERRORS as error:
                    self._failed(registration, event, error)
                ended_ns = time.monotonic_ns()
                registration.took(ended_ns - started_ns, ended_ns)

    def _prepare(self) -> None:
        prepare, self.before_first_call = self.before_first_call, None
        assert prepare is not None
        prepare()

    def _failed(self, registration: Registration, event: Event, error: BaseException) -> None:
        self.errors_total += 1
        in_row = registration.failed()
        errors = registration.errors
        if errors <= ERRORS_LOGGED or errors & (errors - 1) == 0:
            self._log.error(
                "handler_failed",
                handler=registration.name,
                type=event.type,
                errors=errors,
                reason=repr(error),
                trace="".join(traceback.format_exception(error)),
            )
        if self._suspend_after is not None and in_row >= self._suspend_after:
            self._table.suspend(registration)
            self._log.error("handler_suspended", handler=registration.name, type=registration.type, in_row=in_row)
