"""The command line: builds the parts, joins them, prints for people and for programs. Decides nothing.

What reads prints to stdout, with ``--json`` one JSON object, or one a line where it streams; everything
else goes to stderr. Exit codes: `foxtrot_protocol.exit_codes.SupervisorExit`.

Exchange code (replay, simulated exchange) is resolved by name when a command needs it: the process that
supervises never loads it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import importlib
import itertools
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

import click
import msgspec

from foxtrot_protocol import __version__, standard_streams
from foxtrot_protocol.codec import batch_decoder
from foxtrot_protocol.control import (
    ReloadRequest,
    Request,
    RestartRequest,
    StatusRequest,
    StopRequest,
    SubscribeRequest,
    UnsubscribeRequest,
)
from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_supervisor.cli.chaos import chaos
from foxtrot_supervisor.cli.common import (
    WAIT_POLL_S,
    Failure,
    absolute,
    ask,
    config_option,
    emit,
    find_run,
    interruptible,
    json_option,
    known_errors,
    output_ended,
    resolve,
    run_dir_option,
    say,
    surroundings,
    working_directory,
)
from foxtrot_supervisor.cli.doctor import doctor
from foxtrot_supervisor.cli.top import top
from foxtrot_supervisor.cli.unit import unit
from foxtrot_supervisor.client.answers import StopAnswer, read_stop_answer
from foxtrot_supervisor.client.event_selection import EventSelection, event_type
from foxtrot_supervisor.client.event_stream import follow, is_running
from foxtrot_supervisor.config import discovery
from foxtrot_supervisor.config import load as config_file
from foxtrot_supervisor.config.check import ConfigInvalid, ExchangeInfo, Problem, default_config
from foxtrot_supervisor.config.example import EXAMPLE
from foxtrot_supervisor.config.exchanges import read_catalog
from foxtrot_supervisor.config.schema import FoxtrotConfig
from foxtrot_supervisor.core.reload import describe
from foxtrot_supervisor.report.unhandled_events import describe_unhandled
from foxtrot_supervisor.runtime import run_dir

__all__ = ["cli", "main"]

ANSWER_S = 30.0
"""How long a question to the supervisor may take that it answers at once."""

GONE_S = 10.0
"""How long a supervisor that has said that all is stopped may take to be gone itself."""

LAST_LINES_S = 1.0
"""How long the last messages may take to be written before the process exits."""

PIPE_COLUMNS = 140
"""Width of tables that go into a file or a pipe."""


def main() -> NoReturn:
    """Entry point: run the command, turn every outcome into an exit code, never into a traceback."""
    standard_streams.open_missing()
    standard_streams.drain("stderr")
    standard_streams.direct("stdout")
    code = _settle_output(_run_command())
    signal.signal(signal.SIGINT, lambda *_: os._exit(code))  # the interpreter's own end shows no traceback either
    sys.exit(code)


def _settle_output(code: int) -> int:
    """Flush; the exit code, which is 1 if the output that was asked for could not be written.

    A reader that has gone (`head`) or a terminal that was closed is no error: the command's own code stands.
    """
    standard_streams.flush(LAST_LINES_S)
    error = standard_streams.output_error()
    if error is not None and error.errno not in (errno.EPIPE, errno.EIO):
        say(f"the output cannot be written: {error.strerror}")
        standard_streams.flush(LAST_LINES_S)
        code = code or SupervisorExit.INTERNAL_ERROR
    return code


def _run_command() -> int:
    debug = "--debug" in sys.argv[1:]
    try:
        code = cli.main(prog_name="foxtrot-supervisor", standalone_mode=False)
    except Failure as error:
        say(error.message)
        code = error.code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.exceptions.Exit as error:
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = 130
    except Exception as error:
        if debug:
            traceback.print_exc()
        say(f"internal error: {type(error).__name__}: {error} (--debug shows where)")
        code = SupervisorExit.INTERNAL_ERROR
    return int(code or 0)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="`foxtrot-supervisor start` without any configuration shows a simulated exchange at work.",
)
@click.version_option(__version__, prog_name="foxtrot-supervisor")
@click.option("--debug", is_flag=True, help="Show where an internal error happened.")
def cli(debug: bool) -> None:
    """Supervised worker processes for exchange WebSocket feeds.

    \b
    Exit codes: 0 clean, 1 internal error, 2 usage, 3 not started or no run found, 4 clean but a SIGKILL was
    needed, 5 an essential worker is FATAL, 6 something was left behind, 7 a process could not be killed,
    8 doctor found something that needs somebody, 75 already running, 78 configuration.
    """


# ---- starting


def load(
    config_path: str | None, catalog: Callable[[], Mapping[str, ExchangeInfo]] = read_catalog
) -> tuple[FoxtrotConfig, str | None]:
    """The configuration and the file it came from; without any file the embedded simulated exchange."""
    path = config_path or discovery.find_config(surroundings(), os.path.isfile)
    if path is None:
        return default_config(), None
    return config_file.load_config(path, catalog=catalog), path


@cli.command()
@config_option
@run_dir_option
@click.option(
    "--duration", "duration_s", type=click.FloatRange(min=0, min_open=True), metavar="S", help="Stop after S seconds."
)
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", show_default=True
)
@click.option(
    "--log-format",
    type=click.Choice(["auto", "console", "json"]),
    default="auto",
    show_default=True,
    help="auto: a live table on a terminal, else console lines.",
)
@click.option("--boot", hidden=True, metavar="TARGET", help="What children call first (fault tests: docs/chaos.md).")
@known_errors
def start(
    config_path: str | None,
    run_dir_path: str | None,
    duration_s: float | None,
    log_level: str,
    log_format: str,
    boot: str | None,
) -> None:
    """Supervise in the foreground until stopped (Ctrl-C, SIGTERM or `stop`).

    \b
    foxtrot-supervisor start                      # foxtrot.toml, else the simulated exchange
    foxtrot-supervisor start -c my.toml
    foxtrot-supervisor start --duration 60 --log-format json
    """
    catalog = functools.cache(read_catalog)  # for reloads too: a running supervisor must not start foreign processes
    config, path = load(config_path, catalog)
    if path is None:
        say(
            "No configuration file found (looked for "
            + ", ".join(discovery.config_candidates(surroundings()))
            + '): using the embedded SIMULATED exchange (exchange = "sim", symbols end in .SIM). '
            "`foxtrot-supervisor init` writes a configuration to begin with."
        )
    directory = run_dir_path or config.supervisor.run_dir or run_dir.default_path(os.environ, os.getuid())
    display = resolve("foxtrot_supervisor.cli.start_display:display")
    with display(log_format, log_level) as (effective_format, on_snapshot):
        code = resolve("foxtrot_supervisor.runtime.runner:run_supervisor")(
            config,
            run_dir_path=absolute(directory),
            import_path=_import_path(),
            log_level=log_level,
            log_format=effective_format,
            duration_s=duration_s,
            on_snapshot=on_snapshot,
            config_path=absolute(path) if path else "",
            read_config=path and functools.partial(config_file.load_config, absolute(path), catalog=catalog),
            targets=None if boot is None else resolve("foxtrot_supervisor.core.child_specs:Targets")(boot=boot),
        )
    raise click.exceptions.Exit(int(code))


def _import_path() -> str:
    """The folder in which handlers are found beside what is installed: the working directory, "" if it is unusable."""
    path = working_directory()
    try:
        path.encode()
    except UnicodeEncodeError:
        say("the working directory's path is not valid UTF-8: handlers are not looked for in it")
        return ""
    return path


@cli.command()
@config_option
@json_option
@known_errors
def check(config_path: str | None, as_json: bool) -> None:
    """Check a configuration: list every mistake with file, key and reason; start nothing.

    \b
    foxtrot-supervisor check -c foxtrot.toml
    """
    try:
        config, path = load(config_path)
    except ConfigInvalid as error:
        if not as_json:
            raise
        emit({"ok": False, "file": error.source, "errors": [_problem(error.source, p) for p in error.problems]})
        raise click.exceptions.Exit(SupervisorExit.CONFIGURATION) from None
    exchanges = {name: info for name, info in read_catalog().items() if not info.error}
    if as_json:
        emit({"ok": True, "file": path, "errors": [], "connections": [c.name for c in config.connections]})
        return
    click.echo(f"{path or 'no file found, the built-in configuration'}: ok, {len(config.connections)} connection(s)")
    click.echo("exchanges that can be configured:")
    for name, info in sorted(exchanges.items()):
        click.echo(f"  {name}: {', '.join(sorted(info.channels))}")


def _problem(source: str, problem: Problem) -> dict[str, str]:
    return {"file": source, "key": problem.key, "reason": problem.reason}


@cli.command()
@click.option("-o", "--output", default=discovery.CONFIG_NAME, show_default=True, help="File to write; - for stdout.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@known_errors
def init(output: str, force: bool) -> None:
    """Write a commented example configuration.

    \b
    foxtrot-supervisor init
    foxtrot-supervisor init -o - | less
    """
    if output == "-":
        click.echo(EXAMPLE, nl=False)
        return
    try:
        with open(output, "w" if force else "x", encoding="utf-8") as file:
            file.write(EXAMPLE)
    except FileExistsError:
        raise Failure(f"{output} is there already; --force replaces it", SupervisorExit.USAGE) from None
    except OSError as error:
        raise Failure(f"{output} cannot be written: {error.strerror}", SupervisorExit.USAGE) from None
    say(f"wrote {output}; `foxtrot-supervisor check` checks it, `foxtrot-supervisor start` runs it")


@cli.command()
@config_option
@run_dir_option
@json_option
@known_errors
def status(config_path: str | None, run_dir_path: str | None, as_json: bool) -> None:
    """One look at everything that runs.

    \b
    foxtrot-supervisor status
    foxtrot-supervisor status --json | jq '.workers[] | {name, state, events_total}'
    """
    data = ask(find_run(run_dir_path, config_path), StatusRequest(), ANSWER_S)
    if as_json:
        emit(data)
        return
    render = resolve("foxtrot_supervisor.cli.live:render_status")
    # what is not a terminal has no width of its own
    console = resolve("rich.console:Console")(width=None if sys.stdout.isatty() else PIPE_COLUMNS)
    console.print(render(data, console.width))


@cli.command()
@config_option
@run_dir_option
@json_option
@known_errors
def stop(config_path: str | None, run_dir_path: str | None, as_json: bool) -> None:
    """Stop everything; returns when all has ended and says which rung of the stop ladder was needed.

    \b
    foxtrot-supervisor stop
    """
    place = find_run(run_dir_path, config_path)
    data = ask(place, StopRequest(), None)
    outcome = read_stop_answer(data)
    deadline = time.monotonic() + GONE_S
    while is_running(place) and time.monotonic() < deadline:
        time.sleep(WAIT_POLL_S)
    if as_json:
        emit(data)
    else:
        for line in _stop_lines(outcome):
            click.echo(line)
    raise click.exceptions.Exit(outcome.exit_code)


def _stop_lines(outcome: StopAnswer) -> Iterator[str]:
    for child in outcome.children:
        how = _RUNGS.get(child.rung or "", "had ended before")
        yield f"{child.name}: {how}" + (f" ({child.cause})" if child.state == "FATAL" else "")
    if outcome.audit.unhandled:
        yield f"not handled: {describe_unhandled(outcome.audit.unhandled)}"
    leftovers = outcome.audit.left_behind()
    yield "left behind: " + (", ".join(f"{name} {left}" for name, left in leftovers.items()) or "nothing")
    yield f"stopped, exit code {outcome.exit_code}"


_RUNGS = {
    "ask": "stopped when asked",
    "term": "needed SIGTERM",
    "kill": "needed SIGKILL",
    "lost": "could not be killed",
}


@cli.command()
@click.argument("worker")
@config_option
@run_dir_option
@json_option
@known_errors
def restart(worker: str, config_path: str | None, run_dir_path: str | None, as_json: bool) -> None:
    """Stop WORKER and start it again; revives one that is FATAL. Returns when it is running.

    The name of a connection stands for its workers, one after the other.

    \b
    foxtrot-supervisor restart binance-spot.a
    """
    _act(RestartRequest(worker), f"{worker} has been restarted", config_path, run_dir_path, as_json)


@cli.command()
@config_option
@run_dir_option
@json_option
@known_errors
def reload(config_path: str | None, run_dir_path: str | None, as_json: bool) -> None:
    """Have the running supervisor read its configuration again; returns when what changed is in place.

    What is added is started, what is gone is stopped, what changed is replaced; the rest keeps its process. A file with
    a mistake changes nothing.

    \b
    foxtrot-supervisor check && foxtrot-supervisor reload
    """
    data = ask(find_run(run_dir_path, config_path), ReloadRequest(), None)
    if as_json:
        emit(data)
    else:
        click.echo(describe(data))


@cli.command()
@click.argument("worker")
@click.argument("symbols", nargs=-1, required=True, metavar="SYMBOL...")
@config_option
@run_dir_option
@json_option
@known_errors
def subscribe(
    worker: str, symbols: Sequence[str], config_path: str | None, run_dir_path: str | None, as_json: bool
) -> None:
    """Add SYMBOLs to a running WORKER, without reconnecting.

    \b
    foxtrot-supervisor subscribe binance-spot.a SOLUSDT XRPUSDT
    """
    message = f"{worker} has subscribed {', '.join(symbols)}"
    _act(SubscribeRequest(worker, list(symbols)), message, config_path, run_dir_path, as_json)


@cli.command()
@click.argument("worker")
@click.argument("symbols", nargs=-1, required=True, metavar="SYMBOL...")
@config_option
@run_dir_option
@json_option
@known_errors
def unsubscribe(
    worker: str, symbols: Sequence[str], config_path: str | None, run_dir_path: str | None, as_json: bool
) -> None:
    """Remove SYMBOLs from a running WORKER, without reconnecting.

    \b
    foxtrot-supervisor unsubscribe binance-spot.a XRPUSDT
    """
    message = f"{worker} has unsubscribed {', '.join(symbols)}"
    _act(UnsubscribeRequest(worker, list(symbols)), message, config_path, run_dir_path, as_json)


def _act(request: Request, message: str, config_path: str | None, run_dir_path: str | None, as_json: bool) -> None:
    data = ask(find_run(run_dir_path, config_path), request, None)
    if as_json:
        emit(data)
    else:
        click.echo(message)


# ---- events


def _event_types(_context: click.Context, _parameter: click.Parameter, words: Sequence[str]) -> list[str]:
    try:
        return [event_type(word) for word in words]
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@cli.command()
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
@click.option("--live", is_flag=True, help="Only what comes from now on, not what the engine still holds.")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="S",
    help="Wait S seconds for a run to appear.",
)
@click.option("--json", "_as_json", is_flag=True, help="JSON lines; always so.")
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
    _as_json: bool,
    config_path: str | None,
    run_dir_path: str | None,
) -> None:
    """Stream live events, one JSON object a line: what the engine still holds, then what comes.

    \b
    foxtrot-supervisor events --type trade --symbol BTCUSDT.SIM
    foxtrot-supervisor events --type book --depth 5 --count 10
    """
    since_ns = time.time_ns() if live else 0
    place = find_run(run_dir_path, config_path, wait_s)
    selection = EventSelection(_instruments(), types=types, symbols=symbols, depth=depth, since_ns=since_ns)
    left = count
    interruptible()
    try:
        for batches in follow(place, batch_decoder("text"), say):
            lines = [line for batch in batches for line in selection.lines(batch)][:left]
            write_lines(lines)
            if output_ended():
                return
            if left is not None:
                left -= len(lines)
                if left == 0:
                    return
    except KeyboardInterrupt:
        return  # the usual way to end it


def write_lines(lines: Iterable[object]) -> None:
    """Each as a line of JSON on stdout, at once."""
    encode = msgspec.json.Encoder().encode_lines
    sys.stdout.buffer.write(encode(list(lines)))
    sys.stdout.buffer.flush()


def _instruments() -> Callable[[str, str], str]:
    """BASE-QUOTE from exchange and symbol, as the exchange's adapter names it; else the symbol itself."""
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


