#!/usr/bin/env python3
"""Print the lower bound of every dependency that setup.cfg declares, as pip requirements that allow nothing else.

    scripts/lowest.py > .ci/lowest.txt

The tox environment ``lowest`` installs these versions; tests/test_packaging.py checks that the file is current.
"""

from __future__ import annotations

import configparser
import re
import sys
from pathlib import Path

SETUP = Path(__file__).resolve().parent.parent / "setup.cfg"

EXTRAS = ("test",)
"""Extras whose lower bounds are included."""

_BOUND = re.compile(r"(?P<name>[A-Za-z0-9._-]+)>=(?P<version>[0-9][0-9.]*)(?P<marker>\s*;.*)?")


def lowest(text: str) -> list[str]:
    """Return ``name==version`` for each dependency in the text of a setup.cfg; ValueError for one without bound."""
    config = configparser.ConfigParser()
    config.read_string(text)
    declared = [config["options"]["install_requires"], *(config["options.extras_require"][extra] for extra in EXTRAS)]
    lines = []
    for line in "\n".join(declared).split("\n"):
        if not line.strip():
            continue
        found = _BOUND.fullmatch(line.strip())
        if found is None:
            raise ValueError(f"no lower bound: {line}")
        lines.append(f"{found['name']}=={found['version']}{found['marker'] or ''}")
    return lines


if __name__ == "__main__":
    sys.stdout.write("\n".join(lowest(SETUP.read_text(encoding="utf-8"))) + "\n")
