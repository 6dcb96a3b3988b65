"""Carries out the REST requests of an adapter (`notices.RestRequest`) and hands the answers back to it."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from foxtrot_protocol.child import ChildLog
from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.adapter.notices import RestRequest, SnapshotRejected
from foxtrot_workers.feed.frames_record import FramesRecord
from foxtrot_workers.feed.pipeline import SAMPLE_BYTES, Pipeline
from foxtrot_workers.feed.rest import RestFetcher

__all__ = ["AdapterRest"]


class AdapterRest:
    """REST requests of one adapter.

    Args:
        adapter: reads the answers.
        rest: fetches.
        pipeline: receives the events of the answers.
        log: receives failures and rejected snapshots.
        on_notices: called when the adapter has left notices while it read an answer.
        record: keeps answers; None: they are not kept.
    """

    def __init__(
        self,
        adapter: Adapter,
        rest: RestFetcher,
        pipeline: Pipeline,
        log: ChildLog,
        on_notices: Callable[[], None],
        record: FramesRecord | None = None,
    ) -> None:
        self._adapter = adapter
        self._rest = rest
        self._pipeline = pipeline
        self._log = log
        self._on_notices = on_notices
        self._record = record
        self.snapshots_rejected_total = 0

    def fetch(self, request: RestRequest) -> None:
        """Fetch `request`; the adapter gets the answer, or status 0 where none was received."""
        if not self._rest.fetch(request.key, request.path, request.delay_s, self._on_answer, request.weight):
            self._log.warning("rest_request_refused", rest_path=request.path)

    def _on_answer(self, path: str, status: int, body: bytes) -> None:
        adapter, pipeline, receive_ns = self._adapter, self._pipeline, time.time_ns()
        if self._record is not None:
            self._record.answered("adapter", path, status, body, receive_ns)
        if status != 200:
            self._log.warning("rest_failed", rest_path=path, http_status=status, sample=_sample(body))
        try:
            adapter.on_rest(path, status, body, receive_ns, pipeline.events)
        except (msgspec.MsgspecError, RecursionError, ValueError, LookupError) as error:
            self._log.warning("rest_answer_rejected", rest_path=path, reason=str(error))
            adapter.on_rest(path, 0, b"", receive_ns, pipeline.events)
        for notice in adapter.notices:
            if isinstance(notice, SnapshotRejected):
                self._count_rejected(notice, path, status, body)
        if adapter.notices:
            self._on_notices()
        if pipeline.pending:
            pipeline.flush()

    def _count_rejected(self, notice: SnapshotRejected, path: str, status: int, body: bytes) -> None:
        self.snapshots_rejected_total += 1
        if status == 200:  # other statuses are logged as failures
            self._log.warning(
                "snapshot_rejected",
                topic=notice.wire,
                rest_path=path,
                reason=notice.reason,
                size_bytes=len(body),
                sample=_sample(body),
                rejected_total=self.snapshots_rejected_total,
            )


def _sample(body: bytes) -> str:
    return body[:SAMPLE_BYTES].decode(errors="replace")
