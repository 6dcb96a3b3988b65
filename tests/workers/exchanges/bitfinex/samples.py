"""A connection of Bitfinex as its documents write it: acknowledgements first, then data by channel number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from foxtrot_protocol.events import MarketEvent
from foxtrot_workers.exchanges.bitfinex.adapter import Bitfinex
from foxtrot_workers.exchanges.bitfinex.constants import BOOK_LENGTHS, INTERVALS
from foxtrot_workers.testing.conformance import AdapterSample, BackfillSample
from tests.workers.exchanges.driven import RECEIVE_NS, Driven

SYMBOL, DERIVATIVE = "tBTCUSD", "tBTCF0:USTF0"

SUBSCRIBED_BOOK = (
    '{"event": "subscribed", "channel": "book", "chanId": 173904, "symbol": "tBTCUSD", "prec": "P0", "freq": "F0", '
    '"len": "100", "pair": "BTCUSD"}'
)
SUBSCRIBED_TRADES = '{"event":"subscribed","channel":"trades","chanId":232959,"symbol":"tBTCUSD","pair":"BTCUSD"}'
SUBSCRIBED_TICKER = '{"event":"subscribed","channel":"ticker","chanId":232949,"symbol":"tBTCUSD","pair":"BTCUSD"}'
SUBSCRIBED_BARS = '{"event":"subscribed","channel":"candles","chanId":343351,"key":"trade:1m:tBTCUSD"}'
SUBSCRIBED_STATUS = '{"event":"subscribed","channel":"status","chanId":270,"key":"deriv:tBTCF0:USTF0"}'
SUBSCRIBED_LIQUIDATIONS = '{"event":"subscribed","channel":"status","chanId":91684,"key":"liq:global"}'

BOOK = "[173904, [[7254.7, 3, 3.3], [7254.9, 1, -0.5]], 12]"
PAST_TRADES = (
    "[232959, [[669899159, 1618665870435, 166.391496, 0.076989], "
    "[669899158, 1618665870435, -6961.461304, 0.076985]], 6]"
)
TRADE = '[232959, "te", [669899160, 1618665870436, -20.5, 0.076985], 140]'
TRADE_UPDATE = '[232959, "tu", [669899160, 1618665870436, -20.5, 0.076985], 141]'
TICKER = (
    "[232949, [0.068965, 60157.36709703, 0.0774, 48578.50804052, 0.001969, 0.0262, 0.076989, 101459.39453471, 0.0828, "
    "0.068961], 1]"
)
BARS = (
    "[343351, [[1574698260000, 7379.785503, 7383.8, 7388.3, 7379.785503, 1.68829482], [1574698200000, 7399.9, 7379.7, "
    "7399.9, 7371.8, 41.63633658]]]"
)
STATUS = (
    "[270, [1596124822000, null, 0.896, 0.771995, null, 1396531.673460, null, 1596153600000, -0.00056968, 8, null, 0, "
    "null, null, 0.765, null, null, 100.2, null, null, null, -0.0005, 0.0025]]"
)
LIQUIDATION = (
    '[91684, [["pos", 145400868, 1609144352338, null, "tETHF0:USTF0", -1.67288094, 730.96, null, 1, 1, null, 736.13]]]'
)

_CHANNELS = {
    "trade": (SYMBOL, SUBSCRIBED_TRADES, TRADE),
    "ticker": (SYMBOL, SUBSCRIBED_TICKER, TICKER),
    "funding": (DERIVATIVE, SUBSCRIBED_STATUS, STATUS),
    "mark_price": (DERIVATIVE, SUBSCRIBED_STATUS, STATUS),
    "open_interest": (DERIVATIVE, SUBSCRIBED_STATUS, STATUS),
    "liquidation": ("tETHF0:USTF0", SUBSCRIBED_LIQUIDATIONS, LIQUIDATION.replace("null, 1, 1", "null, 0, 1")),
    **{
        channel: (SYMBOL, SUBSCRIBED_BOOK.replace('"100"', f'"{length}"'), BOOK)
        for channel, length in BOOK_LENGTHS.items()
    },
    **{
        f"bar_{interval}": (SYMBOL, SUBSCRIBED_BARS.replace("trade:1m", f"trade:{name}"), BARS)
        for interval, name in INTERVALS.items()
    },
}
"""By channel: symbol, acknowledgement and frame."""

SAMPLES = [
    AdapterSample(channel, symbol, frame.encode(), before=(acknowledgement.encode(),))
    for channel, (symbol, acknowledgement, frame) in _CHANNELS.items()
]
BACKFILLS = [
    BackfillSample(
        "trade",
        SYMBOL,
        388063447,
        388063448,
        b"[[388063448,1567526214876,1.918524,10682],[388063447,1567526214875,-0.5,10681.5]]",
    )
]


class Connected(Driven[Bitfinex]):
    """An adapter whose subscriptions were acknowledged, by these texts, with no notice left."""

    def __init__(
        self, channels: Sequence[str], symbols: Sequence[str], *acknowledgements: str, adopt: bool = False
    ) -> None:
        super().__init__(Bitfinex, channels, symbols, adopt=adopt)
        for text in acknowledgements:
            self.parse(text)
        self.take_notices()

    def data(self, *values: Any, receive_ns: int = RECEIVE_NS) -> list[MarketEvent[str]]:
        """The events of an array."""
        return self.parse(msgspec.json.encode(values), receive_ns)
