"""Frames of recordings; the recordings themselves are replayed by another test where they are present."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from foxtrot_protocol.events import Bar, BookDelta, BookSnapshot, Gap, Trade
from foxtrot_workers.adapter import UnrecognizedFrame
from foxtrot_workers.exchanges.gemini import archived
from foxtrot_workers.exchanges.gemini.adapter import Gemini
from tests.workers.exchanges.connection import Connection, replaying

MS = 1_618_677_942_606
NS = MS * 1_000_000


class TestV2:
    def trade(self, event_id: int = 34359626684, **changes: Any) -> dict[str, Any]:
        row = {"type": "trade", "symbol": "BTCUSD", "event_id": event_id, "timestamp": MS, "price": "60696.02"}
        return {**row, "quantity": "0.01", "side": "buy", **changes}

    def levels(self, *changes: Any, symbol: str = "BTCUSD", **more: Any) -> dict[str, Any]:
        return {"type": "l2_updates", "symbol": symbol, "changes": changes, **more}

    def test_the_first_message_of_a_symbol_is_the_whole_book_with_past_trades(self) -> None:
        wire = replaying(Gemini)
        past = [self.trade(3), self.trade(1, side="sell"), self.trade(2, side="auction")]
        book, first, second = wire.parse(
            self.levels(["buy", "1", "2"], ["sell", "3", "4"], trades=past, auction_events=[{"type": "x"}])
        )
        assert book == BookSnapshot("GEMINI", "BTCUSD", 0, 7, [("1", "2")], [("3", "4")], None, None, None)
        assert first == Trade("GEMINI", "BTCUSD", NS, 7, "60696.02", "0.01", "sell", "1")
        assert isinstance(second, Trade)
        assert second.trade_id == "3"
        (delta,) = wire.parse(self.levels(["buy", "1", "0"]), 8)
        assert delta == BookDelta("GEMINI", "BTCUSD", 0, 8, [("1", "0")], [], None, None, None)

    def test_a_change_before_the_whole_book_is_a_gap(self) -> None:
        (gap,) = replaying(Gemini).parse(self.levels(["buy", "1", "0"]))
        assert isinstance(gap, Gap)

    def test_a_trade_without_a_taker_is_refused(self) -> None:
        assert len(replaying(Gemini).parse(self.trade())) == 1
        with pytest.raises(UnrecognizedFrame, match="block"):
            replaying(Gemini).parse(self.trade(side="block"))

    def test_bars_before_a_later_one_are_closed(self) -> None:
        rows = [[MS + 60_000, 9355, 9358.350, 9350, 9355, 1e-7], [MS, 9350, 9358, 9350, 9355, 2.07]]
        frame = b'{"type":"candles_1m_updates","symbol":"BTCUSD","changes":%b}' % msgspec.json.encode(rows)
        first, second = replaying(Gemini).parse(frame)
        assert isinstance(first, Bar)
        assert isinstance(second, Bar)
        assert (first.start_ns, first.closed, first.interval, first.volume) == (NS, True, "1m", "2.07")
        assert (second.closed, second.volume) == (False, "1e-7")
        with pytest.raises(UnrecognizedFrame):
            replaying(Gemini).parse(frame.replace(b"1m", b"7m"))

    def test_heartbeats_are_no_data(self) -> None:
        assert replaying(Gemini).parse({"type": "heartbeat", "timestamp": MS}) == []

    def test_books_are_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(archived, "ADOPTED_MAX", 1)
        wire = replaying(Gemini)
        wire.parse(self.levels(trades=[]))
        for symbol in ("ETHUSD", "a b"):
            with pytest.raises(UnrecognizedFrame):
                wire.parse(self.levels(trades=[], symbol=symbol))


class TestV1:
    def connection(self, path: str = "/v1/marketdata/BTCUSD") -> Connection:
        wire = replaying(Gemini)
        wire.adapter.address(f"wss://api.gemini.com{path}?heartbeat=true")
        return wire

    def update(self, sequence: int, *events: Any) -> dict[str, Any]:
        return {"type": "update", "eventId": 5, "timestampms": MS, "socket_sequence": sequence, "events": events}

    def change(self, price: str = "10", remaining: str = "1", **more: Any) -> dict[str, Any]:
        return {"type": "change", "price": price, "remaining": remaining, "side": "bid", "delta": "1", **more}

    def trade(self, **more: Any) -> dict[str, Any]:
        return {"type": "trade", "tid": 5375547515, "price": "11", "amount": "0.5", "makerSide": "ask", **more}

    def test_a_book_and_its_trades(self) -> None:
        wire = self.connection()
        initial = [self.change(reason="initial"), self.change("12", side="ask", reason="initial")]
        (book,) = wire.parse(self.update(0, *initial))
        assert book == BookSnapshot("GEMINI", "BTCUSD", NS, 7, [("10", "1")], [("12", "1")], None, None, None)
        delta, trade = wire.parse(self.update(1, self.trade(), self.change(remaining="0", reason="trade")))
        assert delta == BookDelta("GEMINI", "BTCUSD", NS, 7, [("10", "0")], [], None, None, None)
        assert trade == Trade("GEMINI", "BTCUSD", NS, 7, "11", "0.5", "buy", "5375547515")
        assert wire.parse(self.update(2, self.trade(makerSide="auction"))) == []

    def test_a_missing_frame_loses_the_books(self) -> None:
        wire = self.connection()
        wire.parse(self.update(0, self.change(reason="initial")))
        assert wire.parse({"type": "heartbeat", "socket_sequence": 1}) == []
        assert len(wire.parse(self.update(2, self.change()))) == 1
        wire.parse({"type": "heartbeat", "socket_sequence": 4})
        (gap,) = wire.parse(self.update(5, self.change()))
        assert isinstance(gap, Gap)

    def test_events_of_several_symbols_name_theirs(self) -> None:
        wire = self.connection("/v1/multimarketdata")
        events = [self.change(reason="initial", symbol=symbol) for symbol in ("BTCUSD", "ETHUSD")]
        books = wire.parse(self.update(0, *events))
        assert [book.symbol for book in books] == ["BTCUSD", "ETHUSD"]
        with pytest.raises(UnrecognizedFrame):
            wire.parse(self.update(1, self.change()))

    @pytest.mark.parametrize("damage", [{"side": "up"}, {"price": ""}, {"remaining": ""}])
    def test_a_change_without_a_part_is_refused(self, damage: dict[str, str]) -> None:
        with pytest.raises(msgspec.ValidationError):
            self.connection().parse(self.update(0, {**self.change(), **damage}))
        with pytest.raises(msgspec.ValidationError):
            self.connection().parse(self.update(0, self.trade(tid=None)))
