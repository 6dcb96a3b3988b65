"""An assignment holds until its deadline, and expires once."""

from __future__ import annotations

from foxtrot_supervisor.core.assignment import Validity


def test_it_expires_once_unless_it_is_renewed() -> None:
    validity = Validity()
    assert not validity.expire(0.0)
    assert validity.remaining_s(0.0) == 0.0
    validity.renew(10.0, 5.0)
    assert not validity.expire(14.9)
    validity.renew(14.0, 5.0)
    assert not validity.expire(15.0)
    assert validity.remaining_s(15.0) == 4.0
    assert validity.expire(19.0)
    assert not validity.expire(20.0)


def test_a_renewal_may_shorten_it() -> None:
    validity = Validity()
    validity.renew(0.0, 100.0)
    validity.renew(1.0, 1.0)
    assert validity.expire(2.0)
