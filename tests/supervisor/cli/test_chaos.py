"""The command `chaos`: its options, its two shapes of output, its exit codes. What it does: tests/integration."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from foxtrot_supervisor.chaos.campaigns import matrix as playing
from foxtrot_supervisor.chaos.harness.supervised_run import Trouble
from foxtrot_supervisor.chaos.rules.delivery_faults import DELIVERY_FAULTS
from foxtrot_supervisor.chaos.rules.report import TradeAccount
from foxtrot_supervisor.chaos.rules.schedule import FAULTS, PHASES, ChaosOptions, Progress
from foxtrot_supervisor.cli.main import cli


def call(*words: str) -> Result:
    return CliRunner().invoke(cli, ["chaos", *words])


class Played:
    """Stands in for the playing itself: remembers what was wanted, gives a report."""

    def __init__(self, held: bool) -> None:
        self.held = held
        self.wanted: ChaosOptions | None = None

    def __call__(self, options: ChaosOptions, progress: Progress) -> dict[str, Any]:
        self.wanted = options
        progress("step one")
        kills: dict[str, Any] = {
            "count": 0,
            "detected_ms": None,
            "hello_ms": None,
            "event_ms": None,
            "worker_pss_mib": [],
        }
        return {
            "seed": options.seed,
            "start_method": options.start_method,
            "transport": options.transport,
            "held": self.held,
            "took_s": 1.0,
            "kills": kills,
            "trades": TradeAccount(1, 2, 3, 4, 5),
        }


@pytest.mark.parametrize(("held", "code"), [(True, 0), (False, 1)])
def test_the_exit_code_says_whether_all_promises_held(monkeypatch: pytest.MonkeyPatch, held: bool, code: int) -> None:
    played = Played(held)
    monkeypatch.setattr(playing, "run_chaos", played)
    result = call("--seed", "9", "--json")
    assert result.exit_code == code
    report = json.loads(result.stdout)
    assert (report["seed"], report["held"]) == (9, held)
    assert "step one" in result.stderr
    assert played.wanted is not None
    assert (played.wanted.faults, played.wanted.phases) == ((*FAULTS, *DELIVERY_FAULTS), PHASES)
    assert ("all promises held" in call("--seed", "9").stdout) == held


def test_options(monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played(True)
    monkeypatch.setattr(playing, "run_chaos", played)
    words = "--faults sigkill,gil_held --phases streaming --kills 5 --supervisor-kills 3 --workers 2 --rate 10"
    limits = ("--duration", "7", "--patience", "2")
    result = call(*words.split(), "--transport", "ring", "--start-method", "spawn", *limits)
    assert result.exit_code == 0
    assert played.wanted == ChaosOptions(
        duration_s=7.0,
        faults=("sigkill", "gil_held"),
        phases=("streaming",),
        kills=5,
        supervisor_kills=3,
        workers=2,
        rate_per_s=10.0,
        start_method="spawn",
        transport="ring",
        nursery=False,
        patience=2.0,
    )


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("--kills 9 --redundancy 2", ChaosOptions(kills=9, redundancy=2, workers=2)),
        ("--kills 9 --backfill", ChaosOptions(kills=9, redundancy=1, backfill=True, workers=2)),
        (
            "--engine-kills 3 --engine-stop 2.5",
            ChaosOptions(engine_kills=3, engine_stop_s=2.5, redundancy=1, workers=2),
        ),
        ("--pair-kills 4 --workers 1", ChaosOptions(pair_kills=4, redundancy=2, workers=1)),
        ("--recordings 5 --over 60", ChaosOptions(recordings=5, over_s=60.0, redundancy=1, workers=2)),
    ],
)
def test_campaigns_against_delivery(monkeypatch: pytest.MonkeyPatch, words: str, wanted: ChaosOptions) -> None:
    played = Played(True)
    monkeypatch.setattr(playing, "run_chaos", played)
    assert call(*words.split()).exit_code == 0
    assert played.wanted == wanted


@pytest.mark.parametrize(
    "words", ["--pair-kills 3 --redundancy 1", "--supervisor-kills 3 --engine-kills 1", "--kills 3 --over 9"]
)
def test_contradicting_options_are_refused(words: str) -> None:
    assert call(*words.split()).exit_code == 2


@pytest.mark.parametrize("words", [("--faults", "earthquake"), ("--phases", "sleeping"), ("--faults", ",")])
def test_unknown_names_are_listed_with_the_known_ones(words: tuple[str, str]) -> None:
    result = call(*words)
    assert result.exit_code == 2
    assert "not one of" in result.stderr


def test_the_plan_is_printed_and_the_same_for_the_same_seed() -> None:
    first, again, other = call("--plan", "--json"), call("--plan", "--json"), call("--plan", "--json", "--seed", "2")
    assert first.exit_code == 0
    assert json.loads(first.stdout) == json.loads(again.stdout) != json.loads(other.stdout)
    assert {step["fault"] for step in json.loads(first.stdout)["steps"]} == {*FAULTS, *DELIVERY_FAULTS}
    assert "two_faults" in call("--plan").stdout


def test_without_an_exchange_nothing_can_be_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_options: ChaosOptions, _progress: Progress) -> dict[str, Any]:
        raise Trouble("the simulated exchange does not start")

    monkeypatch.setattr(playing, "run_chaos", fail)
    result = call()
    assert result.exit_code == 3
    assert "not tested: the simulated exchange does not start" in result.stderr
