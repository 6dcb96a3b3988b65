"""Readers of metrics: an item without a value has no sample. The sections are tested with the table (test_metrics)."""

from __future__ import annotations

import pytest

from foxtrot_supervisor.report.metric_readers import CHILD, WORKER, Sample, field, last_exits
from tests.support.sample_status import sample_status


def test_an_item_without_the_value_has_no_sample() -> None:
    status = sample_status()
    status["workers"][0]["uptime_s"] = None
    metric = field(CHILD, "foxtrot_process_uptime_seconds", "gauge", "Up.", "uptime_s")
    names = {sample.labels[0] for sample in metric.read(status)}
    assert status["workers"][0]["name"] not in names
    assert status["workers"][1]["name"] in names


@pytest.mark.parametrize(
    ("name", "unit"), [("foxtrot_a_seconds_total", "seconds"), ("foxtrot_b_bytes", "bytes"), ("foxtrot_c", "")]
)
def test_the_unit_follows_from_the_name(name: str, unit: str) -> None:
    assert field(WORKER, name, "gauge", "A.", "x").unit == unit


def test_values_are_brought_to_base_units() -> None:
    status = sample_status(workers=1)
    metric = field(WORKER, "foxtrot_x_seconds", "gauge", "A.", "latency_p50_us", divisor=1e6)
    (sample,) = metric.read(status)
    assert sample == Sample((status["workers"][0]["name"], "c0", "x0"), 5e-6)


def test_a_child_that_has_never_died_has_no_last_exit() -> None:
    status = sample_status(workers=2)
    first, second = status["workers"]
    first["last_exit"] = {"code": None, "signal": "SIGKILL", "rung": None, "cause": "killed"}
    second["last_exit"] = None
    ends = {sample.labels[0]: sample.labels[1:] for sample in last_exits(status)}
    assert ends[first["name"]] == (first["kind"], "signal SIGKILL", "")
    assert second["name"] not in ends
