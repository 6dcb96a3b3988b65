"""What a module offers is named, exists and is explained."""

from __future__ import annotations

import importlib
import inspect

import pytest

from tests.support.sources import modules

NEEDS = {"foxtrot_supervisor.gateways.vnpy_gateway": "vnpy"}
"""Modules that can only be imported where an extra is installed, and which."""


@pytest.mark.parametrize("name", sorted(modules()))
def test_public_names_exist_and_are_documented(name: str) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    module = importlib.import_module(name)
    assert (module.__doc__ or "").strip(), f"{name} does not say what it is"
    public = getattr(module, "__all__", None)
    if modules()[name].name != "__init__.py":
        assert public is not None, f"{name} does not say what is public"
    undocumented = [
        entry
        for entry in public or ()
        if (inspect.isclass(value := getattr(module, entry)) or inspect.isfunction(value))
        and not (value.__doc__ or "").strip()
    ]
    assert undocumented == []
