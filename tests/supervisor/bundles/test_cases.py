from __future__ import annotations

from typing import Any

import pytest

from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_supervisor.bundles import cases
from foxtrot_supervisor.bundles.cases import SETTLE_S, Cases


def incident(
    kind: str = "death", worker: str = "spot.a", incarnation: int | None = 3, **details: Any
) -> dict[str, Any]:
    return {
        "kind": kind, "worker": worker, "incarnation": incarnation, "cause": "TypeError: x", "at_ns": 5,
        "connection": "spot", "exchange": "binance", "details": details,
    }  # fmt: skip


def test_a_crash_gets_one_bundle_when_everything_has_settled() -> None:
    found = Cases()
    found.look([incident("killed"), incident(exit_code=1), incident("recovered")], 10.0)
    assert found.due(10.0) == []
    assert found.is_waiting("spot.a", 3)
    assert [(case.worker, case.incarnation, case.kind) for case in found.due(10.0 + SETTLE_S)] == [
        ("spot.a", 3, "killed")
    ]
    found.look([incident(exit_code=1)], 11.0)
    assert found.due(99.0) == []


@pytest.mark.parametrize(
    "usual",
    [
        incident("gap"),
        incident(incarnation=None),
        incident(worker=""),
        *(incident(exit_code=int(code)) for code in (ChildExit.CONNECTION_LOST, ChildExit.ROTATE, ChildExit.CLEAN)),
    ],
)
def test_ends_in_order_get_none(usual: dict[str, Any]) -> None:
    found = Cases()
    found.look([usual], 1.0)
    assert found.due(99.0) == []


@pytest.mark.parametrize("details", [{"exit_code": 1}, {"exit_code": 15}, {"signal": 9, "exit_code": None}, {}])
def test_crashes_signals_and_lack_of_memory_get_one(details: dict[str, Any]) -> None:
    found = Cases()
    found.look([incident(**details)], 1.0)
    assert len(found.due(99.0)) == 1


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases, "REMEMBERED_MAX", 2)
    found = Cases()
    found.look([incident(incarnation=number) for number in (1, 2, 3)], 1.0)
    found.due(99.0)
    found.look([incident(incarnation=number) for number in (1, 3)], 2.0)
    assert [case.incarnation for case in found.due(99.0)] == [1]
