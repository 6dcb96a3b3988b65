"""How long the recorder pauses where processors are contended."""

import pytest

from foxtrot_supervisor.recording.pace import CONTENDED_SHARE, PAUSE_S_MAX, SHARE_MAX, pause_s


@pytest.mark.parametrize("ran_s", [0.0, 0.001, 0.5])
def test_without_others_it_never_pauses(ran_s: float) -> None:
    assert pause_s(ran_s, 0.0) == pause_s(ran_s, ran_s * CONTENDED_SHARE) == 0.0


def test_where_processors_are_contended_it_takes_its_share_of_one() -> None:
    ran_s, waited_s = 0.004, 0.003
    assert ran_s / (ran_s + waited_s + pause_s(ran_s, waited_s)) == pytest.approx(SHARE_MAX)


def test_what_it_waited_counts_as_pause() -> None:
    assert pause_s(0.004, 0.004 / SHARE_MAX) == 0.0


def test_a_pause_is_bounded() -> None:
    assert pause_s(3.0, 3.0) == PAUSE_S_MAX
