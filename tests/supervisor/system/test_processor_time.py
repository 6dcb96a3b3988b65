"""What the scheduler has given to a thread."""

import time
from pathlib import Path

import pytest

from foxtrot_supervisor.system.processor_time import ProcessorTime

LIMIT_S = 20.0


def test_since_last_counts_from_call_to_call(tmp_path: Path) -> None:
    figures = tmp_path / "schedstat"
    figures.write_text("1000000000 500000000 12\n")
    processor = ProcessorTime(str(figures))
    figures.write_text("1500000000 750000000 13\n")
    assert processor.since_last() == (0.5, 0.25)
    assert processor.since_last() == (0.0, 0.0)


def test_the_kernel_counts_what_this_thread_runs() -> None:
    processor = ProcessorTime()
    ran_s = waited_s = 0.0
    deadline = time.monotonic() + LIMIT_S
    while not ran_s and time.monotonic() < deadline:  # it counts at its ticks
        ran_s, waited_s = processor.since_last()
    assert ran_s > 0.0
    assert waited_s >= 0.0


@pytest.mark.parametrize("content", [None, "", "nothing to read"])
def test_a_kernel_without_these_figures_lets_nothing_wait(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "schedstat").write_text(content)
    processor = ProcessorTime(str(tmp_path / "schedstat"))
    sum(range(300_000))
    ran_s, waited_s = processor.since_last()
    assert ran_s > 0.0
    assert waited_s == 0.0
