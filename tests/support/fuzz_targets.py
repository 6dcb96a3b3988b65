"""Everything that reads bytes it did not write itself, each as a target of `fuzzing`.

What has a checksum (ring records, a ring's identity) must notice every damage. What has none (messages over a socket
of the private run directory, an exchange's frames) must take it, or refuse it by the errors that it promises.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from foxtrot_protocol import commands, control, endpoints, nursery_wire, ring_layout, spec, zmtp
from foxtrot_protocol.codec import (
    BatchEncoder,
    batch_decoder,
    decode_from_child,
    decode_to_child,
    encode_control,
    read_header,
)
from foxtrot_protocol.errors import MalformedMessage, VersionMismatch
from foxtrot_protocol.events import (
    EVENT_GAP,
    EVENT_MARKET_TRADE,
    Bar,
    BookDelta,
    BookSnapshot,
    FeedStatus,
    Gap,
    Quote,
    Ticker,
    Trade,
)
from foxtrot_protocol.ring_layout import HEADER_BYTES, RingFigures, RingIdentity, Word
from foxtrot_supervisor.client.tap_decoder import BatchBytes, TapDecoder
from foxtrot_supervisor.config.schema import EngineConfig
from foxtrot_supervisor.core.targets import engine_settings
from foxtrot_supervisor.engine.bus.event_engine import EventEngine
from foxtrot_supervisor.engine.delivery.receiver import EventReceiver, remove_ring
from foxtrot_workers.feed.ring_writer import RingWriter
from tests.support.burst_fuzz import BurstFrames
from tests.support.engine_fuzz import EngineBatches
from tests.support.exchange_frames import EXCHANGE_TARGETS
from tests.support.frames_fuzz import FramesRing
from tests.support.fuzzing import Broken, Target
from tests.support.raw_push import RawPush
from tests.support.sink_fuzz import SINK_TARGETS
from tests.support.template_fuzz import TemplateFrames
from tests.workers.templates.both_forms import native

__all__ = ["TARGETS"]

RING_BATCHES = 6


def trade(number: int) -> Trade[str]:
    return Trade("SIM", "BTCUSDT", number, number + 1, f"{100 + number}.50", "2.0", "buy", str(number))


def batches(worker: str = "w.a", incarnation: int = 1, count: int = RING_BATCHES) -> list[bytes]:
    """Batches 1 to `count`; batch n holds the trades 10n to 10n + n - 1."""
    encoder = BatchEncoder(worker, incarnation)
    return [
        encoder.encode(number, 77, [trade(10 * number + each) for each in range(number)])
        for number in range(1, count + 1)
    ]


def events_of_each_kind() -> list[Any]:
    levels = [("1.5", "2"), ("1.4", "0")]
    return [
        trade(1),
        Quote("SIM", "BTCUSDT", 1, 2, "1.5", "2", None, None, "7"),
        BookSnapshot("SIM", "BTCUSDT", 1, 2, levels, levels, None, "9", 4_000_000_000),
        BookDelta("SIM", "BTCUSDT", 1, 2, levels, [], "8", "9", None),
        Ticker("SIM", "BTCUSDT", 1, 2, "1", "2", "3", "4", "5", None),
        Bar("SIM", "BTCUSDT", 1, 2, "1m", 0, "1", "2", "3", "4", "5", False),
        FeedStatus("SIM", "BTCUSDT", 1, 2, "btcusdt@trade", "flowing", 0.5),
        Gap("SIM", "BTCUSDT", 0, 2, EVENT_MARKET_TRADE, "1", "3", 1, 2, "why"),
    ]


# ---- the ring


class RingRecords(Target):
    """The records of a ring: none that was damaged is ever taken for one that was written."""

    name: ClassVar[str] = "ring_records"
    share: ClassVar[float] = 2.0

    def __init__(self) -> None:
        self._capacity = 4096
        self._ring = bytearray(self._capacity)
        self._written: dict[int, tuple[int, int, bytes]] = {}
        self._head = before = 0
        for sequence, data in enumerate(batches(count=4), 1):
            ring_layout.put_record(self._ring, self._head, sequence, before, sequence, data)
            self._written[sequence] = (before, sequence, data)
            before += sequence
            self._head += ring_layout.record_size(len(data))

    def samples(self) -> Sequence[bytes]:
        return [bytes(self._ring[: self._head])]

    def feed(self, data: bytes, chance: random.Random) -> bool:
        ring = memoryview((data + bytes(self._capacity))[: self._capacity])
        position, expected, taken = 0, 1, 0
        while True:
            try:
                record = ring_layout.read_record(ring, position, self._head)
            except MalformedMessage:
                record = ring_layout.find_record(ring, position, self._head, expected, RING_BATCHES)
                if record is None:
                    break
            if record is None:
                break
            if self._written.get(record.sequence) != (record.events_before, record.events, record.data):
                raise Broken(f"record {record.sequence} was taken, and is not what was written")
            if record.end <= position:
                raise Broken("reading does not get on")
            position, expected, taken = record.end, record.sequence + 1, taken + 1
        return taken == len(self._written)


class RingHeader(Target):
    """A ring's header page: its identity is right or refused, its words are read without any harm."""

    name: ClassVar[str] = "ring_header"

    def __init__(self) -> None:
        self._identity = RingIdentity("binance-spot.a", 7, 65536)
        folder = tempfile.mkdtemp(prefix="foxtrot-fuzz-")
        writer = RingWriter(folder, self._identity.worker, self._identity.incarnation, self._identity.capacity)
        for sequence, data in enumerate(batches(), 1):
            writer.append(sequence, sequence, data)
        writer.close()
        self._header = Path(writer.path).read_bytes()[:HEADER_BYTES]
        shutil.rmtree(folder)
        self._places = [
            *range(len(ring_layout.pack_identity(self._identity))),
            *(8 * word + byte for word in Word for byte in range(16 if "MARK" not in word.name else 128)),
        ]

    def samples(self) -> Sequence[bytes]:
        return [self._header]

    def feed(self, data: bytes, chance: random.Random) -> bool:
        if len(data) == HEADER_BYTES and data != self._header:
            # most of a page is empty: strike where something stands
            struck = bytearray(self._header)
            for _ in range(1 + int(chance.random() * 3)):
                struck[self._places[int(chance.random() * len(self._places))]] ^= 1 << int(chance.random() * 8)
            data = bytes(struck)
        try:
            identity = ring_layout.read_identity(data)
            figures = ring_layout.figures(data)
        except MalformedMessage:
            return False
        if identity is None:
            return False
        if identity != self._identity:
            raise Broken(f"a damaged identity was taken: {identity}")
        if figures is not None and not 0 <= figures.used_bytes <= figures.capacity_bytes:
            raise Broken(f"impossible figures: {figures}")
        return True


