"""Names of workers at engines, and subjects."""

from __future__ import annotations

from foxtrot_supervisor.cluster.names import event_subject as subject_of_names
from foxtrot_supervisor.cluster.wire_names import engine_incarnation, engine_worker, event_subject, request_subject


def test_the_name_at_engines_has_the_connection_before_its_last_point() -> None:
    name = engine_worker("btc", "a0.a", "btc_a0_5.a")
    assert name == "btc.a0-a"
    assert name.rpartition(".")[0] == "btc"
    assert engine_worker("", "", "sim.a") == "sim.a"


def test_a_later_holder_has_a_higher_incarnation() -> None:
    assert engine_incarnation("btc_a0_5.a", 7) == 5_000_007
    assert engine_incarnation("btc_a0_6.a", 1) > engine_incarnation("btc_a0_5.a", 999)
    assert engine_incarnation("sim.a", 3) == 3  # not placed by a cluster


def test_subjects_have_no_wildcards_and_no_blanks() -> None:
    assert event_subject("btc", "a0.a", "w") == subject_of_names("btc", "a0.a") == "events.btc.a0.a"
    assert event_subject("b.t>c *", "", "sim.a") == "events.sim_a"
    assert event_subject("b.t>c *", "a", "w") == "events.b_t_c__.a"
    assert request_subject("btc", "a0.a", "w") == "foxtrot.requests.btc.a0.a"
