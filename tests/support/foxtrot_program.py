"""A Foxtrot program such as its users write them, run as ``python -m``: adapter in, ticks out, a report at the end.

Arguments: ``bare`` (the adapter as it is) or ``base`` (made over Foxtrot's own `BaseAdapter` and data types), the
adapter's setting as JSON, ``close`` or ``stay``. Prints one JSON object when ticks have come, and, after ``close``,
another with what is left in this process. Needs a checkout of Foxtrot on the module search path.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import time
import traceback
from typing import Any

from foxtrot_supervisor.gateways.foxtrot_adapter import SupervisedAdapter, adapter_over
from tests.support.vnpy_program import LIMIT_S, children, enough, tell


def adapter_class(variant: str, types: Any) -> Any:
    """Return the adapter class of `variant`; `types`: Foxtrot's module of data types."""
    if variant == "bare":
        return SupervisedAdapter
    constants = importlib.import_module("foxtrot.util.constants")
    return adapter_over(
        importlib.import_module("foxtrot.adapter.base_adapter").BaseAdapter,
        tick=types.TickData,
        contract=types.ContractData,
        log=types.LogData,
        exchange=lambda name, ours: constants.Exchange[name or "GLOBAL"],
        exchanges=[constants.Exchange.GLOBAL],
        product=lambda exchange, symbol: constants.Product.SPOT,
    )


def names_of_threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


def main() -> None:
    variant, setting, end = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
    events = importlib.import_module("foxtrot.core.event_engine")
    types = importlib.import_module("foxtrot.util.object")
    before = names_of_threads()
    wanted = adapter_class(variant, types)
    symbol = "BTCUSDT.SIM" if variant == "bare" else "BTCUSDT.GLOBAL"

    # ---- what a user writes
    event_engine = events.EventEngine()
    main_engine = importlib.import_module("foxtrot.server.engine").MainEngine(event_engine)
    main_engine.add_adapter(wanted)
    all_ticks: list[Any] = []
    own_ticks: list[Any] = []
    logs: list[str] = []
    event_engine.register("eTick.", lambda event: all_ticks.append(event.data))
    event_engine.register(f"eTick.{symbol}", lambda event: own_ticks.append(event.data))
    event_engine.register("eLog", lambda event: logs.append(event.data.msg))
    main_engine.connect(setting, "SUPERVISED")
    for name in ("BTCUSDT", "ETHUSDT"):
        main_engine.subscribe(types.SubscribeRequest(name, types.Exchange.GLOBAL), "SUPERVISED")
    # ----

    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline and not enough(all_ticks, own_ticks):
        time.sleep(0.05)
    tick, contract = main_engine.get_tick(symbol), main_engine.get_contract(symbol)
    tell(
        symbols=sorted({tick.vt_symbol for tick in list(all_ticks)}),
        own=sorted({tick.vt_symbol for tick in list(own_ticks)}),
        tick_type=f"{type(tick).__module__}.{type(tick).__qualname__}",
        contract_type=f"{type(contract).__module__}.{type(contract).__qualname__}",
        adapter_name=getattr(tick, "adapter_name", None),
        prices=[tick.bid_price_1, tick.ask_price_1],
        pricetick=getattr(contract, "pricetick", None),
        logs=list(logs),
    )
    if end == "stay":
        time.sleep(LIMIT_S)
    main_engine.close()
    tell(
        # Foxtrot's logger has a thread of its own
        threads=[name for name in sorted(names_of_threads() - before) if not name.startswith("loguru")],
        children=children(),
        run_dir=os.path.exists(setting["run_dir"]),
    )


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        traceback.print_exc()
        os._exit(1)  # threads of Foxtrot's engine would keep the process alive