class _Log:
    """What the receiver logs, by name of the event."""

    def __init__(self) -> None:
        self.events: set[str] = set()

    def _note(self, event: str, /, **fields: object) -> None:
        self.events.add(event)

    debug = info = warning = error = _note


class _Receiver:
    """An engine's end with its rings, without a thread of its own: the caller of `pump` waits for it."""

    def __init__(self) -> None:
        # in memory, as run directories are: a disk that has other things to do would take most of the time
        memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
        self.folder = tempfile.mkdtemp(prefix="foxtrot-fuzz-", dir=memory)
        self.log = _Log()
        self.events: list[Any] = []
        self.drained: list[RingFigures] = []
        engine = EventEngine()
        for kind in (EVENT_MARKET_TRADE, EVENT_GAP):
            engine.register(kind, lambda event: self.events.append(event.data))
        self.receiver = EventReceiver(
            endpoints.data_endpoint(self.folder),
            "text",
            engine,
            self.log,
            lambda _: None,
            run_dir=self.folder,
            ringless=True,
            on_drained=self._on_drained,
        )
        self.push = RawPush(f"{self.folder}/data.ipc", self.receiver.pump)

    def _on_drained(self, figures: RingFigures, path: str) -> None:
        self.drained.append(figures)
        remove_ring(path)

    def close(self) -> None:
        self.receiver.close()
        self.push.close()
        shutil.rmtree(self.folder)


