"""What goes into a bundle: frames, events, log, figures, configuration, versions. Reads files; writes nothing."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import sys
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from foxtrot_protocol import compiled
from foxtrot_protocol.codec import batch_decoder
from foxtrot_protocol.errors import MalformedMessage, VersionMismatch
from foxtrot_protocol.event_lines import event_line
from foxtrot_protocol.frames_layout import FRAMES_DIRECTORY, parse_frames_name
from foxtrot_protocol.log_text import console_text
from foxtrot_supervisor.bundles.archive import Member
from foxtrot_supervisor.bundles.redaction import public, public_text
from foxtrot_supervisor.client.known_runs import find_runs
from foxtrot_supervisor.client.ring_files import RingFile
from foxtrot_supervisor.recording.frames_reader import FramesReader
from foxtrot_supervisor.recording.lines import encode_lines, lines_of

__all__ = [
    "CONFIGURATION_BYTES_MAX",
    "EVENTS_BYTES_MAX",
    "configuration_member",
    "events_member",
    "frames_member",
    "json_member",
    "kept_frames",
    "log_member",
    "manifest_member",
    "stacks_member",
    "versions_member",
]

EVENTS_BYTES_MAX = 1024 * 1024
"""Bytes of the latest batches of a ring that are read for a bundle."""

CONFIGURATION_BYTES_MAX = 4 * 1024 * 1024

_DISTRIBUTION = "foxtrot-supervisor"

_decode_batch = batch_decoder("text").decode


def kept_frames(run_dir: str) -> list[tuple[str, int]]:
    """Return worker and incarnation of each frames ring."""
    with contextlib.suppress(OSError):
        found = map(parse_frames_name, os.listdir(os.path.join(run_dir, FRAMES_DIRECTORY)))
        return sorted(each for each in found if each is not None)
    return []


def frames_member(run_dir: str, worker: str, incarnation: int) -> Member | None:
    """Return the last frames of an incarnation as a recording; None if there are none."""
    lines: list[Any] = []
    try:
        reader = FramesReader.open(os.path.join(run_dir, FRAMES_DIRECTORY), worker, incarnation)
    except (OSError, MalformedMessage):
        return None
    try:
        exchange, address = reader.identity.exchange, reader.address
        lost = 0
        while (record := reader.next()) is not None:
            lost += reader.lost
            lines.extend(lines_of(record)[0])
    finally:
        reader.close()
    for line in lines:
        if line.url is None:
            line.url = address
    about = f"the last {len(lines)} frames of {worker}#{incarnation}"
    if lost:
        about += f", after {lost} older ones that are not kept"
    return Member(f"frames/{exchange}/{worker}-{incarnation}.jsonl", encode_lines(lines), about)


def events_member(ring: RingFile, worker: str, incarnation: int) -> Member:
    """Return the latest events in a ring, as `events` prints them."""
    lines = []
    for record in ring.latest(EVENTS_BYTES_MAX):
        with contextlib.suppress(MalformedMessage, VersionMismatch):
            batch = _decode_batch(record.data)
            lines += [{"batch": batch.sequence, **event_line(event, event.symbol, None)} for event in batch.events]
    return Member(
        f"events-{worker}-{incarnation}.jsonl", encode_lines(lines), f"the last {len(lines)} events that it committed"
    )


def log_member(lines: Iterable[Mapping[str, Any]]) -> Member:
    """Return lines of the log as text."""
    text = "".join(public_text(console_text(line, colour=False)) + "\n" for line in lines)
    return Member("log.txt", text.encode(errors="replace"), f"{text.count(chr(10))} lines of the log")


def stacks_member(lines: Iterable[Mapping[str, Any]]) -> Member | None:
    """Return the stacks in lines of the log: the crash report, and what was shown of a process that hung."""
    parts = [
        f"{line.get('timestamp', '')} {line.get('event', '')} {key}:\n{line[key]}\n"
        for line in lines
        for key in ("trace", "stacks", "stack")
        if line.get(key)
    ]
    if not parts:
        return None
    return Member("stacks.txt", public_text("\n".join(parts)).encode(errors="replace"), f"{len(parts)} stacks")


def json_member(name: str, value: Any, about: str) -> Member:
    """Return a value as JSON, without what looks secret."""
    return Member(name, msgspec.json.format(msgspec.json.encode(public(msgspec.to_builtins(value)))), about)


def configuration_member(run_dir: str) -> Member | None:
    """Return the configuration file that the run was started with; None if there is none, or it cannot be read."""
    paths = [run.config for run in find_runs() if run.run_dir == run_dir]
    if not paths or not paths[0]:
        return None
    try:
        with open(paths[0], "rb") as file:
            document = tomllib.loads(file.read(CONFIGURATION_BYTES_MAX).decode("utf-8-sig"))
    except (OSError, ValueError):
        return None
    return json_member("configuration.json", document, "the configuration file as it is now, without secrets")


def versions_member() -> Member:
    """Return versions of the system, of Python and of the installed requirements."""
    kernel = platform.uname()
    packages = {}
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        for requirement in importlib.metadata.requires(_DISTRIBUTION) or ():
            name = requirement.partition(";")[0].partition("[")[0]
            name = name.split(">")[0].split("=")[0].split("<")[0].strip()
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                packages[name] = importlib.metadata.version(name)
        packages[_DISTRIBUTION] = importlib.metadata.version(_DISTRIBUTION)
    versions = {
        "python": sys.version,
        "implementation": platform.python_implementation(),
        "kernel": f"{kernel.system} {kernel.release} {kernel.machine}",
        "libc": " ".join(platform.libc_ver()),
        "compiled": compiled.load("foxtrot_supervisor.engine.delivery._merge") is not None,
        "packages": dict(sorted(packages.items())),
    }
    return json_member("versions.json", versions, "versions of the system, Python and packages")


def manifest_member(facts: Mapping[str, Any], members: Iterable[Member]) -> Member:
    """Return the list of contents with `facts` about the bundle."""
    contents = {member.name: member.about for member in members}
    return json_member("manifest.json", {**facts, "contents": contents}, "this list")
