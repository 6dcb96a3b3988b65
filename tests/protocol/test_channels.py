from __future__ import annotations

import pytest

from foxtrot_protocol.channels import kind_of


@pytest.mark.parametrize(
    ("channel", "kind"),
    [
        ("trade", "trade"),
        ("trade_all", "trade_all"),
        ("bar_1m", "bar"),
        ("bar", "bar"),
        ("book", "book"),
        ("book5", "book"),
        ("book_l2_tbt", "book"),
        ("", ""),
    ],
)
def test_intervals_and_depths_are_of_one_kind(channel: str, kind: str) -> None:
    assert kind_of(channel) == kind