class LiveRing(Target):
    """A damaged ring file and the engine's end that reads it: what is given is right, in order, the rest reported."""

    name: ClassVar[str] = "live_ring"
    share: ClassVar[float] = 0.5

    def __init__(self) -> None:
        self._bench = _Receiver()
        self._incarnation = 0
        self._wanted = [trade(10 * number + each) for number in range(1, RING_BATCHES + 1) for each in range(number)]

    def close(self) -> None:
        self._bench.close()

    def samples(self) -> Sequence[bytes]:
        writer = RingWriter(self._bench.folder, "w.a", 1, 4096)
        for sequence, data in enumerate(batches(), 1):
            writer.append(sequence, sequence, data)
        used = writer.used_bytes
        writer.close()
        whole = Path(writer.path).read_bytes()[: HEADER_BYTES + used]
        os.unlink(writer.path)
        return [whole]

    def feed(self, data: bytes, chance: random.Random) -> bool:
        """Only the places that `data` differs in matter: each input is a ring of its own, with its own identity."""
        bench = self._bench
        self._incarnation += 1
        writer = RingWriter(bench.folder, "w.a", self._incarnation, 4096)
        for sequence, batch in enumerate(batches("w.a", self._incarnation), 1):
            writer.append(sequence, sequence, batch)
        used = writer.used_bytes
        writer.close()
        self._strike(writer.path, used, chance, harmless=self._incarnation == 1)
        bench.events.clear()
        bench.log.events.clear()
        bench.receiver.fence("w.a", self._incarnation)
        for _ in range(100):
            bench.receiver.pump()
            if not os.path.exists(writer.path):
                break
        else:
            raise Broken(f"the ring is never drained: {sorted(bench.log.events)}, {bench.events[-1:]}")
        given = [msgspec.structs.replace(e, publish_ns=0, redelivered=False) for e in bench.events if type(e) is Trade]
        left = iter(self._wanted)
        if not all(event in left for event in given):
            raise Broken(f"given: {[event.trade_id for event in given]}")
        told = any(type(event) is Gap for event in bench.events) or bench.log.events & {
            "account_violated",
            "ring_removed_unread",
            "ring_unreadable",
        }
        if len(given) < len(self._wanted) and not told:
            raise Broken(f"{len(self._wanted) - len(given)} events are missing, and nobody says so")
        return len(given) == len(self._wanted)

    def _strike(self, path: str, used: int, chance: random.Random, *, harmless: bool) -> None:
        if harmless:
            return
        words = [8 * word + byte for word in Word for byte in range(8)]
        with open(path, "r+b") as file:
            for _ in range(1 + int(chance.random() * 3)):
                where = chance.random()
                if where < 0.6:
                    at = HEADER_BYTES + int(chance.random() * used)
                elif where < 0.9:
                    at = words[int(chance.random() * len(words))]
                else:
                    at = int(chance.random() * 64)
                file.seek(at)
                (byte,) = file.read(1)
                file.seek(at)
                file.write(bytes([byte ^ (1 << int(chance.random() * 8))]))


# ---- the data plane over ZeroMQ


class Batches(Target):
    """Batches through every decoder."""

    name: ClassVar[str] = "codec"
    share: ClassVar[float] = 2.0

    def __init__(self) -> None:
        self._decoders = [batch_decoder(numbers) for numbers in ("float", "decimal", "text")]

    def samples(self) -> Sequence[bytes]:
        encoder = BatchEncoder("binance-spot.a", 3)
        events = events_of_each_kind()
        return [encoder.encode(1, 77, [event]) for event in events] + [encoder.encode(2, 77, events)]

    def feed(self, data: bytes, chance: random.Random) -> bool:
        taken = None
        for decoder in self._decoders:
            try:
                taken = decoder.decode(data)
            except (MalformedMessage, VersionMismatch):
                taken = None
        try:
            read_header(data)
        except MalformedMessage:
            if taken is not None:
                raise Broken("a batch that can be read has a header that cannot") from None
        if taken is None:
            return False
        again = self._decoders[-1].decode(msgspec.msgpack.encode(taken))
        if again != taken:
            raise Broken("what was decoded is another when it is sent on")
        return True


class ReceivedBatches(Target):
    """Batches as an engine receives them: in every state the good ones of another worker are applied."""

    name: ClassVar[str] = "zmq_batches"

    def __init__(self) -> None:
        self._bench = _Receiver()
        self._good = BatchEncoder("good", 1)
        self._sequence = 0

    def close(self) -> None:
        self._bench.close()

    def samples(self) -> Sequence[bytes]:
        return [*batches("bad.a", 1), BatchEncoder("bad.b", 2).encode(1, 77, events_of_each_kind())]

    def feed(self, data: bytes, chance: random.Random) -> bool:
        bench = self._bench
        malformed = bench.receiver.malformed_total
        bench.push.send(data)
        if not self._sequence or chance.random() < 0.02:
            self._sequence += 1
            bench.push.send(self._good.encode(self._sequence, 77, [trade(self._sequence)]))
            bench.receiver.pump()
            if not any(type(event) is Trade and event.trade_id == str(self._sequence) for event in bench.events):
                raise Broken(f"a good batch was not applied: number {self._sequence}")
            bench.events.clear()
        else:
            bench.receiver.pump()
        return bench.receiver.malformed_total == malformed


