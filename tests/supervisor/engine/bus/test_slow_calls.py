"""A slow call is reported once, while it runs."""

from __future__ import annotations

from foxtrot_supervisor.engine.bus.slow_calls import SlowCallJudge


class Handler:
    def __init__(self) -> None:
        self.calls = 1


def test_a_slow_call_is_reported_once_and_still_measured() -> None:
    judge, handler = SlowCallJudge(0.1), Handler()
    assert judge.look(handler, 10.0) == (0.0, False)
    assert judge.look(handler, 10.0625) == (0.0625, False)
    assert judge.look(handler, 10.125) == (0.125, True)
    assert judge.look(handler, 10.25) == (0.25, False)


def test_many_fast_calls_are_not_one_slow_call() -> None:
    judge, handler = SlowCallJudge(0.1), Handler()
    for step in range(10):
        assert judge.look(handler, 10.0 + step) == (0.0, False)
        handler.calls += 1


def test_another_handler_or_none_resets_the_measurement() -> None:
    judge, first, second = SlowCallJudge(0.1), Handler(), Handler()
    judge.look(first, 1.0)
    assert judge.look(second, 2.0) == (0.0, False)
    assert judge.look(None, 3.0) == (0.0, False)
    assert judge.look(None, 4.0) == (0.0, False)
    assert judge.look(second, 5.0) == (0.0, False)
    assert judge.look(second, 6.0) == (1.0, True)
