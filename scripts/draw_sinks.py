#!/usr/bin/env python3
"""Writes what the pages of sinks take from the code: tables of keys, and the SQL of the PostgreSQL sink.

scripts/draw_sinks.py           # writes the files
scripts/draw_sinks.py --check   # exit status 1 if one is not current
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from draw_configuration import table
from foxtrot_supervisor.sinks.nats.settings import NatsSettings
from foxtrot_supervisor.sinks.parquet import ParquetSettings
from foxtrot_supervisor.sinks.postgresql.schema import create_sql
from foxtrot_supervisor.sinks.postgresql.settings import PostgresqlSettings
from foxtrot_supervisor.sinks.redis.settings import RedisSettings

DOCS = Path(__file__).resolve().parent.parent / "docs"


def parts() -> dict[str, list[tuple[str, str, str]]]:
    """Return, for each page, the line before and after each generated part, and its text."""
    schema = ";\n\n".join(create_sql("foxtrot"))
    return {
        "parquet.md": [_keys("parquet", table(ParquetSettings))],
        "sinks-nats.md": [_keys("nats", table(NatsSettings))],
        "sinks-redis.md": [_keys("redis", table(RedisSettings))],
        "sinks-postgresql.md": [
            _keys("postgresql", table(PostgresqlSettings)),
            ("<!-- schema: generated -->\n", "<!-- end of schema -->", f"```sql\n{schema};\n```"),
        ],
    }


def drawn(page: str, generated: list[tuple[str, str, str]]) -> str:
    """Return `page` with the parts between its markers replaced; ValueError if a marker is missing."""
    for begin, end, text in generated:
        before, begins, rest = page.partition(begin)
        _, ends, after = rest.partition(end)
        if not begins or not ends:
            raise ValueError(f"no place for {begin.strip()}")
        page = f"{before}{begin}{text}\n{end}{after}"
    return page


def main() -> int:
    """Write the pages, or say whether they are current."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 if a page is not current")
    check = parser.parse_args().check
    stale = []
    for name, generated in parts().items():
        path = DOCS / name
        page = path.read_text(encoding="utf-8")
        current = drawn(page, generated)
        if current != page:
            stale.append(name)
            if not check:
                path.write_text(current, encoding="utf-8")
    return int(check and bool(stale))


def _keys(kind: str, text: str) -> tuple[str, str, str]:
    return f"<!-- keys of {kind}: generated -->\n", f"<!-- end of {kind} -->", text


if __name__ == "__main__":
    sys.exit(main())
