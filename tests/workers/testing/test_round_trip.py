"""Each adapter against the simulated exchange that speaks its protocol; and faults of requests are found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from foxtrot_protocol.events import MarketEvent
from foxtrot_workers.adapter import Adapter, Topic, UnrecognizedFrame
from foxtrot_workers.exchanges.binance.adapter import Binance
from foxtrot_workers.exchanges.bybit.adapter import Bybit
from foxtrot_workers.exchanges.coinbase.adapter import Coinbase
from foxtrot_workers.exchanges.kraken.adapter import Kraken
from foxtrot_workers.exchanges.okx.adapter import Okx
from foxtrot_workers.simulator.venues.binance.session import BinanceSession
from foxtrot_workers.simulator.venues.bybit.session import BybitSession
from foxtrot_workers.simulator.venues.coinbase.session import CoinbaseSession
from foxtrot_workers.simulator.venues.kraken.session import KrakenSession
from foxtrot_workers.simulator.venues.okx.session import OkxSession
from foxtrot_workers.simulator.venues.session import Send, Session
from foxtrot_workers.testing.round_trip import Answerer, check_round_trip
from foxtrot_workers.testing.samples import AdapterSample, NotConforming
from tests.workers.exchanges.bybit.samples import SPOT_SAMPLES
from tests.workers.exchanges.coinbase.samples import SAMPLES as COINBASE_SAMPLES
from tests.workers.exchanges.kraken.samples import SAMPLES as KRAKEN_SAMPLES
from tests.workers.exchanges.samples import BINANCE_SAMPLES, OKX_SAMPLES


def answering(make: Callable[[], Session]) -> Callable[[], Answerer]:
    def connect() -> Answerer:
        session = make()

        def answer(text: str) -> list[bytes]:
            replies = session.on_message(text.encode(), 0)
            return [reply.text.encode() for reply in replies if isinstance(reply, Send)]

        return answer

    return connect


VENUES: list[tuple[type[Adapter], list[AdapterSample], Callable[[], Session]]] = [
    (Binance, BINANCE_SAMPLES, lambda: BinanceSession("/stream")),
    (Okx, OKX_SAMPLES, OkxSession),
    (Bybit, SPOT_SAMPLES, lambda: BybitSession("spot", lambda topic: True)),
    (Coinbase, COINBASE_SAMPLES, lambda: CoinbaseSession(lambda name: True)),
    (Kraken, KRAKEN_SAMPLES, lambda: KrakenSession(lambda name: True)),
]


@pytest.mark.parametrize(
    ("adapter_class", "sample", "make"),
    [(adapter, sample, make) for adapter, samples, make in VENUES for sample in samples],
    ids=lambda value: getattr(value, "name", getattr(value, "channel", "")),
)
def test_requests_and_answers_fit(
    adapter_class: type[Adapter], sample: AdapterSample, make: Callable[[], Session]
) -> None:
    check_round_trip(adapter_class, sample, answering(make))


class ForgetsNothing(Kraken):
    """Accepts data of a topic that has ended."""

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        try:
            super().parse(frame, receive_ns, out)
        except UnrecognizedFrame:
            return


class BelievesLateAnswers(Kraken):
    """An answer to an unsubscription ends the topic, though it was subscribed again."""

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        leaving = set(self._requests._leaving)
        texts = super().subscribe(topics)
        self._requests._leaving |= leaving
        return texts


class HearsNothing(Kraken):
    """Takes no acknowledgement."""

    def _take_answer(self, other: Any) -> None:
        return


class KeepsDataTimes(Kraken):
    """The time of a topic's last data survives its end."""

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        before = dict(self.last_data_ns)
        super().parse(frame, receive_ns, out)
        self.last_data_ns.update(before)


class BelievesEverybody(Kraken):
    """Accepts a topic that it has not requested, because an answer names it."""

    def _take_answer(self, other: Any) -> None:
        if other.result is not None and other.method == "subscribe":
            self._routes.add("trade:BTC/USD")
        super()._take_answer(other)


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (ForgetsNothing, "accepted after its end"),
        (BelievesLateAnswers, "subscribed again at once"),
        (HearsNothing, "is not acknowledged"),
        (KeepsDataTimes, "last_data_ns has"),
        (BelievesEverybody, "another connection's request"),
    ],
)
def test_each_fault_is_found(broken: type[Adapter], complaint: str) -> None:
    (sample,) = (each for each in KRAKEN_SAMPLES if each.channel == "trade")
    connect = answering(lambda: KrakenSession(lambda name: True))
    check_round_trip(Kraken, sample, connect)
    with pytest.raises(NotConforming, match=complaint):
        check_round_trip(broken, sample, connect)


def test_an_answer_that_breaks_the_adapter_is_named() -> None:
    class Breaks(Kraken):
        def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
            raise KeyError("x")

    connect = answering(lambda: KrakenSession(lambda name: True))
    with pytest.raises(NotConforming, match="KeyError"):
        check_round_trip(Breaks, KRAKEN_SAMPLES[0], connect)


def test_answers_that_the_adapter_refuses_do_no_harm() -> None:
    kraken = answering(lambda: KrakenSession(lambda name: True))

    def connect() -> Answerer:
        answer = kraken()
        return lambda text: [b"[", b'{"channel":"unknown"}', *answer(text)]

    check_round_trip(Kraken, KRAKEN_SAMPLES[0], connect)
