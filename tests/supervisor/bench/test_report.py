"""The tables of a measurement: every figure stands where its heading says."""

from __future__ import annotations

import io
from typing import Any

import msgspec
from rich.console import Console

from foxtrot_supervisor.bench.changes import Change
from foxtrot_supervisor.bench.report import render_bench, render_changes
from foxtrot_supervisor.bench.statistics import (
    LatencySpread,
    ParseCost,
    ProcessFigures,
    Spread,
    ThroughputFigures,
    VenueCost,
    VenueFrameCost,
    behind,
)


def one(value: float) -> Spread:
    return Spread(value, value, value, 1)


def text_of(report: dict[str, Any]) -> str:
    out = io.StringIO()
    Console(file=out, width=160).print(render_bench(report))
    return out.getvalue()


def rows_of(text: str, title: str) -> list[list[str]]:
    """Return the cells of the table with this title, with its headings."""
    lines = iter(text.splitlines())
    next(line for line in lines if line.startswith(title))
    rows = []
    for line in lines:
        if line.startswith("└"):
            break
        if line[:1] in ("┃", "│"):
            rows.append([cell.strip() for cell in line.replace("┃", "│").split("│")[1:-1]])
    return rows


def a_report() -> dict[str, Any]:
    process = ProcessFigures(one(200.0), one(300.0), one(12.0), one(40.5), one(30.5))
    return {
        "machine": {
            "cpu": "a cpu",
            "cores": 2,
            "kernel": "6",
            "python": "3.11",
            "form": "compiled",
            "load_average_before": 0.5,
        },
        "throughput": {
            "trades": {
                "foxtrot": ThroughputFigures(
                    Spread(400_000, 450_000, 500_000, 3), {"worker": one(2.3), "engine": one(0.9)}, one(0.2)
                ),
                "baseline": ThroughputFigures(one(38_000), {"worker": one(27.0), "engine": one(23.0)}, one(0.2)),
                "ratio": Spread(10.1, 11.7, 12.2, 3),
            }
        },
        "latency": {
            "50000": {
                "foxtrot": LatencySpread(
                    True, Spread(150.0, 161.4, 170.0, 3), one(314.0), one(900.0), one(1200.0), 30, one(25.0), one(60.5)
                ),
                "baseline": behind(38_000),
            }
        },
        "processes": {"foxtrot": {"worker": process, "engine": process}},
        "duration_s": 61.5,
    }


def test_every_part_is_shown() -> None:
    text = text_of(a_report())
    assert "450,000 (400,000 - 500,000)" in text
    assert "x 11.7 (10.1 - 12.2)" in text
    row = next(line for line in text.splitlines() if "60.5" in line)
    assert [cell.strip() for cell in row.split("│")[1:-1]] == [
        "50,000",
        "foxtrot",
        "161 (150 - 170)",
        "314",
        "900",
        "25",
        "60.5",
    ]
    assert "baseline (takes 38,000/s)" in text
    assert "took 61.5 s" in text


def test_what_was_not_measured_is_not_shown() -> None:
    report = a_report()
    del report["throughput"], report["latency"]
    text = text_of(report)
    assert "Throughput" not in text
    assert "Latency" not in text
    assert "Processes" in text
    assert "Processes" not in text_of({**report, "processes": {}})


def test_with_and_without_rings() -> None:
    systems = {"foxtrot": Spread(300.0, 312.0, 400.0, 3), "ringless": Spread(290.0, 300.0, 310.0, 3)}
    ring = {"rate_per_s": 10_000, "p50_us": systems, "p99_us": systems, "p99_ratio": Spread(1.0, 1.04, 1.3, 3)}
    text = text_of({**a_report(), "ring": ring})
    assert "10,000" in text
    assert "312 (300 - 400)" in text
    assert "x 1.04 (1.00 - 1.30)" in text


def test_the_parser_of_each_exchange_is_one_row() -> None:
    trade = VenueFrameCost("trade", 0, 170, 1250.0, 1100.0, 1400.0, 1.0, 84.0)
    ticker = VenueFrameCost("ticker", 0, 400, 3000.0, 2900.0, 3100.0, 1.52, None)
    change = VenueFrameCost("delta", 1, 120, 2960.0, 2700.0, 3100.0, 1.12, None)
    costs = [
        VenueCost("one", trade, ticker, change),
        VenueCost("bookless", trade, ticker, None),
        VenueCost("other", None, None, None),
    ]
    report = {**a_report(), "venues": costs}
    text = text_of(report)
    assert "1.25 (1.10 - 1.40) x1.0" in text
    assert "ticker 3.00 (2.90 - 3.10) x1.5" in text
    assert "1 level 2.96 (2.70 - 3.10) x1.1" in text
    assert "0.08 - -" in text
    assert "no frames" in text
    assert rows_of(text, "Parser")[2][-2:] == ["-", "0.08 - -"]


