"""The tables of `chaos`: every figure stands where its heading says."""

from __future__ import annotations

import io
import random
from typing import Any

from rich.console import Console, RenderableType

from foxtrot_supervisor.chaos.rules.mishaps import MISHAPS, MishapResult, mishap_report
from foxtrot_supervisor.chaos.rules.report import Figures, TradeAccount
from foxtrot_supervisor.chaos.rules.schedule import schedule
from foxtrot_supervisor.chaos.rules.tables import render_chaos, render_mishap_plan, render_mishaps, render_plan


def text_of(renderable: RenderableType) -> str:
    out = io.StringIO()
    Console(file=out, width=160).print(renderable)
    return out.getvalue()


def line_of(text: str, *words: str) -> list[str]:
    (line,) = (line for line in text.splitlines() if all(word in line for word in words))
    return [cell.strip() for cell in line.replace("┃", "│").split("│")[1:-1]]


def row(**more: object) -> dict[str, Any]:
    recovery = {"child": "alpha.a", "seen_ms": 8.4, "hello_ms": 33.0, "event_ms": 120.0}
    return {
        "fault": "sigkill",
        "phase": "streaming",
        "victim": "alpha.a",
        "recoveries": [recovery],
        "gone_ms": None,
        "exit_code": 0,
        "broken": [],
        "verdict": "held",
        **more,
    }


def a_report(**more: object) -> dict[str, Any]:
    totals = {
        "steps": 3,
        "broken": 1,
        "orphans": 0,
        "recovery": {"detected_ms": Figures(2, 9.0, 12.0, 12.5), "hello_ms": None, "event_ms": None},
        "trades": TradeAccount(sent=100, unheard=7, seen=98, lost=2, duplicated=1),
        "last_start": "works",
    }
    steps = [
        row(fault="supervisor_sigkill", recoveries=[], gone_ms=21.3, exit_code=None, verdict="held"),
        row(),
        row(phase="starting", victim="beta.a", broken=["beta.a: was not replaced"], verdict="broken"),
        row(fault="two_faults", recoveries=[row()["recoveries"][0], {**row()["recoveries"][0], "event_ms": None}]),
    ]
    held = {"seed": 4, "start_method": "nursery", "transport": "ring", "took_s": 12.5, "held": False}
    return {**held, "steps": steps, "delivery_steps": [], "totals": totals, "logs": "/somewhere", **more}


def test_the_matrix() -> None:
    text = text_of(render_chaos(a_report()))
    assert line_of(text, "sigkill", "streaming", "33") == [
        "sigkill", "streaming", "alpha.a", "8", "33", "120", "0", "held",
    ]  # fmt: skip
    assert "beta.a: was not replaced" in line_of(text, "starting")[-1]
    assert "gone 21" in line_of(text, "supervisor_sigkill")
    assert "120, -" in line_of(text, "two_faults")
    assert text.index("starting") < text.index("supervisor_sigkill"), "in the order of faults and phases"
    assert line_of(text, "detected") == ["detected", "2", "9.0", "12.0", "12.5"]
    assert "3 steps, 1 broken, 0 orphans, next start: works" in text
    assert "100 sent to workers, 98 seen, 2 lost, 1 duplicated; 7 made while nobody was connected" in text
    assert "logs: /somewhere" in text
    assert "PROMISES WERE BROKEN (seed 4, nursery, ring, took 12.5 s)" in text
    assert "all promises held" in text_of(render_chaos(a_report(held=True, logs=None)))


def test_many_kills() -> None:
    figures = Figures(500, 7.0, 20.0, 31.5)
    report = {
        "seed": 1,
        "start_method": "spawn",
        "transport": "zeromq",
        "took_s": 60.0,
        "held": False,
        "broken": ["3 of 500 deaths were noticed late"],
        "kills": {
            "detected_ms": figures,
            "hello_ms": figures,
            "event_ms": figures,
            "worker_pss_mib": [4.1, 4.2],
        },
        "supervisor_kills": {"slowest_child_gone_ms": figures, "next_start_ms": None},
    }
    text = text_of(render_chaos(report))
    assert line_of(text, "detected") == ["detected", "500", "7.0", "20.0", "31.5"]
    assert line_of(text, "slowest child gone") == ["slowest child gone", "500", "7.0", "20.0", "31.5"]
    assert "4.1, 4.2" in text
    assert "broken: 3 of 500 deaths were noticed late" in text


def test_the_plan() -> None:
    steps = schedule(random.Random(1).random, ["two_faults", "supervisor_sigstop"], ["stopping"], with_nursery=True)
    text = text_of(render_plan(steps))
    two = next(step for step in steps if step.fault == "two_faults")
    told = line_of(text, "two_faults")
    assert told[1:4] == ["stopping", "two_faults", two.victim]
    assert all(f"{fault} -> {child}" in told[-1] for child, fault in two.blows)
    assert line_of(text, "supervisor_sigstop")[-1] == "supervisor_sigstop"


def campaign(**more: object) -> dict[str, Any]:
    return {
        "campaign": "20 SIGKILLs of workers",
        "connections": 2,
        "redundancy": 2,
        "backfill": True,
        "broken": [],
        "recovery_ms": Figures(20, 116.0, 280.0, 281.0),
        **more,
    }


