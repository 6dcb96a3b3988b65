"""The limit of a set-up, seen from beside it."""

from __future__ import annotations

import threading

from foxtrot_supervisor.engine.setup_limit import SetupLimit

LIMIT_S = 10.0


def test_a_set_up_beyond_its_limit_is_reported_with_the_place_where_it_stands() -> None:
    told: list[tuple[str, str]] = []
    expired = threading.Event()

    def expire(cause: str, trace: str) -> None:
        told.append((cause, trace))
        expired.set()

    with SetupLimit(0.01, expire) as limit:
        limit.begin("mine:setup")
        assert expired.wait(LIMIT_S)
    [(cause, trace)] = told
    assert cause.startswith("handler 'mine:setup' was not set up within handlers_s = 0.01 s: it stands at ")
    assert f"{__file__}:" in cause
    assert "expired.wait(LIMIT_S)" in trace


def test_a_set_up_within_its_limit_is_left_alone() -> None:
    told: list[str] = []
    with SetupLimit(LIMIT_S, lambda cause, trace: told.append(cause)):
        pass
    assert told == []
    assert all(thread.name != "setup-limit" for thread in threading.enumerate())
