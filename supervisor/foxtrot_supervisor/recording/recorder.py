"""The recorder: takes all frames rings of a run into segments. Runs in a thread of its own; writing may block.

A ring is read from where the last complete chunk of its worker ends, so nothing is recorded twice and a kill of the
recorder loses nothing that the ring still holds. When a chunk cannot be written (a full disk), it is kept and tried
again; meanwhile nothing is read, and what the rings could not hold is announced as lost, by number.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

from foxtrot_protocol import frames_layout
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.segments import ChunkHeader, Lost, parse_segment_name
from foxtrot_protocol.spec import RecorderSettings
from foxtrot_supervisor.recording.frames_reader import FramesReader
from foxtrot_supervisor.recording.line_memory import MemoryPool
from foxtrot_supervisor.recording.pace import pause_s
from foxtrot_supervisor.recording.retention import KeptSegment, segments_to_remove
from foxtrot_supervisor.recording.ring_session import Compress, RingSession
from foxtrot_supervisor.recording.segment_writer import Resumed, SegmentWriter
from foxtrot_supervisor.system.processor_time import ProcessorTime

__all__ = ["DirectoryInUse", "Recorder"]

POLL_S: Final = 0.1
"""Seconds between two looks at rings that were empty."""

FLUSH_S: Final = 5.0
"""Seconds after which a chunk is written, however small: a kill loses nothing of it, since the ring holds it too."""

CHUNK_BYTES: Final = 1024 * 1024
"""Bytes of lines gathered for one chunk; a quarter of a ring that is smaller than four times this."""

GATHERED_BYTES_MAX: Final = 64 * 1024 * 1024
"""Bytes gathered for all workers together; beyond it every chunk is written at once."""

RETRY_S: Final = 1.0
"""Seconds until a write that failed is tried again."""

RING_KEPT_S: Final = 10.0
"""Seconds for which the ring of a dead worker stays after it was read: a crash report is made of it."""

RETAIN_S: Final = 30.0
"""Seconds between two looks for segments that are too many or too old."""

SESSIONS_REMEMBERED_MAX: Final = 64
"""Ended sessions of one worker that are remembered; it has fewer rings (`frames_writer.FRAMES_RINGS_KEPT_MAX`)."""

_LOST_BYTES_MAX: Final = 500

_GONE = "the frames ring is gone: what was received after the last chunk is not recorded"


class Log(Protocol):
    """Where the recorder logs, from its thread."""

    def info(self, event: str, /, **fields: Any) -> Any: ...
    def warning(self, event: str, /, **fields: Any) -> Any: ...
    def error(self, event: str, /, **fields: Any) -> Any: ...


class DirectoryInUse(Exception):
    """Another recorder writes into the directory."""


class _Worker:
    """What is recorded of one worker: its rings, one after the other."""

    def __init__(self, writer: SegmentWriter, resumed: Resumed) -> None:
        self.writer = writer
        self.ended = dict.fromkeys(sorted(resumed.ended))
        """Sessions that are recorded to their end, by their start; the latest ones."""
        self.last = resumed.last
        """Header of the last complete chunk that an earlier recorder has written."""
        self.waiting: dict[str, FramesReader] = {}
        """Rings that are not begun, by file name, oldest first."""
        self.name = ""
        self.session: RingSession | None = None
        self.carried: list[Lost] = []
        """Lost at the end of the session before, where no line says so."""
        self.lost: list[Lost] = []
        """Lost between sessions."""
        self.words: list[str] = []
        """Files that say why something is lost; removed when a line says so."""


class Recorder:
    """Records into one directory until stopped.

    Args:
        settings: of the recorder.
        frames_directory: the run's folder of frames rings.
        compress: makes a complete zstandard frame, in a hurry or not.
        log: of the recorder.

    Raises:
        DirectoryInUse: another one records there.
        OSError: the directory cannot be made or opened.
    """

    def __init__(self, settings: RecorderSettings, frames_directory: str, compress: Compress, log: Log) -> None:
        self._settings = settings
        self._frames_directory = frames_directory
        self._compress = compress
        self._log = log
        self._workers: dict[str, _Worker] = {}
        self._memory = MemoryPool()
        self._known: set[str] = set()
        """File names of rings that are open, or cannot be used."""
        self._read: dict[str, float] = {}
        """Rings that were read to their end, and when (monotonic seconds)."""
        self._retry_at = 0.0
        self._retain_at = 0.0
        self._written = dict.fromkeys(
            (
                "lines_total",
                "frames_total",
                "lost_frames_total",
                "chunks_total",
                "plain_bytes_total",
                "written_bytes_total",
                "removed_segments_total",
                "failed_writes_total",
            ),
            0,
        )
        self.problem = ""
        """Why recording stands still; "" while it goes on."""
        self.writing_since: float | None = None
        """Monotonic time at which a write began that has not ended."""
        os.makedirs(settings.directory, 0o700, exist_ok=True)
        self._lock = os.open(settings.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if os.fstat(self._lock).st_uid != os.getuid():
                raise PermissionError(f"{settings.directory} belongs to another user")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise DirectoryInUse(f"another recorder writes into {settings.directory}") from None
        except BaseException:
            os.close(self._lock)
            raise

    def counts(self) -> dict[str, int]:
        """Return what it counts."""
        return dict(self._written)

    def run(self, stopping: threading.Event, stop_s: Callable[[], float]) -> bool:
        """Record until `stopping` is set and everything is read, or `stop_s` (monotonic deadline) has passed.

        Returns whether everything was recorded.
        """
        try:
            processor = ProcessorTime()
            while not stopping.is_set():
                if not self.turn(time.monotonic()):
                    stopping.wait(POLL_S)
                if pause := pause_s(*processor.since_last()):
                    stopping.wait(pause)
            while time.monotonic() < stop_s():
                busy = self.turn(time.monotonic(), last=True)
                if not busy and not any(worker.session or worker.waiting for worker in self._workers.values()):
                    return True
                if not busy:
                    time.sleep(POLL_S)
            return False
        finally:
            self.close()

    def turn(self, now: float, *, last: bool = False) -> bool:
        """Read each ring once and write what is due; `last`: of a run that ends. Return whether more may wait."""
        if now >= self._retry_at:
            self._discover(now)
        busy = False
        gathered = sum(worker.session.bytes for worker in self._workers.values() if worker.session is not None)
        for worker in self._workers.values():
            if worker.session is None and not self._begin(worker):
                continue
            busy |= self._advance(worker, now, flush=last or gathered > GATHERED_BYTES_MAX)
        self._remove_read(now, at_once=last)
        if now >= self._retain_at:
            self._retain_at = now + RETAIN_S
            self._retain()
        return busy and not self.problem

    def close(self) -> None:
        """Close everything; unread rings stay for the next recorder."""
        for worker in self._workers.values():
            with contextlib.suppress(OSError):
                worker.writer.finish()
            for reader in (*worker.waiting.values(), *([worker.session.reader] if worker.session else [])):
                reader.close()
            worker.session = None
            worker.waiting = {}
        with contextlib.suppress(OSError):  # others use it still
            os.rmdir(self._frames_directory)
        os.close(self._lock)

    # ---- rings

    def _discover(self, now: float) -> None:
        try:
            names = sorted(os.listdir(self._frames_directory))
        except FileNotFoundError:
            return
        found = False
        for name in names:
            if name in self._known:
                continue
            word = frames_layout.parse_lost_name(name)
            if word is not None:
                self._take_word(name, *word)
            elif frames_layout.parse_any_name(name) is not None:
                reader = self._open(name)
                if reader is None:
                    continue
                try:
                    worker = self._worker_of(reader)
                except OSError as error:  # its folder cannot be used: the ring waits, as while a disk is full
                    reader.close()
                    self._known.discard(name)
                    self._failed(error, self._settings.directory, now)
                    continue
                worker.waiting[name] = reader
                found = True
        if found:
            for worker in self._workers.values():
                waiting = sorted(worker.waiting.items(), key=lambda each: each[1].identity.started_ns)
                worker.waiting = dict(waiting)

    def _open(self, name: str) -> FramesReader | None:
        try:
            reader = FramesReader.open_name(self._frames_directory, name)
        except FileNotFoundError:
            return None
        except (OSError, MalformedMessage) as error:
            self._known.add(name)
            self._log.warning("frames_ring_unusable", ring=name, reason=str(error))
            return None
        self._known.add(name)
        if not reader.identity.recorded:
            reader.close()
            return None
        return reader

    def _worker_of(self, reader: FramesReader) -> _Worker:
        identity = reader.identity
        worker = self._workers.get(identity.worker)
        if worker is None:
            settings = self._settings
            folder = os.path.join(settings.directory, identity.connection)
            writer = SegmentWriter(folder, identity.worker, settings.segment_bytes, settings.segment_s)
            resumed = writer.resume()
            if resumed.cut:
                self._log.warning("segment_cut", worker=identity.worker, reason=resumed.cut)
            self._workers[identity.worker] = worker = _Worker(writer, resumed)
        return worker

    def _take_word(self, name: str, worker_name: str, incarnation: int) -> None:
        worker = self._workers.get(worker_name)
        if worker is None:
            return  # until it has a ring
        self._known.add(name)
        try:
            with open(os.path.join(self._frames_directory, name), encoding="utf-8", errors="replace") as file:
                started, _, reason = file.read(_LOST_BYTES_MAX).partition(" ")
        except OSError:
            return
        if started.isdigit() and int(started) in worker.ended:
            self._unlink(name)  # it was recorded before it was removed
            return
        worker.lost.append(Lost(frames=None, reason=reason, incarnation=incarnation))
        worker.words.append(name)

    def _begin(self, worker: _Worker) -> bool:
        """Begin with the next ring of `worker`; False if there is none."""
        while worker.waiting:
            name = next(iter(worker.waiting))
            reader = worker.waiting.pop(name)
            last, started_ns = worker.last, reader.identity.started_ns
            if started_ns in worker.ended:
                self._done(name, reader)  # recorded before
                continue
            if last is not None and started_ns == last.session.started_ns:
                reader.position, reader.frames = last.position, last.frames
            elif last is not None and not last.ended:
                gone = Lost(frames=None, reason=_GONE, after_ns=last.last_ns, incarnation=last.session.incarnation)
                worker.lost.insert(0, gone)
            worker.last = None
            worker.name = name
            worker.session = RingSession(reader, worker.carried, worker.lost, self._memory)
            worker.carried, worker.lost = [], []
            return True
        return False

    def _advance(self, worker: _Worker, now: float, *, flush: bool) -> bool:
        session = worker.session
        assert session is not None
        if self.problem and now < self._retry_at:
            return False
        more = ended = False
        if not session.is_full:
            # asked before the last read: a writer that is gone adds nothing
            ended = session.reader.is_ended()
            bytes_max = min(CHUNK_BYTES, session.reader.identity.capacity // 4)
            more = session.gather(bytes_max, now)
            ended = ended and not more
            due = session.bytes and (more or flush or now - session.gathered_s >= FLUSH_S)
            if not due and not ended:
                return False
        if not self._write(worker, session, now, ended=ended):
            return False
        if worker.session is session and ended:
            self._end(worker, session)
        return more or ended

    def _failed(self, error: OSError, path: str, now: float) -> None:
        """Note that nothing can be written; it is tried again after `RETRY_S`."""
        self._written["failed_writes_total"] += 1
        self._retry_at = now + RETRY_S
        if not self.problem:
            self.problem = f"recording stopped: {self._settings.directory}: {error.strerror or error}"
            self._log.error("recording_stopped", reason=self.problem, path=path)

    def _write(self, worker: _Worker, session: RingSession, now: float, *, ended: bool) -> bool:
        header, packed = session.chunk(self._compress, ended=ended)
        self.writing_since = time.monotonic()
        try:
            worker.writer.write(header, packed, time.time_ns())
        except OSError as error:
            self._failed(error, worker.writer.path, now)
            return False
        finally:
            self.writing_since = None
        self._count(header, session)
        session.written()
        if not session.pending:
            for name in worker.words:
                self._unlink(name)
            worker.words = []
        if self.problem:
            self.problem = ""
            self._log.warning("recording_resumed", path=self._settings.directory)
        if header.ended and worker.session is session and not ended:
            self._end(worker, session)
        return True

    def _count(self, header: ChunkHeader, session: RingSession) -> None:
        written = self._written
        lost = sum(each.frames or 0 for each in header.lost)
        written["lines_total"] += header.lines
        written["frames_total"] += session.frames
        written["lost_frames_total"] += lost
        written["chunks_total"] += 1
        written["plain_bytes_total"] += header.plain_bytes
        written["written_bytes_total"] += header.packed_bytes
        for each in header.lost:
            self._log.warning(
                "frames_lost",
                worker=header.session.worker,
                incarnation=header.session.incarnation,
                frames=each.frames,
                reason=each.reason,
            )

    def _end(self, worker: _Worker, session: RingSession) -> None:
        worker.ended[session.session.started_ns] = None
        for oldest in list(worker.ended)[:-SESSIONS_REMEMBERED_MAX]:
            del worker.ended[oldest]
        worker.carried = session.pending
        worker.session = None
        self._done(worker.name, session.reader)

    def _done(self, name: str, reader: FramesReader) -> None:
        reader.close()
        age_s = 0.0
        with contextlib.suppress(OSError):  # read by an earlier recorder, perhaps long ago
            age_s = max(0.0, time.time() - os.stat(os.path.join(self._frames_directory, name)).st_mtime)
        self._read[name] = time.monotonic() - age_s

    def _remove_read(self, now: float, *, at_once: bool) -> None:
        for name in [name for name, since in self._read.items() if at_once or now - since >= RING_KEPT_S]:
            del self._read[name]
            self._unlink(name)
            self._known.discard(name)

    def _unlink(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self._frames_directory, name))

    # ---- retention

    def _retain(self) -> None:
        settings = self._settings
        if settings.bytes_max is None and settings.keep_s is None:
            return
        growing = {worker.writer.path for worker in self._workers.values()}
        segments = _segments(settings.directory)
        growing_bytes = sum(each.size_bytes for each in segments if each.path in growing)
        for segment in segments_to_remove(
            [each for each in segments if each.path not in growing],
            time.time(),
            bytes_max=None if settings.bytes_max is None else max(0, settings.bytes_max - growing_bytes),
            age_s_max=settings.keep_s,
        ):
            try:
                os.unlink(segment.path)
            except OSError as error:
                self._log.warning("segment_not_removed", path=segment.path, reason=error.strerror)
                continue
            self._written["removed_segments_total"] += 1
            self._log.info("segment_removed", path=segment.path)


def _segments(directory: str) -> list[KeptSegment]:
    found = []
    with os.scandir(directory) as folders:
        for folder in folders:
            if not folder.is_dir(follow_symlinks=False):
                continue
            with os.scandir(folder.path) as entries:
                for entry in entries:
                    if parse_segment_name(entry.name) is not None and entry.is_file(follow_symlinks=False):
                        facts = entry.stat(follow_symlinks=False)
                        found.append(KeptSegment(entry.path, facts.st_size, facts.st_mtime))
    return found