def test_a_comparison_shows_both_values_and_their_ratio() -> None:
    out = io.StringIO()
    Console(file=out, width=160).print(
        render_changes([Change("a / b", 200.0, 100.0, 0.5), Change("c", 0.0, 1.0, None)])
    )
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.getvalue().splitlines() if "│" in line]
    assert rows == [["a / b", "200.0", "100.0", "x 0.50"], ["c", "0.0", "1.0", ""]]


def test_a_peer_with_one_process_has_its_ratio() -> None:
    report = a_report()
    trades = report["throughput"]["trades"]
    trades["cryptofeed"] = ThroughputFigures(one(90_000), {"worker": one(11.0)}, one(0.2))
    trades["ratio to cryptofeed"] = one(5.0)
    text = text_of(report)
    assert "90,000" in text
    assert "ratio to cryptofeed" in text


def test_a_load_that_a_system_does_not_keep_up_with_is_named() -> None:
    report = a_report()
    figures = report["latency"]["50000"]
    figures["foxtrot"] = msgspec.structs.replace(figures["foxtrot"], keeps_up=False)
    assert "foxtrot (falls behind)" in text_of(report)


def test_parsing_with_and_without_a_template() -> None:
    costs = [
        ParseCost("binance", "trade", 1500, 170, 2100.4, 84.6),
        ParseCost("kraken", "book", 20, 3000, 9000.0, None),
    ]
    assert rows_of(text_of({**a_report(), "parse": costs}), "Parsing") == [
        ["exchange", "events", "frames", "bytes", "Python ns", "template ns"],
        ["binance", "trade", "1,500", "170", "2,100", "85"],
        ["kraken", "book", "20", "3,000", "9,000", "-"],
    ]


def test_what_recording_costs_stands_in_four_tables() -> None:
    def throughput(events: float, **cpu: float) -> ThroughputFigures:
        return ThroughputFigures(one(events), {name: one(used) for name, used in cpu.items()}, one(0.2))

    recording = {
        "throughput": {
            "trades": {
                "foxtrot": throughput(500_000, worker=2.3, engine=0.9),
                "framed": throughput(450_000, worker=2.5, engine=0.9),
                "recorded": throughput(250_000, worker=2.6, engine=0.9, recorder=1.7),
                "framed to foxtrot": one(0.9),
                "recorded to foxtrot": one(0.5),
            }
        },
        "latency": {
            "10000": {
                "foxtrot": {"p50_us": one(100.0), "p99_us": one(200.0)},
                "framed": {"p50_us": one(101.0), "p99_us": one(201.0)},
                "recorded": {"p50_us": one(102.0), "p99_us": one(202.0)},
            }
        },
        "size": {
            "trades": {
                "kept": one(0.75),
                "announced": one(0.25),
                "bytes_per_event": one(28.31),
                "compression": one(9.26),
            }
        },
    }
    text = text_of({**a_report(), "recording": recording})
    assert rows_of(text, "Recording: throughput") == [
        ["", "trades", "trades, ratio"],
        ["not recorded", "500,000", ""],
        ["frames ring alone", "450,000", "x 0.90"],
        ["recorded", "250,000", "x 0.50"],
    ]
    assert rows_of(text, "Recording: latency") == [
        ["", "p50 at 10,000/s", "p99 at 10,000/s"],
        ["not recorded", "100", "200"],
        ["frames ring alone", "101", "201"],
        ["recorded", "102", "202"],
    ]
    assert rows_of(text, "Recording: CPU seconds") == [
        ["", "trades, worker", "trades, recorder"],
        ["not recorded", "2.30", ""],
        ["frames ring alone", "2.50", ""],
        ["recorded", "2.60", "1.70"],
    ]
    assert rows_of(text, "Recording at full speed") == [
        ["", "frames kept, of those sent", "said to be lost", "bytes of a recorded event", "compression"],
        ["trades", "0.75", "0.25", "28.3", "9.3"],
    ]
