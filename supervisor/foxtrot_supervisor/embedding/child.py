"""The supervisor as a child process of an application: start, news, signals, exit status. Lives on an event loop.

The child is started by `subprocess`, which is safe from any thread, and without the parent-death signal, which follows
the starting thread; `child_main` notices the parent's death in another way. The application's own child watching is
respected: the child is awaited by its pidfd, and its exit status may be taken by other code first.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable

from foxtrot_protocol.errors import MalformedMessage
from foxtrot_supervisor.config.schema import FoxtrotConfig
from foxtrot_supervisor.config.shards import Placements
from foxtrot_supervisor.core.targets import Targets
from foxtrot_supervisor.embedding.errors import SupervisorFailed
from foxtrot_supervisor.embedding.wire import ORDER_NAME, News, NewsReader, StartOrder, encode_order
from foxtrot_supervisor.runtime.processes.survivors import RUN_ID_VARIABLE
from foxtrot_supervisor.runtime.processes.syscalls import ExitStatus
from foxtrot_supervisor.runtime.run_dir import RunDir
from foxtrot_supervisor.system.interpreter import python_command
from foxtrot_supervisor.system.module_path import without_working_directory
from foxtrot_supervisor.system.private_files import create_private, opened_directory

__all__ = ["SupervisorChild", "write_order"]

_CODE = """
import json, sys
with open(sys.argv[1] + "/application.json", "rb") as file:
    sys.path[:] = json.load(file)["sys_path"]
from foxtrot_supervisor.embedding.child_main import main
main(sys.argv[1])
"""

_CHUNK_BYTES = 64 * 1024


def write_order(path: str, order: StartOrder) -> None:
    """Write `order` into the run directory `path`, replacing an earlier one atomically."""
    # a name that is removed with the run, in case this process is killed before it renames the file
    beside = "order.ipc"
    with opened_directory(path) as directory:
        with os.fdopen(create_private(beside, os.O_WRONLY | os.O_TRUNC, directory), "wb") as file:
            file.write(encode_order(order))
        os.replace(beside, ORDER_NAME, src_dir_fd=directory, dst_dir_fd=directory)


def _working_directory() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None


class SupervisorChild:
    """One supervisor process, from its start until its exit status is known.

    `on_news` gets each message from it; `on_death` its exit status, once, after all messages.
    """

    def __init__(
        self,
        run_dir: RunDir,
        config: FoxtrotConfig,
        shards: Placements,
        *,
        log_level: str,
        targets: Targets,
        incarnations_before: int,
        on_news: Callable[[News], None],
        on_death: Callable[[ExitStatus], None],
    ) -> None:
        """Start it; raises `SupervisorFailed`."""
        self._loop = asyncio.get_running_loop()
        self._on_news = on_news
        self._on_death = on_death
        self._reader = NewsReader()
        self._news, news_end = os.pipe()
        lifeline_end, self._lifeline = os.pipe()
        self.order = StartOrder(
            sys_path=without_working_directory(sys.path, _working_directory(), os.environ.get("PYTHONPATH", "")),
            config=config,
            shards={name: list(parts) for name, parts in shards.items()},
            run_id=run_dir.run_id,
            application_pid=os.getpid(),
            directory=run_dir.directory,
            lock=run_dir.lock,
            news=news_end,
            log_level=log_level,
            incarnations_before=incarnations_before,
            targets=targets,
        )
        try:
            write_order(run_dir.path, self.order)
            self._process = subprocess.Popen(
                python_command("-c", _CODE, run_dir.path),
                stdin=lifeline_end,
                pass_fds=(run_dir.directory, run_dir.lock, news_end),
                env={**os.environ, RUN_ID_VARIABLE: run_dir.run_id},
                start_new_session=True,
            )
            self.pid = self._process.pid
            self._pidfd = os.pidfd_open(self.pid)
        except OSError as error:
            os.close(self._news)
            os.close(self._lifeline)
            raise SupervisorFailed(f"the supervisor cannot be started: {error.strerror or error}") from None
        finally:
            os.close(news_end)
            os.close(lifeline_end)
        os.set_blocking(self._news, False)
        self._loop.add_reader(self._news, self._read_news)
        self._loop.add_reader(self._pidfd, self._ended)

    def signal(self, number: int) -> None:
        """Send a signal; does nothing when the process is dead."""
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def close(self) -> None:
        """Close all descriptors. A living supervisor then ends: to it, its application has died."""
        for descriptor in (self._news, self._pidfd):
            if descriptor >= 0:
                self._loop.remove_reader(descriptor)
        self.forget()

    def forget(self) -> None:
        """Close all descriptors in a forked copy of this process, without touching the event loop."""
        for descriptor in (self._news, self._pidfd, self._lifeline):
            if descriptor >= 0:
                os.close(descriptor)
        self._news = self._pidfd = self._lifeline = -1

    def _read_news(self) -> None:
        """Read and deliver the available news; at its end, close the pipe."""
        with contextlib.suppress(BlockingIOError):
            while self._news >= 0:
                data = os.read(self._news, _CHUNK_BYTES)
                try:
                    received = self._reader.feed(data)
                except MalformedMessage:
                    data = b""  # not a supervisor of ours: treated as the end
                    received = []
                for news in received:
                    self._on_news(news)
                if not data:
                    self._loop.remove_reader(self._news)
                    os.close(self._news)
                    self._news = -1

    def _ended(self) -> None:
        try:
            result = os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOHANG)
        except ChildProcessError:  # other code of this process has taken its status
            status = ExitStatus(None, None)
        else:
            if result is None:
                return
            exited = result.si_code == os.CLD_EXITED
            status = ExitStatus(result.si_status, None) if exited else ExitStatus(None, result.si_status)
        self._process.returncode = status.exit_code or 0  # so that subprocess does not look for it
        self._read_news()
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._pidfd = -1
        self._on_death(status)
