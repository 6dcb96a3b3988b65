"""Settings and fixtures of all tests."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.process_guard import start_guard
from tests.support.skips import append_skips

# No deadline: a busy machine must not fail a test. With FOXTROT_FUZZ set, hypothesis looks for new examples each time.
settings.register_profile(
    "foxtrot",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="FOXTROT_FUZZ" not in os.environ,
)
settings.load_profile("foxtrot")


def pytest_configure() -> None:
    """A test run that is killed leaves no processes behind."""
    start_guard()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip variants of tests unless FOXTROT_VARIANTS is "yes", as in continuous integration.

    Variants are tests marked ``variant``, and of a test marked ``cases(played=n)`` all cases but the first n.
    """
    if os.environ.get("FOXTROT_VARIANTS") == "yes":
        return
    skip = pytest.mark.skip(reason='variant of a test that ran; FOXTROT_VARIANTS is not "yes"')
    seen: Counter[str] = Counter()
    for item in items:
        cases = item.get_closest_marker("cases")
        if cases is not None:
            name = item.nodeid.partition("[")[0]
            seen[name] += 1
        if item.get_closest_marker("variant") or (cases is not None and seen[name] > cases.kwargs["played"]):
            item.add_marker(skip)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Append the skipped tests to the file that scripts/test summarizes."""
    path = os.environ.get("FOXTROT_TEST_SKIPS")
    if path and not hasattr(terminalreporter.config, "workerinput"):  # workers of xdist report to the first process
        append_skips(Path(path), terminalreporter.stats.get("skipped", ()))


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As pytest's own, but without the test's name: paths of sockets in it must be short."""
    return tmp_path_factory.mktemp("t")
