"""A process of a campaign does not outlive it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from foxtrot_supervisor.chaos.harness.bound import bound
from foxtrot_supervisor.system.procfs import command_line, is_alive
from tests.support.waiting import wait_until

CAMPAIGN = """
import subprocess, sys, time
from foxtrot_supervisor.chaos.harness.bound import bound
print(subprocess.Popen(bound(["sleep", "60"])).pid, flush=True)
time.sleep(60)
"""


def test_a_bound_process_ends_when_its_campaign_gets_sigkill() -> None:
    campaign = subprocess.Popen([sys.executable, "-c", CAMPAIGN], stdout=subprocess.PIPE)
    assert campaign.stdout is not None
    pid = int(campaign.stdout.readline())
    wait_until(lambda: command_line(pid).startswith("sleep"), 10.0, "the program")
    campaign.send_signal(signal.SIGKILL)
    campaign.wait()
    campaign.stdout.close()
    wait_until(lambda: not is_alive(pid), 10.0, "its end")


def test_a_process_whose_campaign_has_died_before_does_not_begin() -> None:
    command = bound(["echo", "began"])
    command[command.index(str(os.getpid()))] = "1"
    assert subprocess.run(command, capture_output=True, check=True).stdout == b""
    assert subprocess.run(bound(["echo", "began"]), capture_output=True, check=True).stdout == b"began\n"
