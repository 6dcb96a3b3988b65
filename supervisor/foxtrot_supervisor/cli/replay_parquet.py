"""``replay --format parquet``: recorded frames as a recording of Parquet files (``docs/parquet.md``)."""

from __future__ import annotations

import importlib
import itertools
import os
import secrets
from collections.abc import Iterator, Sequence
from typing import Any

import click

from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_supervisor.cli.common import interruptible, resolve
from foxtrot_supervisor.cli.messages import Failure, say
from foxtrot_supervisor.cli.progress import progress
from foxtrot_supervisor.cli.replay import say_summary
from foxtrot_supervisor.sinks.keys import EventKeys
from foxtrot_supervisor.sinks.sink import KINDS_OF_EVENTS, SinkRow

__all__ = ["PUBLISH_BYTES", "replay_to_parquet"]

PUBLISH_BYTES = 128 << 20
"""Size in memory of the rows that are published together."""

CHUNK_ROWS = 1_000
"""Rows that are collected between two reports of progress."""


def replay_to_parquet(recordings: Sequence[str], exchange: str | None, directory: str, *, quiet: bool) -> None:
    """Write the events of `recordings` into `directory`, which must be missing or empty."""
    module = importlib.import_module("foxtrot_workers.replay.replay")
    recording_error = resolve("foxtrot_workers.replay.recording:RecordingError")
    try:
        writer_class = importlib.import_module("foxtrot_supervisor.tables.writer").RecordingWriter
    except ImportError as error:
        raise Failure(
            f"needs pyarrow ({error}): pip install 'foxtrot-supervisor[record]'", SupervisorExit.START_FAILED
        ) from None
    interruptible()
    try:
        if os.path.isdir(directory) and os.listdir(directory):
            raise click.UsageError(f"--output {directory}: the directory is not empty")
        events = module.replay_events(list(recordings), exchange)
        writer = writer_class(directory, secrets.token_hex(8))
        writer.open()
        try:
            with progress("replay", "events", quiet=quiet) as report:
                rows = _rows(events)
                while chunk := list(itertools.islice(rows, CHUNK_ROWS)):
                    writer.add(chunk)
                    report(done=chunk[-1].number)
                    if writer.bytes >= PUBLISH_BYTES:
                        writer.publish()
                writer.publish()
        finally:
            writer.close()
    except (module.UnknownExchange, ImportError) as error:
        raise click.UsageError(str(error)) from None
    except recording_error as error:
        raise Failure(str(error), SupervisorExit.INTERNAL_ERROR) from None
    except OSError as error:
        raise Failure(
            f"{error.filename or directory}: {error.strerror or error}", SupervisorExit.START_FAILED
        ) from None
    except KeyboardInterrupt:
        raise Failure(f"interrupted: {directory} is not complete", SupervisorExit.INTERNAL_ERROR) from None
    if not quiet:
        say(f"{writer.last_row} events in {directory}")
    say_summary(events.summary)


def _rows(events: Iterator[tuple[str, Any]]) -> Iterator[SinkRow]:
    keys = EventKeys()
    for number, (connection, event) in enumerate(events, 1):
        kind = KINDS_OF_EVENTS[event.__class__]
        yield SinkRow(number, keys.key(event), connection, event.exchange, kind, event.symbol, event)
