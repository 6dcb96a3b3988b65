"""What holds for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.process_guard import start_guard

# Speed is no subject of a test: a busy machine must not fail one. FOXTROT_FUZZ=1 looks for new examples each time.
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


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As pytest's own, but without the test's name in it: sockets stand in there, whose paths have to be short."""
    return tmp_path_factory.mktemp("t")
