"""Frames after Bitstamp's documents."""

from __future__ import annotations

from foxtrot_workers.testing.conformance import AdapterSample, BackfillSample

DIFFERENCE = (
    '{"data": {"timestamp": "1583656800", "microtimestamp": "1583656800237527", "bids": [["8732.02", "0.00002478"]], '
    '"asks": [["8735.67", "2.00000000"]]}, "event": "data", "channel": "diff_order_book_btcusd"}'
)
PICTURE = DIFFERENCE.replace("diff_order_book_", "order_book_")
TRADE = (
    '{"data": {"id": 216000477, "timestamp": "1641343699", "amount": 0.0792, "amount_str": "0.07920000", "price": '
    '3805.44, "price_str": "3805.44", "type": 0, "microtimestamp": "1641343699596000", "buy_order_id": '
    '1443875737346049, "sell_order_id": 1443875731320832}, "channel": "live_trades_ethusd", "event": "trade"}'
)
FUNDING = (
    '{"data":{"funding_rate":"0.0024","timestamp":"1644406050","market":"BTC/USD-PERP",'
    '"next_funding_time":"1644409650"},"channel":"funding_rate_btcusd-perp","event":"funding_rate_saved"}'
)

SAMPLES = [
    AdapterSample("trade", "ethusd", TRADE.encode()),
    AdapterSample("book", "btcusd", DIFFERENCE.encode(), events=0),
    AdapterSample("book100", "btcusd", PICTURE.encode()),
    AdapterSample("funding", "btcusd-perp", FUNDING.encode()),
]

PAST_TRADES = (
    '[{"date":"1641343709","tid":"216000484","amount":"0.93100000","type":"1","price":"3802.93"},'
    '{"date":"1641343699","tid":"216000477","amount":"0.07920000","type":"0","price":"3805.44"}]'
)
BACKFILLS = [BackfillSample("trade", "ethusd", 216000477, 216000484, PAST_TRADES.encode())]
