"""The command `simulate`: serves a simulated exchange."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click

from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_supervisor.cli.common import json_option, known_errors, resolve
from foxtrot_supervisor.cli.messages import Failure
from foxtrot_supervisor.cli.output import emit

__all__ = ["simulate"]


@click.command()
@click.option(
    "--exchange",
    default="binance",
    show_default=True,
    metavar="NAME",
    help="Protocol to speak: binance, binance_us, okx, bybit, coinbase, kraken.",
)
@click.option("--recording", metavar="FILE", help="Serve these recorded frames instead of a generated market.")
@click.option(
    "--speed",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="Speed of a recording; 0: as fast as the reader takes it.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0: any free port.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same market.")
@click.option(
    "--rate",
    type=click.FloatRange(min=0),
    default=50.0,
    show_default=True,
    help="Events per second; 0: as fast as the reader takes them.",
)
@click.option(
    "--symbols", default="BTCUSDT,ETHUSDT", show_default=True, help="Symbols of the market, separated by commas."
)
@click.option(
    "--history",
    type=click.IntRange(min=1),
    default=20_000,
    show_default=True,
    help="Past trades available over REST for each symbol of a generated market.",
)
@click.option(
    "--enforce",
    is_flag=True,
    help="Enforce Binance's limits, bans included; workers keep them at the address where it listens.",
)
@click.option("--ledger", metavar="FILE", help="Write everything that is sent, and to which connection, to FILE.")
@click.option("--tls-cert", metavar="FILE", help="Serve wss:// and https:// with this certificate (needs --tls-key).")
@click.option("--tls-key", metavar="FILE", help="Private key of --tls-cert.")
@json_option
@known_errors
def simulate(
    exchange: str,
    recording: str | None,
    speed: float,
    port: int,
    seed: int,
    rate: float,
    symbols: str,
    history: int,
    enforce: bool,
    ledger: str | None,
    tls_cert: str | None,
    tls_key: str | None,
    as_json: bool,
) -> None:
    """Serve a simulated exchange on the loopback address.

    WebSocket and REST, until Ctrl-C or SIGTERM.

    \b
    foxtrot-supervisor simulate --port 9001 --seed 7
    foxtrot-supervisor simulate --exchange okx --recording okx/2022-05-13.jsonl.gz --speed 10
    """

    def report(addresses: dict[str, Any]) -> None:
        if as_json:
            emit(addresses)
        else:
            click.echo(f"simulated {exchange}: {addresses['url']} and {addresses['rest_url']} (Ctrl-C ends it)")
            sys.stdout.flush()

    serving = resolve("foxtrot_workers.simulator.server.entry:simulate")(
        exchange=exchange,
        recording=recording,
        speed=speed,
        port=port,
        seed=seed,
        rate=rate,
        symbols=[symbol for symbol in symbols.split(",") if symbol],
        history=history,
        enforce=enforce,
        ledger=ledger,
        tls_cert=tls_cert,
        tls_key=tls_key,
        report=report,
    )
    try:
        with asyncio.Runner(loop_factory=resolve("foxtrot_supervisor.system.event_loop:loop_factory")()) as runner:
            code = runner.run(serving)
    except ValueError as error:
        raise Failure(str(error), SupervisorExit.USAGE) from None
    except OSError as error:
        raise Failure(str(error), SupervisorExit.START_FAILED) from None
    raise click.exceptions.Exit(code)
