"""Effects are a closed set of immutable data."""

from __future__ import annotations

import typing

import msgspec
import pytest

from foxtrot_supervisor.core import effects
from foxtrot_supervisor.core.effects import Effect

EFFECTS = typing.get_args(Effect)


def test_every_struct_is_an_effect() -> None:
    defined = {
        each for each in vars(effects).values() if isinstance(each, type) and each.__module__ == effects.__name__
    }
    assert defined == set(EFFECTS)
    assert {each.__name__ for each in defined} <= set(effects.__all__)


@pytest.mark.parametrize("kind", EFFECTS)
def test_effects_are_immutable(kind: type[msgspec.Struct]) -> None:
    assert kind.__struct_config__.frozen
