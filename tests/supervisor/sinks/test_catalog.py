"""Kinds of sinks: found by name, loaded only when asked for, refused with a reason."""

from __future__ import annotations

import sys
import types
from importlib.metadata import EntryPoint

import pytest
from msgspec import Struct

from foxtrot_supervisor.sinks import catalog


class _Good:
    settings = Struct
    open = write = flush = close = counts = problems = print


class _NoSettings(_Good):
    settings = str


class _NoWrite(_Good):
    write = None


@pytest.fixture(autouse=True)
def acme(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("acme_sink")
    vars(module).update(Good=_Good, NoSettings=_NoSettings, NoWrite=_NoWrite, good=_Good())
    monkeypatch.setitem(sys.modules, "acme_sink", module)
    found = {"acme": "Good", "bad": "NoSettings", "worse": "NoWrite", "thing": "good", "none": "Missing"}
    points = [EntryPoint(kind, f"acme_sink:{name}", catalog.GROUP) for kind, name in found.items()]
    points += [EntryPoint("absent", "no_such_module:Sink", catalog.GROUP), EntryPoint("own", "x:y", catalog.GROUP)]
    monkeypatch.setattr(catalog, "entry_points", lambda group: points)
    monkeypatch.setitem(catalog.BUILT_IN, "own", "acme_sink:Good")


def test_built_in_and_third_party_kinds_are_found() -> None:
    assert {"acme", "own", "absent"} <= set(catalog.kinds())
    assert catalog.sink_kind("acme") is _Good
    assert catalog.sink_kind("own") is _Good  # not the entry point of that name


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("bad", "is not a class with settings"),
        ("worse", "is not a class with settings"),
        ("thing", "is not a class with settings"),
        ("none", "Missing"),
        ("absent", "no_such_module"),
    ],
)
def test_what_cannot_be_loaded_says_why(kind: str, reason: str) -> None:
    with pytest.raises(ImportError, match=reason):
        catalog.sink_kind(kind)


def test_an_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(catalog.UnknownSink, match=r"'kafka'.*acme.*own"):
        catalog.sink_kind("kafka")


def test_every_built_in_kind_can_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(catalog.BUILT_IN, "own")
    for kind in catalog.BUILT_IN:
        assert catalog.sink_kind(kind).settings.__struct_fields__ is not None
