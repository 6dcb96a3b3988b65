"""The command `replay BUNDLE`: exit codes and what is printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from foxtrot_supervisor.cli.messages import Failure
from foxtrot_supervisor.cli.replay_bundle import replay_bundles
from tests.support.called_commands import Run
from tests.support.recorded import START, recorded_trades
from tests.workers.rerun.test_bundle import bundle, crashing

__all__ = ["crashing"]  # a fixture


def test_a_crash_that_is_reproduced_is_1(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = bundle(tmp_path, recorded_trades(tmp_path / "b.jsonl", [START], symbol="EVIL").read_text())
    with pytest.raises(Failure, match="reproduced: 1 of 1 parsers crashed") as failure:
        replay_bundles([str(path)], as_json=False)
    assert failure.value.code == 1
    text = capfd.readouterr().out
    assert "the parser raised ZeroDivisionError: planted" in text
    assert "at the frame in line 0, received 2023-11-14 22:13:20.000000 UTC:" in text
    assert text.endswith("planted\n")
    with pytest.raises(Failure):
        replay_bundles([str(path)], as_json=True)
    assert json.loads(capfd.readouterr().out)["frame_line"] == 0


def test_a_crash_that_is_not_reproduced_is_0(run: Run, tmp_path: Path) -> None:
    path = bundle(
        tmp_path, recorded_trades(tmp_path / "b.jsonl", [START]).read_text() + '{"dir": "in", "raw": "bad"}\n'
    )
    assert run("replay", str(path)) == 0
    assert "no crash: this parser accepts the frames" in run.out
    assert "rejected: line 1:" in run.out


def test_what_cannot_be_replayed_is_said(run: Run, tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("nothing")
    assert run("replay", str(tmp_path / "text.zip")) == 3
    assert "text.zip" in run.err
    path = bundle(tmp_path, "", **{"frames/mars/x-1.jsonl": "{}"})
    assert run("replay", str(path)) == 3
    assert "mars" in run.err
    assert run("replay", str(path), "--handlers", "a:b") == 2
