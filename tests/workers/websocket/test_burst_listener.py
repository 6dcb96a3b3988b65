"""Both forms of the listener: what they collect, when they hand over, what they leave to their owner."""

from __future__ import annotations

from typing import Any

import picows
import pytest
from picows import picows as picows_module

from foxtrot_protocol import compiled
from foxtrot_workers.websocket.burst_listener import CONTROL_BYTES_MAX, PureBurstListener
from foxtrot_workers.websocket.client import BURST_FRAMES_MAX

_native = compiled.load("foxtrot_workers.websocket._burst_listener")
FORMS: list[Any] = [PureBurstListener] if _native is None else [PureBurstListener, _native.BurstListener]
make_frame: Any = picows_module._make_test_ws_frame  # type: ignore[attr-defined]  # not in its stubs

TEXT = picows.WSMsgType.TEXT
LONG = b"x" * (CONTROL_BYTES_MAX + 1)


class Owner:
    """Notes what it gets."""

    def __init__(self, form: Any) -> None:
        self.listener = form(self)
        self.calls: list[Any] = []

    def hand_over(self, last: bool) -> None:
        self.calls.append((self.listener.burst, last))
        self.listener.burst = []

    def on_other_frame(self, transport: Any, frame: picows.WSFrame) -> None:
        self.calls.append((frame.msg_type, frame.get_payload_as_bytes()))

    def on_disconnected(self) -> None:
        self.calls.append("disconnected")

    def receive(self, kind: picows.WSMsgType, payload: bytes, *, fin: bool = True, rsv1: bool = False) -> None:
        """A test frame is the last of its buffer."""
        self.listener.on_ws_frame(None, make_frame(kind, payload, fin, rsv1))


@pytest.fixture(params=FORMS, ids=lambda form: form.__name__)
def owner(request: pytest.FixtureRequest) -> Owner:
    return Owner(request.param)


def test_whole_data_frames_are_collected_and_handed_over_with_the_last_of_a_buffer(owner: Owner) -> None:
    owner.listener.burst.append(b"before")
    owner.receive(TEXT, LONG)
    assert owner.calls == [([b"before", LONG], True)]
    assert owner.calls[0][1] is True


@pytest.mark.parametrize(
    ("payload", "fin", "rsv1"), [(LONG[1:], True, False), (b"", True, False), (LONG, False, False), (LONG, True, True)]
)
def test_short_frames_fragments_and_compressed_ones_are_left_to_the_owner(
    owner: Owner, payload: bytes, fin: bool, rsv1: bool
) -> None:
    owner.receive(TEXT, payload, fin=fin, rsv1=rsv1)
    assert owner.calls == [(TEXT, payload)]


def test_while_a_message_is_fragmented_the_owner_takes_all_frames(owner: Owner) -> None:
    owner.listener.fragmented = True
    owner.receive(picows.WSMsgType.CONTINUATION, LONG)
    assert owner.calls == [(picows.WSMsgType.CONTINUATION, LONG)]


def test_while_the_owner_is_behind_frames_are_only_collected(owner: Owner) -> None:
    owner.listener.behind = True
    for _ in range(BURST_FRAMES_MAX + 1):
        owner.receive(TEXT, LONG)
    assert owner.calls == []
    assert len(owner.listener.burst) == BURST_FRAMES_MAX + 1
    owner.listener.behind = False
    owner.receive(TEXT, LONG)
    assert len(owner.calls[0][0]) == BURST_FRAMES_MAX + 2


def test_the_end_of_the_connection_is_passed_on(owner: Owner) -> None:
    owner.listener.on_ws_disconnected(None)
    assert owner.calls == ["disconnected"]


def test_the_compiled_form_refuses_another_version_of_picows(monkeypatch: pytest.MonkeyPatch) -> None:
    if _native is None:
        pytest.skip("there is no compiled form")
    assert picows.__version__ == _native.PICOWS_VERSION  # type: ignore[attr-defined]  # not in its stubs
    monkeypatch.setattr(picows, "__version__", "0.0.1")
    with pytest.raises(ImportError, match=r"compiled for picows .*, but 0\.0\.1 is installed"):
        _native.check_version()
