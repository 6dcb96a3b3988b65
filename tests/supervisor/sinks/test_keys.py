"""Keys of events: equal for equal events in every process, different for different ones."""

from __future__ import annotations

import msgspec
import pytest

from foxtrot_protocol.events import BookDelta, BookSnapshot, FeedStatus, Gap, Quote, Ticker, Trade
from foxtrot_supervisor.sinks import keys
from foxtrot_supervisor.sinks.keys import EventKeys, base_key

_HOUR_NS = 3_600_000_000_000
_NOW_NS = 500_000 * _HOUR_NS + 7

_TRADE = Trade("SIM", "BTCUSDT", _NOW_NS, _NOW_NS + 5, "100.10", "0.5", "buy", "17")
_QUOTE = Quote("SIM", "BTCUSDT", 0, _NOW_NS, "1", "2", "3", "4", "99")
_DELTA = BookDelta("SIM", "BTCUSDT", _NOW_NS, _NOW_NS, [("1", "2")], [], "5", "6", None)


def _changed(event: msgspec.Struct, **fields: object) -> msgspec.Struct:
    return msgspec.structs.replace(event, **fields)


@pytest.mark.parametrize("event", [_TRADE, _QUOTE, _DELTA], ids=["trade", "quote", "book"])
def test_what_receivers_add_is_no_part_of_the_key(event: msgspec.Struct) -> None:
    copy = _changed(event, receive_ns=1, publish_ns=2, redelivered=True, backfilled=True)
    assert base_key(copy) == base_key(event)


def test_a_trade_fetched_by_rest_has_the_key_of_the_streamed_one() -> None:
    assert base_key(_changed(_TRADE, price="100.1", size="0.500", exchange_ns=_NOW_NS + 1_000_000)) == base_key(_TRADE)


@pytest.mark.parametrize(
    "other",
    [
        _changed(_TRADE, trade_id="18"),
        _changed(_TRADE, symbol="ETHUSDT"),
        _changed(_TRADE, exchange="OKX"),
        _changed(_TRADE, price="100.2"),
        _changed(_TRADE, exchange_ns=_NOW_NS + _HOUR_NS),  # identifiers started over
    ],
)
def test_different_trades_have_different_keys(other: msgspec.Struct) -> None:
    assert base_key(other) != base_key(_TRADE)


def test_snapshot_and_update_of_the_same_identifiers_differ() -> None:
    snapshot = BookSnapshot("SIM", "BTCUSDT", _NOW_NS, _NOW_NS, [("1", "2")], [], "5", "6", None)
    assert base_key(snapshot) != base_key(_DELTA)


@pytest.mark.parametrize(
    "event",
    [
        Ticker("SIM", "BTCUSDT", 0, _NOW_NS, "1", None, None, None, None, None),
        _changed(_QUOTE, update_id=""),
        _changed(_DELTA, exchange_ns=0, first_id=None, last_id=None),
        _changed(_TRADE, exchange_ns=0, trade_id=""),
        FeedStatus("SIM", "BTCUSDT", 0, _NOW_NS, "btcusdt@trade", "flowing", 0.0),
        Gap("SIM", "BTCUSDT", 0, _NOW_NS, "eMarketTrade.", "1", "2", 0, 0, "lost"),
    ],
)
def test_without_identifier_and_time_the_receive_time_tells_events_apart(event: msgspec.Struct) -> None:
    assert base_key(event) != base_key(_changed(event, receive_ns=_NOW_NS + 1))


def test_equal_events_are_numbered() -> None:
    made = EventKeys()
    found = [made.key(_DELTA), made.key(_TRADE), made.key(_DELTA), made.key(_DELTA)]
    assert found == [base_key(_DELTA), base_key(_TRADE), f"{base_key(_DELTA)}/1", f"{base_key(_DELTA)}/2"]


def test_memory_is_bounded_and_keeps_what_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "KEYS_REMEMBERED", 4)
    made = EventKeys()
    trades = [_changed(_TRADE, trade_id=str(number)) for number in range(20)]
    for trade in trades:
        made.key(trade)
        made.key(_DELTA)
    assert made.key(_DELTA) == f"{base_key(_DELTA)}/20"
    assert made.key(trades[0]) == base_key(trades[0])  # long forgotten
    assert made.key(trades[-1]) == f"{base_key(trades[-1])}/1"


def test_numbers_go_on_behind_remembered_events() -> None:
    made = EventKeys()
    made.remember([_DELTA, _TRADE, _DELTA])
    assert made.key(_DELTA) == f"{base_key(_DELTA)}/2"
