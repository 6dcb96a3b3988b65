"""The command `rings`: lists the rings of a run, living or dead, and dumps the batches in them for a bug report.

Batches are read without the program's own types: any msgpack value is shown as it is, so that also a batch which the
engine refuses can be seen.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import click
import msgpack
import msgspec

from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_protocol.ring_layout import Record, ring_name
from foxtrot_supervisor.cli.common import candidate_run_dirs, config_option, known_errors, run_dir_option
from foxtrot_supervisor.cli.messages import Failure
from foxtrot_supervisor.cli.output import emit, output_ended
from foxtrot_supervisor.client.answers import printable
from foxtrot_supervisor.client.event_stream import is_running
from foxtrot_supervisor.client.ring_files import Damage, Marks, RingFile, RingName, list_rings
from foxtrot_supervisor.client.trust import NotTrusted

__all__ = ["rings"]

BYTES_SHOWN_MAX = 64
"""Bytes shown, in hexadecimal, of a batch that is no msgpack."""

_COLUMNS = ("ring", "size", "used", "committed", "applied", "lost", "dropped", "waiting")


@click.command()
@config_option
@run_dir_option
@click.option("--dump", is_flag=True, help="Also print the batches that the engine has not released, one per line.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object; with --dump one per line: ring, then batches.")
@known_errors
def rings(config_path: str | None, run_dir_path: str | None, dump: bool, as_json: bool) -> None:
    """List the rings of a run, living or dead.

    Reads the files of the run directory only, and changes nothing: no supervisor has to run.

    \b
    foxtrot-supervisor rings
    foxtrot-supervisor rings --run-dir /run/foxtrot --dump --json > rings.jsonl
    """
    place, names = _find_rings(run_dir_path, config_path)
    if as_json and not dump:
        emit({"run_dir": place, "running": _is_running(place), "rings": [_described(place, name) for name in names]})
        return
    if not as_json:
        state = "a supervisor is running" if _is_running(place) else "no supervisor is running"
        click.echo(f"{place}: {len(names)} ring(s), {state}")
        _print_rings([_described(place, name) for name in names])
    if dump:
        for name in names:
            for line in _dumped(place, name):
                emit(line) if as_json else _print_line(line)
                if output_ended():
                    return


def _find_rings(run_dir_path: str | None, config_path: str | None) -> tuple[str, list[RingName]]:
    """Return the first directory that exists, and its rings; raises `Failure` (exit code 3) if there is none."""
    places = candidate_run_dirs(run_dir_path, config_path)
    for place in places:
        try:
            return place, list_rings(place)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise Failure(f"{place} cannot be read: {error.strerror}", SupervisorExit.START_FAILED) from None
    raise Failure(
        f"no run directory is found (looked in {', '.join(places)}); use --run-dir or -c to name another place",
        SupervisorExit.START_FAILED,
    )


def _is_running(place: str) -> bool:
    try:
        return is_running(place)
    except NotTrusted:
        return False


def _described(place: str, name: RingName) -> dict[str, Any]:
    """Return what the header of a ring says; of a damaged one ``error`` says why nothing else is known."""
    shown: dict[str, Any] = {
        "worker": name.worker,
        "incarnation": name.incarnation,
        "file": os.path.join(place, ring_name(name.worker, name.incarnation)),
        "error": "",
    }
    try:
        with RingFile(place, name) as ring:
            return shown | _figures(ring, ring.marks())
    except MalformedMessage as error:
        return shown | {"error": str(error)}
    except OSError as error:
        return shown | {"error": f"cannot be read: {error.strerror}"}


def _figures(ring: RingFile, marks: Marks) -> dict[str, Any]:
    committed, applied = marks.committed, marks.applied
    return {
        "connection": ring.identity.connection,
        "side": ring.identity.side,
        "rules": dict(ring.identity.rules),
        "size_bytes": ring.size,
        "capacity_bytes": ring.identity.capacity,
        "used_bytes": min(max(0, marks.head - marks.tail), ring.identity.capacity),
        "committed_events": committed.events if committed else None,
        "applied_events": applied.applied if applied else None,
        "lost_events": applied.lost if applied else None,
        "dropped_events": marks.dropped,
        "marks": msgspec.to_builtins(marks),
    }


def _dumped(place: str, name: RingName) -> Iterator[dict[str, Any]]:
    """Yield the ring itself, then each batch and each damaged place in it."""
    key = {"worker": name.worker, "incarnation": name.incarnation}
    yield {"kind": "ring", **_described(place, name)}
    try:
        with RingFile(place, name) as ring:
            for found in ring.records():
                if isinstance(found, Damage):
                    yield {"kind": "damage", **key, **msgspec.structs.asdict(found)}
                else:
                    yield {"kind": "batch", **key, **_batch(found)}
    except (OSError, MalformedMessage):
        return  # the line before says why


def _batch(record: Record) -> dict[str, Any]:
    shown = {"sequence": record.sequence, "events": record.events, "bytes": len(record.data)}
    try:
        content = msgpack.unpackb(
            record.data, raw=False, strict_map_key=False, unicode_errors="backslashreplace", timestamp=0
        )
        return shown | {"content": _plain(content), "error": ""}
    except (ValueError, TypeError, RecursionError) as error:  # TypeError: a map whose key is a list
        reason = f"is no msgpack: {str(error) or type(error).__name__}"
        return shown | {"content": record.data[:BYTES_SHOWN_MAX].hex(), "error": reason}


def _plain(value: Any) -> Any:
    """Return `value` with JSON types only: other keys than texts, bytes and extension types as texts."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    return value if isinstance(value, str | int | float | bool | None) else repr(value)


def _print_rings(described: list[dict[str, Any]]) -> None:
    rows = [_COLUMNS, *(_row(ring) for ring in described if not ring["error"])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    if len(rows) > 1:
        for row in rows:
            cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            click.echo("  ".join([row[0].ljust(widths[0]), *cells]))
    for ring in described:
        if ring["error"]:
            click.echo(printable(f"{ring['worker']}#{ring['incarnation']}: damaged: {ring['error']}"))


def _row(ring: dict[str, Any]) -> tuple[str, ...]:
    """Return a cell for each of `_COLUMNS`; a dash where a mark is damaged."""
    committed, applied = ring["marks"]["committed"], ring["marks"]["applied"]
    waiting = committed["sequence"] - applied["sequence"] if committed and applied else None
    cells = (
        f"{ring['capacity_bytes'] / 2**20:g} MiB",
        f"{ring['used_bytes'] / ring['capacity_bytes']:.1%}",
        ring["committed_events"],
        ring["applied_events"],
        ring["lost_events"],
        ring["dropped_events"],
        None if waiting is None else f"{waiting} batches",
    )
    name = printable(f"{ring['worker']}#{ring['incarnation']}")
    return (name, *("-" if cell is None else str(cell) for cell in cells))


def _print_line(line: dict[str, Any]) -> None:
    """Print a line of the dump for people; the ring itself stands in the table already."""
    name = f"{line['worker']}#{line['incarnation']}"
    if line["kind"] == "damage":
        until = "nothing readable follows" if line["end"] is None else f"readable again from {line['end']}"
        click.echo(printable(f"{name} damaged at position {line['begin']}: {line['reason']}; {until}"))
    elif line["kind"] == "batch":
        content = line["content"] if line["error"] else msgspec.json.encode(line["content"]).decode()
        text = f"{name} batch {line['sequence']}, {line['events']} events, {line['bytes']} bytes: "
        click.echo(printable(text + (f"{line['error']}: " if line["error"] else "") + content))