REPLAY_CHUNK = 1000
"""Lines encoded and written together."""


@cli.command()
@click.argument("recordings", nargs=-1, required=True, metavar="RECORDING...")
@click.option(
    "--exchange",
    metavar="NAME",
    help="Exchange that the recordings are of (default: told from their addresses, else their folder).",
)
@click.option("--depth", type=click.IntRange(min=1), metavar="N", help="Books: the best N levels after each update.")
@click.option("--json", "_as_json", is_flag=True, help="JSON lines; always so.")
@known_errors
def replay(recordings: Sequence[str], exchange: str | None, depth: int | None, _as_json: bool) -> None:
    """Run recorded frames through the parsers and books that workers use; print the events as JSON lines.

    \b
    foxtrot-supervisor replay recordings/okx/2022-05-13.jsonl.gz --exchange okx --depth 10
    """
    module = importlib.import_module("foxtrot_workers.replay.replay")
    recording_error = resolve("foxtrot_workers.replay.recording:RecordingError")
    try:
        lines = module.replay_lines(list(recordings), exchange, depth)
    except (module.UnknownExchange, ImportError) as error:
        raise click.UsageError(str(error)) from None
    except recording_error as error:
        raise Failure(str(error), SupervisorExit.INTERNAL_ERROR) from None
    try:
        while chunk := list(itertools.islice(lines, REPLAY_CHUNK)):
            write_lines(chunk)
            if output_ended():
                return
    except recording_error as error:
        raise Failure(str(error), SupervisorExit.INTERNAL_ERROR) from None
    summary = lines.summary
    if summary.rejected_total:
        say(f"{summary.rejected_total} of {summary.frames_total} frames were rejected, the first of them:")
        for frame in summary.rejected:
            say(f"  {frame.path} line {frame.frame}: {frame.reason}")


