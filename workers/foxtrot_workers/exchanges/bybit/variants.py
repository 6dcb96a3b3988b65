"""The other categories of Bybit: perpetuals and futures, margined in stablecoins or in their base coin."""

from __future__ import annotations

from typing import ClassVar

from foxtrot_workers.adapter import VenueFacts
from foxtrot_workers.exchanges.bybit.adapter import Bybit
from foxtrot_workers.exchanges.bybit.constants import DERIVATIVE_CHANNELS, FACTS_INVERSE, FACTS_LINEAR, HOST, PATH

__all__ = ["BybitInverse", "BybitLinear"]


class BybitLinear(Bybit):
    """``exchange = "bybit_linear"``: perpetuals and futures margined in USDT or USDC. Sizes are in the base coin."""

    name: ClassVar[str] = "bybit_linear"
    exchange: ClassVar[str] = "BYBIT_LINEAR"
    channels: ClassVar[frozenset[str]] = DERIVATIVE_CHANNELS
    url: ClassVar[str] = f"{HOST}{PATH}linear"
    facts: ClassVar[VenueFacts | None] = FACTS_LINEAR
    category: ClassVar[str] = "linear"


class BybitInverse(Bybit):
    """``exchange = "bybit_inverse"``: perpetuals and futures margined in their base coin. Sizes are in US dollars."""

    name: ClassVar[str] = "bybit_inverse"
    exchange: ClassVar[str] = "BYBIT_INVERSE"
    channels: ClassVar[frozenset[str]] = DERIVATIVE_CHANNELS
    url: ClassVar[str] = f"{HOST}{PATH}inverse"
    facts: ClassVar[VenueFacts | None] = FACTS_INVERSE
    category: ClassVar[str] = "inverse"
