"""What sinks remember between runs."""

from __future__ import annotations

from pathlib import Path

from foxtrot_supervisor.sinks.stores.kept import KeptNumber, writer_name


def test_a_number_is_kept_and_only_grows(tmp_path: Path) -> None:
    kept = KeptNumber(tmp_path / "number")
    assert kept.value == 0
    kept.raise_to(7)
    kept.raise_to(5)
    assert KeptNumber(tmp_path / "number").value == kept.value == 7
    (tmp_path / "number").write_text("spoilt")
    assert KeptNumber(tmp_path / "number").value == 0


def test_a_writer_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    name = writer_name(tmp_path)
    assert writer_name(tmp_path) == name
    assert writer_name(tmp_path / "other") != name
