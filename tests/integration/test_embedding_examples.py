"""The programs in docs/embedding.md, unchanged."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.sources import ROOT

PROGRAMS = re.findall(r"```python\n(.*?)```", (ROOT / "docs/embedding.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize(
    ("program", "expected"),
    list(zip(PROGRAMS, ["clean", "the engine goes on", "closed"], strict=True)),
    ids=["first", "later-symbols", "main-engine"],
)
def test_the_documented_program_runs(tmp_path: Path, program: str, expected: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == expected
    assert list(tmp_path.iterdir()) == []