class LiveEvents(Target):
    """The live event stream that commands read."""

    name: ClassVar[str] = "tap"

    def samples(self) -> Sequence[bytes]:
        records = [len(data).to_bytes(4, "big") + data for data in batches()]
        return [b"".join(records), records[0] + b"\0\0\0\0\0\0\0\x05" + records[1]]

    def feed(self, data: bytes, chance: random.Random) -> bool:
        decoder = TapDecoder()
        got = 0
        at = 0
        try:
            while at < len(data):
                chunk = data[at : at + 1 + int(chance.random() * len(data))]
                at += len(chunk)
                for record in decoder.feed(chunk):
                    got += 4 + (len(record.data) if isinstance(record, BatchBytes) else 4)
        except MalformedMessage:
            return False
        if got > len(data):
            raise Broken("more came out than went in")
        return got == len(data)


# ---- the control plane


class _Decoded(Target):
    """Messages through one function; what is taken must survive being sent on."""

    messages: ClassVar[Sequence[bytes]]

    def decode(self, data: bytes) -> Any:
        raise NotImplementedError

    def encode(self, message: Any) -> bytes:
        return encode_control(message)

    def samples(self) -> Sequence[bytes]:
        return self.messages

    def feed(self, data: bytes, chance: random.Random) -> bool:
        try:
            message = self.decode(data)
        except MalformedMessage:
            return False
        # NaN is not equal to itself: compared as text
        if repr(self.decode(self.encode(message))) != repr(message):
            raise Broken(f"what was decoded is another when it is sent on: {message}")
        return True


class FromChild(_Decoded):
    name: ClassVar[str] = "from_child"
    messages: ClassVar[Sequence[bytes]] = [
        encode_control(message)
        for message in (
            commands.Hello("w.a", 1, 4711),
            commands.Ready("w.a", 1, {"url": "ws://127.0.0.1:1"}),
            commands.Heartbeat("w.a", 1, 0.5, 1, 2, 3, 4, topics=[commands.TopicStatus("t", "flowing", 0.1)]),
            commands.Heartbeat("engine", 1, 0.5, 1, 2, 3, 4, sources={"w": commands.SourceCounters(1, 2, 3, 4, 5, 6)}),
            commands.Failed("w.a", 1, "refused", 5.0),
            commands.Drained("engine", 1, "w.a", 3, 100, 99, 1, 0),
            commands.Done("w.a", 1, 7, ""),
            commands.LogRecord("w.a", "info", "connected", {"topics": "3"}),
        )
    ]

    def decode(self, data: bytes) -> Any:
        return decode_from_child(data)


class ToChild(_Decoded):
    name: ClassVar[str] = "to_child"
    messages: ClassVar[Sequence[bytes]] = [
        encode_control(message)
        for message in (
            commands.Stop(30.0),
            commands.Subscribe(1, ["BTCUSDT", "ETHUSDT"]),
            commands.Unsubscribe(2, ["BTCUSDT"]),
            commands.FetchList(3, "/run/instruments-1.json"),
            commands.Fenced("w.a", 3),
            commands.WorkersStarted({"w.a": 3, "w.b": 1}, more=True),
            commands.WorkerChanged("w.a", 1, "RUNNING", "", None, None, None, 0),
        )
    ]

    def decode(self, data: bytes) -> Any:
        return decode_to_child(data)


class Requests(_Decoded):
    name: ClassVar[str] = "operator_requests"
    messages: ClassVar[Sequence[bytes]] = [
        control.encode_line(request)
        for request in (
            control.StatusRequest(),
            control.StopRequest(),
            control.StopWorkersRequest(["w.a", "x"]),
            control.RestartRequest("w.a"),
            control.ReloadRequest(),
            control.SplitRequest("all-1"),
            control.SubscribeRequest("w.a", ["BTCUSDT"]),
            control.UnsubscribeRequest("w.a", ["BTCUSDT", "ETHUSDT"]),
        )
    ]

    def decode(self, data: bytes) -> Any:
        return control.decode_request(data)

    def encode(self, message: Any) -> bytes:
        return control.encode_line(message)


class Replies(_Decoded):
    name: ClassVar[str] = "operator_replies"
    messages: ClassVar[Sequence[bytes]] = [
        control.encode_line(control.Reply(data={"workers": [{"name": "w.a", "uptime_s": 1.5}], "engine": {}})),
        control.encode_line(control.Reply(error="no such worker", final=False)),
    ]

    def decode(self, data: bytes) -> Any:
        return control.decode_reply(data)

    def encode(self, message: Any) -> bytes:
        return control.encode_line(message)


