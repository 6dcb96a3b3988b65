"""The independent judge on the product, and on what was planted for it to find.

By default a few cases; all of them with ``FOXTROT_CHAOS=full`` (a quarter of an hour).
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.oracle import ESCAPE, FAULTS, PHASES
from tests.support.command_line import PROGRAM

ORACLE = Path(__file__).with_name("oracle.py")
LIMIT_S = 230.0

pytestmark = pytest.mark.timeout(240)

FULL = os.environ.get("FOXTROT_CHAOS") == "full"
QUICK = [("supervisor_sigkill", "streaming"), (ESCAPE, "streaming"), ("two_faults", "backing_off")]
ALL = [case for case in itertools.product(FAULTS, PHASES) if case[0] != ESCAPE or case[1] == "streaming"]


def ask_the_oracle(folder: Path, *words: str) -> tuple[int, list[str]]:
    done = subprocess.run(
        [sys.executable, "-I", str(ORACLE), str(PROGRAM), str(folder), *words],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)["found"]
    if found and (folder / "log").exists():
        print((folder / "log").read_text()[-10_000:])
    return done.returncode, found


@pytest.mark.cases(played=len(ALL) if FULL else 1)
@pytest.mark.parametrize(("fault", "phase"), ALL if FULL else QUICK)
def test_nothing_is_left(tmp_path: Path, fault: str, phase: str) -> None:
    assert ask_the_oracle(tmp_path, "--fault", fault, "--phase", phase) == (0, [])


def test_the_oracle_finds_what_was_planted(tmp_path: Path) -> None:
    plants = [word for name in ("escapee", "zombie", "file") for word in ("--plant", name)]
    code, found = ask_the_oracle(tmp_path, "--command", "kill -9 $WORKER_PID", *plants)
    assert code == 1
    # a quick run ends before the parent of the planted zombie does: that is found running as well
    kinds = {finding.split(":")[0].split(",")[0] for finding in found}
    assert kinds == {"left running", "old zombie", "run directory left"}
    assert any("sleep" in finding for finding in found)
    assert any("planted" in finding for finding in found)


def test_the_oracle_uses_nothing_of_the_product() -> None:
    text = ORACLE.read_text()
    imports = [line.split()[1].split(".")[0] for line in text.splitlines() if line.startswith(("import ", "from "))]
    assert set(imports) <= set(sys.stdlib_module_names)
