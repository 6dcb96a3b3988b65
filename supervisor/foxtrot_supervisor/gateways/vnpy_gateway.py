"""`SupervisedGateway` for vn.py: its market data from supervised processes. Needs the extra ``vnpy``.

::

    from foxtrot_supervisor.gateways.vnpy_gateway import SupervisedGateway
    main_engine.add_gateway(SupervisedGateway)
    main_engine.connect({"exchange": "binance"}, "FOXTROT")
    main_engine.subscribe(SubscribeRequest("BTCUSDT", Exchange.GLOBAL), "FOXTROT")

vn.py's `Exchange` has no member for our exchanges: symbols are ``BTCUSDT.GLOBAL``, unless the setting ``vt_exchange``
names another member. The setting ``exchange`` selects the real exchange, one for each gateway.
"""

from __future__ import annotations

from typing import Any

from vnpy.trader.constant import Exchange, Product
from vnpy.trader.gateway import BaseGateway
from vnpy.trader.object import ContractData, LogData, TickData

from foxtrot_supervisor.gateways.base import Platform, gateway_over

__all__ = ["SupervisedGateway"]


def _exchange(name: str, _: str) -> Any:
    try:
        return Exchange[name or "GLOBAL"]
    except KeyError:
        raise ValueError(f'"vt_exchange" is "{name}", which vn.py does not know') from None


def _product(exchange: str, symbol: str) -> Any:
    if symbol.endswith("-SWAP") or exchange.endswith(("_USDM", "_COINM", "_LINEAR", "_INVERSE")):
        return Product.SWAP
    return Product.SPOT


SupervisedGateway: Any = gateway_over(
    BaseGateway,
    Platform(
        default_name="FOXTROT",
        name_field="gateway_name",
        tick=TickData,
        contract=ContractData,
        log=LogData,
        exchange=_exchange,
        exchanges=[Exchange.GLOBAL],
        product=_product,
    ),
)
