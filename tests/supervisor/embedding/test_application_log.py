"""Log of the library: to `logging` as the application configures it, rate-limited, and as events."""

from __future__ import annotations

import logging

import pytest

from foxtrot_protocol.events import EVENT_LOG
from foxtrot_supervisor.embedding.application_log import LOGGER_NAME, ApplicationLog, LogData
from foxtrot_supervisor.engine.bus.event_engine import Event, EventEngine
from foxtrot_supervisor.runtime.logs import REPEATS_MAX
from tests.support.waiting import wait_until


def test_lines_go_to_the_logger_of_the_library_and_configure_nothing(caplog: pytest.LogCaptureFixture) -> None:
    handlers = list(logging.getLogger().handlers), list(logging.getLogger(LOGGER_NAME).handlers)
    log = ApplicationLog("warning")
    with caplog.at_level(logging.DEBUG, LOGGER_NAME):
        log.debug("hidden")
        log.info("hidden")
        log.warning("odd", count=3)
        log.error("bad")
        log.emit("error", "sim.a", "lost", {"reason": "x"})
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "odd count=3"),
        ("ERROR", "bad"),
        ("ERROR", "lost worker=sim.a reason=x"),
    ]
    assert (list(logging.getLogger().handlers), list(logging.getLogger(LOGGER_NAME).handlers)) == handlers


def test_lines_are_events_too_after_to_was_called() -> None:
    engine, seen = EventEngine(), list[Event]()
    engine.register(EVENT_LOG, seen.append)
    engine.start()
    log = ApplicationLog("info")
    log.info("before")
    log.to(engine)
    log.emit("error", "sim.a", "lost", {})
    log.to(None)
    log.info("after")
    wait_until(lambda: seen, 5.0, "the event")
    engine.stop()
    (event,) = seen
    data = event.data
    assert isinstance(data, LogData)
    assert (data.msg, data.level, data.gateway_name) == ("lost worker=sim.a", logging.ERROR, "sim.a")
    assert data.time.tzinfo is not None


def test_repeated_lines_are_rate_limited_and_counted(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("foxtrot_supervisor.embedding.application_log.time.monotonic", lambda: now[0])
    log = ApplicationLog("info")
    with caplog.at_level(logging.INFO, LOGGER_NAME):
        for _ in range(REPEATS_MAX + 5):
            log.info("again")
        assert len(caplog.records) == REPEATS_MAX
        now[0] = 1000.0
        log.info("again")
    assert caplog.records[-1].getMessage() == "again held_back=5"
