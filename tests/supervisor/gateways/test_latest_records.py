"""The latest record of each key, up to a limit."""

from __future__ import annotations

from types import SimpleNamespace

from foxtrot_supervisor.gateways.latest_records import KINDS, LatestRecords


def test_the_latest_of_each_key_in_order_of_change() -> None:
    records = LatestRecords()
    first, second, third = (SimpleNamespace(vt_symbol=symbol) for symbol in ("A.X", "B.X", "A.X"))
    for data in (first, second, third):
        records.take("eTick.", data)
    assert records.get("eTick.", "A.X") is third
    assert records.get("eTick.", "C.X") is None
    assert records.all("eTick.") == [second, third]
    assert records.all("eContract.") == []


def test_each_kind_has_its_key() -> None:
    records = LatestRecords()
    for kind, key in KINDS.items():
        records.take(kind, SimpleNamespace(**{key: "it"}))
        assert records.get(kind, "it") is not None


def test_data_without_a_key_are_ignored_and_counted() -> None:
    records = LatestRecords()
    for data in (None, SimpleNamespace(), SimpleNamespace(vt_symbol=""), SimpleNamespace(vt_symbol=7)):
        records.take("eTick.", data)
    assert (records.nameless_total, records.all("eTick.")) == (4, [])


def test_beyond_the_limit_the_record_unchanged_longest_is_evicted() -> None:
    records = LatestRecords(records_max=2)
    for symbol in ("A", "B", "A", "C"):
        records.take("eTick.", SimpleNamespace(vt_symbol=symbol))
    assert [data.vt_symbol for data in records.all("eTick.")] == ["A", "C"]
    assert records.forgotten_total == 1
