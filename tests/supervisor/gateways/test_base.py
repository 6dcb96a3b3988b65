"""What a platform gets from its gateway: ticks and contracts of its own types, events, log lines."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from foxtrot_protocol.events import Gap, Trade
from foxtrot_protocol.tick_data import TickData
from foxtrot_supervisor.gateways import base as gateway_base
from foxtrot_supervisor.gateways.base import price_tick
from tests.support import vnpy_standin

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Recorder:
    """An event engine that records events."""

    def __init__(self) -> None:
        self.events: list[vnpy_standin.Event] = []

    def put(self, event: vnpy_standin.Event) -> None:
        self.events.append(event)

    def of(self, kind: str) -> list[Any]:
        return [event.data for event in self.events if event.type == kind]


@pytest.fixture
def engine() -> Recorder:
    return Recorder()


@pytest.fixture
def gateway(engine: Recorder) -> Any:
    return vnpy_standin.supervised_gateway()(engine, "FOXTROT")


def tick(last: float = 100.5, bid: float = 100.0, symbol: str = "BTCUSDT") -> TickData:
    return TickData("SIM", symbol, "SIM", NOW, symbol, last_price=last, bid_price_1=bid, ask_price_5=7.0, localtime=NOW)


def test_the_gateway_is_an_instance_of_the_platforms_base_class(gateway: Any) -> None:
    kind = type(gateway)
    assert isinstance(gateway, vnpy_standin.BaseGateway)
    assert (kind.default_name, kind.exchanges) == ("FOXTROT", [vnpy_standin.Exchange.GLOBAL])
    assert kind.default_setting["exchange"] == "binance"
    assert (gateway.gateway_name, gateway.supervisor) == ("FOXTROT", None)


def test_a_tick_is_converted_and_put_under_both_event_types(gateway: Any, engine: Recorder) -> None:
    gateway._take_tick(tick())
    (theirs,) = engine.of("eTick.")
    assert engine.of("eTick.BTCUSDT.GLOBAL") == [theirs]
    assert isinstance(theirs, vnpy_standin.TickData)
    assert (theirs.gateway_name, theirs.exchange, theirs.vt_symbol) == (
        "FOXTROT",
        vnpy_standin.Exchange.GLOBAL,
        "BTCUSDT.GLOBAL",
    )
    ours = tick()
    for name in ours.__struct_fields__:
        if name not in ("gateway_name", "exchange"):
            assert getattr(theirs, name) == getattr(ours, name)


def test_a_contract_is_sent_once_and_again_when_prices_have_more_decimals(gateway: Any, engine: Recorder) -> None:
    for each in (tick(0.0, 0.0), tick(), tick(), tick(100.25), tick(100.5), tick(5.0, 4.0, "ETHUSDT")):
        gateway._take_tick(each)
    assert [(each.symbol, each.pricetick) for each in engine.of("eContract.")] == [
        ("BTCUSDT", 0.1),
        ("BTCUSDT", 0.01),
        ("ETHUSDT", 1.0),
    ]


def test_contracts_are_bounded(gateway: Any, engine: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_base, "CONTRACTS_MAX", 1)
    gateway._take_tick(tick())
    gateway._take_tick(tick(symbol="ETHUSDT"))
    assert len(engine.of("eContract.")) == 1
    assert len(engine.of("eTick.")) == 2


def test_forwarded_events_are_put_under_both_event_types(gateway: Any, engine: Recorder) -> None:
    trade = Trade("SIM", "BTCUSDT", 1, 2, 1.0, 1.0, "buy", "1")
    gateway._take_event("eMarketTrade.", trade)
    gateway._take_event("eGap.", Gap("", "", 0, 0, "", None, None, 0, 0, "all"))
    assert [event.type for event in engine.events] == ["eMarketTrade.", "eMarketTrade.BTCUSDT.SIM", "eGap."]


def test_orders_are_refused_and_account_queries_do_nothing(gateway: Any, engine: Recorder) -> None:
    assert gateway.send_order("buy") == ""
    gateway.cancel_order("it")
    gateway.query_account()
    gateway.query_position()
    (log,) = engine.of("eLog")
    assert (log.msg, log.level) == ("no order sent: this gateway has market data only (buy)", 40)


@pytest.mark.parametrize(
    ("prices", "step"),
    [((61321.55, 61321.5), 0.01), ((0.0,), 1.0), ((100.0,), 1.0), ((1e-8, 0.0), 1e-8), ((0.1 + 0.2,), 0.1)],
)
def test_the_price_step_that_prices_show(prices: tuple[float, ...], step: float) -> None:
    assert price_tick(prices) == pytest.approx(step)


def test_the_price_step_has_a_limit_of_decimals() -> None:
    assert price_tick((1 / 3,)) == pytest.approx(1e-12)


def test_ticks_are_dropped_while_the_platforms_queue_is_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gateway_base, "QUEUED_MAX", 5)
    engine = vnpy_standin.EventEngine()  # not started: nobody takes anything out
    gateway = vnpy_standin.supervised_gateway()(engine, "FOXTROT")
    for _ in range(10):
        gateway._take_tick(tick())
    gateway._take_event("eGap.", None)
    assert gateway.left_out_total == 9
    queued = []
    while not engine._queue.empty():
        queued.append(engine._queue.get())
    assert [event.type for event in queued].count("eTick.") == 2
    assert [event.data.msg for event in queued if event.type == "eLog"] == [
        "5 events wait for handlers that do not keep up: ticks are left out"
    ]
    gateway._take_tick(tick())
    assert engine._queue.qsize() == 2
