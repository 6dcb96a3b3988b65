"""A vn.py program such as its users write them, run as ``python -m``: gateway in, ticks out, a report at the end.

Arguments: ``vnpy`` or ``standin``, the gateway's setting as JSON, ``close`` or ``stay``. Prints one JSON object when
ticks have come, and, after ``close``, one more that tells what is left in this process.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any

LIMIT_S = 60.0


def load(platform: str) -> dict[str, Any]:
    if platform == "vnpy":
        from vnpy.event import EventEngine
        from vnpy.trader.constant import Exchange
        from vnpy.trader.engine import MainEngine
        from vnpy.trader.object import SubscribeRequest, TickData

        from foxtrot_supervisor.gateways.vnpy_gateway import SupervisedGateway

        theirs = (EventEngine, MainEngine, Exchange, SubscribeRequest, TickData)
        return {"SupervisedGateway": SupervisedGateway, **{each.__name__: each for each in theirs}}
    from tests.support import vnpy_standin

    return {**vars(vnpy_standin), "SupervisedGateway": vnpy_standin.supervised_gateway()}


def main() -> None:
    names = load(sys.argv[1])
    setting, end = json.loads(sys.argv[2]), sys.argv[3]
    before = {thread.name for thread in threading.enumerate()}

    # ---- what a user writes
    event_engine = names["EventEngine"]()
    main_engine = names["MainEngine"](event_engine)
    main_engine.add_gateway(names["SupervisedGateway"])
    all_ticks: list[Any] = []
    own_ticks: list[Any] = []
    logs: list[str] = []
    event_engine.register("eTick.", lambda event: all_ticks.append(event.data))
    event_engine.register("eTick.BTCUSDT.GLOBAL", lambda event: own_ticks.append(event.data))
    event_engine.register("eLog", lambda event: logs.append(event.data.msg))
    main_engine.connect(setting, "FOXTROT")
    for symbol in ("BTCUSDT", "ETHUSDT"):
        main_engine.subscribe(names["SubscribeRequest"](symbol, names["Exchange"].GLOBAL), "FOXTROT")
    # ----

    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline and not enough(all_ticks, own_ticks):
        time.sleep(0.05)
    tick = main_engine.get_tick("BTCUSDT.GLOBAL")
    contract = main_engine.get_contract("BTCUSDT.GLOBAL")
    tell(
        symbols=sorted({tick.vt_symbol for tick in list(all_ticks)}),
        own=sorted({tick.vt_symbol for tick in list(own_ticks)}),
        is_theirs=isinstance(tick, names["TickData"]),
        tick=None if tick is None else {key: str(value) for key, value in vars(tick).items()},
        aware=tick is not None and tick.datetime.tzinfo is not None,
        contract=None if contract is None else {key: str(value) for key, value in vars(contract).items()},
        logs=list(logs),
        supervisor=main_engine.gateways["FOXTROT"].supervisor and main_engine.gateways["FOXTROT"].supervisor.run_dir,
    )
    if end == "stay":
        time.sleep(LIMIT_S)
    main_engine.close()
    tell(
        threads=sorted({thread.name for thread in threading.enumerate()} - before),
        children=children(),
        run_dir=os.path.exists(setting["run_dir"]),
    )


def enough(all_ticks: list[Any], own_ticks: list[Any]) -> bool:
    whole = [tick for tick in list(own_ticks) if tick.bid_price_5 and tick.ask_price_5 and tick.last_price]
    return len(whole) > 20 and {tick.symbol for tick in list(all_ticks)} >= {"BTCUSDT", "ETHUSDT"}


def children() -> list[int]:
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        return [int(pid) for pid in file.read().split()]


def tell(**fields: Any) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
