"""Start a simulated exchange: as a child of the supervisor, or for the command `simulate`.

Both end quickly on request. The command line resolves the function of the command from text when it is called,
because it must not import this package.
"""

from __future__ import annotations

import asyncio
import signal
import ssl
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast, get_args

from foxtrot_protocol.child import ChildContext
from foxtrot_protocol.commands import Stop, ToChild
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_protocol.spec import SimulatorSettings, decode_settings
from foxtrot_workers.replay.recording import RecordedFrame, read_recording
from foxtrot_workers.simulator.market.market import MarketOptions
from foxtrot_workers.simulator.recorded.playback import Playback, make_playback
from foxtrot_workers.simulator.server.server import HOST, LIMITED_HOST, SimulatedExchange
from foxtrot_workers.simulator.venues.options import ENFORCED, ExchangeName, PlaybackOptions

__all__ = ["DEFAULT_SYMBOLS", "load_playback", "run", "simulate"]

DEFAULT_SYMBOLS = ("BTCUSDT", "ETHUSDT")

LISTED_ALSO = ("BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT", "XRPUSDT", "LTCUSDT", "DOGEUSDT")
"""Listed beside the configured symbols, so that there are symbols to subscribe later."""

_SUFFIXES = (".jsonl.gz", ".jsonl")


async def run(context: ChildContext) -> int:
    """Start target: Ready reports ``url`` and ``rest_url``; serves until it is stopped."""
    settings = decode_settings(context.spec.settings, SimulatorSettings)
    stopped = asyncio.Event()

    def on_command(command: ToChild) -> None:
        if isinstance(command, Stop):
            stopped.set()

    context.on_command(on_command)
    configured = list(dict.fromkeys(symbol.upper() for symbol in settings.symbols))
    symbols = list(dict.fromkeys([*configured, *LISTED_ALSO])) if configured else []
    # the symbols listed also do not slow the configured ones down
    rate_per_s = settings.rate_per_s * len(symbols) / max(1, len(configured))
    try:
        exchange = SimulatedExchange(symbols, seed=settings.seed, rate_per_s=rate_per_s, port=settings.port)
    except ValueError as problem:
        context.failed(f"simulated exchange: {problem}")
        return ChildExit.CONFIGURATION
    try:
        await exchange.start()
    except OSError as problem:
        context.failed(f"simulated exchange: port {settings.port}: {problem}")
        return ChildExit.CRASH
    try:
        context.ready({"url": exchange.url, "rest_url": exchange.rest_url})
        await stopped.wait()
    finally:
        await exchange.stop()
    return ChildExit.CLEAN


async def simulate(
    exchange: str = "binance",
    recording: str | None = None,
    speed: float = 1.0,
    port: int = 0,
    seed: int = 1,
    rate: float = 50.0,
    symbols: Sequence[str] = DEFAULT_SYMBOLS,
    history: int = MarketOptions().history_max,
    ledger: str | None = None,
    tls_cert: str | None = None,
    tls_key: str | None = None,
    enforce: bool = False,
    report: Callable[[dict[str, Any]], None] = lambda _: None,
) -> int:
    """Serve until SIGINT or SIGTERM, then return 0. Call it in the main thread.

    Args:
        recording: path of a recording to serve instead of a market.
        speed: of the recording; 0: as fast as every client takes it.
        rate: orders a second of the market; 0: as fast as every client takes it.
        history: past trades of each symbol that REST returns.
        ledger: path of a file for JSON lines of all that was sent.
        enforce: refuse and ban as Binance does, at an address where workers keep its limits.
        report: called once, with the addresses, when it listens.

    Raises:
        ValueError: a setting cannot work; the text names it.
        OSError: a port or file cannot be opened.
    """
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    playback = None
    if exchange not in get_args(ExchangeName):
        raise ValueError(f"exchange: {exchange!r} is not one of {', '.join(get_args(ExchangeName))}")
    name = cast(ExchangeName, exchange)
    if enforce and not name.startswith("binance"):
        raise ValueError(f"enforce: the limits are those of Binance, not of {name}")
    if speed < 0 or rate < 0:
        raise ValueError("speed and rate: not below 0 (0: as fast as it is taken)")
    if recording is not None:
        playback = load_playback(Path(recording), name)
    server = SimulatedExchange(
        symbols,
        seed=seed,
        rate_per_s=rate,
        port=port,
        exchange=name,
        playback=playback,
        playback_options=PlaybackOptions(speed=speed),
        market_options=MarketOptions(history_max=history),
        ledger_file=None if ledger is None else Path(ledger),
        ssl_context=_server_tls(tls_cert, tls_key),
        limits=ENFORCED if enforce else None,
        host=LIMITED_HOST if enforce else HOST,
    )
    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, stopped.set)
    try:
        async with server:
            report(
                {
                    "url": server.url,
                    "rest_url": server.rest_url,
                    "exchange": exchange,
                    "port": server.port,
                    "symbols": [] if server.market is None else list(server.market.states),
                    "recording": recording,
                    "seed": seed,
                }
            )
            await stopped.wait()
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
    return 0


def load_playback(path: Path, exchange: ExchangeName) -> Playback:
    """Return the recording at `path`, with the instrument list beside it.

    Raises:
        ValueError: it has no data of `exchange`.
        OSError: it cannot be read.
    """
    playback = make_playback(exchange, read_recording(path), _instrument_frames(path))
    if not playback.topics:
        raise ValueError(f"recording: {path} holds no data frames of {exchange}")
    return playback


def _instrument_frames(path: Path) -> Iterator[RecordedFrame]:
    for suffix in _SUFFIXES:
        if path.name.endswith(suffix):
            beside = path.with_name(path.name.removesuffix(suffix) + "-instruments" + suffix)
            if beside.exists():
                yield from read_recording(beside)
            return


def _server_tls(cert: str | None, key: str | None) -> ssl.SSLContext | None:
    if cert is None and key is None:
        return None
    if cert is None or key is None:
        raise ValueError("TLS needs both a certificate and a key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context
