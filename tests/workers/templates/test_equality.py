"""Templates give what Python gives, byte for byte: on each kind of frame, on recordings, on damaged frames."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

from foxtrot_protocol.events import BookDelta, Gap, Trade
from foxtrot_workers.adapter import Adapter, catalog
from foxtrot_workers.adapter.catalog import UnknownExchange
from foxtrot_workers.exchanges.binance.adapter import Binance
from foxtrot_workers.exchanges.okx.adapter import Okx
from foxtrot_workers.replay.recording import read_recording
from foxtrot_workers.replay.replay import guess_exchange
from foxtrot_workers.templates import store
from tests.support.fuzzing import fuzz
from tests.support.template_fuzz import TemplateFrames
from tests.workers.exchanges.references import SHARED, needs_references
from tests.workers.templates.both_forms import Forms, needs_compiled, recordings
from tests.workers.templates.venue_frames import (
    DEPTH_PATH,
    binance_depth,
    binance_quote,
    binance_trade,
    bybit_book,
    bybit_trades,
    okx_book,
    okx_quote,
    okx_trades,
)

pytestmark = needs_compiled

CHANCE = random.Random(11)
SNAPSHOT = msgspec.json.encode({"lastUpdateId": 99, "bids": [["0.1", "1"]], "asks": [["99000.1", "1"]]})


def binance(channels: list[str], symbols: tuple[str, ...] = ("BTCUSDT", "ETHUSDT")) -> Forms:
    adapters: list[Adapter] = [Binance(), Binance()]
    for adapter in adapters:
        adapter.subscribe(adapter.topics(channels, symbols))
    return Forms(*adapters)


def okx(channels: list[str]) -> Forms:
    adapters: list[Adapter] = [Okx(), Okx()]
    for adapter in adapters:
        adapter.subscribe(adapter.topics(channels, ["BTC-USDT", "ETH-USDT"]))
    return Forms(*adapters)


def test_binance_trades_and_quotes() -> None:
    forms = binance(["trade", "quote"])
    for number in range(200):
        symbol = CHANCE.choice(["BTCUSDT", "ETHUSDT"])
        forms.feed([binance_trade(CHANCE, number, symbol), binance_quote(CHANCE, number, symbol)])
    assert forms.compiled.pipeline.templated_total > 340
    assert forms.compiled.pipeline.templates_off_total == 0


def test_binance_books_keep_their_sequence_check() -> None:
    forms = binance(["book"], ("BTCUSDT",))
    last, gaps = 99, 0
    forms.feed([binance_depth(CHANCE, 100, 100)])
    forms.answer(DEPTH_PATH, SNAPSHOT)
    for number in range(400):
        lost = CHANCE.random() < 0.02
        first = last + 1 + lost
        last = first + CHANCE.randrange(4)
        if number % 50 == 7:  # a repetition
            forms.feed([binance_depth(CHANCE, first - 1, first - 1)])
        events = forms.feed([binance_depth(CHANCE, first, last)], step_ns=20_000_000)
        if any(isinstance(event, Gap) for event in events):
            gaps += 1
            fresh = {"lastUpdateId": last, "bids": [["0.1", "1"]], "asks": [["99000.1", "1"]]}
            forms.answer(DEPTH_PATH, msgspec.json.encode(fresh))
    assert gaps > 3
    assert forms.compiled.pipeline.templated_total > 200


def test_a_book_that_stays_crossed_is_noticed_at_the_same_update() -> None:
    forms = binance(["book"], ("BTCUSDT",))
    forms.feed([binance_depth(CHANCE, 100, 100)])
    forms.answer(DEPTH_PATH, SNAPSHOT)
    crossed = (
        b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":%d,"s":"BTCUSDT","U":%d,"u":%d,"b":%s,"a":%s}}'
    )
    causes = []
    for number in range(101, 400):
        levels = (b'[["99500.%d","1"]]' % number, b"[]") if number >= 200 else (b"[]", b'[["99000.%d","2"]]' % number)
        events = forms.feed([crossed % (number, number, number, *levels)], step_ns=20_000_000)
        causes += [event.cause for event in events if isinstance(event, Gap)]
    assert len(causes) == 1
    assert "crossed" in causes[0]
    assert forms.compiled.pipeline.templated_total > 50


def test_okx_trades_quotes_and_books() -> None:
    forms = okx(["trade", "quote", "book"])
    last = 1000
    forms.feed([okx_book(CHANCE, -1, last, "snapshot")])
    for number in range(0, 800, 4):
        rows = 1 if number < 200 else CHANCE.randrange(1, 4)
        broken = CHANCE.random() < 0.01
        book = okx_book(CHANCE, last + broken, last + 3)
        events = forms.feed([okx_trades(CHANCE, number, rows), okx_quote(CHANCE, number), book], step_ns=20_000_000)
        last += 3
        if any(isinstance(event, Gap) for event in events):
            forms.feed([okx_book(CHANCE, -1, last, "snapshot")])
    assert forms.compiled.pipeline.templated_total > 500
    labels = {template.label.split()[0] for template in forms.compiled.pipeline._templates._templates.values()}  # type: ignore[attr-defined]
    assert labels == {"Trade", "Quote", "BookDelta"}


def test_bybit_trades_and_books() -> None:
    adapters = [catalog.adapter_class("bybit")() for _ in range(2)]
    symbols = ["BTCUSDT", "ETHUSDT"]
    for adapter in adapters:
        adapter.subscribe(adapter.topics(["trade", "book50"], symbols))
    forms = Forms(adapters[0], adapters[1])
    last = dict.fromkeys(symbols, 1000)
    for symbol in symbols:
        forms.feed([bybit_book(CHANCE, 1000, "snapshot", symbol)])
    for number in range(300):
        symbol = CHANCE.choice(symbols)
        last[symbol] += 1 + (CHANCE.random() < 0.02)
        frames = [bybit_trades(CHANCE, number, 1 + number % 3, symbol), bybit_book(CHANCE, last[symbol], symbol=symbol)]
        if any(isinstance(event, Gap) for event in forms.feed(frames, step_ns=20_000_000)):
            forms.feed([bybit_book(CHANCE, last[symbol], "snapshot", symbol)])
    swapped = bybit_trades(CHANCE, 301).replace(b'"s":"BTCUSDT"', b'"s":"ETHUSDT"')
    assert [event.symbol for event in forms.feed([swapped])] == ["ETHUSDT"]
    assert forms.compiled.pipeline.templated_total > 600
    labels = {template.label.split()[0] for template in forms.compiled.pipeline._templates._templates.values()}  # type: ignore[attr-defined]
    assert labels == {"Trade", "BookDelta"}


def test_a_changed_format_costs_speed_and_loses_nothing() -> None:
    """Keys change their order, then a key is added, then a value's type changes: the frames go to Python at once."""
    forms = binance(["trade"])
    for number in range(100):
        forms.feed([binance_trade(CHANCE, number)])
    before = forms.compiled.pipeline.templated_total
    frames = [binance_trade(CHANCE, number) for number in range(100, 200)]
    changed = [frame.replace(b',"m":', b',"x":"new","m":') for frame in frames[:50]]
    renamed = [frame.replace(b'"t":', b'"id":') for frame in frames[50:]]
    for frame in changed[:10]:
        assert len(forms.feed([frame])) == 1
    assert forms.compiled.pipeline.templated_total == before
    for frame in changed[10:]:
        assert len(forms.feed([frame])) == 1
    assert forms.compiled.pipeline.templated_total > before, "the new format was learned"
    assert forms.feed(renamed) == []
    assert forms.compiled.pipeline.rejected_total == 50


