"""A package that must not be imported meanwhile."""

from __future__ import annotations

import importlib
import sys

import pytest

from foxtrot_supervisor.tables.unimportable import unimportable


def test_it_is_as_if_it_were_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("colorsys", "sched"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    before = list(sys.meta_path)
    with unimportable("colorsys"):
        with pytest.raises(ModuleNotFoundError, match="colorsys is not used in this process"):
            importlib.import_module("colorsys")
        importlib.import_module("sched")
    importlib.import_module("colorsys")
    assert sys.meta_path == before


def test_what_is_loaded_already_stays() -> None:
    with unimportable("json"):
        assert importlib.import_module("json") is sys.modules["json"]
