"""The root of the command line: its commands, their loading, and the exit code of every outcome.

Results go to stdout, with ``--json`` as one JSON object, or as one per line where a command streams; everything
else goes to stderr. Exit codes: `foxtrot_protocol.exit_codes.SupervisorExit`.

A command's module is imported when the command is called. This module and what it imports stay small:
``foxtrot-supervisor --help`` loads nothing else.
"""

from __future__ import annotations

import errno
import importlib
import os
import signal
import sys
import traceback
from typing import NoReturn

import click

from foxtrot_protocol import __version__, standard_streams
from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_supervisor.cli.messages import Failure, say

__all__ = ["COMMANDS", "LazyCommands", "cli", "main"]

LAST_LINES_S = 1.0
"""Longest wait, in seconds, for the last messages to be written before the process exits."""

COMMANDS = {
    "bench": ("bench", "Measure throughput, latency, start, stop and memory."),
    "chaos": ("chaos", "Inject faults into real supervisors and check all promises."),
    "check": ("configuration", "Check a configuration and list every mistake."),
    "cluster": ("cluster", "Run connections on several machines, placed by NATS."),
    "doctor": ("doctor", "Diagnose a running supervisor."),
    "engine": ("engine", "Run an engine with the events of a cluster."),
    "events": ("events", "Stream live events, one JSON object per line."),
    "incidents": ("incidents", "List what went wrong in a run, and what was done about it."),
    "init": ("configuration", "Write a commented example configuration."),
    "logs": ("logs", "Print recent log lines of all processes."),
    "markets": ("markets", "List the instruments of EXCHANGE."),
    "query": ("query", "Run SQL over a recording of Parquet files."),
    "node": ("node", "Run the connections that a cluster gives to this machine."),
    "reload": ("operate", "Make the supervisor read its configuration again."),
    "split": ("operate", "Give half of a shard's symbols to a new worker."),
    "replay": ("replay", "Run recorded frames: print the events, or call handlers."),
    "restart": ("operate", "Stop WORKER and start it again, also from FATAL."),
    "rings": ("rings", "List the rings of a run, living or dead."),
    "simulate": ("simulate", "Serve a simulated exchange on the loopback address."),
    "start": ("start", "Supervise in the foreground until stopped."),
    "status": ("operate", "Show the status of the supervisor and its children."),
    "stop": ("operate", "Stop everything, or single workers, and wait for the end."),
    "subscribe": ("operate", "Add SYMBOLs to a running WORKER without reconnecting."),
    "top": ("top", "Show a live view of the run until it ends or Ctrl-C."),
    "unit": ("unit", "Print a hardened systemd unit for the configuration."),
    "unsubscribe": ("operate", "Remove SYMBOLs from a running WORKER without reconnecting."),
    "web": ("web", "Serve a page that shows a run, and with a token changes it."),
}
"""Each command: the module of this package that defines it, and its summary in the root's ``--help``."""


class LazyCommands(click.Group):
    """A group of the commands in `COMMANDS`; imports a command's module when that command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, sorted."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command `cmd_name`; None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"foxtrot_supervisor.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from their static summaries."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


def show_version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    """Print the version, and whether the hot paths are compiled; then end the command."""
    if wanted:
        from foxtrot_protocol import compiled

        click.echo(f"foxtrot-supervisor, version {__version__} ({compiled.describe()})")
        ctx.exit()


@click.command(
    cls=LazyCommands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Without a configuration, `foxtrot-supervisor start` runs a simulated exchange.",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=show_version, help="Show version and form."
)
@click.option("--debug", is_flag=True, help="Show the traceback of an internal error.")
def cli(debug: bool) -> None:
    """Supervised worker processes for exchange WebSocket feeds.

    \b
    Exit codes: 0 clean, 1 internal error, 2 usage, 3 not started or no run found, 4 clean but a SIGKILL was
    needed, 5 an essential worker is FATAL, 6 something was left behind, 7 a process could not be killed,
    8 doctor found a problem that needs attention, 75 already running, 78 configuration.
    """


def main() -> NoReturn:
    """Run the command line and exit: every outcome becomes an exit code, none a traceback."""
    standard_streams.open_missing()
    standard_streams.drain("stderr")
    standard_streams.direct("stdout")
    code = _settle_output(_run_command())
    signal.signal(signal.SIGINT, lambda *_: os._exit(code))  # no traceback while the interpreter shuts down
    sys.exit(code)


def _settle_output(code: int) -> int:
    """Flush; return the exit code, which is 1 if the requested output could not be written.

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
