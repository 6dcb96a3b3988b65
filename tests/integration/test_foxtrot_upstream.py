"""Foxtrot itself (github.com/moremeds/foxtrot): its EventEngine tests on our engine, our adapter in its MainEngine.

Needs a checkout: ``FOXTROT_CHECKOUT=DIR tox -e foxtrot``. Nothing is written into it: tests run on temporary copies.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.support.gateway_program import GatewayProgram

CHECKOUT = os.environ.get("FOXTROT_CHECKOUT", "")

pytestmark = [
    pytest.mark.skipif(not CHECKOUT, reason="needs a checkout of Foxtrot: FOXTROT_CHECKOUT=DIR tox -e foxtrot"),
    pytest.mark.timeout(360),
]

SHIM = '''"""Foxtrot's module of this name, with the engine of foxtrot_supervisor."""

from collections.abc import Callable

from foxtrot_supervisor import Event, EventEngine

EVENT_TIMER = "eTimer"
HandlerType = Callable[[Event], None]
'''

RUN_TESTS = """
import os, sys, pytest
code = pytest.main(sys.argv[1:])
sys.stdout.flush()
os._exit(code)
"""
"""A test of theirs that fails leaves its engine running, which the interpreter would wait for at its exit."""

EVENT_ENGINE_TESTS = "tests/unit/core/test_event_engine_*.py"

TESTS_LEAST = 65
"""EventEngine tests that Foxtrot has: fewer mean that the wrong ones, or none, were collected."""

EXPECTED_FAILURES = {
    "test_memory_usage_scaling": "expects the peak memory of the process to grow; ours fits into memory used before",
    "test_zero_interval_initialization": "an interval of 0 would be an endless burst of timer events: ValueError",
    "test_negative_interval_initialization": "an interval below 0 has no meaning: ValueError",
    "test_thread_target_assignment": "compares the private targets of two threads; ours has one thread",
    "test_none_handler_registration": "None cannot be called: refused when it is registered",
}
"""Tests of Foxtrot's EventEngine that fail on ours, and why. Any other failure is an error; so is a pass of one."""


PACE = re.compile(
    r"(throughput|send rate|latency|drift|jitter|deviation) too (low|high)|too few events under stress|be faster than",
    re.IGNORECASE,
)
"""What its performance tests say of times and rates. On a busy machine they say it of any engine; lost events count."""


def failures(report: Path) -> tuple[int, set[str]]:
    """Return the number of tests in a JUnit report, and the names of those that failed for more than their pace."""
    cases = list(ElementTree.parse(report).iter("testcase"))
    found = set()
    for case in cases:
        failure = case.find("failure")
        slow = failure is not None and PACE.search(failure.get("message", ""))
        if case.find("error") is not None or (failure is not None and not slow):
            found.add(f"{case.get('name')}")
    return len(cases), found


@pytest.fixture
def foxtrot(tmp_path: Path) -> Path:
    """A copy of the checkout's sources and tests."""
    copy = tmp_path / "foxtrot"
    copy.mkdir()
    for name in ("foxtrot", "tests"):
        shutil.copytree(Path(CHECKOUT) / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def test_foxtrots_event_engine_tests_pass_on_ours(foxtrot: Path, tmp_path: Path) -> None:
    (foxtrot / "foxtrot" / "core" / "event_engine.py").write_text(SHIM)
    (foxtrot / "pytest.ini").write_text("[pytest]\n")  # no configuration of ours, or of a folder above
    report = tmp_path / "report.xml"
    files = sorted(str(path.relative_to(foxtrot)) for path in foxtrot.glob(EVENT_ENGINE_TESTS))
    done = subprocess.run(
        [sys.executable, "-c", RUN_TESTS, "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *files],
        cwd=foxtrot,
        env={**os.environ, "PYTHONPATH": str(foxtrot), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert report.exists(), done.stdout[-5000:] + done.stderr[-5000:]
    count, failed = failures(report)
    assert count >= TESTS_LEAST, done.stdout[-5000:]
    assert failed == set(EXPECTED_FAILURES), done.stdout[-20000:]


@pytest.mark.parametrize(
    ("variant", "symbols", "types"),
    [
        (
            "bare",
            ["BTCUSDT.SIM", "ETHUSDT.SIM"],
            ("foxtrot_protocol.tick_data.TickData", "foxtrot_supervisor.gateways.foxtrot_adapter.ContractData"),
        ),
        (
            "base",
            ["BTCUSDT.GLOBAL", "ETHUSDT.GLOBAL"],
            ("foxtrot.util.object.TickData", "foxtrot.util.object.ContractData"),
        ),
    ],
)
def test_the_adapter_serves_foxtrots_main_engine_and_leaves_nothing(
    foxtrot: Path, tmp_path: Path, variant: str, symbols: list[str], types: tuple[str, str]
) -> None:
    with GatewayProgram(tmp_path, variant, "close", program="foxtrot_program", python_path=(foxtrot,)) as program:
        seen = program.told()
        assert seen["symbols"] == symbols, seen["logs"]
        assert seen["own"] == symbols[:1]
        assert (seen["tick_type"], seen["contract_type"]) == types
        assert seen["pricetick"] == 0.01
        bid, ask = seen["prices"]
        assert 0 < bid < ask
        assert any(text.startswith("subscribed: ") for text in seen["logs"])
        assert program.told() == {"threads": [], "children": [], "run_dir": False}
        assert program.process.wait(20) == 0, program.errors.read_text()
        logs = "".join(path.read_text() for path in (tmp_path / "home").rglob("*.log"))
        assert "handler failed" not in logs, "a handler of theirs cannot use what the adapter puts"
