"""Records of instrument lists."""

from __future__ import annotations

import msgspec

from foxtrot_protocol.instruments import INSTRUMENT_KINDS, Instrument


def test_a_record_is_written_without_what_the_exchange_does_not_say() -> None:
    instrument = Instrument(symbol="BTCUSDT", instrument="BTC-USDT", kind="spot", tick_size="0.01")
    text = msgspec.json.encode(instrument)
    assert text == b'{"symbol":"BTCUSDT","instrument":"BTC-USDT","kind":"spot","tick_size":"0.01"}'
    assert msgspec.json.decode(text, type=Instrument) == instrument


def test_kinds() -> None:
    assert {"spot", "perpetual", "future", "option"} < INSTRUMENT_KINDS
