"""The loop factory: uvloop where it is installed, asyncio's own loop elsewhere."""

from __future__ import annotations

import asyncio
import sys

import pytest
import uvloop

from foxtrot_supervisor.system.event_loop import loop_factory


def test_uvloop_is_used_where_it_is_installed() -> None:
    assert loop_factory() is uvloop.new_event_loop


def test_without_uvloop_it_is_the_loop_of_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert loop_factory() is asyncio.new_event_loop
