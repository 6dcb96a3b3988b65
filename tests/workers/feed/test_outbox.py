"""Texts leave in order, no faster than allowed."""

from __future__ import annotations

import pytest

from foxtrot_workers.feed import outbox
from foxtrot_workers.feed.effects import Send
from foxtrot_workers.feed.outbox import Outbox


def test_without_an_interval_all_texts_are_sent_at_once() -> None:
    box = Outbox(0.0)
    box.put(["a", "b"])
    assert box.take_due(0.0) == [Send("a"), Send("b")]
    assert not box


def test_texts_are_sent_an_interval_apart() -> None:
    box = Outbox(0.5)
    box.put(["a", "b"])
    assert box.take_due(10.0) == [Send("a")]
    assert box
    assert box.next_send_at == 10.5
    assert box.take_due(10.4) == []
    assert box.take_due(10.5) == [Send("b")]


def test_a_ping_goes_before_requests() -> None:
    box = Outbox(0.0)
    box.put(["a"])
    box.put_first("pong")
    assert box.take_due(0.0) == [Send("pong"), Send("a")]


def test_a_full_outbox_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "OUTBOX_COUNT", 1)
    with pytest.raises(OverflowError, match="more than 1 texts"):
        Outbox(1.0).put(["a", "b"])
