"""The script of misbehaviour: what happens to which frame, and when."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import msgspec
import pytest

from foxtrot_workers.simulator.server import faults as module
from foxtrot_workers.simulator.server.faults import (
    FILTERS,
    KINDS,
    MARKET,
    ONCE,
    REFUSALS,
    Fault,
    FaultScript,
    extra_payloads,
)


def _script(*faults: Fault, seed: int = 1) -> FaultScript[int]:
    script: FaultScript[int] = FaultScript(seed, faults)
    script.opened(0, 100.0)
    return script


def _pass(script: FaultScript[int], items: Any, stream: str = "a@trade", now_s: float = 100.0) -> list[int]:
    return [found for item in items for found in script.shape(0, stream, item, now_s)]


def test_every_kind_of_fault_has_one_sort() -> None:
    assert FILTERS | REFUSALS | ONCE | MARKET == KINDS
    assert len(FILTERS) + len(REFUSALS) + len(ONCE) + len(MARKET) == len(KINDS)


def test_nothing_armed_means_nothing_changed() -> None:
    script = _script()
    assert script.is_quiet(0)
    assert script.is_quiet(99)
    assert _pass(script, range(5)) == [0, 1, 2, 3, 4]
    assert script.due(0, 1e9) == script.due(99, 1e9) == []


def test_drop_and_duplicate_a_count_of_frames() -> None:
    assert _pass(_script(Fault(kind="drop", count=2)), range(5)) == [2, 3, 4]
    assert _pass(_script(Fault(kind="duplicate", count=2)), range(4)) == [0, 0, 1, 1, 2, 3]


def test_reorder_swaps_pairs() -> None:
    script = _script(Fault(kind="reorder", count=2))
    assert _pass(script, range(6)) == [1, 0, 3, 2, 4, 5]
    assert script.is_quiet(0)


def test_a_reordered_frame_is_sent_although_faults_are_cleared() -> None:
    script = _script(Fault(kind="reorder"))
    assert _pass(script, [1]) == []
    script.clear()
    assert not script.is_quiet(0)
    assert _pass(script, [2]) == [2, 1]
    assert script.is_quiet(0)


def test_a_reordered_frame_is_sent_after_a_dropped_one() -> None:
    script = _script(Fault(kind="reorder"), Fault(kind="drop", after_frames=1))
    assert _pass(script, [1, 2, 3]) == [3, 1]


def test_a_gap_drops_depth_only_and_of_its_topic_only() -> None:
    script = _script(Fault(kind="gap", count=1), Fault(kind="drop", count=1, topic="b@"))
    assert _pass(script, [1], "a@trade") == [1]
    assert _pass(script, [2], "a@depth@100ms") == []
    assert _pass(script, [3], "a@depth@100ms") == [3]
    assert _pass(script, [4], "b@trade") == []


def test_a_share_of_frames_is_chosen_by_the_seed() -> None:
    def run(seed: int) -> list[int]:
        return _pass(_script(Fault(kind="drop", count=1000, share=0.3), seed=seed), range(300))

    assert run(1) == run(1)
    assert run(1) != run(2)
    assert 150 < len(run(1)) < 260


def test_silence_ends_after_its_time() -> None:
    script = _script(Fault(kind="silence", duration_s=2.0, after_s=1.0))
    assert _pass(script, [1], now_s=100.5) == [1]
    assert _pass(script, [2], now_s=101.0) == []
    assert _pass(script, [3], now_s=102.9) == []
    assert _pass(script, [4], now_s=103.0) == [4]
    assert script.is_quiet(0)


def test_silence_of_one_topic_without_end() -> None:
    script = _script(Fault(kind="silence", topic="a@"))
    assert _pass(script, [1], "a@trade", 1e9) == []
    assert _pass(script, [2], "b@trade", 1e9) == [2]


def test_faults_begin_after_their_frames() -> None:
    assert _pass(_script(Fault(kind="drop", after_frames=3)), range(6)) == [0, 1, 2, 4, 5]
    script = _script(Fault(kind="close", after_frames=2))
    assert script.due(0, 100.0) == []
    _pass(script, range(2))
    assert [fault.kind for fault in script.due(0, 100.0)] == ["close"]
    assert script.due(0, 100.0) == []


def test_one_time_faults_are_timed_from_the_opening() -> None:
    script = _script(Fault(kind="abort", after_s=5.0))
    assert script.has_timed_faults()
    assert script.due(0, 104.9) == []
    assert [fault.kind for fault in script.due(0, 105.0)] == ["abort"]
    assert not script.has_timed_faults()
    script.opened(1, 200.0)
    assert script.due(1, 204.9) == []
    assert len(script.due(1, 205.0)) == 1


def test_arming_while_running_reaches_open_and_later_connections() -> None:
    script = _script()
    script.arm(Fault(kind="garbage"), 150.0)
    script.arm(Fault(kind="close", connection=3), 150.0)
    assert [fault.kind for fault in script.due(0, 150.0)] == ["garbage"]
    script.opened(3, 160.0)
    assert [fault.kind for fault in script.due(3, 160.0)] == ["garbage", "close"]


def test_a_fault_for_one_connection_ends_with_it() -> None:
    script = _script(Fault(kind="drop", connection=0, count=5))
    script.closed(0)
    script.opened(0, 300.0)
    assert script.is_quiet(0)


def test_refusals_are_used_up_in_order() -> None:
    script = _script(
        Fault(kind="refuse", count=2, status=418, retry_after_s=7.0), Fault(kind="rest_refuse", topic="depth")
    )
    script.arm(Fault(kind="rest_stall"), 100.0)
    first, second, third = (script.refusal(100.0) for _ in range(3))
    assert first is not None
    assert (first.status, first.retry_after_s) == (418, 7.0)
    assert second == first
    assert third is None
    assert [f.kind if f else None for f in (script.rest_fault(p, 100.0) for p in ("/time", "/depth", "/depth"))] == [
        "rest_stall",
        "rest_refuse",
        None,
    ]
    script.arm(Fault(kind="refuse", after_s=10.0), 100.0)
    assert script.refusal(109.0) is None
    assert script.refusal(110.0) is not None


def test_armed_faults_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ARMED_MAX", 2)
    script = _script(Fault(kind="drop"), Fault(kind="refuse"))
    with pytest.raises(ValueError, match="more than 2"):
        script.arm(Fault(kind="drop"), 0.0)


def test_a_fault_reads_as_json_and_refuses_what_it_does_not_know() -> None:
    fault = msgspec.json.decode(b'{"kind":"close","code":1011,"after_frames":5}', type=Fault)
    assert (fault.kind, fault.code, fault.after_frames) == ("close", 1011, 5)
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"kind":"explode"}', type=Fault)
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"kind":"close","when":1}', type=Fault)


_SAMPLES = [
    b'{"e":"trade","E":1,"s":"A","t":5,"p":"1.5","q":"2","T":1,"m":true,"M":true}',
    b'{"u":4,"s":"A","b":"1","B":"2","a":"3","A":"4"}',
    b'{"e":"depthUpdate","E":1,"s":"A","U":1,"u":2,"b":[["1","2"]],"a":[]}',
    b'{"nothing":"known"}',
]


@pytest.mark.parametrize("sample", _SAMPLES)
@pytest.mark.parametrize("seed", range(6))
def test_wrong_types_are_valid_json_that_is_not_the_sample(sample: bytes, seed: int) -> None:
    (spoiled,) = extra_payloads(Fault(kind="wrong_types"), sample, Random(seed))
    before, after = json.loads(sample), json.loads(spoiled)
    assert any(type(after.get(key)) is not type(value) for key, value in before.items())


def test_the_other_extra_frames() -> None:
    random = Random(1)
    garbage = extra_payloads(Fault(kind="garbage", count=20), b"", random)
    assert len(garbage) == 20
    for payload in garbage:
        with pytest.raises(json.JSONDecodeError):
            json.loads(payload)
        payload.decode("utf-8")
    (invalid,) = extra_payloads(Fault(kind="invalid_utf8"), b"", random)
    with pytest.raises(UnicodeDecodeError):
        invalid.decode("utf-8")
    (deep,) = extra_payloads(Fault(kind="deep_nesting"), b"", random)
    assert deep.count(b"[") == deep.count(b"]") == 100_000
    (unknown,) = FaultScript[int](1).extra_frames(Fault(kind="unknown_type"), b"")
    assert json.loads(unknown)["e"].startswith("notOfThisWorld")
