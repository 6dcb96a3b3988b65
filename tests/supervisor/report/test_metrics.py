"""Every number of the status is a metric, or is named as none; series are bounded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from foxtrot_supervisor.report import metrics as module
from foxtrot_supervisor.report.metric_readers import HISTOGRAM_CONNECTIONS_MAX, Histogram
from foxtrot_supervisor.report.metrics import EXCLUDED, LABEL_CHARS_MAX, METRICS, OMITTED, OWN, Family, families
from tests.support.sample_status import sample_status

ALL = (*METRICS, *OWN.values(), OMITTED)


def by_name(status: dict[str, Any]) -> dict[str, Family]:
    return {family.metric.name: family for family in families(status, {})}


def values(status: dict[str, Any], name: str) -> dict[tuple[str, ...], Any]:
    return {sample.labels: sample.value for sample in by_name(status)[name].samples}


def test_declarations_follow_the_conventions() -> None:
    names = [metric.name for metric in ALL]
    assert len(set(names)) == len(names)
    for metric in ALL:
        assert re.fullmatch(r"foxtrot_[a-z0-9_]+", metric.name)
        assert metric.name.endswith("_total") == (metric.type == "counter"), metric.name
        assert metric.name.endswith("_info") == (metric.type == "info"), metric.name
        assert not re.search(r"_(ms|us|s|mib|kib|percent)(_total)?$", metric.name), "base units only"
        assert metric.help.endswith(".") or metric.help.endswith("handled."), metric.name
        base = metric.name.removesuffix("_total")
        assert not metric.unit or base.endswith(f"_{metric.unit}"), metric.name


def numbers(section: str, value: Any) -> Iterator[tuple[str, str]]:
    """Section and name of each number."""
    if isinstance(value, dict):
        for key, each in value.items():
            if isinstance(each, int | float):
                yield section, key
            elif key not in (
                "growth",
                "topics",
                "exits",
                "last_exit",
                "stages",
                "by_kind",
                "counts",
            ):  # metrics of their own
                yield from numbers(key if section == "" or key == "handlers" else section, each)
    elif isinstance(value, list):
        for each in value:
            yield from numbers(section, each)


def test_every_number_of_the_status_is_a_metric_or_named_as_none() -> None:
    status = sample_status()
    assert status.pop("stage_bounds_s")
    found = set(numbers("", status))
    assert ("workers", "gaps_total") in found
    assert ("handlers", "calls") in found
    fields = {source.rpartition(".")[2] for metric in METRICS for source in metric.source.split(", ")}
    for section, name in sorted(found):
        assert name in fields or name in EXCLUDED, f"{section}.{name} is no metric"
    assert {name for name in EXCLUDED if name in fields} == set()
    assert set(EXCLUDED) <= {name for _, name in found}


def test_each_section_is_read_where_it_stands() -> None:
    status = sample_status()
    status["workers"][0]["gaps_total"] = 41
    status["engine"]["rejected_total"] = 42
    status["budgets"][0]["waits_total"] = 43
    name = status["workers"][0]["name"]
    assert values(status, "foxtrot_worker_gaps_total")[name, "c0", "x0"] == 41
    assert values(status, "foxtrot_engine_batches_rejected_total") == {(): 42}
    assert values(status, "foxtrot_rate_limit_waits_total") == {("api.x:443", "rest"): 43}
    assert values(status, "foxtrot_backfill_given_up_total") == {("c0",): 3}
    assert values(status, "foxtrot_market_listed_total") == {("c0",): 3}
    assert values(status, "foxtrot_supervisor_uptime_seconds") == {(): 10}
    assert values(status, "foxtrot_engine_dispatch_p99_seconds") == {(): pytest.approx(22e-6)}
    assert values(status, "foxtrot_process_loop_lag_seconds")[name, "connection"] == pytest.approx(0.0015)
    assert values(status, "foxtrot_process_resident_memory_bytes")["supervisor", "supervisor"] == 30_000_000


def test_a_worker_on_another_node_is_shown_with_its_node() -> None:
    status = sample_status()
    (row,) = status["remote_workers"]
    labels = ("r0.a0-a", "r0", "n1")
    row["lost_total"] = 44
    assert values(status, "foxtrot_remote_worker_events_total") == {labels: 12}
    assert values(status, "foxtrot_remote_worker_events_lost_total") == {labels: 44}
    assert values(status, "foxtrot_remote_worker_gaps_total") == {labels: 3}
    assert values(status, "foxtrot_remote_worker_data_age_seconds") == {labels: 1.25}
    assert values(status, "foxtrot_remote_worker_serving") == {labels: 1}
    assert values(status, "foxtrot_remote_connection_flowing") == {("r0",): 1}
    assert values(status, "foxtrot_remote_workers")["n1", "serving"] == 1
    assert ("r0", "n1", "published_handled") in values(status, "foxtrot_remote_latency_seconds")
    assert not any("r0" in str(labels) for labels in values(status, "foxtrot_process_resident_memory_bytes"))
    for state in ("away", "unknown", "starting", "ended"):
        row["state"] = state
        assert values(status, "foxtrot_remote_worker_serving") == {labels: 0}
        assert values(status, "foxtrot_remote_connection_flowing") == {("r0",): 0}
        assert values(status, "foxtrot_remote_workers")["n1", state] == 1
    row["gaps_total"] = None
    assert values(status, "foxtrot_remote_worker_gaps_total") == {}, "what is not known has no sample"


def test_every_metric_has_a_sample_in_a_status_where_everything_happened() -> None:
    without = [name for name, family in by_name(sample_status()).items() if not family.samples]
    assert without == []


def test_an_empty_run_has_no_samples_of_what_it_has_not() -> None:
    status = sample_status(workers=0)
    status["engine"] = {}
    for name in ("foxtrot_worker_gaps_total", "foxtrot_engine_events_total", "foxtrot_handler_calls_total"):
        assert values(status, name) == {}


def test_states() -> None:
    status = sample_status()
    status["workers"][0]["state"] = "FATAL"
    status["workers"][1]["topics"] = []
    name = status["workers"][0]["name"]
    assert values(status, "foxtrot_processes")["connection", "FATAL"] == 1
    assert values(status, "foxtrot_process_fatal")[name, "connection"] == 1
    assert values(status, "foxtrot_process_running")[name, "connection"] == 0
    assert values(status, "foxtrot_process_running")["supervisor", "supervisor"] == 1
    assert values(status, "foxtrot_connection_flowing") == {("c0", "x0"): 0, ("c1", "x1"): 0}
    assert values(sample_status(), "foxtrot_connection_flowing") == {("c0", "x0"): 1, ("c1", "x1"): 1}
    topics = values(status, "foxtrot_worker_topics")
    assert [topics[name, "c0", "x0", state] for state in ("flowing", "stale", "waiting", "invalid")] == [1, 1, 1, 0]
    assert values(status, "foxtrot_supervisor_state")[("running",)] == 1
    assert sum(values(status, "foxtrot_supervisor_state").values()) == 1
    assert values(status, "foxtrot_process_growing")["supervisor", "supervisor", "rss_bytes"] == 1
    assert values(status, "foxtrot_process_last_exit_info")[name, "connection", "signal 9", "kill"] == 1
    assert values(status, "foxtrot_incidents_total")[("death",)] == 1
    assert values(status, "foxtrot_incidents_total")[("fatal",)] == 0


@pytest.mark.parametrize(("code", "signal", "how"), [(10, None, "exit code 10"), (None, None, "")])
def test_ways_to_exit(code: int | None, signal: int | None, how: str) -> None:
    status = sample_status()
    status["engine"]["last_exit"] = {"code": code, "signal": signal, "rung": None}
    assert ("engine", "engine", how, "") in values(status, "foxtrot_process_last_exit_info")


def test_histograms_add_the_sides_of_a_connection() -> None:
    found = values(sample_status(workers=4, connections=2), "foxtrot_latency_seconds")
    first = found["x0", "c0", "exchange_received"]
    assert isinstance(first, Histogram)
    assert {labels[1] for labels in found} == {"c0", "c1"}
    assert len(found) == 3 * 4  # two sides each, of exchanges of their own
    buckets = [count for _, count in first.buckets]
    assert buckets == sorted(buckets)
    assert (first.count, first.total) == (5, 0.5)
    last = found["x0", "c0", "published_handled"]
    assert last.count - last.buckets[-1][1] == 2  # beyond the last bound


def test_many_connections_have_histograms_by_exchange() -> None:
    found = values(sample_status(200, HISTOGRAM_CONNECTIONS_MAX + 1), "foxtrot_latency_seconds")
    assert {labels[1] for labels in found} == {""}
    assert sum(each.count for labels, each in found.items() if labels[2] == "received_published") == 200 * 5


def test_series_are_bounded_and_what_is_left_out_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SERIES_MAX", 3)
    found = by_name(sample_status(workers=10, connections=10))
    assert len(found["foxtrot_worker_gaps_total"].samples) == 3
    (omitted,) = found[OMITTED.name].samples
    assert omitted.value >= 7
    monkeypatch.undo()
    assert by_name(sample_status())[OMITTED.name].samples[0].value == 0


def test_label_values_are_cut_and_printable() -> None:
    status = sample_status()
    status["engine"]["handlers"][0]["handler"] = "\ud800\n" + "x" * 999
    (label, _), *_ = values(status, "foxtrot_handler_calls_total")
    assert len(label) == LABEL_CHARS_MAX
    assert label.startswith("??xx")


def test_handlers_of_one_name_are_one_series() -> None:
    assert values(sample_status(), "foxtrot_handler_calls_total") == {("m.on_tick", "eTick."): 18}
    assert values(sample_status(), "foxtrot_handler_max_seconds") == {("m.on_tick", "eTick."): pytest.approx(3e-6)}


def test_counts_of_the_server_are_included() -> None:
    found = {family.metric.name: family for family in families(sample_status(), {"requests_total": 5})}
    assert [sample.value for sample in found["foxtrot_metrics_requests_total"].samples] == [5]
