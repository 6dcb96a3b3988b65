"""Shared by all commands: common options, exit codes of expected errors, finding a run and sending it a request."""

from __future__ import annotations

import functools
import importlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, TypeVar

import click
from msgspec import Struct

from foxtrot_protocol.control import Reply, Request
from foxtrot_protocol.errors import RemoteError
from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_supervisor.cli.messages import Failure, say
from foxtrot_supervisor.client.control_client import ControlClient, NotRunning, NotTrusted
from foxtrot_supervisor.client.event_stream import EngineAway, is_running
from foxtrot_supervisor.client.known_runs import find_runs, runs_started_with
from foxtrot_supervisor.config import discovery
from foxtrot_supervisor.config import load as config_file
from foxtrot_supervisor.config.exchanges import CatalogUnavailable
from foxtrot_supervisor.config.problems import ConfigInvalid
from foxtrot_supervisor.markets.market_list import ListUnavailable
from foxtrot_supervisor.runtime import run_dir

__all__ = [
    "ANSWER_S",
    "WAIT_POLL_S",
    "absolute",
    "ask",
    "candidate_run_dirs",
    "find_run",
    "interruptible",
    "known_errors",
    "places",
    "resolve",
    "surroundings",
    "working_directory",
]

ANSWER_S = 30.0
"""Longest wait, in seconds, for an answer that the supervisor gives at once, such as its status."""

WAIT_POLL_S = 0.05
"""Seconds between two checks whether a run has appeared or ended."""

P = ParamSpec("P")
R = TypeVar("R")


def interruptible() -> None:
    """Make Ctrl-C raise KeyboardInterrupt from here on, for commands that clean up or end in an orderly way."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def known_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Turn expected errors (configuration, no run, no answer) into their message and exit code."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except ConfigInvalid as error:
            raise Failure(str(error), SupervisorExit.CONFIGURATION) from None
        except CatalogUnavailable as error:
            raise Failure(str(error), SupervisorExit.INTERNAL_ERROR) from None
        except ListUnavailable as error:
            raise Failure(str(error), SupervisorExit.START_FAILED) from None
        except (NotRunning, EngineAway) as error:
            raise Failure(str(error), SupervisorExit.START_FAILED) from None
        except TimeoutError:
            raise Failure("the supervisor does not answer", SupervisorExit.INTERNAL_ERROR) from None
        except RemoteError as error:
            raise Failure(f"the supervisor's answer cannot be read: {error}", SupervisorExit.INTERNAL_ERROR) from None

    return run


def resolve(target: str) -> Any:
    """Import and return the object named by ``package.module:name``."""
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def surroundings() -> discovery.Surroundings:
    """Where this process looks for a configuration: its environment, working directory and home."""
    return discovery.Surroundings(
        environment=dict(os.environ), working_directory=working_directory(), home=os.path.expanduser("~")
    )


def working_directory() -> str:
    """Return the working directory, "" if it has been removed."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return ""


def absolute(path: str) -> str:
    """Return `path` made absolute; raises `Failure` if that needs a working directory that has been removed."""
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
    """Directories where the run may be, most likely first.

    `config`: the configuration file, if one was found. `broken`: why that file cannot be read, "" if it can.
    """

    looked: list[str]
    config: str | None = None
    broken: str = ""


def places(run_dir_path: str | None, config_path: str | None) -> Places:
    """Return where the run may be, from the options alone, without looking for a running supervisor."""
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
    """Return the run directory in which a supervisor listens; wait up to `wait_s` seconds for one to appear.

    Raises `Failure` with exit code 3 if there is none, with 78 if the named configuration file is broken as well. A
    run is found by its configuration file even if that file has since been broken, removed or changed to another
    run directory.
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
                "use --run-dir or -c to name another place",
                SupervisorExit.CONFIGURATION if where.broken and config_path else SupervisorExit.START_FAILED,
            )
        time.sleep(WAIT_POLL_S)


def _ordered(where: Places, by_config: bool) -> Iterator[str]:
    """Directories to look in: those of the configuration, and those of runs that were started with that file."""
    if where.broken:
        yield from _started_with(where)
    yield from where.looked
    if by_config and not where.broken:
        yield from _started_with(where)


def candidate_run_dirs(run_dir_path: str | None, config_path: str | None) -> list[str]:
    """Return the directories where `find_run` looks, without repetition, whether or not a supervisor listens there."""
    return list(dict.fromkeys(_ordered(places(run_dir_path, config_path), run_dir_path is None)))


def _started_with(where: Places) -> list[str]:
    """Directories of this user's runs that were started with the configuration file, whatever it contains now."""
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
    """Send `request` to the supervisor in `place` and return its answer; raises `Failure` (exit code 1) if it refuses.

    `timeout_s`: longest wait in seconds, None: unlimited.
    """
    with ControlClient(place) as client:
        reply: Reply = client.request(request, timeout_s)
    if reply.error:
        raise Failure(reply.error, SupervisorExit.INTERNAL_ERROR)
    return reply.data
