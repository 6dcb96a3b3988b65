from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from foxtrot_workers.adapter import catalog
from foxtrot_workers.adapter.catalog import UnknownExchange
from foxtrot_workers.replay import replay
from foxtrot_workers.replay.recording import RecordingError
from foxtrot_workers.replay.replay import RejectedFrame, guess_exchange, replay_events, replay_lines
from tests.workers.exchanges.samples import (
    MS,
    binance_agg_trade,
    binance_delta,
    binance_frame,
    binance_partial_book,
    binance_quote,
    binance_trade,
    okx_book,
    okx_frame,
    okx_ticker,
    okx_trade,
)

BINANCE_URL = "wss://stream.binance.com:9443/stream?streams=bnbbtc@trade"
DEPTH_URL = "https://www.binance.com/api/v1/depth?symbol=BNBBTC&limit=5000"


def recorded(path: Path, *frames: bytes | tuple[str, str, bytes], url: str = BINANCE_URL) -> Path:
    """Writes frames received, or (direction, url, payload); times of receipt are 100, 200, …"""
    lines = []
    for number, frame in enumerate(frames, 1):
        direction, address, payload = frame if isinstance(frame, tuple) else ("in", url, frame)
        lines.append({"t": number * 100, "dir": direction, "url": address, "raw": payload.decode()})
    path.write_bytes(gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode()))
    return path


def delta(first: int, last: int, *bids: tuple[str, str]) -> bytes:
    return binance_frame("bnbbtc@depth@100ms", binance_delta(first, last, bids))


def snapshot(last: int) -> tuple[str, str, bytes]:
    return ("http", DEPTH_URL, msgspec.json.encode(binance_partial_book(last)))


def lines(path: Path, exchange: str | None = None, depth: int | None = None) -> list[dict[str, Any]]:
    return list(replay_lines([path], exchange, depth))


def test_a_line_for_each_event(tmp_path: Path) -> None:
    path = recorded(
        tmp_path / "a.jsonl.gz",
        b'{"result":null,"id":1}',
        binance_frame("bnbbtc@trade", binance_trade()),
        ("out", BINANCE_URL, b"{}"),
        binance_frame("bnbbtc@aggTrade", binance_agg_trade()),
    )
    common = {"kind": "trade", "exchange": "BINANCE", "symbol": "BNBBTC", "instrument": "BNB-BTC", "ts": MS * 10**6}
    assert lines(path) == [
        {"frame": 1, **common, "price": "0.001", "amount": "100", "side": "sell", "id": "12345"},
        {"frame": 3, **common, "price": "0.001", "amount": "100", "side": "buy", "id": "5933014"},
    ]


def test_deltas_that_were_held_back_name_their_own_frame(tmp_path: Path) -> None:
    path = recorded(
        tmp_path / "a.jsonl.gz",
        delta(1, 2, ("0.0020", "1")),
        delta(3, 4, ("0.0021", "2")),
        binance_frame("bnbbtc@trade", binance_trade()),
        snapshot(2),
        delta(5, 5, ("0.0024", "0")),
    )
    got = [(line["frame"], line["kind"], line.get("seq"), line.get("bids")) for line in lines(path, depth=2)]
    assert got == [
        (2, "trade", None, None),
        (3, "book", "2", [["0.0024", "10"]]),
        (1, "book", "4", [["0.0024", "10"], ["0.0021", "2"]]),
        (4, "book", "5", [["0.0021", "2"]]),
    ]
    own = [(line["frame"], line["bids"]) for line in lines(path) if line["kind"] == "book"]
    assert own == [(3, [["0.0024", "10"]]), (1, [["0.0021", "2"]]), (4, [["0.0024", "0"]])]


