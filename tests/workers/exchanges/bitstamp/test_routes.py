from __future__ import annotations

from foxtrot_workers.exchanges.bitstamp.adapter import Bitstamp
from foxtrot_workers.exchanges.bitstamp.routes import names_channel, tail_of
from tests.workers.exchanges.bitstamp.samples import PICTURE, TRADE
from tests.workers.exchanges.driven import Driven


def test_a_frame_ends_with_its_channel() -> None:
    tail = tail_of(TRADE.encode())
    assert tail == b'}, "channel": "live_trades_ethusd", "event": "trade"}'
    assert names_channel(tail, "live_trades_ethusd")
    assert not names_channel(tail, "live_trades_ethus")
    assert not names_channel(b'},"event":"live_trades_ethusd"}', "live_trades_ethusd")
    assert not names_channel(tail + b" " * 200, "live_trades_ethusd")


def test_frames_that_end_in_other_ways_reach_the_same_parser() -> None:
    wire = Driven(Bitstamp, ["book100"], ["btcusd"])
    compact = PICTURE.replace(" ", "")
    assert wire.parse(PICTURE) == wire.parse(compact) == wire.parse(PICTURE)
    swapped = compact.replace(
        '"event":"data","channel":"order_book_btcusd"', '"channel":"order_book_btcusd","event":"data"'
    )
    assert wire.parse(swapped) == wire.parse(compact)
    first = '{"event":"data","channel":"order_book_btcusd",' + compact[1:].split(',"event"')[0] + "}"
    assert wire.parse(first) == wire.parse(compact)
