"""The command `replay --handlers`: report, options, errors, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.called_commands import Run
from tests.support.recorded import SECOND, START, recorded_trades

HANDLERS = """
import sys
def setup(engine):
    engine.register("eMarketTrade.", lambda event: print(event.data.trade_id, file=sys.stderr, flush=True))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "replay_printer.py").write_text(HANDLERS)
    recorded_trades(tmp_path / "a.jsonl", [START + number * SECOND for number in range(10)])
    return tmp_path


def test_a_report_for_people(run: Run, folder: Path) -> None:
    assert run("replay", "--handlers", "replay_printer:setup", "a.jsonl") == 0
    assert run.out.startswith("replay: complete\n")
    assert run.err.split() == [str(number) for number in range(1, 11)]


def test_a_report_for_programs_of_a_period(run: Run, folder: Path) -> None:
    words = ("--from", "2023-11-14T22:13:22", "--until", str(START + 5 * SECOND), "--ticks", "off", "--bars", "1m")
    assert run("replay", "--handlers", "replay_printer:setup", "--json", "a.jsonl", *words) == 0
    report = json.loads(run.out)
    assert (report["end"], report["events_total"]) == ("period", 4)
    assert report["events_per_s"] > 0
    assert run.err.split() == ["3", "4", "5", "6"]


def test_handlers_and_settings_of_a_configuration(run: Run, folder: Path) -> None:
    (folder / "some.toml").write_text(
        '[engine]\nhandlers = ["replay_printer:setup"]\n[[connections]]\nname = "x"\nexchange = "sim"\n'
        'channels = ["trade"]\nsymbols = ["BTCUSDT"]\n'
    )
    assert run("replay", "-c", "some.toml", "a.jsonl") == 0
    assert len(run.err.split()) == 10
    (folder / "bare.toml").write_text(
        '[[connections]]\nname = "x"\nexchange = "sim"\nchannels = ["trade"]\nsymbols = ["BTCUSDT"]\n'
    )
    assert run("replay", "-c", "bare.toml", "a.jsonl") == 2
    assert "names no handlers" in run.err


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("--handlers", "replay_printer:setup", "absent.jsonl"), 1, "absent.jsonl"),
        (("--handlers", "replay_printer:nothing", "a.jsonl"), 78, "has no attribute 'nothing'"),
        (("--handlers", "replay_printer", "a.jsonl"), 2, "--handlers replay_printer: "),
        (("--handlers", "replay_printer:setup", "a.jsonl", "--exchange", "mars"), 2, "mars"),
        (("--handlers", "replay_printer:setup", "a.jsonl", "--from", "soon"), 2, "'soon' is neither"),
        (
            ("--handlers", "replay_printer:setup", "a.jsonl", "--from", "2", "--until", "1"),
            2,
            "--from is after --until",
        ),
        (("--handlers", "replay_printer:setup", "a.jsonl", "--depth", "3"), 2, "--depth is for printed events"),
        (("a.jsonl", "--speed", "3"), 2, "--speed is for handlers"),
        (("a.jsonl", "--bars", "1m"), 2, "--bars is for handlers"),
    ],
)
def test_what_cannot_be_done_is_said(run: Run, folder: Path, words: tuple[str, ...], code: int, text: str) -> None:
    assert run("replay", *words) == code
    assert text in run.err


def test_a_recording_that_is_torn_is_1_with_the_report_so_far(run: Run, folder: Path) -> None:
    with (folder / "a.jsonl").open("a") as lines:
        lines.write("{")
    assert run("replay", "--handlers", "replay_printer:setup", "a.jsonl") == 1
    assert "handed on  10 events" in run.out
    assert "line 10" in run.err


def test_ctrl_c_prints_the_report_so_far(folder: Path) -> None:
    program = subprocess.Popen(
        [sys.executable, "-m", "foxtrot_supervisor", "replay", "--handlers", "replay_printer:setup", "a.jsonl",
         "--speed", "0.001", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert program.stdout is not None
    assert program.stderr is not None
    with program.stdout, program.stderr:
        assert program.stderr.readline() == b"1\n"
        program.send_signal(signal.SIGINT)
        assert json.loads(program.stdout.read())["end"] == "interrupted"
        assert b"interrupted: Ctrl-C" in program.stderr.read()
    assert program.wait(20) == 0
