"""Events are selected by type and symbol."""

from __future__ import annotations

import pytest

from foxtrot_protocol.events import ENGINE_MADE, EVENT_TYPES, BookDelta, BookSnapshot, MarketEvent, Quote, Trade
from foxtrot_protocol.framing import Batch
from foxtrot_supervisor.client.event_selection import KINDS, EventSelection, event_type

TRADE = Trade("BINANCE", "BTCUSDT", 1, 2, "100.10", "0.5", "buy", "7")
QUOTE = Quote("OKX", "BTC-USDT", 1, 2, "1", "2", None, None, "9")
SNAPSHOT = BookSnapshot("SIM", "BTCUSDT", 1, 2, [("10", "1"), ("9", "1")], [("11", "1")], None, "1", None)
DELTA = BookDelta("SIM", "BTCUSDT", 1, 2, [("10", "0")], [], "1", "2", None)


def batch(*events: MarketEvent[str], publish_ns: int = 5) -> Batch[str]:
    return Batch(1, "w", 1, 1, publish_ns, list(events))


def name(exchange: str, symbol: str) -> str:
    return f"{exchange}:{symbol}"


def test_every_type_of_a_market_event_has_a_kind() -> None:
    assert set(KINDS.values()) == {kind for struct, kind in EVENT_TYPES.items() if struct not in ENGINE_MADE}


@pytest.mark.parametrize("word", ["trade", "eMarketTrade.", "eMarketTrade"])
def test_a_type_has_three_spellings(word: str) -> None:
    assert event_type(word) == "eMarketTrade."


def test_an_unknown_type_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"eTrade\. is not an event type; known: trade \(eMarketTrade\.\)"):
        event_type("eTrade.")


def test_a_line_has_the_publish_time_of_its_batch() -> None:
    (line,) = EventSelection(name).lines(batch(TRADE))
    assert line["kind"] == "trade"
    assert line["instrument"] == "BINANCE:BTCUSDT"
    assert line["price"] == "100.1"
    assert (line["receive_ns"], line["publish_ns"]) == (2, 5)


def test_types_and_symbols_select() -> None:
    events = batch(TRADE, QUOTE, SNAPSHOT)
    assert [line["kind"] for line in EventSelection(name, types=["eBbo.", "eBook."]).lines(events)] == ["quote", "book"]
    assert [line["exchange"] for line in EventSelection(name, symbols=["BTCUSDT"]).lines(events)] == ["BINANCE", "SIM"]
    assert [line["exchange"] for line in EventSelection(name, symbols=["BTCUSDT.SIM"]).lines(events)] == ["SIM"]
    assert EventSelection(name, types=["eGap."], symbols=["BTCUSDT"]).lines(events) == []


def test_old_batches_give_no_lines_but_their_books_are_folded() -> None:
    selection = EventSelection(name, depth=1, since_ns=6)
    assert selection.lines(batch(SNAPSHOT, publish_ns=5)) == []
    (line,) = selection.lines(batch(DELTA, publish_ns=6))
    assert (line["bids"], line["asks"]) == ([["9", "1"]], [["11", "1"]])
