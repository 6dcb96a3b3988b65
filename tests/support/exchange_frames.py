"""Damaged frames of every exchange through its adapter; the frames are those of its conformance test."""

from __future__ import annotations

import gzip
import random
import time
from collections.abc import Sequence
from typing import ClassVar

from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.exchanges.binance.adapter import Binance
from foxtrot_workers.exchanges.binance.variants import BinanceCoinm, BinanceUs, BinanceUsdm, Sim
from foxtrot_workers.exchanges.bitfinex.adapter import Bitfinex
from foxtrot_workers.exchanges.bitget.adapter import Bitget
from foxtrot_workers.exchanges.bitget.variants import BitgetCoinFutures, BitgetFutures, BitgetUsdcFutures
from foxtrot_workers.exchanges.bitmex.adapter import Bitmex
from foxtrot_workers.exchanges.bitstamp.adapter import Bitstamp
from foxtrot_workers.exchanges.bybit.adapter import Bybit
from foxtrot_workers.exchanges.bybit.variants import BybitInverse, BybitLinear
from foxtrot_workers.exchanges.coinbase.adapter import Coinbase
from foxtrot_workers.exchanges.coinbase_advanced.adapter import CoinbaseAdvanced
from foxtrot_workers.exchanges.crypto_com.adapter import CryptoCom
from foxtrot_workers.exchanges.deribit.adapter import Deribit
from foxtrot_workers.exchanges.dydx.adapter import Dydx
from foxtrot_workers.exchanges.gateio.adapter import Gateio
from foxtrot_workers.exchanges.gateio.variants import GateioFutures
from foxtrot_workers.exchanges.gemini.adapter import Gemini
from foxtrot_workers.exchanges.huobi.adapter import Huobi
from foxtrot_workers.exchanges.huobi.variants import HuobiSwap
from foxtrot_workers.exchanges.hyperliquid.adapter import Hyperliquid
from foxtrot_workers.exchanges.kraken.adapter import Kraken
from foxtrot_workers.exchanges.kraken_futures.adapter import KrakenFutures
from foxtrot_workers.exchanges.kucoin.adapter import Kucoin
from foxtrot_workers.exchanges.kucoin.variants import KucoinFutures
from foxtrot_workers.exchanges.okx.adapter import Okx
from foxtrot_workers.exchanges.upbit.adapter import Upbit
from foxtrot_workers.testing.conformance import AdapterSample, NotConforming, feed_anything
from tests.support.fuzzing import Broken, Target
from tests.workers.exchanges.binance import futures_samples as binance_futures
from tests.workers.exchanges.bitfinex import samples as bitfinex
from tests.workers.exchanges.bitget import samples as bitget
from tests.workers.exchanges.bitmex import samples as bitmex
from tests.workers.exchanges.bitstamp import samples as bitstamp
from tests.workers.exchanges.bybit import samples as bybit
from tests.workers.exchanges.coinbase import samples as coinbase
from tests.workers.exchanges.coinbase_advanced import samples as coinbase_advanced
from tests.workers.exchanges.crypto_com import samples as crypto_com
from tests.workers.exchanges.deribit import samples as deribit
from tests.workers.exchanges.dydx import samples as dydx
from tests.workers.exchanges.gateio import samples as gateio
from tests.workers.exchanges.gemini import samples as gemini
from tests.workers.exchanges.huobi import samples as huobi
from tests.workers.exchanges.hyperliquid import samples as hyperliquid
from tests.workers.exchanges.kraken import samples as kraken
from tests.workers.exchanges.kraken_futures import samples as kraken_futures
from tests.workers.exchanges.kucoin import samples as kucoin
from tests.workers.exchanges.samples import BINANCE_SAMPLES, OKX_SAMPLES
from tests.workers.exchanges.upbit import samples as upbit

__all__ = ["EXCHANGE_TARGETS", "FRAMES", "ExchangeFrames"]

