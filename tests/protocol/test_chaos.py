"""The plan of a fault test: what is written is what the hook reads."""

from __future__ import annotations

import pytest

from foxtrot_protocol.chaos import ChildPlan, decode_plan, encode_plan, folder, note_name, plan_for, plan_path
from foxtrot_protocol.errors import MalformedMessage

PLAN = {
    "one.a": [
        ChildPlan(first=2, last=2, hold="starting", strike="block_loop"),
        ChildPlan(first=2, last=9, bad_start="slow", seconds=1.5),
    ]
}


def test_a_plan_is_read_as_it_was_written() -> None:
    assert decode_plan(encode_plan(PLAN)) == PLAN


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"one.a": [{"first": 1}]}',
        b'{"\xff": []}',
        b'{"one.a": [{"first": 1, "last": 1, "strike": "explode"}]}',
        b'{"one.a": [{"first": 1, "last": 1, "hodl": "starting"}]}',
    ],
)
def test_what_is_no_plan_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode_plan(data)


@pytest.mark.parametrize(("incarnation", "index"), [(1, None), (2, 0), (3, 1), (9, 1), (10, None)])
def test_the_first_part_that_concerns_an_incarnation_holds(incarnation: int, index: int | None) -> None:
    assert plan_for(PLAN, "one.a", incarnation) == (None if index is None else PLAN["one.a"][index])


def test_others_have_no_plan() -> None:
    assert plan_for(PLAN, "two.a", 2) is None


def test_the_folder_stands_beside_the_run_directory_not_in_it() -> None:
    assert folder("/x/run") == "/x/run.chaos"
    assert plan_path("/x/run") == "/x/run.chaos/plan.json"
    assert note_name("held", "one.a", 2) == "held-one.a-2"
