"""Runs the tests with coverage and insists that the pure modules are covered completely.

Which modules are pure is read from setup.cfg, where the import rules name them. Arguments go to pytest. Where the hot
paths are compiled, their tests also run in pure Python: each form has lines that the other does not run.
"""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
from pathlib import Path

from foxtrot_protocol import compiled

ROOT = Path(__file__).resolve().parent.parent

SHELLS = {
    "foxtrot_protocol.standard_streams": "performs I/O for every process; real descriptors and readers test it",
}
"""Modules inside pure packages that act, with the reason why complete coverage is not demanded of them."""


HOT_PATHS = ("tests/supervisor/engine", "tests/workers/adapter", "tests/workers/feed", "tests/workers/templates")
"""Tests of modules that have a compiled form."""


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
    given = sys.argv[1:]
    runs = [(dict[str, str](), given or ["tests/protocol", "tests/supervisor", "tests/workers"])]
    if compiled.describe() == "compiled":
        runs.append(({compiled.FORM_VARIABLE: "pure"}, ["--cov-append", *(given or HOT_PATHS)]))
    for environment, arguments in runs:
        command = [sys.executable, "-m", "pytest", "--cov", "--cov-report=", *arguments]
        tested = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=False)
        if tested.returncode != 0:
            return tested.returncode
    report = [sys.executable, "-m", "coverage", "report", "--fail-under=100", "--include=" + ",".join(pure_files())]
    report.append("--omit=" + ",".join(f"{_pattern(name)}.py" for name in SHELLS))
    return subprocess.run(report, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
