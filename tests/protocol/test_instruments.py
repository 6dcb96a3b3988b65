"""Records of instrument lists."""

from __future__ import annotations

import msgspec
import pytest

from foxtrot_protocol.instruments import INSTRUMENT_KINDS, Instrument, kind_of


def test_a_record_is_written_whole() -> None:
    instrument = Instrument(symbol="BTCUSDT", instrument="BTC-USDT", kind="spot", tick_size="0.01")
    text = msgspec.json.encode(instrument)
    assert b'"status":"trading"' in text
    assert msgspec.json.decode(text, type=Instrument) == instrument


def test_kinds() -> None:
    assert {"spot", "perpetual", "future", "option"} < INSTRUMENT_KINDS


@pytest.mark.parametrize(
    ("instrument", "kind"),
    [
        ("BTC-USDT", "spot"),
        ("BTC-USD-PERP", "perpetual"),
        ("BTC-USD-22K27", "future"),
        ("BTC-USD-42000-21U24-put", "option"),
        ("BTC-42000-21U24-call", "option"),
        ("ODD", "other"),
        ("A-B-C", "other"),
    ],
)
def test_the_name_of_an_instrument_says_its_kind(instrument: str, kind: str) -> None:
    assert kind_of(instrument) == kind
