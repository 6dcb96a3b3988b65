from __future__ import annotations

import msgspec
import pytest

from foxtrot_workers.adapter import BookFacts, VenueFacts


def test_facts_cannot_be_changed_and_a_book_must_say_where_its_snapshot_comes_from() -> None:
    facts = VenueFacts(title="Acme", documentation="acme.example", keep_alive="nobody pings")
    with pytest.raises(AttributeError):
        facts.title = "Other"  # type: ignore[misc] # that is the test
    with pytest.raises(TypeError):
        BookFacts()  # type: ignore[call-arg] # that is the test
    assert msgspec.structs.asdict(BookFacts(snapshot="rest")) == {
        "snapshot": "rest",
        "levels": None,
        "order": "",
        "checksum": "",
    }
