"""The handler of a benchmark: counts events, measures the latency of each if requested, and reports.

It is configured by the environment, since handlers have no other configuration. It reports by datagrams to a
unix socket, so that the benchmark need not poll: ``primed`` when the events that only prepare the run have
arrived, then ``first`` and ``done``. The same class serves the EventEngine and the baseline.
"""

from __future__ import annotations

import json
import os
import socket
import time
from array import array
from collections.abc import Callable
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from foxtrot_protocol.events import EVENT_BBO, EVENT_BOOK, EVENT_MARKET_TRADE

__all__ = ["JOB_VARIABLE", "CountingHandler", "Job", "setup", "setup_for_dicts"]

JOB_VARIABLE = "FOXTROT_BENCH_JOB"

EVENT_TYPES_COUNTED = (EVENT_MARKET_TRADE, EVENT_BBO, EVENT_BOOK)


class Job(Struct, frozen=True):
    """One measurement: count `events` after `primers`.

    `report_path` is the socket of the reports, `samples_path` the file of latencies (int64, ns), "" for none.
    """

    report_path: str
    events: int
    primers: int = 0
    samples_path: str = ""


class Registrar(Protocol):
    """What a handler needs of either engine."""

    def register(self, type: str, handler: Callable[[Any], Any]) -> None:  # noqa: A002 - vn.py's name
        """Call `handler` for events of `type`."""


def setup(engine: Registrar) -> CountingHandler:
    """Register with the EventEngine: ``handlers = ["foxtrot_workers.benchmark.counting_handler:setup"]``."""
    handler = _handler()
    _register(engine, handler.sample_event if handler.sampling else handler.count_event)
    return handler


def setup_for_dicts(engine: Registrar) -> CountingHandler:
    """Register with an engine whose events are dicts."""
    handler = _handler()
    _register(engine, handler.sample_dict if handler.sampling else handler.count_event)
    return handler


class CountingHandler:
    """Counts events of one run; every method but `close` is called by the dispatching thread."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._count = 0
        self._next = job.primers or 1
        self._priming = job.primers > 0
        self._first_ns = 0
        self._samples = array("q")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sampling = bool(job.samples_path)

    def count_event(self, _event: Any) -> None:
        self._count += 1
        if self._count == self._next:
            self._take_milestone()

    def sample_event(self, event: Any) -> None:
        self._samples.append(time.time_ns() - event.data.exchange_ns)
        self._count += 1
        if self._count == self._next:
            self._take_milestone()

    def sample_dict(self, event: dict[str, Any]) -> None:
        self._samples.append(time.time_ns() - event["exchange_ns"])
        self._count += 1
        if self._count == self._next:
            self._take_milestone()

    def sample_time(self, sent_ns: int) -> None:
        """Count an event that was sent at `sent_ns`, ns since 1970."""
        self._samples.append(time.time_ns() - sent_ns)
        self._count += 1
        if self._count == self._next:
            self._take_milestone()

    def close(self) -> None:
        """Close the reporting socket."""
        self._socket.close()

    def _take_milestone(self) -> None:
        now_ns = time.monotonic_ns()
        if self._priming:
            self._priming = False
            self._count, self._next = 0, 1
            self._samples = array("q")
            self._report("primed")
            return
        if self._count == 1:
            self._first_ns = now_ns
            self._next = self._job.events
            self._report("first")
        if self._count == self._job.events:
            if self.sampling:
                with open(self._job.samples_path, "wb") as samples:
                    self._samples.tofile(samples)
            self._report("done", elapsed_ns=now_ns - self._first_ns)

    def _report(self, what: str, **figures: int) -> None:
        self._socket.sendto(json.dumps({"what": what, **figures}).encode(), self._job.report_path)


def _handler() -> CountingHandler:
    return CountingHandler(msgspec.json.decode(os.environ[JOB_VARIABLE], type=Job))


def _register(engine: Registrar, handle: Callable[[Any], None]) -> None:
    for event_type in EVENT_TYPES_COUNTED:
        engine.register(event_type, handle)
