"""Bitget's futures, by the currency that they are settled in. They share symbols, and so need names of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from foxtrot_workers.adapter import Limits, VenueFacts
from foxtrot_workers.exchanges.bitget.adapter import Bitget
from foxtrot_workers.exchanges.bitget.constants import FACTS_FUTURES, FUTURES_CHANNELS, LIMITS_FUTURES

__all__ = ["BitgetCoinFutures", "BitgetFutures", "BitgetUsdcFutures"]


class BitgetFutures(Bitget):
    """``exchange = "bitget_futures"``: contracts settled in USDT. Sizes are in base units."""

    name: ClassVar[str] = "bitget_futures"
    exchange: ClassVar[str] = "BITGET_FUTURES"
    channels: ClassVar[frozenset[str]] = frozenset(FUTURES_CHANNELS)
    limits: ClassVar[Limits] = LIMITS_FUTURES
    facts: ClassVar[VenueFacts | None] = FACTS_FUTURES
    channel_names: ClassVar[Mapping[str, str]] = FUTURES_CHANNELS
    kind: ClassVar[str] = "USDT-FUTURES"
    rest_prefix: ClassVar[str] = "/api/v2/mix/market"
    rest_book: ClassVar[str] = "merge-depth"
    list_path: ClassVar[str] = "/api/v2/mix/market/contracts"


class BitgetUsdcFutures(BitgetFutures):
    """``exchange = "bitget_usdc_futures"``: contracts settled in USDC, such as ``BTCPERP``."""

    name: ClassVar[str] = "bitget_usdc_futures"
    exchange: ClassVar[str] = "BITGET_USDC_FUTURES"
    kind: ClassVar[str] = "USDC-FUTURES"


class BitgetCoinFutures(BitgetFutures):
    """``exchange = "bitget_coin_futures"``: contracts settled in their base currency, such as ``BTCUSD``."""

    name: ClassVar[str] = "bitget_coin_futures"
    exchange: ClassVar[str] = "BITGET_COIN_FUTURES"
    kind: ClassVar[str] = "COIN-FUTURES"