def test_a_campaign() -> None:
    told = campaign(
        events_per_s=5200,
        delivery={"sent": 31129, "lost": 0, "lost_runs": ["BTCUSDT 1"]},
        phases={"parse": 12, "mark": 8},
        memory_mib={"worker": {"rss_max": 40.4, "pss_max": 21.6, "growth_max": 0.1}},
        connections_untouched=True,
        taken_ms=Figures(4, 2380.0, 2460.0, 2460.0),
    )
    report = {
        "seed": 1,
        "start_method": "nursery",
        "transport": "ring",
        "took_s": 9.0,
        "held": True,
        "campaigns": [told],
    }
    text = text_of(render_chaos(report))
    assert "20 SIGKILLs of workers: 2 connections, 2 workers each, backfill" in text
    assert line_of(text, "sent") == ["sent", "31,129"]
    assert line_of(text, "recovery") == ["recovery, ms: median, max", "116, 281"]
    assert line_of(text, "until taken over") == ["until taken over, ms: median, max", "2,380, 2,460"]
    assert line_of(text, "kills", "parse") == ["kills", "parse 12, mark 8"]
    assert line_of(text, "worker, MiB") == ["worker, MiB: RSS, PSS, growth", "40.4, 21.6, 0.1"]
    assert line_of(text, "connections", "untouched") == ["connections", "untouched"]
    assert "BTCUSDT" not in text


def test_a_campaign_against_hosts_of_an_engine() -> None:
    delivery = {"seen": 9, "marked_by_engine": {"11": 7, "12": 41, "13": 9}, "repeated_by_engine": {"12": 5}}
    taken = Figures(count=3, median=5100.0, p99=5400.0, max=5500.0)
    text = text_of(render_chaos(a_report(campaigns=[campaign(delivery=delivery, engine_taken_ms=taken)])))
    assert line_of(text, "until the engine was taken over")[-1] == "5,100, 5,500"
    assert line_of(text, "trades marked after a death")[-1] == "9, 41"
    assert line_of(text, "trades of these given before")[-1] == "5, 5"


def test_a_campaign_that_came_to_nothing() -> None:
    told = campaign(redundancy=1, backfill=False, recovery_ms=None, connections_untouched=False)
    report = {
        "seed": 1,
        "start_method": "spawn",
        "transport": "zeromq",
        "took_s": 9.0,
        "held": False,
        "broken": ["why"],
        "campaigns": [told],
    }
    text = text_of(render_chaos(report))
    assert "2 connections, one worker each" in text
    assert line_of(text, "connections", "disturbed")
    assert "broken: why" in text


def test_delivery_faults() -> None:
    told = ("sent", "seen", "lost", "announced", "duplicated", "out_of_order", "redelivered", "backfilled")
    account = {name: 1000 + number for number, name in enumerate(told)}
    held = {"fault": "net_drop", "sides": "twins", "delivery": account, "recovery_ms": 1012.4, "broken": []}
    broken = {"fault": "ring_full", "sides": "one", "delivery": None, "recovery_ms": None, "broken": ["no room"]}
    report = a_report(delivery_steps=[{**held, "verdict": "held"}, {**broken, "verdict": "broken"}])
    text = text_of(render_chaos(report))
    figures = [f"{1000 + number:,}" for number in range(8)]
    assert line_of(text, "net_drop") == ["net_drop", "twins", *figures, "1,012", "held"]
    assert line_of(text, "ring_full") == ["ring_full", "one", *["-"] * 9, "no room"]


def test_a_stopped_engine_tells_what_was_dropped() -> None:
    report = {
        "seed": 1,
        "start_method": "spawn",
        "transport": "zeromq",
        "took_s": 9.0,
        "held": True,
        "campaigns": [campaign(dropped=1234)],
    }
    text = text_of(render_chaos(report))
    assert line_of(text, "dropped") == ["dropped", "1,234"]
    assert "untouched" not in text


def test_mishaps_are_listed_with_verdict_and_reason() -> None:
    text = text_of(render_mishap_plan(MISHAPS[:2]))
    assert line_of(text, "adapter_crashes")[0] == "A"
    results = [
        MishapResult(mishap=MISHAPS[0], broken=["this", "that"], took_s=2.04),
        MishapResult(mishap=MISHAPS[1], skipped="needs root"),
        MishapResult(mishap=MISHAPS[2]),
    ]
    text = text_of(render_mishaps({**mishap_report(results), "logs": "/somewhere", "took_s": 3.0}))
    assert line_of(text, MISHAPS[0].name)[2:] == ["2.0 s", "broken", "this; that"]
    assert line_of(text, MISHAPS[1].name)[3:] == ["skipped", "needs root"]
    assert line_of(text, MISHAPS[2].name)[3:] == ["held", ""]
    assert "1 held, 1 broken, 1 skipped" in text
    assert "logs: /somewhere" in text
    assert "PROMISES WERE BROKEN" in text
    text = text_of(render_mishaps({**mishap_report(results[2:]), "logs": None, "took_s": 3.0}))
    assert "all promises held" in text
    assert "logs" not in text


def test_a_recording_and_its_replay() -> None:
    text = text_of(render_chaos(a_report(recordings={"live_events": 1347216, "missing": 0})))
    assert line_of(text, "live events") == ["live events", "1,347,216"]
    assert line_of(text, "missing") == ["missing", "0"]


def test_nodes_that_were_cut_off_are_shown_by_their_kind_of_cut() -> None:
    cuts = {"workers_ended_ms": Figures(3, 900.0, 1900.0, 1950.0), "never_seen_ms": None}
    text = text_of(render_chaos(a_report(campaigns=[campaign(cuts=cuts)])))
    assert line_of(text, "cut off")[0] == "cut off: workers ended, ms: median, max"
    assert line_of(text, "cut off")[1] == "900, 1,950"
    assert "never seen" not in text