@cli.command()
@click.option(
    "--exchange", default="binance", show_default=True, metavar="NAME", help="Whose protocol: binance, binance_us, okx."
)
@click.option("--recording", metavar="FILE", help="Serve these recorded frames instead of a market of its own.")
@click.option(
    "--speed",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="Of a recording; 0: as fast as it is taken.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0: any free one.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same market.")
@click.option(
    "--rate",
    type=click.FloatRange(min=0),
    default=50.0,
    show_default=True,
    help="Events a second; 0: as fast as they are taken.",
)
@click.option("--symbols", default="BTCUSDT,ETHUSDT", show_default=True, help="Of the market, separated by commas.")
@click.option(
    "--history",
    type=click.IntRange(min=1),
    default=20_000,
    show_default=True,
    help="Past trades that REST still gives, of each symbol of a market.",
)
@click.option("--ledger", metavar="FILE", help="Write down everything that is sent to whom.")
@click.option("--tls-cert", metavar="FILE", help="Serve wss:// and https:// with this certificate,")
@click.option("--tls-key", metavar="FILE", help="and this key.")
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
    ledger: str | None,
    tls_cert: str | None,
    tls_key: str | None,
    as_json: bool,
) -> None:
    """Serve a simulated exchange, WebSocket and REST, on the loopback address until Ctrl-C.

    \b
    foxtrot-supervisor simulate --port 9001 --seed 7
    foxtrot-supervisor simulate --exchange okx --recording okx/2022-05-13.jsonl.gz --speed 10
    """

    def report(told: dict[str, Any]) -> None:
        if as_json:
            emit(told)
        else:
            click.echo(f"simulated {exchange}: {told['url']} and {told['rest_url']} (Ctrl-C ends it)")
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
        ledger=ledger,
        tls_cert=tls_cert,
        tls_key=tls_key,
        report=report,
    )
    try:
        with asyncio.Runner(loop_factory=resolve("foxtrot_supervisor.runtime.runner:loop_factory")()) as runner:
            code = runner.run(serving)
    except ValueError as error:
        raise Failure(str(error), SupervisorExit.USAGE) from None
    except OSError as error:
        raise Failure(str(error), SupervisorExit.START_FAILED) from None
    raise click.exceptions.Exit(code)