def test_a_template_that_differs_is_switched_off_and_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """The venue starts to mean something else by the same bytes: at the next comparison the template ends."""
    monkeypatch.setattr(store, "CHECK_EVERY", 50)
    forms = binance(["trade"])
    for number in range(60):
        forms.feed([binance_trade(CHANCE, number)])
    assert forms.compiled.pipeline.templated_total > 40
    pipeline = forms.compiled.pipeline
    parse = pipeline._parse

    def other_meaning(frame: bytes, receive_ns: int, out: list[object]) -> None:
        parse(frame, receive_ns, out)  # type: ignore[arg-type]
        out[-1] = msgspec.structs.replace(out[-1], side="buy", size="7")  # type: ignore[type-var]

    pipeline._parse = other_meaning  # type: ignore[assignment]
    for number in range(60, 200):
        forms.compiled.receive([binance_trade(CHANCE, number)], 1)
    events = forms.compiled.take()
    assert len(events) == 140
    assert pipeline.templates_off_total == 1
    wrong = [event for event in events if isinstance(event, Trade) and event.size != "7"]
    assert len(wrong) <= 50, "until the next comparison"
    assert all(isinstance(event, Trade) and event.size == "7" for event in events[-90:]), "Python alone from then on"


def test_a_stream_that_is_unsubscribed_and_subscribed_again() -> None:
    forms = binance(["trade"], ("BTCUSDT",))
    for number in range(60):
        forms.feed([binance_trade(CHANCE, number)])
    for form in (forms.pure, forms.compiled):
        topics = form.adapter.topics(["trade"], ["BTCUSDT"])
        form.adapter.unsubscribe(topics)
    forms.feed([b'{"result":null,"id":2}'])
    assert forms.feed([binance_trade(CHANCE, 60)]) == []
    assert forms.compiled.pipeline.rejected_total == 1
    for form in (forms.pure, forms.compiled):
        form.adapter.subscribe(form.adapter.topics(["trade"], ["BTCUSDT", "SOLUSDT"]))
    before = forms.compiled.pipeline.templated_total
    assert len(forms.feed([binance_trade(CHANCE, 61), binance_trade(CHANCE, 62, "SOLUSDT")])) == 2
    assert forms.compiled.pipeline.templated_total == before + 2


