"""Writes the tables of keys in docs/configuration.md, from the declarations in `foxtrot_supervisor.config.schema`.

    scripts/draw_configuration.py           # writes the file
    scripts/draw_configuration.py --check   # exit status 1 if it is not current

The tables stand between markers; the text around them is written by hand. tests/test_documented_examples.py checks that
they are current.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec
from msgspec import Struct

from foxtrot_supervisor.config.cluster import ClusterConfig
from foxtrot_supervisor.config.example import toml_text
from foxtrot_supervisor.config.schema import (
    AlertsConfig,
    ConnectionConfig,
    EngineConfig,
    MetricsConfig,
    RecorderConfig,
    RingConfig,
    SinkKeys,
    SupervisorConfig,
)
from foxtrot_supervisor.config.setting import SECONDS_MAX, Key, keys_of

PAGE = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"

TABLES: dict[str, type[Struct]] = {
    "supervisor": SupervisorConfig,
    "engine": EngineConfig,
    "ring": RingConfig,
    "metrics": MetricsConfig,
    "alerts": AlertsConfig,
    "recorder": RecorderConfig,
    "cluster": ClusterConfig,
    "sinks": SinkKeys,
    "connections": ConnectionConfig,
}


def table(kind: type[Struct]) -> str:
    """Return the keys of `kind` as a Markdown table."""
    rows = ["| key | default | type | allowed | meaning |", "| --- | --- | --- | --- | --- |"]
    for key in keys_of(kind).values():
        meaning = " ".join(part for part in (key.setting.description, key.setting.more) if part)
        cells = (f"`{key.name}`", default(key), key.unit, allowed(key), meaning)
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def default(key: Key) -> str:
    """Return the default as Markdown."""
    if key.default is msgspec.NODEFAULT:
        return "required"
    return key.setting.unset or f"`{toml_text(key.default)}`"


def allowed(key: Key) -> str:
    """Return the allowed values as Markdown, "" if the type says all."""
    if key.setting.allowed:
        return key.setting.allowed
    if key.choices:
        return ", ".join(f"`{toml_text(choice)}`" for choice in key.choices)
    numbers = key.setting.range
    if numbers is None:
        return ""
    if numbers.most in (SECONDS_MAX, SECONDS_MAX * 1000):  # the week that limits every time
        return f"{'>' if numbers.above else '≥'} {numbers.least:g}"
    return f"{numbers.least:.12g} to {numbers.most:.12g}"


def drawn(page: str) -> str:
    """Return `page` with the tables between its markers replaced."""
    for name, kind in TABLES.items():
        begin, end = f"<!-- keys of {name}: generated -->\n", f"<!-- end of {name} -->"
        before, begins, rest = page.partition(begin)
        _, ends, after = rest.partition(end)
        if not begins or not ends:
            raise ValueError(f"{PAGE.name} has no place for the keys of {name}")
        page = f"{before}{begin}{table(kind)}\n{end}{after}"
    return page


def main() -> int:
    """Write the page, or say whether it is current."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 if the page is not current")
    check = parser.parse_args().check
    page = PAGE.read_text(encoding="utf-8")
    current = drawn(page)
    if check:
        return int(current != page)
    PAGE.write_text(current, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
