"""Replay recorded frames through the parsers and books that workers use: no network, no clock.

The same recording always gives the same output. Each output line names the recorded line of its event: the adapter
gets the line number as the time of receipt, which every event carries. So a delta that was held back until its
snapshot came still names its own frame.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from foxtrot_protocol.event_lines import BookView, Line, event_line
from foxtrot_protocol.events import Gap, MarketEvent
from foxtrot_protocol.recorded_steps import RejectedFrame
from foxtrot_protocol.segments import Session
from foxtrot_workers.adapter import catalog
from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.adapter.catalog import UnknownExchange
from foxtrot_workers.adapter.notices import UnrecognizedFrame
from foxtrot_workers.replay.recording import RecordedFrame, read_recording
from foxtrot_workers.replay.series import Series, recording_series

__all__ = [
    "REASON_CHARS_MAX",
    "REJECTED_SHOWN_MAX",
    "Replay",
    "ReplaySummary",
    "ReplayedEvents",
    "guess_exchange",
    "replay_events",
    "replay_lines",
]

REJECTED_SHOWN_MAX = 10
"""Rejected frames that a summary describes; all are counted."""

REASON_CHARS_MAX = 300

GUESS_LINES_MAX = 1_000
"""Lines that are searched for an address when the exchange is not named."""

SUFFIXES = (".jsonl.gz", ".jsonl")


class ReplaySummary(Struct):
    """Counts of frames and events; complete when all lines have been read."""

    frames_total: int = 0
    """Frames from the exchange, parsed or rejected."""
    answers_total: int = 0
    """REST answers."""
    events_total: int = 0
    rejected_total: int = 0
    rejected: list[RejectedFrame] = []
    """The first few."""
    exchanges: dict[str, str] = {}
    """The exchange of each recording."""
    damaged: list[str] = []
    """Segments that end in the middle, and where."""
    holes_total: int = 0
    """Places at which the recorder says that frames are missing."""
    lost_total: int = 0
    """Frames that are missing there, as far as their number is known."""


class Replay(Iterator[Line]):
    """The event lines of all recordings, one after the other, each with its own adapter.

    Iterating raises `RecordingError` if a recording cannot be read. `summary` grows as lines are read.
    """

    def __init__(self, recordings: Sequence[tuple[Series, type[Adapter]]], depth: int | None) -> None:
        self.summary = ReplaySummary()
        self._several = len(recordings) > 1
        self._depth = depth
        self._lines = self._run(recordings)

    def __next__(self) -> Line:
        return next(self._lines)

    def _run(self, recordings: Sequence[tuple[Series, type[Adapter]]]) -> Iterator[Line]:
        for series, adapter_class in recordings:
            recording = _Recording(series, adapter_class, self._depth, self.summary)
            for line in recording.lines():
                # frame numbers alone would be ambiguous
                yield {"recording": recording.name, **line} if self._several else line


class ReplayedEvents(Iterator[tuple[str, MarketEvent[str]]]):
    """The events of all recordings, one after the other, with their recorded times: name of the recording, and event.

    Iterating raises `RecordingError` if a recording cannot be read. `summary` grows as events are read.
    """

    def __init__(self, recordings: Sequence[tuple[Series, type[Adapter]]]) -> None:
        self.summary = ReplaySummary()
        self._events = self._run(recordings)

    def __next__(self) -> tuple[str, MarketEvent[str]]:
        return next(self._events)

    def _run(self, recordings: Sequence[tuple[Series, type[Adapter]]]) -> Iterator[tuple[str, MarketEvent[str]]]:
        for series, adapter_class in recordings:
            recording = _Recording(series, adapter_class, None, self.summary)
            for event in recording.timed_events():
                yield series.worker or series.path.name, event


def replay_lines(paths: Sequence[Path | str], exchange: str | None = None, depth: int | None = None) -> Replay:
    """Replay recordings. All errors but those within a file are raised before anything is replayed.

    Args:
        paths: recordings, or folders of a recorder's segments; each session is replayed with its own adapter.
        exchange: None: guessed for each recording from its addresses and its folder's name.
        depth: book lines show so many best levels after the event; None: the levels of the event itself.

    Raises:
        UnknownExchange: the exchange is not installed, or cannot be guessed (a ValueError).
        RecordingError: a file cannot be opened.
        ImportError: the adapter cannot be loaded.
    """
    return Replay(_opened(paths, exchange), depth)


def replay_events(paths: Sequence[Path | str], exchange: str | None = None) -> ReplayedEvents:
    """Replay recordings as `replay_lines` does, as events."""
    return ReplayedEvents(_opened(paths, exchange))


def _opened(paths: Sequence[Path | str], exchange: str | None) -> list[tuple[Series, type[Adapter]]]:
    recordings = []
    for path in map(Path, paths):
        for series in recording_series(path):
            name = exchange if exchange is not None else guess_exchange(series.paths[0])
            recordings.append((series, catalog.adapter_class(name)))
    return recordings


def guess_exchange(path: Path) -> str:
    """Return the exchange that `path` was recorded from. Raises `UnknownExchange` or `RecordingError`."""
    classes = _loadable()
    folder = path.resolve().parent.name
    for frame in read_recording(path, on_damage=lambda _: None):
        if frame.session is not None and frame.session.exchange in classes:
            return frame.session.exchange
        host = urlsplit(frame.url).hostname or ""
        for name, adapter in classes.items():
            if host and any(host == own or host.endswith("." + own) for own in _hosts(adapter)):
                return name
        if frame.line >= GUESS_LINES_MAX:
            break
    if folder in classes:
        return folder
    raise UnknownExchange(folder)


def _loadable() -> dict[str, type[Adapter]]:
    classes = {}
    for name in catalog.names():
        try:
            classes[name] = catalog.adapter_class(name)
        except ImportError:
            continue  # an exchange that cannot be loaded is not guessed
    return classes


def _hosts(adapter: type[Adapter]) -> set[str]:
    addresses = {urlsplit(adapter.url).hostname, urlsplit(adapter.rest_url).hostname}
    return {host for host in addresses if host} | adapter.hosts


class _Recording:
    """One recording, replayed through one adapter for each of its sessions."""

    def __init__(self, series: Series, adapter_class: type[Adapter], depth: int | None, summary: ReplaySummary) -> None:
        self._series = series
        self._path = series.paths[0]
        self._adapter_class = adapter_class
        self._adapter = adapter = adapter_class(adopt=True)
        self._session: Session | None = None
        self._view = None if depth is None else BookView(depth)
        self._summary = summary
        self.name = str(series.path / series.worker if series.worker else series.path)
        summary.exchanges[self.name] = adapter_class.name
        self._times = array("q")
        self._instruments: dict[str, str] = {}
        listed = adapter.instruments_path([])
        self._list_path = "" if listed is None else urlsplit(listed).path
        self._url = ""

    def lines(self) -> Iterator[Line]:
        self._read_instruments()
        for event in self._events():
            yield self._line(event)

    def timed_events(self) -> Iterator[MarketEvent[str]]:
        for event in self._events():
            if isinstance(event, Gap):
                event = self._timed_gap(event)
            yield msgspec.structs.replace(event, receive_ns=self._times[event.receive_ns])

    def _events(self) -> Iterator[MarketEvent[str]]:
        """The events, with the number of the recorded line as their time of receipt."""
        events: list[MarketEvent[str]] = []
        for frame in self._frames():
            self._times.extend([0] * (frame.line - len(self._times)))
            self._times.append(frame.receive_ns)
            if frame.session is not None and frame.session != self._session:
                self._begin(frame.session)
            self._note_lost(frame)
            if frame.direction == "in":
                self._take_frame(frame, events)
            elif frame.direction == "http":
                self._take_answer(frame, events)
            self._adapter.notices.clear()  # the recorded client has acted already
            for event in events:
                self._summary.events_total += 1
                yield event
            events.clear()

    def _frames(self) -> Iterator[RecordedFrame]:
        """The lines of all files, numbered from the first line of the first one."""
        before = 0
        for path in self._series.paths:
            number = -1
            for frame in read_recording(path, on_damage=self._summary.damaged.append):
                number = frame.line
                yield msgspec.structs.replace(frame, line=before + number) if before else frame
            before += number + 1

    def _begin(self, session: Session) -> None:
        """Another life of the worker begins: with an adapter that knows nothing of the one before."""
        if self._session is not None:
            self._adapter = self._adapter_class(adopt=True)
            self._url = ""
        self._session = session

    def _note_lost(self, frame: RecordedFrame) -> None:
        for lost in frame.lost:
            self._summary.holes_total += 1
            self._summary.lost_total += lost.frames or 0

    def _take_frame(self, frame: RecordedFrame, events: list[MarketEvent[str]]) -> None:
        self._summary.frames_total += 1
        if frame.url and frame.url != self._url:
            self._url = frame.url
            self._adapter.address(frame.url)  # it may decide, for example, the unit of time
        try:
            self._adapter.parse(frame.payload, frame.line, events)
        except (msgspec.DecodeError, UnrecognizedFrame) as error:
            self._reject(frame, error)

    def _take_answer(self, frame: RecordedFrame, events: list[MarketEvent[str]]) -> None:
        self._summary.answers_total += 1
        if frame.purpose == "backfill":
            return  # of trades that were missing: not the adapter's
        path = urlsplit(frame.url).path
        if frame.purpose == "instruments" or (self._list_path and path.endswith(self._list_path)):
            self._take_instruments(frame.payload)
        else:
            self._adapter.on_rest(frame.url, frame.status, frame.payload, frame.line, events)

    def _take_instruments(self, body: bytes) -> None:
        try:
            self._instruments.update(self._adapter.instruments(body))
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return  # instruments are then named by their symbols alone

    def _read_instruments(self) -> None:
        for suffix in SUFFIXES:
            if self._path.name.endswith(suffix):
                listed = self._path.with_name(f"{self._path.name.removesuffix(suffix)}-instruments{suffix}")
                if listed.is_file():
                    for frame in read_recording(listed):
                        self._take_instruments(frame.payload)
                return

    def _reject(self, frame: RecordedFrame, error: Exception) -> None:
        self._summary.rejected_total += 1
        if len(self._summary.rejected) < REJECTED_SHOWN_MAX:
            reason = f"{type(error).__name__}: {error}"[:REASON_CHARS_MAX]
            self._summary.rejected.append(RejectedFrame(str(self._path), frame.line, reason))

    def _line(self, event: MarketEvent[str]) -> Line:
        symbol = event.symbol
        instrument = self._instruments.get(symbol)
        if instrument is None:
            instrument = self._instruments[symbol] = self._adapter.instrument(symbol)
        frame = event.receive_ns
        if isinstance(event, Gap):
            event = self._timed_gap(event)
        return {"frame": frame, **event_line(event, instrument, self._view)}

    def _timed_gap(self, gap: Gap) -> Gap:
        return msgspec.structs.replace(gap, start_ns=self._times[gap.start_ns], end_ns=self._times[gap.end_ns])
