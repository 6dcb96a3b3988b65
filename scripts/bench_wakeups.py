"""What waking sleeping processes costs on this machine: the floor of every latency in docs/benchmarks.md.

A sender writes a datum of 200 bytes to a TCP socket at a fixed rate. One reader that waits in epoll takes it (one
wake-up, as in a feed within one process), or passes it on as a datagram to a second one (two wake-ups, as with a worker
and an engine). Nothing is parsed, so no product of that shape is faster.

    .venv/bin/python scripts/bench_wakeups.py [--seconds 2] [--rounds 3] [--rates 1000,10000]
"""

from __future__ import annotations

import argparse
import gc
import os
import select
import signal
import socket
import statistics
import struct
import time

DATUM = struct.Struct("<q192x")
MILLION = 1_000_000


def read_datum(end: socket.socket, poller: select.epoll, pending: bytearray) -> bytes:
    """Return the next datum of a stream; sleeps until there is one."""
    while len(pending) < DATUM.size:
        poller.poll()
        pending += end.recv(65536)
    datum = bytes(pending[: DATUM.size])
    del pending[: DATUM.size]
    return datum


def watched(end: socket.socket) -> select.epoll:
    """Return an epoll that watches `end`."""
    poller = select.epoll()
    poller.register(end, select.EPOLLIN)
    return poller


def relay(address: tuple[str, int], onward: socket.socket) -> None:
    """Pass each datum on; until the sender has ended this process."""
    with socket.create_connection(address) as end:
        poller, pending = watched(end), bytearray()
        while True:
            onward.send(read_datum(end, poller, pending))


def measured(wakeups: int, rate: int, count: int) -> tuple[float, float]:
    """Return median and 99th percentile in µs of `count` data at `rate` a second."""
    listener = socket.create_server(("127.0.0.1", 0))
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    children = []
    if wakeups == 2:
        children.append(os.fork())
        if not children[-1]:
            relay(listener.getsockname(), here)
    children.append(os.fork())
    if not children[-1]:
        send(listener, rate, count)
        os._exit(0)
    end = socket.create_connection(listener.getsockname()) if wakeups == 1 else there
    poller, pending, took = watched(end), bytearray(), []
    for _ in range(count):
        if wakeups == 1:
            datum = read_datum(end, poller, pending)
        else:
            poller.poll()
            datum = there.recv(DATUM.size)
        took.append(time.monotonic_ns() - DATUM.unpack(datum)[0])
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    for each in (listener, here, there, end):
        each.close()
    took.sort()
    return took[count // 2] / 1000.0, took[count * 99 // 100] / 1000.0


def send(listener: socket.socket, rate: int, count: int) -> None:
    """Send `count` data, each with its time, to the first process that connects."""
    end, _ = listener.accept()
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    time.sleep(0.1)
    begin = time.monotonic_ns()
    for number in range(count):
        wait_ns = begin + number * 1000 * MILLION // rate - time.monotonic_ns()
        if wait_ns > 0:
            time.sleep(wait_ns / 1e9)
        end.sendall(DATUM.pack(time.monotonic_ns()))
    time.sleep(10.0)  # until it is killed


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rates", default="1000,10000")
    options = parser.parse_args()
    gc.disable()
    print(f"load average {os.getloadavg()[0]:.1f}; p50 / p99 in µs, medians of {options.rounds} rounds")
    for rate in map(int, options.rates.split(",")):
        runs = [[measured(n, rate, int(rate * options.seconds)) for n in (1, 2)] for _ in range(options.rounds)]
        for place, name in enumerate(("one wake-up", "two wake-ups")):
            p50, p99 = (statistics.median(run[place][which] for run in runs) for which in (0, 1))
            print(f"{rate:6d}/s  {name:12s}  {p50:6.1f} / {p99:6.1f}")


if __name__ == "__main__":
    main()
