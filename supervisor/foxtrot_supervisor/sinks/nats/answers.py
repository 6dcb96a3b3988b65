"""What JetStream answers to a message, and what it means for the row. Pure.

Answers: NATS ADR-1, "JetStream JSON API Design". Error codes: ``errors.json`` of nats-server.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

__all__ = ["Answer", "AnswerError", "parse_answer", "refuses_stream"]

_TOO_LARGE: Final = 10054
"""JSStreamMessageExceedsMaximumErr: the message exceeds the stream's max_msg_size."""

_OTHER_STREAM: Final = 10060
"""JSStreamNotMatchErr: another stream has the subject."""


class AnswerError(Struct, frozen=True):
    """``error`` of an answer."""

    code: int = 0
    err_code: int = 0
    description: str = ""

    @property
    def refuses_row(self) -> bool:
        """Whether the message itself is the reason."""
        return self.err_code == _TOO_LARGE


class Answer(Struct, frozen=True):
    """An acknowledgement, or an error."""

    stream: str = ""
    seq: int = 0
    duplicate: bool = False
    error: AnswerError | None = None


_DECODER: Final = msgspec.json.Decoder(Answer)


def parse_answer(data: bytes, status: str | None) -> Answer:
    """Return the answer in a message; `status`: of its headers, such as "503" where no stream listens."""
    if status is not None:
        return Answer(error=AnswerError(503, 0, f"no stream takes the subject (status {status})"))
    try:
        return _DECODER.decode(data)
    except msgspec.MsgspecError as error:
        return Answer(error=AnswerError(500, 0, f"not an answer of JetStream: {error}"))


def refuses_stream(error: AnswerError) -> bool:
    """Return whether only a person can help."""
    return error.err_code == _OTHER_STREAM
