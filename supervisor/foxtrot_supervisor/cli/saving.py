"""The option --save of `subscribe` and `unsubscribe`: writes the change into the configuration file of the run."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any

from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_supervisor.cli.messages import Failure
from foxtrot_supervisor.client.known_runs import find_runs
from foxtrot_supervisor.config.check import parse_config
from foxtrot_supervisor.config.editing import CannotEdit, with_symbols
from foxtrot_supervisor.config.exchanges import read_catalog
from foxtrot_supervisor.config.load import CONFIG_BYTES_MAX
from foxtrot_supervisor.config.problems import ConfigInvalid
from foxtrot_supervisor.config.sink_kinds import check_options
from foxtrot_supervisor.system.replaced_file import FileContent, NotReplaced, read_content, replace_content

__all__ = ["SymbolsToSave", "connection_to_save"]


class SymbolsToSave:
    """One change of symbols that is to be saved. Made before the change is requested: what cannot be saved is refused.

    Args:
        run_dir: of the run, whose configuration file is edited.
        connection: its name in the file.
        symbols: as the operator has named them.
        added: whether they are subscribed.

    Raises:
        Failure: if the file is not known, cannot be replaced, or would not be a valid configuration afterwards.
    """

    def __init__(self, run_dir: str, connection: str, symbols: Sequence[str], *, added: bool) -> None:
        self._connection = connection
        self._added = added
        self.path = _configuration_of(run_dir)
        try:
            self._before = read_content(self.path, CONFIG_BYTES_MAX)
        except NotReplaced as error:
            raise _refused(error) from None
        self._catalog = functools.cache(read_catalog)
        self._edited(symbols)

    def save(self, symbols: Sequence[str]) -> None:
        """Write `symbols` into the file, as the exchange spells them; raises `Failure` with the reason why not."""
        try:
            replace_content(self._before, self._edited(symbols))
        except NotReplaced as error:
            raise Failure(f"changed in the run, but not saved: {error}", SupervisorExit.INTERNAL_ERROR) from None

    def _edited(self, symbols: Sequence[str]) -> bytes:
        added, removed = (symbols, ()) if self._added else ((), symbols)
        try:
            text = with_symbols(_text(self._before), self._connection, added, removed)
            parse_config(
                text.removeprefix("\ufeff"),
                source=self.path,
                folder=os.path.dirname(self.path),
                exchanges=self._catalog(),
                is_file=os.path.isfile,
                sinks=check_options,
            )
        except CannotEdit as error:
            raise _refused(f"{self.path}: {error}") from None
        except ConfigInvalid as error:
            raise _refused(f"the file would not be valid afterwards: {error}") from None
        return text.encode()


def connection_to_save(status: Mapping[str, Any], name: str) -> str:
    """Return the name in the file of the connection that `name` stands for.

    Args:
        status: of the run.
        name: a worker, a connection, or a sharded connection.

    Raises:
        Failure: if there is none, or if `name` is one of two twins: the file knows only both.
    """
    workers = status.get("workers", ())
    meant = [worker for worker in workers if name in (worker["name"], worker["connection"], worker["shard_of"])]
    if not meant:
        raise Failure(f"there is no worker or connection called {name!r}", SupervisorExit.INTERNAL_ERROR)
    connection = str(meant[0]["connection"])
    sides = [worker for worker in workers if worker["connection"] == connection and not worker["rotation"]]
    if name == meant[0]["name"] and len(sides) > 1:
        raise Failure(
            f"{name} is one of two workers of the connection {connection}: the file knows only both. "
            f"Name the connection to save the change",
            SupervisorExit.INTERNAL_ERROR,
        )
    return str(meant[0]["shard_of"] or connection)


def _configuration_of(run_dir: str) -> str:
    path = os.path.realpath(run_dir)
    run = next((run for run in find_runs() if os.path.realpath(run.run_dir) == path), None)
    if run is None or not run.config:
        raise _refused("the configuration file of this run is not known")
    return run.config


def _text(content: FileContent) -> str:
    try:
        return content.data.decode()
    except UnicodeDecodeError as error:
        raise CannotEdit(f"it is not UTF-8 at byte {error.start}") from None


def _refused(reason: object) -> Failure:
    return Failure(f"not changed: --save was given, and {reason}", SupervisorExit.INTERNAL_ERROR)
