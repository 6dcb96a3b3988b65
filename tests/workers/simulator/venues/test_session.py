"""What every session shares."""

from __future__ import annotations

import pytest

from foxtrot_workers.simulator.venues.binance.session import BinanceSession
from foxtrot_workers.simulator.venues.okx.session import OkxSession
from foxtrot_workers.simulator.venues.session import Close, Send, Session


@pytest.mark.parametrize("session", [BinanceSession("/ws"), OkxSession()])
def test_a_new_session_holds_nothing(session: Session) -> None:
    assert list(session.topics) == []
    assert session.subscribed_total == 0


def test_replies_are_values() -> None:
    assert Send("a") == Send("a")
    assert Close(1000, "") != Close(1001, "")
