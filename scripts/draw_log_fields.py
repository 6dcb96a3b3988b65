"""Writes the table of keys of log lines in docs/operating.md, from `foxtrot_protocol.log_fields`.

    scripts/draw_log_fields.py           # writes the file
    scripts/draw_log_fields.py --check   # exit status 1 if it is not current

tests/protocol/test_log_fields.py checks that the table is current.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from foxtrot_protocol.log_fields import LOG_FIELDS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "operating.md"
BEGIN = "<!-- log fields: drawn by scripts/draw_log_fields.py; do not edit -->"
END = "<!-- end of log fields -->"


def table() -> str:
    """Return the keys as a Markdown table."""
    rows = [f"| `{key}` | {meaning} |" for key, meaning in LOG_FIELDS.items()]
    return "\n".join(["| key | |", "| --- | --- |", *rows])


def drawn(page: str) -> str:
    """Return `page` with the present table."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def main() -> int:
    """Write the page, or check it."""
    parser = argparse.ArgumentParser(description="Write the table of keys of log lines in docs/operating.md.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 if it is not current")
    check = parser.parse_args().check
    page = PAGE.read_text(encoding="utf-8")
    current = drawn(page)
    if check:
        return int(page != current)
    PAGE.write_text(current, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
