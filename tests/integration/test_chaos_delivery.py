"""Short, seeded forms of the campaigns against delivery, on real processes; the long ones are `chaos`' own work."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from foxtrot_protocol.endpoints import Transport
from foxtrot_supervisor.chaos.rules.delivery_faults import DELIVERY_FAULTS
from foxtrot_supervisor.chaos.rules.venues import VENUES
from tests.integration.test_chaos import chaos

pytestmark = pytest.mark.timeout(110)

LONG = pytest.mark.skipif(os.environ.get("FOXTROT_CHAOS") != "full", reason="FOXTROT_CHAOS=full plays this one too")
"""For what shorter tests show as well, of the parts or on a model."""


def others(always: str) -> list[Any]:
    """The exchanges besides Binance; all but one are played at length only: `test_venue_protocols` has each of them."""
    return [pytest.param(name, marks=() if name == always else LONG) for name in VENUES if name != "binance"]


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


@pytest.mark.parametrize("transport", ["ring", pytest.param("zeromq", marks=LONG)])
def test_killed_engines_lose_nothing_and_disturb_no_connection(tmp_path: Path, transport: Transport) -> None:
    words = f"--engine-kills 3 --redundancy 2 --workers 1 --rate 1500 --seed 3 --transport {transport}"
    row = played(tmp_path, *words.split())
    assert row["connections_untouched"] is True
    assert (row["delivery"]["lost"], row["delivery"]["announced"]) == (0, 0)
    assert row["recovery_ms"]["count"] == 3


@LONG
def test_an_engine_that_stands_still_costs_nothing_while_rings_have_room(tmp_path: Path) -> None:
    row = played(tmp_path, "--engine-stop", 1.5, "--workers", 1, "--rate", 2000)
    assert (row["delivery"]["lost"], row["delivery"]["announced"], row["dropped"]) == (0, 0, 0)
    assert row["memory_mib"]["engine"]["rss_max"] > 10


@pytest.mark.parametrize("transport", ["zeromq", pytest.param("ring", marks=LONG)])
def test_twins_killed_in_every_phase_miss_nothing(tmp_path: Path, transport: Transport) -> None:
    words = f"--kills 18 --redundancy 2 --workers 1 --rate 2000 --transport {transport}"
    row = played(tmp_path, *words.split())
    account = row["delivery"]
    assert (account["lost"], account["announced"], account["duplicated"], account["out_of_order"]) == (0, 0, 0, 0)
    assert (account["book_gaps"], account["book_holes"]) == (0, 0)
    assert min(row["phases"].values()) > 0
    assert row["workers"]["deduplicated_total"] > 100


@pytest.mark.variant
def test_what_nobody_received_is_announced_and_fetched(tmp_path: Path) -> None:
    row = played(tmp_path, "--kills", 6, "--backfill", "--workers", 1, "--rate", 1000)
    account = row["delivery"]
    assert account["backfilled"] > 0
    assert account["seen"] > account["sent"] - account["backfilled"]
    assert (account["lost"], account["announced"]) == (0, 0)


@pytest.mark.variant
@pytest.mark.parametrize("exchange", others("kraken"))
def test_each_simulated_exchange_misses_nothing_with_twins(tmp_path: Path, exchange: str) -> None:
    words = ("--kills", 6, "--redundancy", 2, "--workers", 1, "--rate", 600, "--exchange", exchange)
    row = played(tmp_path, *words)
    account = row["delivery"]
    assert row["exchange"] == exchange
    assert (account["lost"], account["announced"], account["duplicated"], account["out_of_order"]) == (0, 0, 0, 0)
    assert account["book_updates"] > 5
    assert (account["book_holes"], account["book_impossible"]) == (0, 0)
    assert row["workers"]["deduplicated_total"] > 50


@pytest.mark.variant
@pytest.mark.parametrize("exchange", others("okx"))
def test_each_simulated_exchange_fetches_what_nobody_received(tmp_path: Path, exchange: str) -> None:
    words = ("--kills", 4, "--backfill", "--workers", 1, "--rate", 600, "--exchange", exchange)
    account = played(tmp_path, *words)["delivery"]
    assert (account["lost"], account["duplicated"], account["out_of_order"]) == (0, 0, 0)
    if VENUES[exchange].backfills:
        assert account["backfilled"] > 0
        assert account["announced"] == 0
    else:
        assert account["announced"] >= account["unheard"] > 0, "what cannot be fetched stays announced"


@pytest.mark.variant
def test_both_twins_killed_at_once_announce_the_hole_exactly(tmp_path: Path) -> None:
    row = played(tmp_path, "--pair-kills", 3, "--workers", 1, "--rate", 1000)
    account = row["delivery"]
    assert account["announced"] >= account["unheard"] > 0
    assert (account["lost"], account["announced_not_lost"], account["torn"]) == (0, 0, account["torn"])


@pytest.mark.variant
def test_delivery_faults(tmp_path: Path) -> None:
    code, report = chaos(tmp_path, "--faults", "ring_damaged", "--seed", 5)
    assert [step["broken"] for step in report["delivery_steps"]] == [[]] * 2
    assert code == 0
    by_case = {step["sides"]: step["delivery"] for step in report["delivery_steps"]}
    assert by_case["one"]["announced"] > 0
    assert by_case["twins"]["announced"] == 0
    assert by_case["twins"]["seen"] > 100


@LONG
@pytest.mark.timeout(900)
def test_every_delivery_fault(tmp_path: Path) -> None:
    code, report = chaos(tmp_path, "--faults", ",".join(DELIVERY_FAULTS), "--seed", 5, limit_s=900.0)
    assert {step["fault"]: step["broken"] for step in report["delivery_steps"] if step["broken"]} == {}
    assert code == 0


# ---- negative controls: with a layer missing the same campaigns must be broken


@pytest.mark.variant
@pytest.mark.parametrize(
    ("layer", "words", "broken"),
    [
        ("without_fence", "--kills 4 --redundancy 1", "not told that a worker is dead"),
        pytest.param("without_ring", "--kills 10 --redundancy 1", "do not add up", marks=LONG),
        pytest.param("without_deduplication", "--kills 2 --redundancy 2", "came twice, unmarked", marks=LONG),
        pytest.param("early_tail", "--engine-kills 6 --redundancy 1", "lost without a word|are missing", marks=LONG),
        pytest.param("without_positions", "--engine-kills 12 --redundancy 2", "came twice, unmarked", marks=LONG),
    ],
)
def test_without_a_layer_the_campaign_is_broken(tmp_path: Path, layer: str, words: str, broken: str) -> None:
    program = [sys.executable, "-m", "tests.support.broken_delivery", layer]
    code, report = chaos(tmp_path, *words.split(), "--workers", 1, "--rate", 2000, program=program)
    assert code == 1
    assert re.search(broken, "\n".join(report["broken"])), report["broken"]


@pytest.mark.variant
def test_split_shards_miss_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    code, report = chaos(tmp_path, *["--splits", "2", "--backfill", "--rate", "1000", "--seed", "2"])
    assert report["broken"] == []
    assert code == 0
    undisturbed, struck = (row["delivery"] for row in report["campaigns"])
    for name in ("lost", "announced", "duplicated", "out_of_order", "book_gaps", "book_holes", "book_repeated", "gaps"):
        assert undisturbed[name] == 0
    assert (struck["lost"], struck["announced"], struck["duplicated"], struck["out_of_order"]) == (0, 0, 0, 0)
    assert all(row["workers"]["deduplicated_total"] for row in report["campaigns"]), "both brought the same for a while"
    assert list(tmp_path.iterdir()) == [], "nothing is left"


@pytest.mark.variant
def test_many_symbols_stay_within_the_limits_of_the_exchange(tmp_path: Path) -> None:
    row = played(tmp_path, "--markets", 120, "--rate", 800)
    account = row["delivery"]
    assert [account[name] for name in ("lost", "announced", "duplicated", "out_of_order", "gaps")] == [0] * 5
    # four full shards, and one for the symbol that is listed before another is delisted
    assert (row["symbols"], row["shards"], row["handshakes"]) == (120, 5, 5)
    assert row["rate_limits"]["connect"] == "5 of 300"
