"""Options and end of the commands that run a supervisor in their own process: `start`, `node`, `engine`."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any, Literal, NoReturn

import click
from msgspec import Struct

from foxtrot_protocol.lean_import import without
from foxtrot_supervisor.cli.common import absolute, run_dir_option
from foxtrot_supervisor.cli.messages import say
from foxtrot_supervisor.cli.start_display import display
from foxtrot_supervisor.config.schema import FoxtrotConfig
from foxtrot_supervisor.config.shards import Placements
from foxtrot_supervisor.core.targets import Targets
from foxtrot_supervisor.runtime import run_dir

with without("dill"):
    from foxtrot_supervisor.runtime.main import run_supervisor

__all__ = ["Foreground", "foreground_options"]

duration_option = click.option(
    "--duration", "duration_s", type=click.FloatRange(min=0, min_open=True), metavar="S", help="Stop after S seconds."
)

_OPTIONS = (
    run_dir_option,
    click.option(
        "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", show_default=True
    ),
    click.option(
        "--log-format",
        type=click.Choice(["auto", "console", "json"]),
        default="auto",
        show_default=True,
        help="auto: a live view on a terminal, else console lines.",
    ),
    click.option("--plain", is_flag=True, help="On a terminal a live table instead of the full-screen view."),
    click.option(
        "--boot", hidden=True, metavar="TARGET", help="What children call first (fault tests: docs/chaos.md)."
    ),
)


class Foreground(Struct, frozen=True, kw_only=True):
    """What the options say; `run` is the run."""

    run_dir_path: str | None
    log_level: str
    log_format: Literal["auto", "console", "json"]
    plain: bool
    boot: str | None

    def run(
        self,
        config: FoxtrotConfig,
        *,
        import_path: str,
        config_path: str | None,
        duration_s: float | None = None,
        read_config: Callable[[Placements], FoxtrotConfig] | None = None,
    ) -> NoReturn:
        """Supervise until stopped, with log or live view; then exit with the run's code.

        Args:
            config: the checked configuration.
            import_path: search path of the user's handlers.
            config_path: file that it was read from, if any.
            duration_s: seconds after which the run is stopped; None: no limit.
            read_config: reads the file again, for a reload.
        """
        directory = self.run_dir_path or config.supervisor.run_dir or run_dir.default_path(os.environ, os.getuid())
        directory = absolute(directory)
        wanted = "plain" if self.plain and self.log_format == "auto" else self.log_format
        with display(wanted, self.log_level, directory) as (log_format, on_snapshot):
            code = run_supervisor(
                config,
                run_dir_path=directory,
                import_path=import_path,
                log_level=self.log_level,
                log_format=log_format,
                duration_s=duration_s,
                on_snapshot=on_snapshot,
                config_path=absolute(config_path) if config_path else "",
                read_config=read_config,
                targets=None if self.boot is None else Targets(boot=self.boot),
            )
        if log_format == "link":
            say(f"stopped, exit code {int(code)}")  # the view, and with it the last state, has gone
        raise click.exceptions.Exit(int(code))


def foreground_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a run in this process; the command gets them as `foreground`."""

    @functools.wraps(command)
    def run(**options: Any) -> None:
        own = {name: options.pop(name) for name in Foreground.__struct_fields__}
        command(foreground=Foreground(**own), **options)

    for option in reversed(_OPTIONS):
        run = option(run)
    return run
