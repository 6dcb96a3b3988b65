"""The alert rules and the dashboard that are shipped: valid, tested, and only of metrics and labels that exist."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from foxtrot_supervisor.report.metrics import METRICS, OMITTED, OWN
from tests.support.sources import ROOT

PROMETHEUS = ROOT / "examples" / "prometheus"
RULES = (PROMETHEUS / "alerts.yml").read_text(encoding="utf-8")
TESTS = (PROMETHEUS / "alerts_test.yml").read_text(encoding="utf-8")
DASHBOARD = json.loads((ROOT / "examples" / "grafana" / "dashboard.json").read_text(encoding="utf-8"))

KNOWN = {metric.name: metric for metric in (*METRICS, *OWN.values(), OMITTED)}
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count")}
SERIES = {
    name + suffix: {*metric.labels, *(["le"] if suffix == "_bucket" else [])}
    for name, metric in KNOWN.items()
    for suffix in SUFFIXES.get(metric.type, ("",))
}
BY_PROMETHEUS = {"job", "instance", "alertname", "alertstate"}

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


def promtool(*words: object, cwd: Path = PROMETHEUS) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["promtool", *map(str, words)], cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )


def panels(parts: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for part in parts:
        yield part
        yield from panels(part.get("panels", []))


def queries() -> dict[str, str]:
    """The queries of the dashboard by panel, with its variables replaced."""
    found = {}
    for panel in panels(DASHBOARD["panels"]):
        for target in panel.get("targets", []):
            found[f"{panel['title']} {target['refId']}"] = target["expr"].replace("$connection", ".*")
    return found


def expressions() -> list[str]:
    return [json.loads(text) for text in re.findall(r"^ +expr: (.*)$", RULES, re.MULTILINE)]


@needs_promtool
def test_promtool_accepts_the_rules() -> None:
    done = promtool("check", "rules", "alerts.yml")
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_each_rule_is_quiet_and_fires_as_its_test_says() -> None:
    done = promtool("test", "rules", "alerts_test.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_rule_has_a_test() -> None:
    rules = re.findall(r"^ +- alert: (\w+)$", RULES, re.MULTILINE)
    tested = re.findall(r"^  - name: (\w+)$", TESTS, re.MULTILINE)
    assert len(rules) == len(set(rules)) > 20
    assert tested == rules


@needs_promtool
def test_each_query_of_the_dashboard_is_promql(tmp_path: Path) -> None:
    rules = [{"record": f"query_{number}", "expr": query} for number, query in enumerate(queries().values())]
    # JSON is YAML
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = promtool("check", "rules", "rules.yml", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("expression", [*queries().values(), *expressions()])
def test_each_query_names_metrics_and_labels_that_exist(expression: str) -> None:
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)
    named = set(re.findall(r"\bfoxtrot_[a-z0-9_]+", bare))
    assert named or "up{" in bare
    assert named <= set(SERIES)
    labels = {BY for part in re.findall(r"\{([^}]*)\}", bare) for BY in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", part)}
    labels |= {BY.strip() for part in re.findall(r"\b(?:by|without|on)\s*\(([^)]*)\)", bare) for BY in part.split(",")}
    known = set().union(*(SERIES[name] for name in named)) | BY_PROMETHEUS
    assert labels <= known


@pytest.mark.parametrize("text", re.findall(r"^ +(?:summary|description): (.*)$", RULES, re.MULTILINE))
def test_each_annotation_names_labels_that_exist(text: str) -> None:
    every = set().union(*(metric.labels for metric in KNOWN.values()))
    assert set(re.findall(r"\$labels\.(\w+)", text)) <= every


def test_the_dashboard_has_the_variable_that_its_queries_use() -> None:
    variables = {each["name"] for each in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD["panels"])))
    assert used <= variables
    assert len({panel["id"] for panel in panels(DASHBOARD["panels"])}) == len(list(panels(DASHBOARD["panels"])))
