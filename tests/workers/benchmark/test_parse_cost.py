"""Parsing is measured for each kind of frame; its figures are not judged here, only that they are figures."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from foxtrot_protocol import compiled
from foxtrot_workers.adapter.book_chain import MATCHER
from foxtrot_workers.benchmark import parse_cost
from foxtrot_workers.benchmark.parse_cost import FrameCost, main


@pytest.fixture(autouse=True)
def collecting() -> Iterator[None]:
    yield
    gc.enable()


def measured(*paths: Path) -> dict[str, FrameCost]:
    costs = msgspec.json.decode(main([str(path) for path in paths]), type=list[FrameCost])
    return {cost.events: cost for cost in costs}


def test_made_frames_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse_cost, "REHEARSALS", 2)
    costs = measured()
    assert set(costs) == {"delta", "quote", "trade"}
    for cost in costs.values():
        assert cost.exchange == "binance"
        assert cost.frames >= 500
        assert cost.frame_bytes > 100
        assert cost.python_ns > 0
        assert (cost.template_ns is not None) == (compiled.load(MATCHER) is not None)


def test_frames_of_a_recording_are_measured(tmp_path: Path) -> None:
    frame = '{"stream":"btcusdt@kline_1m","data":{"e":"kline","E":%d,"s":"BTCUSDT","k":{"t":1,"i":"1m","o":"1","c":"1",'
    frame += '"h":"1","l":"1","v":"1","x":false}}}'
    lines = [{"dir": "in", "url": "wss://stream.binance.com:9443/stream", "raw": frame % number} for number in range(9)]
    lines += [{"dir": "out", "raw": "{}"}, {"dir": "in", "raw": "no frame"}]
    path = tmp_path / "made.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    costs = measured(path)
    assert set(costs) == {"bar"}
    assert (costs["bar"].frames, costs["bar"].template_ns) == (9, None)
