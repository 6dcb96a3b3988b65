"""Bundles replayed: the crash again, with its frame; what is no bundle."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from foxtrot_workers.adapter import catalog
from foxtrot_workers.rerun.bundle import BundleInvalid, is_bundle, rerun_bundle
from tests.support.recorded import START, recorded_trades
from tests.workers.rerun.test_lane import Crashing


def bundle(folder: Path, frames: str, **files: str) -> Path:
    path = folder / "one.foxtrot.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", json.dumps({"cause": "ZeroDivisionError: planted"}))
        archive.writestr("frames/crashing/spot.a-3.jsonl", frames)
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.fixture(autouse=True)
def crashing(monkeypatch: pytest.MonkeyPatch) -> None:
    known = catalog.adapter_class
    monkeypatch.setattr(catalog, "adapter_class", lambda name: Crashing if name == "crashing" else known(name))


def test_the_crash_and_its_frame(tmp_path: Path) -> None:
    good = recorded_trades(tmp_path / "a.jsonl", [START, START]).read_text()
    evil = recorded_trades(tmp_path / "b.jsonl", [START + 7], symbol="EVIL").read_text()
    path = bundle(tmp_path, good + evil + good)
    assert is_bundle(path)
    (found,) = rerun_bundle(path)
    assert (found.worker, found.exchange, found.recorded_cause) == (
        "spot.a-3",
        "crashing",
        "ZeroDivisionError: planted",
    )
    assert (found.error, found.frame_line, found.frame_ns) == ("ZeroDivisionError: planted", 2, START + 7)
    assert '"EVIL"' in found.frame
    assert "in parse" in found.trace
    assert (found.frames_total, found.batches_total) == (3, 2)


def test_a_parser_that_was_mended_crashes_no_more(tmp_path: Path) -> None:
    path = bundle(tmp_path, recorded_trades(tmp_path / "a.jsonl", [START]).read_text())
    (found,) = rerun_bundle(path)
    assert (found.error, found.trace, found.frame_line) == ("", "", None)


def test_what_is_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("nothing")
    assert not is_bundle(tmp_path / "text.zip")
    with pytest.raises(BundleInvalid, match=r"text\.zip"):
        list(rerun_bundle(tmp_path / "text.zip"))
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("a", "b")
    with pytest.raises(BundleInvalid, match=r"no readable manifest\.json"):
        list(rerun_bundle(tmp_path / "other.zip"))
