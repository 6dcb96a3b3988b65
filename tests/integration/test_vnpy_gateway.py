"""A vn.py program gets its market data from supervised processes; only the name of its gateway is changed.

Against vn.py itself where it is installed (tox environment ``vnpy``), and always against a stand-in made from its
published interface.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.support.gateway_program import GatewayProgram

PLATFORMS = [
    "standin",
    pytest.param(
        "vnpy",
        marks=pytest.mark.skipif(importlib.util.find_spec("vnpy") is None, reason="needs vn.py: tox -e vnpy"),
    ),
]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_program_of_its_users_gets_ticks_and_leaves_nothing(tmp_path: Path, platform: str) -> None:
    with GatewayProgram(tmp_path, platform, "close") as program:
        seen = program.told()
        assert seen["symbols"] == ["BTCUSDT.GLOBAL", "ETHUSDT.GLOBAL"], seen["logs"]
        assert seen["own"] == ["BTCUSDT.GLOBAL"]
        assert seen["is_theirs"]
        assert seen["aware"]
        tick = seen["tick"]
        assert (tick["gateway_name"], tick["symbol"], tick["exchange"]) == ("FOXTROT", "BTCUSDT", "Exchange.GLOBAL")
        assert float(tick["bid_price_1"]) < float(tick["ask_price_1"])
        assert float(tick["volume"]) > 0
        contract = seen["contract"]
        assert (contract["symbol"], contract["product"], contract["pricetick"]) == ("BTCUSDT", "Product.SPOT", "0.01")
        assert any(text.startswith("subscribed: ") for text in seen["logs"])
        left = program.told()
        assert left == {"threads": [], "children": [], "run_dir": False}
        assert program.process.wait(20) == 0, program.errors.read_text()


@pytest.mark.parametrize("platform", PLATFORMS)
def test_when_the_program_is_killed_all_processes_end(tmp_path: Path, platform: str) -> None:
    with GatewayProgram(tmp_path, platform, "stay") as program:
        assert program.told()["own"]
        assert len(program.processes()) >= 3, "supervisor, exchange, worker"
        program.kill()


def test_problems_of_a_setting_are_logged_and_nothing_is_started(tmp_path: Path) -> None:
    from tests.support import vnpy_standin

    engine = vnpy_standin.EventEngine()
    logs: list[str] = []
    engine.put = lambda event: logs.append(event.data.msg)  # type: ignore[method-assign]
    gateway = vnpy_standin.supervised_gateway()(engine, "FOXTROT")
    gateway.connect({"exchange": "sim", "exchnage": "x", "redundancy": "two"})
    gateway.connect({"vt_exchange": "MARS"})
    assert gateway.send_order("an order") == ""
    assert gateway.supervisor is None
    gateway.close()
    gateway.close()
    gateway.subscribe(vnpy_standin.SubscribeRequest("BTCUSDT", vnpy_standin.Exchange.GLOBAL))
    assert logs == [
        'not connected: "exchnage" is not a known key of the setting',
        "not connected: \"redundancy\" must be a whole number, not 'two'",
        "not connected: no exchange MARS",
        "no order sent: this gateway has market data only (an order)",
        "not subscribed: BTCUSDT: closed, or too many at once",
    ]