# ---- measuring


@cli.command()
@click.option("--quick", is_flag=True, help="One short run of each: a first look, not a figure to quote.")
@click.option(
    "--events", type=click.IntRange(min=1), help="Of each throughput run (default: as many as take about 2.5 s)."
)
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(["trades", "mixed", "latency", "start", "ring"]),
    help="Only this; repeatable. ring (the product with and without its rings) is measured only if named.",
)
@json_option
@known_errors
def bench(quick: bool, events: int | None, only: tuple[str, ...], as_json: bool) -> None:
    """Measure throughput, latency, start, stop and memory on this machine, beside a system of the obvious build.

    \b
    foxtrot-supervisor bench
    foxtrot-supervisor bench --quick --only trades --json
    """
    interruptible()
    measuring = importlib.import_module("foxtrot_supervisor.bench.bench")
    options = msgspec.structs.replace(measuring.QUICK if quick else measuring.BenchOptions(), events=events, only=only)
    try:
        report = measuring.run_bench(options, say)
    except measuring.BenchFailed as error:
        raise Failure(f"not measured: {error}", SupervisorExit.INTERNAL_ERROR) from None
    if as_json:
        emit(report)
        return
    console = resolve("rich.console:Console")(width=None if sys.stdout.isatty() else PIPE_COLUMNS)
    console.print(resolve("foxtrot_supervisor.bench.report:render_bench")(report))


cli.add_command(chaos)
cli.add_command(doctor)
cli.add_command(top)
cli.add_command(unit)
