"""The suite passes good adapters and catches bad ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foxtrot_protocol.events import EVENT_MARKET_TRADE, MarketEvent, Trade
from foxtrot_protocol.identity import IdentityRule
from foxtrot_workers.adapter import AccessRequest, Adapter, Limits, RestRequest, Topic, VenueFacts
from foxtrot_workers.exchanges.binance.adapter import Binance
from foxtrot_workers.exchanges.binance.variants import BinanceUs, Sim
from foxtrot_workers.exchanges.okx.adapter import Okx
from foxtrot_workers.testing.conformance import (
    AdapterSample,
    BackfillSample,
    NotConforming,
    check_adapter,
    feed_anything,
)
from tests.workers.exchanges.samples import (
    BINANCE_AGG_BACKFILL,
    BINANCE_BACKFILLS,
    BINANCE_SAMPLES,
    OKX_BACKFILLS,
    OKX_SAMPLES,
)

SAMPLES: dict[type[Adapter], list[AdapterSample]] = {
    Binance: BINANCE_SAMPLES,
    BinanceUs: BINANCE_SAMPLES,
    Sim: BINANCE_SAMPLES,
    Okx: OKX_SAMPLES,
}

BACKFILLS: dict[type[Adapter], list[BackfillSample]] = {
    Binance: BINANCE_BACKFILLS,
    BinanceUs: [BINANCE_AGG_BACKFILL],
    Sim: BINANCE_BACKFILLS,
    Okx: OKX_BACKFILLS,
}


@pytest.mark.parametrize("adapter_class", SAMPLES, ids=lambda adapter: adapter.name)
def test_every_adapter_conforms(adapter_class: type[Adapter]) -> None:
    check_adapter(adapter_class, SAMPLES[adapter_class], backfills=BACKFILLS[adapter_class])


@pytest.mark.parametrize("adapter_class", [Binance, Okx], ids=lambda adapter: adapter.name)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_an_adapter_accepts_or_refuses_any_json(adapter_class: type[Adapter], data: st.DataObject) -> None:
    """Values of any type in every known field."""
    sample = data.draw(st.sampled_from(SAMPLES[adapter_class]))
    value = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8))
    nested = st.recursive(
        value, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner), max_leaves=6
    )
    message = msgspec.json.decode(sample.frame)
    for _ in range(data.draw(st.integers(1, 3))):
        _change(message, data, nested)
    adapter = adapter_class(adopt=data.draw(st.booleans()))
    adapter.subscribe(adapter.topics([sample.channel], [sample.symbol]))
    feed_anything(adapter, msgspec.json.encode(message))
    feed_anything(adapter, sample.frame)


def _change(message: object, data: st.DataObject, values: st.SearchStrategy[object]) -> None:
    """Replace the value at one place of `message`, at any depth."""
    place = message
    while True:
        keys: list[object] = list(place) if isinstance(place, dict) else list(range(len(place)))  # type: ignore[arg-type] # dict or list
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        inner = place[key]  # type: ignore[index] # key was taken from it
        if isinstance(inner, dict | list) and inner and data.draw(st.integers(0, 3)):
            place = inner
            continue
        place[key] = data.draw(values)  # type: ignore[index] # as above
        return


@pytest.mark.parametrize("adapter_class", [Binance, Okx], ids=lambda adapter: adapter.name)
@settings(max_examples=200, deadline=None)
@given(frame=st.binary(max_size=60))
def test_an_adapter_accepts_or_refuses_any_bytes(adapter_class: type[Adapter], frame: bytes) -> None:
    feed_anything(adapter_class(), frame)
    feed_anything(adapter_class(adopt=True), frame)


SAMPLE = BINANCE_SAMPLES[0]


class One(Binance):
    """A Binance with one channel, to be broken in one way each."""

    facts: ClassVar[VenueFacts | None] = None

    channels: ClassVar[frozenset[str]] = frozenset({"trade"})


class ListRaises(One):
    def instruments(self, body: bytes) -> dict[str, str]:
        raise KeyError("symbols")


class LookRaises(One):
    def liveness_token(self, topic: Topic, body: bytes) -> str:
        raise ZeroDivisionError


class BadName(One):
    name: ClassVar[str] = "Not An Identifier"


class BadExchange(One):
    exchange: ClassVar[str] = "lower"


class BadUrl(One):
    url: ClassVar[str] = "http://example.org"


class LatePing(One):
    limits: ClassVar[Limits] = Limits(silence_s=10.0, ping_text="ping", ping_idle_s=10.0)


class PingsWithoutText(One):
    limits: ClassVar[Limits] = Limits(silence_s=10.0, ping_interval_s=5.0)


class AccessByNoPath(One):
    def access_request(self) -> AccessRequest | None:
        return AccessRequest("POST", "token")


class AnyAccess(One):
    def access_request(self) -> AccessRequest | None:
        return AccessRequest("POST", "/token")

    def on_access(self, base: str, body: bytes) -> str:
        return base


class AccessRaises(AnyAccess):
    def on_access(self, base: str, body: bytes) -> str:
        raise KeyError("data")


class SameWires(One):
    def topics(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Topic]:
        return [Topic(topic.channel, topic.symbol, "same") for topic in super().topics(channels, symbols)]


class RepeatsTopics(One):
    def topics(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Topic]:
        return [topic for symbol in symbols for topic in super(RepeatsTopics, self).topics(channels, [symbol])]


class AnyChannel(One):
    def topics(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Topic]:
        return super().topics(["trade" for _ in channels], symbols)


class OneBigRequest(One):
    limits: ClassVar[Limits] = Limits(silence_s=10.0, topics_per_request=5)

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        super().subscribe(topics)
        return ["everything"] if topics else []


class SameRequest(One):
    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        return ["again" for _ in super().subscribe(topics)]


class Raises(One):
    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        if not frame:
            raise KeyError("frame")
        super().parse(frame, receive_ns, out)


class EventsOfRefusedFrame(One):
    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        if frame == b"null":
            out.append(Trade("BINANCE", "X", 0, receive_ns, "1", "1", "buy", "1"))
        super().parse(frame, receive_ns, out)


class WrongReceiveTime(One):
    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        super().parse(frame, 0, out)


class MakesNoEvents(One):
    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        super().parse(frame, receive_ns, [])


class NoDataTime(One):
    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        super().parse(frame, receive_ns, out)
        self.last_data_ns.clear()


class AcceptsUnsubscribed(One):
    def __init__(self, *, adopt: bool = False) -> None:
        super().__init__(adopt=True)


class RestRaises(One):
    def on_rest(self, path: str, status: int, body: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        msgspec.json.decode(body)


class Oversized(One):
    """Times that the wire format cannot hold."""

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        super().parse(frame, receive_ns, out)
        out[:] = [msgspec.structs.replace(event, exchange_ns=2**64) for event in out]


class Unsendable(One):
    """A number that the wire format cannot hold."""

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        super().parse(frame, receive_ns, out)
        out[:] = [msgspec.structs.replace(event, publish_ns=2**70) for event in out]


class Mistyped(One):
    """A value that no consumer can decode."""

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        super().parse(frame, receive_ns, out)
        out[:] = [msgspec.structs.replace(event, publish_ns=1.5) for event in out]


class BackfillUnsubscribed(One):
    """Requests past trades of a symbol that is not subscribed."""

    def backfill_request(self, symbol: str, stream: str, first_id: int, last_id: int) -> RestRequest | None:
        return RestRequest("past", f"/{first_id}/{last_id}")


class Unordered(One):
    identities: ClassVar[Mapping[str, IdentityRule]] = {EVENT_MARKET_TRADE: "unique"}


class NoBackfillRequest(One):
    def backfill_request(self, symbol: str, stream: str, first_id: int, last_id: int) -> RestRequest | None:
        return None


class RequestsNoPath(One):
    def backfill_request(self, symbol: str, stream: str, first_id: int, last_id: int) -> RestRequest | None:
        request = super().backfill_request(symbol, stream, first_id, last_id)
        return request and RestRequest(request.key, request.path.removeprefix("/"))


class RequestsWithoutWeight(One):
    def backfill_request(self, symbol: str, stream: str, first_id: int, last_id: int) -> RestRequest | None:
        request = super().backfill_request(symbol, stream, first_id, last_id)
        return request and RestRequest(request.key, request.path, 0)


class RequestsFixedRange(One):
    def backfill_request(self, symbol: str, stream: str, first_id: int, last_id: int) -> RestRequest | None:
        return super().backfill_request(symbol, stream, 28457, 28459)


class RequestsVary(One):
    requests = 0

    def backfill_request(self, symbol: str, stream: str, first_id: int, last_id: int) -> RestRequest | None:
        self.requests += 1
        return super().backfill_request(symbol, stream, first_id + self.requests, last_id + self.requests)


class EmptyBackfill(One):
    def on_backfill(self, path: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
        return []


class HalfTheBackfill(One):
    def on_backfill(self, path: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
        return super().on_backfill(path, body, receive_ns)[::2]


class NoReceiveTime(One):
    def on_backfill(self, path: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
        return super().on_backfill(path, body, 0)


class WrongBackfill(One):
    def on_backfill(self, path: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
        return [None for _ in super().on_backfill(path, body, receive_ns)]  # type: ignore[misc]  # that is the fault


class Breaks(One):
    def on_backfill(self, path: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
        if body == b"":
            raise TypeError("nothing")
        return super().on_backfill(path, body, receive_ns)


@pytest.mark.parametrize(
    ("adapter_class", "complaint"),
    [
        (BackfillUnsubscribed, "without a subscription"),
        (Unordered, "no gap in them"),
        (NoBackfillRequest, "backfill_request is None"),
        (RequestsNoPath, "not a usable request"),
        (RequestsWithoutWeight, "not a usable request"),
        (RequestsFixedRange, "in the same way"),
        (RequestsVary, "in two ways"),
        (EmptyBackfill, "no past trades"),
        (HalfTheBackfill, "2 of 3"),
        (NoReceiveTime, "receive_ns"),
        (WrongBackfill, "not trades"),
        (Breaks, "TypeError"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_each_fault_of_backfill_is_found(adapter_class: type[Adapter], complaint: str) -> None:
    with pytest.raises(NotConforming, match=complaint):
        check_adapter(adapter_class, [SAMPLE], backfills=BINANCE_BACKFILLS[:1])


def test_a_channel_with_backfill_needs_a_sample_of_it() -> None:
    with pytest.raises(NotConforming, match="no BackfillSample for the channel trade"):
        check_adapter(One, [SAMPLE])


@pytest.mark.parametrize(
    ("adapter_class", "complaint"),
    [
        (BadName, "not a lower-case identifier"),
        (BadExchange, "upper case"),
        (BadUrl, "not a WebSocket address"),
        (LatePing, "too late"),
        (PingsWithoutText, "without ping_text"),
        (AccessByNoPath, "not a usable request"),
        (AnyAccess, "on_access accepts"),
        (AccessRaises, "on_access raised KeyError"),
        (SameWires, "one topic|wire names|not subscribed|symbol"),
        (RepeatsTopics, "repeated symbol"),
        (AnyChannel, "not in channels"),
        (OneBigRequest, "too many topics"),
        (SameRequest, "requests are equal"),
        (Raises, "KeyError"),
        (EventsOfRefusedFrame, "refused has made events"),
        (WrongReceiveTime, "receive_ns"),
        (MakesNoEvents, "0 events instead of 1"),
        (NoDataTime, "last_data_ns"),
        (AcceptsUnsubscribed, "without a subscription"),
        (RestRaises, "on_rest raised"),
        (ListRaises, "instruments raised KeyError"),
        (LookRaises, "liveness_token raised ZeroDivisionError"),
        (Oversized, "out of range"),
        (Unsendable, "cannot be sent"),
        (Mistyped, "cannot be sent"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_each_fault_is_found(adapter_class: type[Adapter], complaint: str) -> None:
    with pytest.raises(NotConforming, match=complaint):
        check_adapter(adapter_class, [SAMPLE], backfills=BINANCE_BACKFILLS[:1])


def test_every_channel_needs_a_sample() -> None:
    with pytest.raises(NotConforming, match="no sample for the channels"):
        check_adapter(Binance, [SAMPLE])


def test_a_sample_that_cannot_be_decoded_is_named() -> None:
    with pytest.raises(NotConforming, match="cannot be decoded"):
        check_adapter(One, [AdapterSample("trade", "BNBBTC", b"{")])


def test_the_same_seed_does_the_same_damage() -> None:
    for _ in range(2):
        check_adapter(One, [SAMPLE], backfills=BINANCE_BACKFILLS[:1], seed=7)


def test_acknowledgements_are_checked_where_an_exchange_answers() -> None:
    with pytest.raises(NotConforming, match="is not acknowledged"):
        check_adapter(One, [SAMPLE], connect=lambda: lambda text: [])