class ChildSpecs(Target):
    """What crosses to a child at its start, with the settings inside."""

    name: ClassVar[str] = "child_spec"
    _kinds: ClassVar[dict[str, type]] = {
        "engine": spec.EngineSettings,
        "connection": spec.FeedSettings,
        "simulator": spec.SimulatorSettings,
        "nursery": spec.NurserySettings,
    }

    def samples(self) -> Sequence[bytes]:
        settings: dict[str, Any] = {
            "engine": engine_settings(EngineConfig(handlers=["m:f"]), "/run", "."),
            "connection": spec.FeedSettings(
                connection="c",
                side="a",
                exchange="sim",
                channels=["trade"],
                symbols=["BTCUSDT"],
                data_endpoint="ipc://d",
                client="picows",
                ring_bytes=2**20,
                full_wait_s=5.0,
            ),
            "simulator": spec.SimulatorSettings(symbols=["BTCUSDT"]),
            "nursery": spec.NurserySettings(socket_path="s", boot="m:f"),
        }
        return [
            spec.encode_spec(
                spec.ChildSpec(
                    name="c.a",
                    kind=kind,  # type: ignore[arg-type]  # of these four
                    target="m:f",
                    incarnation=1,
                    run_id="0" * 32,
                    run_dir="run",
                    parent_pid=1,
                    control_endpoint="ipc://c",
                    heartbeat_s=1.0,
                    log_level="info",
                    log_format="json",
                    settings=msgspec.msgpack.encode(each),
                )
            )
            for kind, each in settings.items()
        ]

    def feed(self, data: bytes, chance: random.Random) -> bool:
        try:
            found = spec.decode_spec(data)
            spec.decode_settings(found.settings, self._kinds[found.kind])
        except MalformedMessage:
            return False
        return True


class NurseryMessages(Target):
    """What supervisor and nursery say to each other, as a stream."""

    name: ClassVar[str] = "nursery"
    share: ClassVar[float] = 0.5

    def samples(self) -> Sequence[bytes]:
        return [
            nursery_wire.pack(nursery_wire.FORK, b"s" * 300) + nursery_wire.pack(nursery_wire.FORKED, b"4711"),
            nursery_wire.pack(nursery_wire.HELLO) + nursery_wire.pack(nursery_wire.PONG, b"beat"),
        ]

    def feed(self, data: bytes, chance: random.Random) -> bool:
        at = 0

        def receive(size: int) -> bytes:
            nonlocal at
            part = data[at : at + 1 + int(chance.random() * size)] if size else b""
            at += len(part)
            return part

        try:
            while nursery_wire.read_message(receive)[0]:
                pass
        except MalformedMessage:
            return False
        return True


class ZmtpConnection(Target):
    """What a ZeroMQ peer of a worker says, as a stream: greeting, READY, commands, messages."""

    name: ClassVar[str] = "zmtp"
    share: ClassVar[float] = 0.5

    def samples(self) -> Sequence[bytes]:
        peer = zmtp.Connection(b"DEALER", b"x", 1)
        peer.receive(zmtp.GREETING)
        opened = zmtp.GREETING + peer.take_replies()  # a DEALER may be connected to a DEALER
        ping = b"\x04\x09\x04PING\0\0xy"
        return [
            opened + zmtp.message(encode_control(commands.Stop(1.0))) + ping + zmtp.message(bytes(300)),
            opened + b"\x01\x02ab" + zmtp.message(b"c"),
        ]

    def feed(self, data: bytes, chance: random.Random) -> bool:
        connection, at, told = zmtp.Connection(b"DEALER", b"w.a#1", 1000), 0, 0
        while at < len(data):
            size = 1 + int(chance.random() * 40)
            for frames in connection.receive(data[at : at + size]):
                told += sum(map(len, frames))
            connection.take_replies()
            at += size
        if told > len(data):
            raise Broken("messages contain more than was received")
        return not connection.violation


TARGETS: dict[str, type[Target]] = {
    target.name: target
    for target in (
        RingRecords,
        RingHeader,
        LiveRing,
        Batches,
        ReceivedBatches,
        LiveEvents,
        FromChild,
        ToChild,
        Requests,
        Replies,
        ChildSpecs,
        NurseryMessages,
        ZmtpConnection,
        BurstFrames,
        *EXCHANGE_TARGETS.values(),
        *SINK_TARGETS.values(),
        *([TemplateFrames, EngineBatches, FramesRing] if native() is not None else []),
    )
}
"""Every target by name."""
