"""Short, seeded forms of the campaigns against delivery, on real processes; the long ones are `chaos`' own work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_chaos import chaos

pytestmark = pytest.mark.timeout(110)


def played(folder: Path, *words: object) -> dict[str, Any]:
    """The one campaign, in which every promise held."""
    code, report = chaos(folder, *words)
    assert report["broken"] == []
    assert code == 0
    assert list(folder.iterdir()) == [], "nothing is left"
    (row,) = report["campaigns"]
    assert row["delivery"]["seen"] > 100
    told: dict[str, Any] = row
    return told


def test_killed_engines_lose_nothing_and_disturb_no_connection(tmp_path: Path) -> None:
    row = played(tmp_path, "--engine-kills", 3, "--workers", 1, "--rate", 1500, "--seed", 3)
    assert row["connections_untouched"] is True
    assert (row["delivery"]["lost"], row["delivery"]["announced"]) == (0, 0)
    assert row["recovery_ms"]["count"] == 3


def test_an_engine_that_stands_still_costs_nothing_while_rings_have_room(tmp_path: Path) -> None:
    row = played(tmp_path, "--engine-stop", 1.5, "--workers", 1, "--rate", 2000)
    assert (row["delivery"]["lost"], row["delivery"]["announced"], row["dropped"]) == (0, 0, 0)
    assert row["memory_mib"]["engine"]["rss_max"] > 10
