"""Real frames, one of them damaged: the books notice it, announce it, and follow again after the next snapshot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

import msgspec
import pytest

from foxtrot_protocol.decimal_text import is_zero
from foxtrot_protocol.events import BookDelta, BookSnapshot, Gap, MarketEvent
from foxtrot_protocol.order_book import OrderBook
from foxtrot_workers.adapter import Adapter, UnrecognizedFrame, catalog
from foxtrot_workers.adapter.notices import BookLost, RestRequest, Resubscribe
from foxtrot_workers.replay.recording import RecordedFrame, read_recording
from foxtrot_workers.replay.replay import guess_exchange

DATA = Path(__file__).resolve().parents[4] / "shared/data"
RECORDINGS = [
    path
    for path in sorted(DATA.glob("*/*.jsonl.gz"))
    if path.parent.name != "load"
    and not path.name.startswith("single-frames")
    and not path.name.endswith(("instruments.jsonl.gz", "expected.jsonl.gz"))
]

LINES_MAX = 20_000
"""Of a recording: enough for a book's snapshot and its updates."""

CHECKSUM_LEVELS = 10
"""Fewest levels of a side that a checksum covers."""

WITHOUT_SEQUENCE = {
    "bitmex": "its updates are numbered by nothing; a change of an unknown level is noticed",
    "bitstamp": "its differences name their time only",
    "gemini": "the archived feed of the recordings has no sequence of a book",
    "coinbase": "level2_batch has neither sequence nor checksum",
}

Lines: TypeAlias = list[RecordedFrame]


class Step(NamedTuple):
    """What a recorded line became."""

    place: int
    events: list[MarketEvent[str]]


def fed(adapter: Adapter, lines: Iterable[RecordedFrame], first: int = 0) -> Iterator[Step]:
    """Feed lines as replay does, with the notices of each line left in the adapter while its step is examined."""
    url = ""
    for place, line in enumerate(lines, first):
        events: list[MarketEvent[str]] = []
        adapter.notices.clear()
        if line.direction == "http":
            adapter.on_rest(line.url, 200, line.payload, line.line, events)
        elif line.direction == "in":
            if line.url and line.url != url:
                url = line.url
                adapter.address(url)
            try:
                adapter.parse(line.payload, line.line, events)
            except (msgspec.DecodeError, UnrecognizedFrame):
                continue
        yield Step(place, events)


class Chosen(NamedTuple):
    """A recording, and an update in the middle of one of its books."""

    name: str
    lines: Lines
    symbol: str
    delta: BookDelta[str]
    place: int
    best_bid: str
    """Of the book after the update, if the update sets its size."""
    snapshot: BookSnapshot[str]
    answer: bytes
    """REST body of the snapshot; empty where it came on the stream."""


