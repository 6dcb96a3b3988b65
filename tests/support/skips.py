"""Which tests were skipped and why, over several runs of pytest: each appends to a file, the last step prints it.

    python -m tests.support.skips FILE

prints the summary.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

__all__ = ["append_skips", "summary"]


def append_skips(path: Path, reports: Iterable[pytest.TestReport | pytest.CollectReport]) -> None:
    """Append the reason of each report of a skipped test to the file `path`, one JSON text per line."""
    with path.open("a", encoding="utf-8") as file:
        for report in reports:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
            file.write(json.dumps(reason.removeprefix("Skipped: ")) + "\n")


def summary(path: Path) -> list[str]:
    """Return the lines of the summary: how many tests were skipped for each reason, the most frequent first."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    counts = Counter(json.loads(line) for line in lines)
    rows = [f"{count:6}  {reason}" for reason, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    return [f"{counts.total()} tests were skipped{':' if rows else ''}", *rows]


if __name__ == "__main__":
    print(*summary(Path(sys.argv[1])), sep="\n", file=sys.stderr)
