"""Events as a DataFrame."""

from __future__ import annotations

import sys
from decimal import Decimal

import pytest

from foxtrot_protocol.events import Trade
from foxtrot_supervisor.client.frames import FramesUnavailable, frame_of

COLUMNS = ["exchange", "symbol", "exchange_ns", "receive_ns", "price", "size", "side", "trade_id"]


def trade(number: int, price: object, exchange_ns: int = 0) -> Trade[object]:
    return Trade("SIM", "BTCUSDT", exchange_ns, 1_700_000_000_000_000_000 + number, price, price, "buy", str(number))


def test_a_frame_of_floats() -> None:
    pytest.importorskip("pandas", reason="the extra `frames` is not installed")
    frame = frame_of([trade(1, 1.5, exchange_ns=1_600_000_000_000_000_123), trade(2, 2.5)], COLUMNS)
    assert list(frame.columns) == ["exchange_time", "exchange", "symbol", "price", "size", "side", "trade_id"]
    assert frame["price"].sum() == 4.0
    assert str(frame["price"].dtype) == "float64"
    assert frame.index.name == "time"
    assert frame.index[1].nanosecond == 2
    assert str(frame.index.tz) == "UTC"
    assert frame["exchange_time"].iloc[0].value == 1_600_000_000_000_000_123, "no nanosecond is lost"
    assert frame["exchange_time"].isna().iloc[1]


def test_decimals_stay_decimals() -> None:
    pytest.importorskip("pandas", reason="the extra `frames` is not installed")
    frame = frame_of([trade(1, Decimal("0.10"))], COLUMNS)
    assert frame["price"].iloc[0] == Decimal("0.10")
    assert isinstance(frame["price"].iloc[0], Decimal)


def test_no_events_are_an_empty_frame() -> None:
    pytest.importorskip("pandas", reason="the extra `frames` is not installed")
    frame = frame_of([], COLUMNS)
    assert len(frame) == 0
    assert "price" in frame.columns


def test_without_pandas_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(FramesUnavailable, match=r"pip install 'foxtrot-supervisor\[frames\]'"):
        frame_of([], COLUMNS)
