"""The command `events`: prints the engine's live event stream."""

from __future__ import annotations

import contextlib
import functools
import importlib
import time
from collections.abc import Callable, Sequence

import click

from foxtrot_protocol.codec import batch_decoder
from foxtrot_supervisor.cli.common import config_option, find_run, interruptible, known_errors, run_dir_option
from foxtrot_supervisor.cli.line_output import format_option, line_writer
from foxtrot_supervisor.cli.messages import say
from foxtrot_supervisor.cli.output import output_ended
from foxtrot_supervisor.client.event_selection import KINDS, EventSelection, event_type
from foxtrot_supervisor.client.event_stream import follow

__all__ = ["events"]


def _event_types(_context: click.Context, _parameter: click.Parameter, words: Sequence[str]) -> list[str]:
    try:
        return [event_type(word) for word in words]
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@click.option(
    "--type",
    "types",
    multiple=True,
    callback=_event_types,
    help="Only this event type (eMarketTrade., trade, ...); repeatable.",
)
@click.option("--symbol", "symbols", multiple=True, help="Only this symbol (BTCUSDT or BTCUSDT.BINANCE); repeatable.")
@click.option("--depth", type=click.IntRange(min=1), metavar="N", help="Books: the best N levels after each update.")
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="End after N events.")
@click.option("--live", is_flag=True, help="Only events published from now on, not those that the engine still holds.")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="S",
    help="Wait up to S seconds for a run to appear.",
)
@format_option
@click.option("--json", "_as_json", is_flag=True, help="JSON lines, as without it.")
@config_option
@run_dir_option
@known_errors
def events(
    types: Sequence[str],
    symbols: Sequence[str],
    depth: int | None,
    count: int | None,
    live: bool,
    wait_s: float,
    form: str,
    _as_json: bool,
    config_path: str | None,
    run_dir_path: str | None,
) -> None:
    """Stream live events, one JSON object per line.

    Begins with the events that the engine still holds, unless --live is given. With --format csv, one row per event;
    the columns are those of the chosen types, and levels of books are JSON, or with --depth columns of their own.

    \b
    foxtrot-supervisor events --type trade --symbol BTCUSDT.SIM
    foxtrot-supervisor events --type book --depth 5 --count 10
    foxtrot-supervisor events --type trade --format csv > trades.csv
    """
    since_ns = time.time_ns() if live else 0
    place = find_run(run_dir_path, config_path, wait_s)
    selection = EventSelection(_instruments(), types=types, symbols=symbols, depth=depth, since_ns=since_ns)
    kinds = [kind for kind, name in KINDS.items() if name in types]
    write = line_writer(form, kinds, live=True, depth=depth)
    left = count
    interruptible()
    try:
        for batches in follow(place, batch_decoder("text"), say):
            lines = [line for batch in batches for line in selection.lines(batch)][:left]
            write(lines)
            if output_ended():
                return
            if left is not None:
                left -= len(lines)
                if left == 0:
                    return
    except KeyboardInterrupt:
        return  # the usual way to end it


def _instruments() -> Callable[[str, str], str]:
    """Return a function of exchange and symbol to BASE-QUOTE, as the exchange's adapter names it, else the symbol."""
    catalog = importlib.import_module("foxtrot_workers.adapter.catalog")
    adapters = {}
    for name in catalog.names():
        with contextlib.suppress(ImportError):  # its symbols are shown as the exchange spells them
            adapter_class = catalog.adapter_class(name)
            adapters[adapter_class.exchange] = adapter_class()

    @functools.lru_cache(maxsize=10_000)
    def instrument(exchange: str, symbol: str) -> str:
        adapter = adapters.get(exchange)
        return symbol if adapter is None else str(adapter.instrument(symbol))

    return instrument
