"""The table of mishaps, the choice among them, and the report."""

from __future__ import annotations

from pathlib import Path

import pytest

from foxtrot_supervisor.chaos.campaigns.mishaps.suite import SCENARIOS
from foxtrot_supervisor.chaos.rules.mishaps import LETTERS, MISHAPS, MishapResult, choose, mishap_report

DOCUMENT = Path(__file__).resolve().parents[4] / "docs" / "mishaps.md"


def test_each_mishap_is_played_and_each_scenario_is_in_the_table() -> None:
    names = [mishap.name for mishap in MISHAPS]
    assert len(set(names)) == len(names)
    assert set(names) == set(SCENARIOS)


def test_mishaps_are_grouped_by_letter_and_each_letter_has_some() -> None:
    letters = [mishap.letter for mishap in MISHAPS]
    assert letters == sorted(letters)
    assert set(letters) == set(LETTERS)


def test_each_mishap_is_named_in_the_document_below_its_letter() -> None:
    sections = DOCUMENT.read_text().split("\n## ")
    by_letter = {section[0]: section for section in sections}
    missing = [mishap.name for mishap in MISHAPS if f"`{mishap.name}`" not in by_letter[mishap.letter]]
    assert missing == []


def test_choose_by_name_and_letter_in_the_order_of_the_table() -> None:
    assert choose() == list(MISHAPS)
    assert [mishap.name for mishap in choose(["odd_zero", "adapter_crashes"])] == ["adapter_crashes", "odd_zero"]
    assert {mishap.letter for mishap in choose(["E"])} == {"E"}
    with pytest.raises(ValueError, match="nonsense, z: not one of"):
        choose(["z", "odd_zero", "nonsense"])


def test_the_report_holds_unless_something_is_broken() -> None:
    held = MishapResult(mishap=MISHAPS[0], took_s=1.234)
    skipped = MishapResult(mishap=MISHAPS[1], skipped="needs root")
    report = mishap_report([held, skipped])
    assert report["held"] is True
    assert [row["verdict"] for row in report["mishaps"]] == ["held", "skipped"]
    assert report["mishaps"][0]["took_s"] == 1.23
    broken = MishapResult(mishap=MISHAPS[2], broken=["something"], skipped="")
    report = mishap_report([held, skipped, broken])
    assert report["held"] is False
    assert report["mishap_totals"] == {"held": 1, "broken": 1, "skipped": 1}
