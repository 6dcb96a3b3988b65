"""The heap of deadlines agrees with a dictionary of them, whatever is done to both."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from foxtrot_supervisor.core.deadlines import Deadlines

NAMES = "abcd"
steps = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.sampled_from(NAMES), st.sampled_from([1.0, 2.0, 3.0, 5.0, 8.0, math.inf])),
        st.tuples(st.just("next"), st.just(""), st.just(0.0)),
        st.tuples(st.just("due"), st.just(""), st.sampled_from([0.0, 1.0, 2.5, 5.0, 9.0])),
    ),
    max_size=60,
)


@given(steps)
def test_the_earliest_deadline_is_that_of_a_full_scan(script: list[tuple[str, str, float]]) -> None:
    deadlines = Deadlines()
    model: dict[str, float] = {}
    for action, name, at in script:
        if action == "set":
            deadlines.set(name, at)
            model[name] = at
        elif action == "due":
            expected = sorted((due_at, each) for each, due_at in model.items() if due_at <= at)
            assert deadlines.due(at) == [each for _, each in expected]
            model = {each: due_at for each, due_at in model.items() if due_at > at}
        assert deadlines.next() == min(model.values(), default=math.inf)


def test_a_deadline_that_only_moves_later_takes_one_place() -> None:
    deadlines = Deadlines()
    for number in range(1000):
        deadlines.set("a", float(number))
        deadlines.set("b", float(number))
    assert len(deadlines._heap) == 2
    assert deadlines.next() == 999.0
    assert len(deadlines._heap) == 2


def test_a_deadline_that_is_brought_forward_holds_at_once() -> None:
    deadlines = Deadlines()
    deadlines.set("a", 9.0)
    deadlines.set("b", 5.0)
    deadlines.set("a", 1.0)
    assert deadlines.due(5.0) == ["a", "b"]
    assert deadlines.next() == math.inf
    deadlines.set("a", 2.0)
    assert deadlines.next() == 2.0
