"""Time and state of the exchange."""

from __future__ import annotations

import pytest

from foxtrot_workers.exchanges.okx.system import STATUS, TIME


def test_time() -> None:
    assert TIME.read_ns(b'{"code":"0","data":[{"ts":"1597026383085"}],"msg":""}') == 1_597_026_383_085_000_000


def test_only_an_event_of_the_websocket_servers_that_is_under_way_counts() -> None:
    event = '{"title":"Upgrade","state":"%s","begin":"1","end":"2","serviceType":"%s"}'
    for state, service, found in (("ongoing", "0", "Upgrade"), ("ongoing", "5", ""), ("scheduled", "0", "")):
        body = '{"code":"0","msg":"","data":[%s]}' % (event % (state, service))
        assert STATUS.read(body.encode()) == found
    assert STATUS.read(b'{"code":"0","msg":"","data":[]}') == ""
    with pytest.raises(ValueError, match="code 50011"):
        STATUS.read(b'{"code":"50011","msg":"Too many requests","data":[]}')
