from __future__ import annotations

from typing import Any

import pytest

from foxtrot_protocol.recorded_steps import RejectedFrame
from foxtrot_supervisor.engine.replay.report import ReplayedHandler, ReplayedWorker, ReplayReport
from foxtrot_supervisor.engine.replay.report_text import report_text
from tests.support.recorded import SECOND, START


def report(**fields: Any) -> ReplayReport:
    given: dict[str, Any] = {
        "end": "complete", "cause": "", "begin_ns": START, "end_ns": START + 90 * SECOND, "wall_s": 2.0,
        "handlers_s": 0.5, "events_total": 3000, "gaps_total": 0, "ticks_total": 1, "bars_total": 2, "timers_total": 3,
        "frames_total": 4000, "answers_total": 5, "rejected_total": 0, "rejected": [], "dropped_total": 0,
        "handler_errors_total": 0, "workers": {"spot.a": ReplayedWorker(3000, 0, 0, 0)}, "handlers": [],
    }  # fmt: skip
    return ReplayReport(**{**given, **fields})


def test_a_quiet_replay_has_six_lines() -> None:
    assert report_text(report()).splitlines() == [
        "replay: complete",
        "  recorded   2023-11-14 22:13:20.000 UTC to 2023-11-14 22:14:50.000 UTC  (90.0 s)",
        "  took       2.00 s, of which handlers 0.50 s  (1,500 events/s)",
        "  read       4,000 frames, 5 REST answers, 0 frames rejected",
        "  handed on  3,000 events, 1 ticks, 2 bars, 3 timer events",
        "  gaps       0",
    ]


def test_what_went_wrong_is_said() -> None:
    text = report_text(
        report(
            end="failed",
            cause="torn",
            begin_ns=0,
            end_ns=0,
            rejected_total=1,
            rejected=[RejectedFrame("a.jsonl", 7, "no JSON")],
            dropped_total=2,
            handler_errors_total=3,
            workers={"spot.a": ReplayedWorker(1, 2, 3, 4), "spot.b": ReplayedWorker(5, 6, 7, 8)},
            handlers=[ReplayedHandler("", "m.f", 9, 3, 1.0, 2.0, 1234.5, True)],
        )
    )
    for expected in (
        "replay: failed: torn",
        "recorded   unknown to unknown  (0.0 s)",
        "errors     3 exceptions of handlers",
        "dropped    2 events that handlers put",
        "  worker  events  copies  superseded  gaps",
        "  spot.b       5       6           7     8",
        "  (all)  m.f (suspended)      9       3     1.0     2.0  1,234.5",
        "  a.jsonl line 7: no JSON",
    ):
        assert expected in text


@pytest.mark.parametrize(
    ("end", "text"), [("period", "to the end of the period"), ("interrupted", "interrupted (why)")]
)
def test_how_it_ended_comes_first(end: Any, text: str) -> None:
    assert report_text(report(end=end, cause="why")).startswith(f"replay: {text}\n")
