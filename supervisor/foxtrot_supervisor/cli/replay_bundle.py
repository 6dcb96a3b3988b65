"""The command `replay` with crash bundles: the parser's crash again, with the guilty frame."""

from __future__ import annotations

import datetime
import importlib
from collections.abc import Sequence
from typing import Any

import click
import msgspec

from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_protocol.recorded_steps import UnreadableRecording
from foxtrot_supervisor.cli.messages import Failure
from foxtrot_supervisor.cli.output import write_lines

__all__ = ["replay_bundles"]


def replay_bundles(bundles: Sequence[str], *, as_json: bool) -> None:
    """Print what the frames of each bundle do; raises `Failure`: code 1 if a parser crashes, 3 without any frames."""
    module = importlib.import_module("foxtrot_workers.rerun.bundle")
    crashed = found = 0
    for bundle in bundles:
        try:
            for rerun in module.rerun_bundle(bundle):
                found += 1
                crashed += bool(rerun.error)
                if as_json:
                    write_lines([msgspec.to_builtins(rerun)])
                else:
                    click.echo(_text(rerun))
        except (module.BundleInvalid, UnreadableRecording) as error:
            raise Failure(str(error), SupervisorExit.START_FAILED) from None
        except (ValueError, ImportError) as error:  # an exchange that is not installed here
            raise Failure(f"{bundle}: {error}", SupervisorExit.START_FAILED) from None
    if not found:
        raise Failure(f"{', '.join(bundles)}: no frames are in it", SupervisorExit.START_FAILED)
    if crashed:
        raise Failure(f"reproduced: {crashed} of {found} parsers crashed", SupervisorExit.INTERNAL_ERROR)


def _text(rerun: Any) -> str:
    lines = [
        f"{rerun.worker} ({rerun.exchange}): {rerun.recorded_cause or 'it was alive'}",
        f"  {rerun.frames_total} frames were parsed, {rerun.rejected_total} of them rejected",
    ]
    lines += [f"  rejected: line {each.frame}: {each.reason}" for each in rerun.rejected]
    if not rerun.error:
        return "\n".join([*lines, "  no crash: this parser accepts the frames"])
    at = datetime.datetime.fromtimestamp(rerun.frame_ns / 1e9, datetime.UTC)
    lines += [
        f"  the parser raised {rerun.error}",
        f"  at the frame in line {rerun.frame_line}, received {at:%Y-%m-%d %H:%M:%S.%f} UTC:",
        f"    {rerun.frame}",
        "",
        rerun.trace.rstrip(),
    ]
    return "\n".join(lines)