def chosen(path: Path, *, checksum: bool) -> Chosen:
    """Choose an update of the busiest book, with a checksum or not; skip where there is none."""
    name = guess_exchange(path)
    lines = [line for line in read_recording(path) if line.line < LINES_MAX]
    adapter = catalog.adapter_class(name)(adopt=True)
    books: dict[str, OrderBook[str]] = {}
    snapshots: dict[str, tuple[BookSnapshot[str], bytes]] = {}
    deltas: dict[str, list[tuple[int, BookDelta[str], str]]] = {}
    unfit: set[str] = set()
    for place, events in fed(adapter, lines):
        unfit.update(event.symbol for event in events if isinstance(event, Gap))
        for event in events:
            if isinstance(event, BookSnapshot):
                if event.symbol in snapshots:
                    unfit.add(event.symbol)
                line = lines[place]
                snapshots[event.symbol] = event, line.payload if line.direction == "http" else b""
                books[event.symbol] = OrderBook(event.symbol)
                books[event.symbol].snapshot(event.bids, event.asks)
            elif isinstance(event, BookDelta) and event.symbol in books:
                books[event.symbol].apply(event.bids, event.asks)
                best = dict(books[event.symbol].best_bids(CHECKSUM_LEVELS))
                set_now = [price for price, size in event.bids if best.get(price) == size and not is_zero(size)]
                fits = bool(event.checksum and set_now) if checksum else bool(event.bids or event.asks)
                if fits and lines[place].direction == "in" and lines[place].line == event.receive_ns:
                    deltas.setdefault(event.symbol, []).append((place, event, set_now[0] if set_now else ""))
    counts = Counter({symbol: len(found) for symbol, found in deltas.items() if symbol not in unfit and len(found) > 4})
    if not counts:
        pytest.skip("no book with one snapshot and updates" + (" that have a checksum" if checksum else ""))
    symbol = counts.most_common(1)[0][0]
    place, delta, best_bid = deltas[symbol][counts[symbol] // 2]
    return Chosen(name, lines, symbol, delta, place, best_bid, *snapshots[symbol])


def check_it_is_noticed_and_healed(recording: Chosen, damaged: Lines, damaged_from: int) -> None:
    """The damage is announced with a gap and a request for a snapshot, after which updates are published again."""
    adapter = catalog.adapter_class(recording.name)(adopt=True)
    symbol = recording.symbol
    announced = (
        step
        for step in fed(adapter, damaged)
        if any(isinstance(event, Gap) and event.symbol == symbol for event in step.events)
    )
    place, events = next(announced, Step(-1, []))
    assert place >= damaged_from, "the damage was not noticed"
    assert not any(isinstance(event, BookDelta) and event.symbol == symbol for event in events)
    asked = [*adapter.notices]
    assert any(isinstance(notice, (RestRequest, Resubscribe, BookLost)) for notice in asked), asked
    requests = [notice for notice in asked if isinstance(notice, RestRequest)]
    if requests:
        assert recording.answer
        last_id = next(
            event.last_id
            for step in fed(catalog.adapter_class(recording.name)(adopt=True), recording.lines)
            for event in step.events
            if isinstance(event, BookDelta) and event.symbol == symbol and event.receive_ns == damaged[place].line
        )
        assert last_id is not None
        assert recording.snapshot.last_id is not None
        body = recording.answer.replace(recording.snapshot.last_id.encode(), last_id.encode())
        healed: list[MarketEvent[str]] = []
        adapter.on_rest(requests[0].path, 200, body, damaged[place].line, healed)
        rest = damaged[place + 1 :]
    else:
        healed, rest = [], recording.lines  # a new subscription: the snapshot, and what followed it
    for step in fed(adapter, rest):
        healed += step.events
    own = [event for event in healed if event.symbol == symbol and isinstance(event, (Gap, BookSnapshot, BookDelta))]
    first = next(number for number, event in enumerate(own) if isinstance(event, BookSnapshot))
    assert not any(isinstance(event, BookDelta) for event in own[:first])
    assert any(isinstance(event, BookDelta) for event in own[first:])
    assert not any(isinstance(event, Gap) for event in own[first:])


@pytest.mark.skipif(not RECORDINGS, reason="no recordings at hand")
@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: f"{path.parent.name}-{path.name.partition('.')[0]}")
def test_a_missing_frame_is_noticed_and_the_book_follows_again(path: Path) -> None:
    recording = chosen(path, checksum=False)
    if recording.name in WITHOUT_SEQUENCE:
        pytest.skip(WITHOUT_SEQUENCE[recording.name])
    damaged = [*recording.lines]
    del damaged[recording.place]
    check_it_is_noticed_and_healed(recording, damaged, recording.place)


@pytest.mark.skipif(not RECORDINGS, reason="no recordings at hand")
@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: f"{path.parent.name}-{path.name.partition('.')[0]}")
def test_a_changed_size_is_noticed_by_the_checksum(path: Path) -> None:
    recording = chosen(path, checksum=True)
    line = recording.lines[recording.place]
    size = dict(recording.delta.bids)[recording.best_bid]
    at = line.payload.index(size.encode(), line.payload.index(recording.best_bid.encode()))
    digit = next(number for number, char in enumerate(size) if char in "12345678")
    changed = size[:digit] + str(int(size[digit]) + 1) + size[digit + 1 :]
    payload = line.payload[:at] + changed.encode() + line.payload[at + len(size) :]
    damaged = [*recording.lines]
    damaged[recording.place] = msgspec.structs.replace(line, payload=payload)
    check_it_is_noticed_and_healed(recording, damaged, recording.place)
