"""Every module has a docstring and `__all__`; every public name exists and has a docstring."""

from __future__ import annotations

import importlib
import inspect

import pytest

from tests.support.sources import modules

NEEDS = {"foxtrot_supervisor.gateways.vnpy_gateway": "vnpy"}
"""Modules that need an optional package, and which one."""


@pytest.mark.parametrize("name", sorted(modules()))
def test_public_names_exist_and_are_documented(name: str) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    module = importlib.import_module(name)
    assert (module.__doc__ or "").strip(), f"{name} has no docstring"
    public = getattr(module, "__all__", None)
    if modules()[name].name != "__init__.py":
        assert public is not None, f"{name} has no __all__"
    undocumented = [
        entry
        for entry in public or ()
        if (inspect.isclass(value := getattr(module, entry)) or inspect.isfunction(value))
        and not (value.__doc__ or "").strip()
    ]
    assert undocumented == []
