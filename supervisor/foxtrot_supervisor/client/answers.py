"""Answers of a supervisor, checked: text without control characters, the outcome of a stop as a type. Pure."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Struct

from foxtrot_protocol.control import Reply, decode_reply
from foxtrot_protocol.errors import MalformedMessage

__all__ = ["AuditEnd", "ChildEnd", "StopAnswer", "printable", "read_reply", "read_stop_answer"]

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Control characters but tab and line feed, and those that change the direction of the text that follows."""

_MAYBE_CONTROL = re.compile(rb"\\[bfru]|\x7f|\xc2[\x80-\x9f]|\xe2[\x80\x81]")
"""What a line of JSON contains if a text in it has one of those: JSON escapes the ASCII ones."""

DEPTH_MAX = 100
"""Largest nesting of lists and objects; `status` has less than ten levels."""


class ChildEnd(Struct, frozen=True):
    """The end of one child."""

    name: str
    state: str = ""
    rung: str | None = None
    cause: str = ""


class AuditEnd(Struct, frozen=True):
    """Findings of the audit at the end of a run."""

    children: list[str] = []
    threads: list[str] = []
    tasks: list[str] = []
    descriptors: list[str] = []
    files: list[str] = []
    unhandled: list[dict[str, Any]] = []

    def left_behind(self) -> dict[str, list[str]]:
        """Return what was left behind, by kind."""
        kinds = ("children", "threads", "tasks", "descriptors", "files")
        return {kind: getattr(self, kind) for kind in kinds if getattr(self, kind)}


class StopAnswer(Struct, frozen=True):
    """The shown part of the outcome of a stop."""

    exit_code: int
    children: list[ChildEnd]
    audit: AuditEnd


def printable(value: Any, depth: int = DEPTH_MAX) -> Any:
    """Return `value`, decoded from JSON, with each control character escaped.

    Raises `MalformedMessage` if it is nested deeper than `depth` levels.
    """
    if depth == 0:
        raise MalformedMessage(f"reply: more than {DEPTH_MAX} levels")
    if isinstance(value, str):
        return _CONTROL.sub(_escape, value)
    if isinstance(value, list):
        return [printable(each, depth - 1) for each in value]
    if isinstance(value, dict):
        return {_CONTROL.sub(_escape, str(key)): printable(each, depth - 1) for key, each in value.items()}
    return value


def read_reply(line: bytes) -> Reply:
    """Return the reply in `line`, with each control character escaped; raises `MalformedMessage`."""
    reply = decode_reply(line)
    if _MAYBE_CONTROL.search(line) is None:
        return reply  # a walk through the status of a thousand workers takes 0.1 s
    return Reply(error=printable(reply.error), data=printable(reply.data), final=reply.final)


def read_stop_answer(data: dict[str, Any]) -> StopAnswer:
    """Return the outcome of a stop in `data`; raises `MalformedMessage` if it is not one."""
    try:
        return msgspec.convert(data, StopAnswer)
    except msgspec.ValidationError as error:
        raise MalformedMessage(f"reply: not the outcome of a stop: {error}") from None


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
