"""The table for people: every figure is shown, and a status may lack any field."""

from __future__ import annotations

import io
import threading
from typing import Any

from rich.console import Console

from foxtrot_supervisor.cli.live import EVENT_LINES, LOG_LINES, LiveView, render_status
from tests.support.statuses import remote

STATUS: dict[str, Any] = {
    "supervisor": {"pid": 4711, "version": "0.1.0", "uptime_s": 61.0, "state": "running", "run_dir": "/run/foxtrot"},
    "engine": {
        "state": "RUNNING",
        "events_total": 123_456,
        "events_per_s": 951.4,
        "queue_depth": 3,
        "dispatch_p50_us": 12.0,
        "dispatch_p99_us": 34_000.0,
        "slow_handlers": 0,
        "recent": [f"event {i}" for i in range(20)],
    },
    "simulators": [{"name": "simulator", "state": "RUNNING"}],
    "nursery": {"name": "nursery", "state": "BACKOFF"},
    "workers": [
        {
            "name": "binance-spot.a",
            "state": "RUNNING",
            "pid": 99,
            "uptime_s": 12.0,
            "restarts_total": 2,
            "events_total": 1000,
            "events_per_s": 250.0,
            "latency_p50_us": 130.0,
            "latency_p99_us": None,
            "last_data_age_s": 0.25,
            "gaps_total": 1,
            "rss_bytes": 20 * 2**20,
        },
        {"name": "okx.a", "state": "FATAL"},
    ],
    "log": ["first", *(f"log {i}" for i in range(LOG_LINES))],
}


def printed(status: dict[str, Any]) -> str:
    out = io.StringIO()
    Console(file=out, width=140).print(render_status(status))
    return out.getvalue()


def test_the_table_shows_the_figures_of_the_status() -> None:
    text = printed(STATUS)
    for fact in ("pid 4711", "1m01s", "/run/foxtrot", "123.5k", "951/s", "34ms", "binance-spot.a", "99", "130us"):
        assert fact in text, fact
    for fact in ("simulator", "nursery", "BACKOFF", "250", "20M", "okx.a", "FATAL", "0.2s"):
        assert fact in text, fact


def test_workers_on_other_nodes_are_shown_with_their_node() -> None:
    rows = [remote("btc.a0-a"), remote("btc.b0-a", "n2", "away")]
    text = printed({**STATUS, "workers": [], "remote_workers": rows})
    assert "BAD btc.b0-a: is away" in text
    (line,) = [line for line in text.splitlines() if "btc.a0-a on n1" in line]
    assert line.split()[3:] == ["serving", "-", "-", "-", "100", "10", "100us", "200us", "0.5s", "0", "-"]


def test_a_change_of_sides_is_shown() -> None:
    sides = [
        {"name": "one.a", "state": "RUNNING", "rotation": "going"},
        {"name": "one.b", "state": "STARTING", "rotation": "coming"},
        {"name": "two.a", "state": "RUNNING", "rotation": "wanted"},
    ]
    text = printed({**STATUS, "workers": sides})
    assert "RUNNING (going)" in text
    assert "STARTING (coming)" in text
    assert "wanted" not in text, "it may wait for hours, and serves"


def test_the_latest_lines_and_no_more_are_shown() -> None:
    text = printed(STATUS)
    assert "event 19" in text
    assert f"event {20 - EVENT_LINES}\n" in text.replace(" \n", "\n")
    assert f"event {19 - EVENT_LINES}\n" not in text
    assert "first" not in text
    assert f"log {LOG_LINES - 1}" in text


def test_symbols_changed_at_run_time_are_told_apart_from_the_files() -> None:
    assert "at run time" not in printed(STATUS)
    many = [f"S{number}" for number in range(20)]
    workers = [
        {"name": "one.a", "state": "RUNNING", "subscribed_at_run_time": ["A"], "unsubscribed_at_run_time": ["B"]},
        {"name": "two.a", "state": "RUNNING", "subscribed_at_run_time": many, "unsubscribed_at_run_time": []},
    ]
    text = printed({**STATUS, "workers": workers})
    assert "changed at run time, not in the file" in text
    assert "one.a: +A -B" in text
    assert "+S9 … (20)" in text


def test_a_narrow_terminal_cuts_columns_not_values() -> None:
    out = io.StringIO()
    Console(file=out, width=80).print(render_status(STATUS, 80))
    text = out.getvalue()
    assert "binance-spot.a" in text
    assert "RUNNING" in text
    assert "…" not in text
    assert "RSS" not in text


def test_an_empty_status_is_shown() -> None:
    assert "foxtrot-supervisor" in printed({})


def test_markup_in_data_is_text() -> None:
    assert "[bold]x[/nope]" in printed({"log": ["[bold]x[/nope]"]})


def test_the_live_view_draws_without_a_thread() -> None:
    out = io.StringIO()
    before = threading.active_count()
    with LiveView(Console(file=out, force_terminal=True, width=140)) as view:
        view.show(STATUS)
        assert threading.active_count() == before
    assert "binance-spot.a" in out.getvalue()
