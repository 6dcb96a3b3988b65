"""Both formats are read by the client's own parsers and by promtool, and have exactly the documented metrics."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse_text

from foxtrot_supervisor.monitoring.exposition import exposed
from foxtrot_supervisor.report.metrics import METRICS, OMITTED, OWN, families
from tests.support.sample_status import sample_status
from tests.support.sources import ROOT

OPEN = "application/openmetrics-text;version=1.0.0;q=0.9,text/plain;version=0.0.4;q=0.5"
OWN_COUNTS = dict.fromkeys(OWN, 1)
Parse = Callable[[str], Iterable[Any]]


def shown(status: dict[str, Any], accept: str) -> tuple[str, str]:
    content_type, body = exposed(families(status, OWN_COUNTS), accept)
    return content_type, body.decode()


@pytest.mark.parametrize(
    ("accept", "content_type", "parse"),
    [
        ("", "text/plain; version=0.0.4", parse_text),
        ("*/*", "text/plain; version=0.0.4", parse_text),
        ("\x00;;q=,", "text/plain; version=0.0.4", parse_text),
        (OPEN, "application/openmetrics-text; version=1.0.0", parse_open),
    ],
)
def test_the_clients_parser_reads_every_metric(accept: str, content_type: str, parse: Parse) -> None:
    sent, text = shown(sample_status(), accept)
    assert sent.startswith(content_type)
    found = {family.name: family for family in parse(text)}
    for metric in (*METRICS, *OWN.values(), OMITTED):
        name = metric.name
        if metric.type == "counter":
            name = name.removesuffix("_total")
        elif metric.type == "info" and parse is parse_open:
            name = name.removesuffix("_info")
        family = found.pop(name)
        assert family.documentation == metric.help
        assert family.samples
        if parse is parse_open:
            assert (family.type, family.unit) == (metric.type, metric.unit)
    assert found == {}


def test_a_histogram_is_cumulative_and_complete() -> None:
    _, text = shown(sample_status(), "")
    (family,) = (each for each in parse_text(text) if each.name == "foxtrot_latency_seconds")
    buckets = [
        (float(sample.labels["le"]), sample.value)
        for sample in family.samples
        if sample.name.endswith("_bucket")
        and (sample.labels["connection"], sample.labels["stage"]) == ("c0", "published_handled")
    ]
    assert [bound for bound, _ in buckets] == sorted(bound for bound, _ in buckets)
    assert math.isinf(buckets[-1][0])
    assert [count for _, count in buckets] == sorted(count for _, count in buckets)
    assert buckets[-1][1] == 5


def test_odd_label_values_do_not_break_the_text() -> None:
    status = sample_status()
    odd = 'a"b\\c\nd{}=\x1b\u2028é,'
    status["engine"]["handlers"][0]["handler"] = odd
    status["workers"][0]["exchange"] = odd
    for accept, parse in (("", parse_text), (OPEN, parse_open)):
        assert len(list(parse(shown(status, accept)[1]))) == len(METRICS) + len(OWN) + 1


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_nothing_wrong() -> None:
    _, text = shown(sample_status(), "")
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_documented_metrics_are_those_that_are_exposed() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `(foxtrot_[a-z0-9_]+)` \| (\w+) \|", page, re.MULTILINE)
    _, text = shown(sample_status(), "")
    types = dict(re.findall(r"^# TYPE (foxtrot_[a-z0-9_]+) (\w+)$", text, re.MULTILINE))
    assert {name: "gauge" if kind == "info" else kind for name, kind in documented} == types