def test_updates_and_trades_of_one_batch_stay_in_order() -> None:
    forms = binance(["trade", "book"], ("BTCUSDT",))
    forms.feed([binance_depth(CHANCE, 100, 100)])
    forms.answer(DEPTH_PATH, SNAPSHOT)
    last, number = 100, 0
    for _ in range(60):
        frames = []
        for _ in range(300 if number > 2000 else 40):
            number += 1
            if CHANCE.random() < 0.3:
                frames.append(binance_depth(CHANCE, last + 1, last + 2))
                last += 2
            else:
                frames.append(binance_trade(CHANCE, number))
        events = forms.feed(frames)
        kinds = [b"depth" in frame for frame in frames]
        assert [isinstance(event, BookDelta) for event in events] == kinds


@needs_references
@pytest.mark.parametrize("path", recordings(SHARED / "data"), ids=lambda path: f"{path.parent.name}-{path.name[:-9]}")
def test_on_all_recordings(path: Path) -> None:
    try:
        adapter_class = catalog.adapter_class(guess_exchange(path))
    except UnknownExchange:
        pytest.skip("no adapter for this recording")
    forms = Forms(adapter_class(adopt=True), adapter_class(adopt=True))
    burst: list[bytes] = []
    url = ""
    for frame in read_recording(path):
        if frame.direction == "in":
            if frame.url and frame.url != url:
                url = frame.url
                forms.pure.adapter.address(url)
                forms.compiled.adapter.address(url)
            burst.append(frame.payload)
        if len(burst) == 7 or (burst and frame.direction == "http"):
            forms.feed(burst, step_ns=10_000_000)
            burst = []
        if frame.direction == "http":
            forms.answer(frame.url, frame.payload)
    forms.feed(burst)
    assert forms.compiled.pipeline.templates_off_total == 0


def test_on_damaged_frames() -> None:
    """The short form of ``scripts/fuzz.py --target template_frames``."""
    report = fuzz(TemplateFrames, 3_000, seed=1)
    assert report.failure == "", report.input_hex
    assert report.accepted > 300
    assert report.rejected > 500
