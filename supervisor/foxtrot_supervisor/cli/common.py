"""What all commands share: messages, exit codes of what can go wrong outside, finding a run and asking it."""

from __future__ import annotations

import functools
import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, TypeVar

import click
import msgspec
from msgspec import Struct

from foxtrot_protocol import standard_streams
from foxtrot_protocol.control import Reply, Request
from foxtrot_protocol.errors import RemoteError
from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_supervisor.client.control_client import ControlClient, NotRunning, NotTrusted
from foxtrot_supervisor.client.event_stream import EngineAway, is_running
from foxtrot_supervisor.client.known_runs import find_runs, runs_started_with
from foxtrot_supervisor.config import discovery
from foxtrot_supervisor.config import load as config_file
from foxtrot_supervisor.config.check import ConfigInvalid
from foxtrot_supervisor.config.exchanges import CatalogUnavailable
from foxtrot_supervisor.runtime import run_dir

__all__ = [
    "WAIT_POLL_S",
    "Failure",
    "absolute",
    "ask",
    "emit",
    "find_run",
    "interruptible",
    "known_errors",
    "output_ended",
    "places",
    "resolve",
    "say",
    "surroundings",
    "working_directory",
]

WAIT_POLL_S = 0.05
"""How often it is looked whether a run is there, or gone."""

P = ParamSpec("P")
R = TypeVar("R")


class Failure(Exception):
    """A message for the person at the command line, each of its lines complete, and the exit code with it."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


def interruptible() -> None:
    """From here on Ctrl-C raises KeyboardInterrupt: there is something to tidy up, or an end in order."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def say(message: str) -> None:
    """A line for people, on stderr."""
    click.echo(message, err=True)


def emit(value: object) -> None:
    """One JSON object on stdout, as UTF-8 whatever the terminal's encoding."""
    try:
        data = msgspec.json.encode(value)
    except UnicodeEncodeError:  # a path that is not UTF-8: escaped as surrogates
        data = json.dumps(msgspec.to_builtins(value)).encode()
    sys.stdout.buffer.write(data + b"\n")
    sys.stdout.buffer.flush()


def output_ended() -> bool:
    """Whether stdout takes nothing any more, so that a command which streams has to end."""
    return standard_streams.output_error() is not None


def known_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Turn what can go wrong outside this program into its message and exit code."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except ConfigInvalid as error:
            raise Failure(str(error), SupervisorExit.CONFIGURATION) from None
        except CatalogUnavailable as error:
            raise Failure(str(error), SupervisorExit.INTERNAL_ERROR) from None
        except (NotRunning, EngineAway) as error:
            raise Failure(str(error), SupervisorExit.START_FAILED) from None
        except TimeoutError:
            raise Failure("the supervisor does not answer", SupervisorExit.INTERNAL_ERROR) from None
        except RemoteError as error:
            raise Failure(f"the supervisor's answer cannot be read: {error}", SupervisorExit.INTERNAL_ERROR) from None

    return run


def resolve(target: str) -> Any:
    """The object that ``package.module:name`` names."""
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def surroundings() -> discovery.Surroundings:
    """The environment of this process."""
    return discovery.Surroundings(
        environment=dict(os.environ), working_directory=working_directory(), home=os.path.expanduser("~")
    )


def working_directory() -> str:
    """The working directory, "" if it has been removed."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return ""


def absolute(path: str) -> str:
    """`path` made absolute; ends the command if that depends on a working directory that has been removed."""
    try:
        return os.path.abspath(path)
    except FileNotFoundError:
        raise Failure(
            f"{path}: the working directory has been removed; name an absolute path", SupervisorExit.START_FAILED
        ) from None


config_option = click.option(
    "-c", "--config", "config_path", metavar="FILE", help="Configuration file (default: the first foxtrot.toml found)."
)
run_dir_option = click.option("--run-dir", "run_dir_path", metavar="DIR", help="Run directory of the supervisor.")
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")


class Places(Struct, frozen=True):
    """Where the run may be, most likely first; `broken`: why the configuration file does not say it, "" if it does."""

    looked: list[str]
    config: str | None = None
    broken: str = ""


def places(run_dir_path: str | None, config_path: str | None) -> Places:
    """Where the run may be, without asking who runs."""
    if run_dir_path is not None:
        return Places([absolute(run_dir_path)])
    default = run_dir.default_path(os.environ, os.getuid())
    path = config_path or discovery.find_config(surroundings(), os.path.isfile)
    if path is None:
        return Places([default])
    path = absolute(path)
    try:
        configured = config_file.configured_run_dir(path)
    except ConfigInvalid as error:
        return Places([default], path, str(error))
    if configured is None or configured == default:
        return Places([default], path)
    return Places([configured] if config_path is not None else [configured, default], path)


def find_run(run_dir_path: str | None, config_path: str | None, wait_s: float = 0.0) -> str:
    """The run directory in which a supervisor listens; ends the command with exit code 3 without any.

    A configuration file that cannot be read, or that says another directory by now, does not hide the run that was
    started with it. One that was named and that finds nothing ends the command with exit code 78.
    """
    where = places(run_dir_path, config_path)
    if where.broken:
        say(f"{where.broken}\nlooking for the run that was started with this file")
    deadline = time.monotonic() + wait_s
    while True:
        foreign = ""
        for place in _ordered(where, run_dir_path is None):
            problem = run_dir.path_problem(place)
            if problem:
                raise Failure(f"{place}: {problem}", SupervisorExit.START_FAILED)
            try:
                if is_running(place):
                    return place
            except NotTrusted as refusal:
                foreign = f"; {refusal}"
        if time.monotonic() >= deadline:
            raise Failure(
                f"no supervisor is running (looked in {', '.join(where.looked)}"
                f"{f', and for a run started with {where.config}' if where.config else ''}{foreign}); "
                "--run-dir or -c names another place",
                SupervisorExit.CONFIGURATION if where.broken and config_path else SupervisorExit.START_FAILED,
            )
        time.sleep(WAIT_POLL_S)


def _ordered(where: Places, by_config: bool) -> Iterator[str]:
    """The places to look in: those that the configuration says, and those of runs that were started with it."""
    if where.broken:
        yield from _started_with(where)
    yield from where.looked
    if by_config and not where.broken:
        yield from _started_with(where)


def _started_with(where: Places) -> list[str]:
    """Directories of this user's runs that were started with the configuration file, whatever is in it now."""
    paths = [where.config] if where.config else discovery.config_candidates(surroundings())
    runs = find_runs()
    return [run.run_dir for path in paths for run in runs_started_with(runs, path, _identity(path))]


def _identity(path: str) -> tuple[int, int] | None:
    try:
        facts = os.stat(path)
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def ask(place: str, request: Request, timeout_s: float | None) -> dict[str, Any]:
    """The supervisor's answer; its refusal ends the command with exit code 1."""
    with ControlClient(place) as client:
        reply: Reply = client.request(request, timeout_s)
    if reply.error:
        raise Failure(reply.error, SupervisorExit.INTERNAL_ERROR)
    return reply.data
