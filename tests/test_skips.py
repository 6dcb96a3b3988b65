"""The summary of skipped tests with which scripts/test ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.skips import summary
from tests.support.sources import ROOT

TESTS = """
import pytest

@pytest.mark.parametrize("number", range(3))
def test_one(number):
    pytest.skip("no kernel log")

@pytest.mark.skipif(True, reason="needs root")
def test_two():
    pass

def test_three():
    pass
"""


def test_reasons_are_grouped_and_counted(tmp_path: Path) -> None:
    (tmp_path / "test_few.py").write_text(TESTS)
    skips = tmp_path / "skips"
    skips.write_text('"needs root"\n')  # of an earlier run
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider", "-n", "1", "."],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "FOXTROT_TEST_SKIPS": str(skips)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert summary(skips) == ["5 tests were skipped:", "     3  no kernel log", "     2  needs root"]


def test_without_skips_the_summary_says_so(tmp_path: Path) -> None:
    assert summary(tmp_path / "absent") == ["0 tests were skipped"]
