"""The baseline of the benchmark: a straightforward system of good libraries, used as their documents show.

`websockets` receives, `json` parses, ``float`` converts, each event becomes a dict and one `msgpack` message
over `zmq.asyncio`; another process unpacks it and calls handlers. It has two processes, as the product does, started
by the same boot, so that only the data path differs. It runs on asyncio's own event loop, because `zmq.asyncio` was
measured to be slower on uvloop.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import msgpack
import zmq
import zmq.asyncio
from websockets.asyncio.client import connect

from foxtrot_protocol.child import ChildContext
from foxtrot_protocol.commands import Stop, ToChild
from foxtrot_protocol.events import EVENT_BBO, EVENT_BOOK, EVENT_MARKET_TRADE
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_protocol.spec import EngineSettings, FeedSettings, decode_settings
from foxtrot_workers.child import boot

__all__ = ["HandlerTable", "boot_without_uvloop", "run_engine", "run_worker", "to_event"]

STREAMS = {"agg_trade": "aggTrade", "quote": "bookTicker", "book": "depth@100ms"}

LINGER_MS = 1000


def boot_without_uvloop(spec_bytes: bytes) -> None:
    """Run `boot.run` on asyncio's own event loop."""
    sys.modules["uvloop"] = None  # type: ignore[assignment]  # the documented way to make an import fail
    boot.run(spec_bytes)


async def run_worker(context: ChildContext) -> int:
    """Start target of the process that holds the connection."""
    settings = decode_settings(context.spec.settings, FeedSettings)
    assert settings.url is not None
    wires = [f"{symbol.lower()}@{STREAMS[channel]}" for symbol in settings.symbols for channel in settings.channels]
    with zmq.asyncio.Context() as sockets:
        push = sockets.socket(zmq.PUSH)
        push.connect(settings.data_endpoint)
        async with connect(f"{settings.url}/stream", compression=None, proxy=None) as websocket:
            closing: list[asyncio.Task[None]] = []

            def on_command(command: ToChild) -> None:
                if isinstance(command, Stop) and not closing:
                    closing.append(asyncio.create_task(websocket.close()))

            context.on_command(on_command)
            await websocket.send(json.dumps({"method": "SUBSCRIBE", "params": wires, "id": 1}))
            async for message in websocket:
                receive_ns = time.time_ns()
                frame = json.loads(message)
                if "stream" in frame:
                    await push.send(msgpack.packb(to_event(frame, receive_ns)))
                else:
                    context.ready()
            await asyncio.gather(*closing)
        push.close(linger=LINGER_MS)
    return ChildExit.CLEAN


async def run_engine(context: ChildContext) -> int:
    """Start target of the process that runs the handlers."""
    settings = decode_settings(context.spec.settings, EngineSettings)
    handlers = HandlerTable()
    closers = []
    for text in settings.handlers:
        module, _, function = text.partition(":")
        closers.append(getattr(importlib.import_module(module), function)(handlers).close)
    with zmq.asyncio.Context() as sockets:
        pull = sockets.socket(zmq.PULL)
        pull.bind(settings.data_endpoint)
        receiving = asyncio.create_task(_receive(pull, handlers))

        def on_command(command: ToChild) -> None:
            if isinstance(command, Stop):
                receiving.cancel()

        context.on_command(on_command)
        context.ready()
        with contextlib.suppress(asyncio.CancelledError):
            await receiving
        pull.close(linger=0)
    for close in closers:
        close()
    return ChildExit.CLEAN


async def _receive(pull: zmq.asyncio.Socket, handlers: HandlerTable) -> None:
    while True:
        event = msgpack.unpackb(await pull.recv())
        for handler in handlers.of(event["type"]):
            handler(event)


class HandlerTable:
    """A minimal event engine: handlers by type."""

    def __init__(self) -> None:
        self._handlers: dict[str, list[Callable[[dict[str, Any]], Any]]] = {}

    def register(self, type: str, handler: Callable[[dict[str, Any]], Any]) -> None:  # noqa: A002 - vn.py's name
        """Call `handler` for events of `type`."""
        self._handlers.setdefault(type, []).append(handler)

    def of(self, type: str) -> list[Callable[[dict[str, Any]], Any]]:  # noqa: A002
        """The handlers of `type`."""
        return self._handlers.get(type, [])


def to_event(frame: dict[str, Any], receive_ns: int) -> dict[str, Any]:
    """Return the event of a parsed combined-stream frame as a dict; its times are microseconds."""
    data = frame["data"]
    event: dict[str, Any] = {"exchange": "BINANCE", "symbol": data["s"], "receive_ns": receive_ns}
    stream = frame["stream"].partition("@")[2]
    if stream == "aggTrade":
        event["type"] = EVENT_MARKET_TRADE
        event["exchange_ns"] = data["T"] * 1000
        event["price"] = float(data["p"])
        event["size"] = float(data["q"])
        event["side"] = "sell" if data["m"] else "buy"
        event["trade_id"] = str(data["a"])
    elif stream == "bookTicker":
        event["type"] = EVENT_BBO
        event["exchange_ns"] = 0
        event["bid"] = float(data["b"])
        event["bid_size"] = float(data["B"])
        event["ask"] = float(data["a"])
        event["ask_size"] = float(data["A"])
        event["update_id"] = str(data["u"])
    else:
        event["type"] = EVENT_BOOK
        event["exchange_ns"] = data["E"] * 1000
        event["bids"] = [(float(price), float(size)) for price, size in data["b"]]
        event["asks"] = [(float(price), float(size)) for price, size in data["a"]]
        event["first_id"] = str(data["U"])
        event["last_id"] = str(data["u"])
    return event
