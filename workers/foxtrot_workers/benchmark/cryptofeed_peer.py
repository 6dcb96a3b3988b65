"""Another project in the benchmark: cryptofeed, in one process with the handler, as its documentation shows.

It is fed by the same load server and counts with the same handler. Only its address and its list of instruments are
replaced, which it would fetch from the exchange. A start target for `bench --peer cryptofeed` only.
"""

from __future__ import annotations

import asyncio
import importlib
import os
from typing import Any

import msgspec

from foxtrot_protocol.child import ChildContext
from foxtrot_protocol.commands import Stop, ToChild
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_protocol.spec import FeedSettings, decode_settings
from foxtrot_workers.benchmark.counting_handler import JOB_VARIABLE, CountingHandler, Job

__all__ = ["run"]

CONNECT_POLL_S = 0.01

QUOTE = "USDT"
"""Of every symbol that the load server sends."""


async def run(context: ChildContext) -> int:
    """Start target of the process that holds the connection and runs the handler."""
    settings = decode_settings(context.spec.settings, FeedSettings)
    try:
        exchanges = importlib.import_module("cryptofeed.exchanges")
    except ImportError as error:
        context.failed(f"cryptofeed cannot be imported: {error}")
        return ChildExit.CONFIGURATION
    handler = CountingHandler(msgspec.json.decode(os.environ[JOB_VARIABLE], type=Job))
    feed = _make_feed(exchanges.Binance, settings, handler)
    stopping = asyncio.Event()

    def on_command(command: ToChild) -> None:
        if isinstance(command, Stop):
            stopping.set()

    context.on_command(on_command)
    feed.start(asyncio.get_running_loop())
    if settings.rest_url:
        # snapshots of books come from the load server; its answers have no list of instruments
        feed.rest_endpoints[0].address = settings.rest_url
    (connection,) = (each.conn for each in feed.connection_handlers)
    while not connection.is_open:  # noqa: ASYNC110 - the library does not say when it is
        await asyncio.sleep(CONNECT_POLL_S)
    context.ready()
    await stopping.wait()
    feed.stop()
    await connection.close()
    handler.close()
    return ChildExit.CLEAN


def _make_feed(binance: Any, settings: FeedSettings, handler: CountingHandler) -> Any:
    defines = importlib.import_module("cryptofeed.defines")
    url = settings.url or ""

    class LocalBinance(binance):  # type: ignore[misc]  # a class of a library that need not be installed
        def _address(self) -> Any:
            if "?" in url:  # it names the unit of time, for trades that say when they were sent
                return _secure(url)
            _, _, streams = super()._address().partition("?")
            return f"{_secure(url)}/stream?{streams}"

        def connect(self) -> Any:
            connections = super().connect()
            for connection, *_ in connections:
                # it refuses an address without TLS where the connection is made, and only there
                connection.address = connection.address.replace("wss", "ws", 1)
            return connections

    names = {f"{symbol.removesuffix(QUOTE)}-{QUOTE}": symbol for symbol in settings.symbols}
    importlib.import_module("cryptofeed.symbols").Symbols.set(binance.id, names, {})

    async def count(_event: Any, _received_s: float) -> None:
        handler.count_event(None)

    async def sample(trade: Any, _received_s: float) -> None:
        handler.sample_time(int(trade.timestamp * 1e6))  # of milliseconds that were microseconds

    counterparts = {"agg_trade": defines.TRADES, "quote": defines.TICKER, "book": defines.L2_BOOK}
    channels = [counterparts[channel] for channel in settings.channels]
    callbacks = dict.fromkeys(channels, sample if handler.sampling else count)
    return LocalBinance(symbols=list(names), channels=channels, callbacks=callbacks)


def _secure(url: str) -> str:
    return f"wss{url.removeprefix('ws')}"
