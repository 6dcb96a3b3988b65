"""Runs the tests with coverage and insists that the pure modules are covered completely.

Which modules are pure is read from setup.cfg, where the import rules name them. Arguments go to pytest.
"""

from __future__ import annotations

import configparser
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

SHELLS = {
    "foxtrot_protocol.standard_streams": "performs I/O for every process; real descriptors and readers test it",
}
"""Modules inside pure packages that act, with the reason why complete coverage is not demanded of them."""


def pure_files() -> list[str]:
    """File patterns of the pure modules, wherever the packages are installed."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    names = config["importlinter:contract:pure"]["source_modules"].split()
    return [f"{_pattern(name)}{suffix}" for name in names for suffix in (".py", "/*.py", "/**/*.py")]


def _pattern(module: str) -> str:
    return f"*/{module.replace('.', '/')}"


def main() -> int:
    """Exit status: the tests', or 2 if a pure module has an uncovered line or branch."""
    folders = sys.argv[1:] or ["tests/protocol", "tests/supervisor", "tests/workers"]
    tested = subprocess.run([sys.executable, "-m", "pytest", "--cov", "--cov-report=", *folders], cwd=ROOT, check=False)
    if tested.returncode != 0:
        return tested.returncode
    report = [sys.executable, "-m", "coverage", "report", "--fail-under=100", "--include=" + ",".join(pure_files())]
    report.append("--omit=" + ",".join(f"{_pattern(name)}.py" for name in SHELLS))
    return subprocess.run(report, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
