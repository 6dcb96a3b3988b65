"""Inputs are a closed set of immutable data, and the core accepts each of them."""

from __future__ import annotations

import typing

import msgspec
import pytest

from foxtrot_supervisor.config.schema import SupervisorConfig
from foxtrot_supervisor.core import inputs
from foxtrot_supervisor.core.core import Core
from foxtrot_supervisor.core.inputs import Exited, Input, StartRequested, StopRequested
from foxtrot_supervisor.core.records import ChildPlan

INPUTS = typing.get_args(Input)

EXAMPLES: dict[str, object] = {
    "name": "engine",
    "names": [],
    "incarnation": 1,
    "pid": 4711,
    "reason": "no memory",
    "cause": "gone",
    "text": "in f",
    "exit_code": 0,
    "signal": None,
    "plans": [ChildPlan(name="engine", tier=1, kind="engine")],
    "config": SupervisorConfig(),
}


def test_every_struct_is_an_input() -> None:
    defined = {
        each
        for each in vars(inputs).values()
        if isinstance(each, type) and each.__module__ == inputs.__name__ and issubclass(each, msgspec.Struct)
    }
    assert defined == set(INPUTS)
    assert {each.__name__ for each in defined} <= set(inputs.__all__)


@pytest.mark.parametrize("kind", INPUTS)
def test_inputs_are_immutable(kind: type[msgspec.Struct]) -> None:
    assert kind.__struct_config__.frozen


@pytest.mark.parametrize("kind", INPUTS)
def test_the_core_takes_every_input(kind: type[msgspec.Struct]) -> None:
    core = Core([ChildPlan(name="engine", tier=1, kind="engine")], SupervisorConfig(), lambda: 0.0)
    if kind is not StartRequested:
        core.handle(StartRequested(), 0.0)
    fields = {field: EXAMPLES[field] for field in kind.__struct_fields__ if field in EXAMPLES}
    message = typing.cast(Input, kind(**fields))
    assert isinstance(core.handle(message, 0.5), list)


def test_an_exit_needs_no_cause() -> None:
    assert Exited("a", 1, 0, None).cause == ""
    assert StopRequested("operator").reason == "operator"