FRAMES: dict[type[Adapter], Sequence[AdapterSample]] = {
    Binance: BINANCE_SAMPLES,
    BinanceUs: BINANCE_SAMPLES,
    Sim: BINANCE_SAMPLES,
    BinanceUsdm: binance_futures.SAMPLES,
    BinanceCoinm: binance_futures.SAMPLES,
    Bitfinex: bitfinex.SAMPLES,
    Bitget: bitget.SPOT_SAMPLES,
    BitgetFutures: bitget.FUTURES_SAMPLES,
    BitgetUsdcFutures: bitget.FUTURES_SAMPLES,
    BitgetCoinFutures: bitget.FUTURES_SAMPLES,
    Bitmex: bitmex.SAMPLES,
    Bitstamp: bitstamp.SAMPLES,
    Bybit: bybit.SPOT_SAMPLES,
    BybitLinear: bybit.DERIVATIVE_SAMPLES,
    BybitInverse: bybit.DERIVATIVE_SAMPLES,
    Coinbase: coinbase.SAMPLES,
    CoinbaseAdvanced: coinbase_advanced.SAMPLES,
    CryptoCom: crypto_com.SAMPLES,
    Deribit: deribit.SAMPLES,
    Dydx: dydx.SAMPLES,
    Gateio: gateio.SPOT_SAMPLES,
    GateioFutures: gateio.FUTURES_SAMPLES,
    Gemini: gemini.SAMPLES,
    Huobi: huobi.SPOT_SAMPLES,
    HuobiSwap: huobi.SWAP_SAMPLES,
    Hyperliquid: hyperliquid.SAMPLES,
    Kraken: kraken.SAMPLES,
    KrakenFutures: kraken_futures.SAMPLES,
    Kucoin: kucoin.SPOT_SAMPLES,
    KucoinFutures: kucoin.FUTURES_SAMPLES,
    Okx: OKX_SAMPLES,
    Upbit: upbit.SAMPLES,
}
"""Every adapter of this package with the frames of its conformance test."""

COMPRESSING: frozenset[type[Adapter]] = frozenset({Huobi, HuobiSwap})
"""Exchanges that compress every frame; damage hits a frame before or after compression."""

INPUTS_PER_CONNECTION = 250
"""A connection whose exchange sends nothing but damaged frames does not live longer."""


class ExchangeFrames(Target):
    """Frames of one exchange through its adapter, which keeps its state from one to the next.

    Connections that publish everything (replay) and connections that have subscribed every channel take turns.
    """

    adapter_class: ClassVar[type[Adapter]]
    share: ClassVar[float] = 0.5
    slow_ms_max: ClassVar[float] = 10.0
    clock = staticmethod(time.thread_time)  # a busy machine does not make a parser slow

    def __init__(self) -> None:
        self._fed = 0
        self._samples = FRAMES[self.adapter_class]
        self._adapter = self._recording()

    def samples(self) -> Sequence[bytes]:
        return [form for sample in self._samples if sample.events for form in self._forms(sample.frame)]

    def seeds(self) -> Sequence[bytes]:
        silent = [sample.frame for sample in self._samples if not sample.events]
        return [form for frame in (*silent, *self._before()) for form in self._forms(frame)]

    def feed(self, data: bytes, chance: random.Random) -> bool:
        self._fed += 1
        if self._fed % INPUTS_PER_CONNECTION == 0:
            odd = self._fed // INPUTS_PER_CONNECTION % 2
            self._adapter = self._subscribed() if odd else self._recording()
        try:
            made = feed_anything(self._adapter, data)
        except NotConforming as problem:
            raise Broken(str(problem)) from problem
        return bool(made)

    def _recording(self) -> Adapter:
        return self._begun(self.adapter_class(adopt=True))

    def _subscribed(self) -> Adapter:
        adapter = self.adapter_class()
        for channel, symbol in dict.fromkeys((sample.channel, sample.symbol) for sample in self._samples):
            adapter.subscribe(adapter.topics([channel], [symbol]))
        return self._begun(adapter)

    def _begun(self, adapter: Adapter) -> Adapter:
        for frame in self._before():
            feed_anything(adapter, frame)
        return adapter

    def _forms(self, frame: bytes) -> list[bytes]:
        return [frame, gzip.compress(frame, mtime=0)] if self.adapter_class in COMPRESSING else [frame]

    def _before(self) -> Sequence[bytes]:
        return list(dict.fromkeys(frame for sample in self._samples for frame in sample.before))


EXCHANGE_TARGETS: dict[str, type[Target]] = {
    name: type(adapter.__name__ + "Frames", (ExchangeFrames,), {"name": name, "adapter_class": adapter})
    for adapter in FRAMES
    for name in (f"{adapter.name}_frames",)
}
"""One target for each adapter, by name."""