def test_a_snapshot_too_old_waits_for_a_later_one(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.jsonl.gz", delta(10, 12), snapshot(5), delta(13, 13), snapshot(12), delta(14, 14))
    assert [(line["frame"], line["type"]) for line in lines(path)] == [(3, "snapshot"), (2, "delta"), (4, "delta")]


def test_a_gap_has_recorded_times(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.jsonl.gz", delta(1, 2), snapshot(2), delta(3, 3), b"{", delta(9, 9))
    *_, gap = lines(path, depth=5)
    assert (gap["frame"], gap["kind"], gap["first_id"], gap["last_id"]) == (4, "gap", "4", "8")
    assert (gap["start_ns"], gap["end_ns"]) == (300, 500)


def test_events_have_recorded_times(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.jsonl.gz", delta(1, 2), snapshot(2), delta(3, 3), delta(9, 9), delta(10, 10))
    events = replay_events([path])
    found = list(events)
    assert {name for name, _event in found} == {"a.jsonl.gz"}
    printed = lines(path)
    assert len(found) == len(printed) == events.summary.events_total
    for (_name, event), line in zip(found, printed, strict=True):
        assert event.receive_ns == 100 * (line["frame"] + 1)
        if line["kind"] == "gap":
            assert (event.start_ns, event.end_ns) == (line["start_ns"], line["end_ns"])
    assert "gap" in {line["kind"] for line in printed}


def test_empty_lines_shift_frames_and_times_alike(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.jsonl.gz", delta(1, 2), snapshot(2), delta(3, 3), delta(9, 9))
    spaced = gzip.decompress(path.read_bytes()).replace(b"\n", b"\n\n\n")
    path.write_bytes(spaced)
    *_, gap = lines(path)
    assert (gap["frame"], gap["start_ns"], gap["end_ns"]) == (9, 300, 400)


def test_instruments_come_from_the_list_beside_it(tmp_path: Path) -> None:
    listed = b'{"symbols":[{"symbol":"BNBBTC","baseAsset":"B","quoteAsset":"NBBTC"}]}'
    recorded(tmp_path / "a-instruments.jsonl.gz", ("http", "https://api.binance.com/api/v3/exchangeInfo", listed))
    path = recorded(tmp_path / "a.jsonl.gz", binance_frame("bnbbtc@trade", binance_trade()))
    assert [line["instrument"] for line in lines(path)] == ["B-NBBTC"]


@pytest.mark.parametrize("body", [b"{", b"[" * 100_000, b'{"symbols":5}', b'{"code":-1}'])
def test_without_a_readable_list_instruments_come_from_symbols(tmp_path: Path, body: bytes) -> None:
    answer = ("http", "https://api.binance.com/api/v3/exchangeInfo", body)
    recorded(tmp_path / "a-instruments.jsonl.gz", answer)
    path = recorded(tmp_path / "a.jsonl.gz", answer, binance_frame("bnbbtc@trade", binance_trade()))
    assert [line["instrument"] for line in lines(path)] == ["BNB-BTC"]


def test_instruments_come_from_a_list_inside_the_recording(tmp_path: Path) -> None:
    listed = b'{"symbols":[{"symbol":"BNBBTC","baseAsset":"B","quoteAsset":"NBBTC"}]}'
    answer = ("http", "https://api.binance.com/api/v3/exchangeInfo?symbols=x", listed)
    path = recorded(tmp_path / "odd.name", answer, binance_frame("bnbbtc@trade", binance_trade()))
    assert [line["instrument"] for line in lines(path, "binance")] == ["B-NBBTC"]


def test_rejected_frames_are_counted_and_replay_continues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "REJECTED_SHOWN_MAX", 2)
    trade = binance_frame("bnbbtc@trade", binance_trade())
    path = recorded(tmp_path / "a.jsonl.gz", b"{", trade, b'{"e":"news"}', b"nonsense", trade, snapshot(1))
    run = replay_lines([path])
    assert [line["frame"] for line in run][:2] == [1, 4]
    summary = run.summary
    assert (summary.frames_total, summary.rejected_total, summary.events_total, summary.answers_total) == (5, 3, 3, 1)
    first, second = summary.rejected
    assert (first.path, first.frame, second) == (
        str(path),
        0,
        RejectedFrame(str(path), 2, "UnrecognizedFrame: unrecognized message: news"),
    )


def test_the_same_frames_give_the_same_lines(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.jsonl.gz", delta(1, 2), snapshot(1), binance_frame("x@bookTicker", binance_quote()))
    assert lines(path, depth=3) == lines(path, depth=3)


def test_lines_of_several_recordings_name_their_recording(tmp_path: Path) -> None:
    trade = binance_frame("bnbbtc@trade", binance_trade())
    first = recorded(tmp_path / "a.jsonl.gz", trade)
    second = recorded(
        tmp_path / "b.jsonl.gz",
        okx_frame("trades", "BTC-USDT", [okx_trade()]),
        url="wss://ws.okex.com:8443/ws/v5/public",
    )
    run = replay_lines([first, str(second)])
    assert [(line["recording"], line["exchange"], line["frame"]) for line in run] == [
        (str(first), "BINANCE", 0),
        (str(second), "OKX", 0),
    ]
    assert run.summary.exchanges == {str(first): "binance", str(second): "okx"}


def test_an_okx_ticker_line_has_the_best_bid_and_ask(tmp_path: Path) -> None:
    rows = [okx_ticker(), okx_ticker(bidPx="", bidSz="0", askPx="", askSz="0")]
    path = recorded(
        tmp_path / "a.jsonl.gz", okx_frame("tickers", "BTC-USDT", rows), okx_frame("books", "X", [okx_book()])
    )
    full, empty = lines(path, "okx")
    assert (full["kind"], full["bid"], full["bid_size"], full["ask"], full["ask_size"]) == (
        *("ticker", "8888.88", "5", "9999.99", "11"),
    )
    assert (empty["bid"], empty["bid_size"], empty["ask"], empty["ask_size"]) == (None, "0", None, "0")


def test_times_in_microseconds_are_known_by_the_address(tmp_path: Path) -> None:
    trade = binance_frame("bnbbtc@trade", binance_trade(T=MS * 1000))
    path = recorded(
        tmp_path / "a.jsonl.gz", trade, url="wss://stream.binance.com/stream?streams=x&timeUnit=MICROSECOND"
    )
    assert [line["ts"] for line in lines(path)] == [MS * 10**6]


# ---- which exchange


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (BINANCE_URL, "binance"),
        ("wss://data-stream.binance.vision/stream", "binance"),
        ("wss://stream.binance.us:9443/stream", "binance_us"),
        ("wss://ws.okex.com:8443/ws/v5/public", "okx"),
        ("wss://wspap.okx.com:8443/ws/v5/public", "okx"),
        ("ws://127.0.0.1:5000/stream", "sim"),
    ],
)
def test_the_exchange_is_guessed_from_addresses(tmp_path: Path, url: str, name: str) -> None:
    assert guess_exchange(recorded(tmp_path / "a", b"{}", url=url)) == name


def test_the_exchange_is_guessed_from_the_folder_without_a_known_address(tmp_path: Path) -> None:
    folder = tmp_path / "okx"
    folder.mkdir()
    assert guess_exchange(recorded(folder / "a", b"{}", url="")) == "okx"
    assert guess_exchange(recorded(folder / "b", b"{}", url="wss://example.org/stream")) == "okx"


def test_an_exchange_that_cannot_be_guessed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "GUESS_LINES_MAX", 1)
    late = [b"{}", b"{}", ("in", BINANCE_URL, b"{}")]
    for path in (recorded(tmp_path / "a"), recorded(tmp_path / "b", *late, url="wss://example.org")):
        with pytest.raises(UnknownExchange):
            replay_lines([path])


def test_an_exchange_that_cannot_be_loaded_is_not_guessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(catalog, "adapter_class", broken)
    with pytest.raises(UnknownExchange):
        guess_exchange(recorded(tmp_path / "a", b"{}"))


def test_an_unknown_exchange_is_a_value_error_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown exchange 'nope'; installed are: binance, "):
        replay_lines([tmp_path / "none"], "nope")


def test_a_recording_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="none"):
        replay_lines([tmp_path / "none"])
    with pytest.raises(RecordingError, match="none"):
        list(replay_lines([tmp_path / "none"], "binance"))


# ---- recordings of the real exchanges, where they are at hand

DATA = Path(__file__).parents[4] / "shared" / "data"


@pytest.mark.skipif(not DATA.is_dir(), reason="the recordings are not part of this repository")
@pytest.mark.parametrize("name", ["binance/2021-08-14-spot", "binance_us/2021-10-11", "okx/2022-05-13"])
def test_replay_of_real_recordings_equals_independent_programs(name: str) -> None:
    path = DATA / f"{name}.jsonl.gz"
    run = replay_lines([path], path.parent.name, depth=10)
    printed = list(run)
    with gzip.open(DATA / f"{name}.expected.jsonl.gz", "rt", encoding="utf-8") as answers:
        expected = [json.loads(answer) for answer in answers]
    assert run.summary.rejected_total == 0
    kinds = {"ticker": "quote"}
    counted = Counter((kinds.get(line["kind"], line["kind"]), line["symbol"]) for line in printed)
    assert counted == Counter((kinds.get(row["kind"], row["kind"]), row["xsymbol"]) for row in expected)
    books = {(line["frame"], line["symbol"]): line for line in printed if line["kind"] == "book"}
    instruments = {line["symbol"]: line["instrument"] for line in printed}
    for row in expected:
        assert instruments[row["xsymbol"]] == row["symbol"]
        if row["kind"] == "book" and row["type"] == "delta":
            line = books[row["frame"], row["xsymbol"]]
            assert (line["bids"], line["asks"], line["checksum"]) == (row["bids"], row["asks"], row["checksum"])
