"""The commented example that ``foxtrot-supervisor init`` writes: every key, with its default."""

from __future__ import annotations

__all__ = ["EXAMPLE"]

EXAMPLE = """\
# Configuration of foxtrot-supervisor. Lines that begin with "#" and a key show that key's default.
# All times in seconds end in _s. Unknown keys are errors: `foxtrot-supervisor check` lists them all.
# Never put secrets here; nothing in this file needs any.

[supervisor]
# run_dir = "/run/foxtrot"        # sockets and lock; default: $XDG_RUNTIME_DIR/foxtrot, else one under /tmp
# start_method = "auto"           # "auto", "spawn" or "nursery"
# hello_s = 30.0                  # a new process says that it runs within this time,
# ready_s = 30.0                  # and that it serves within this time more
# heartbeat_s = 1.0               # pace of life signs
# late_s = 5.0                    # without a life sign for this long: late
# hung_s = 10.0                   # for this long: killed and replaced
# stop_ask_s = 30.0               # a stop is asked for and waited for this long, then SIGTERM,
# stop_term_s = 10.0              # then, after this long, SIGKILL,
# stop_kill_s = 5.0               # then, after this long, the process is reported as unkillable
# shutdown_s = 60.0               # everything together
# restart = "permanent"           # or "transient" (only after a crash), "temporary" (never)
# restart_intensity = 5           # more crashes than this
# restart_period_s = 60.0         # within this time: given up (FATAL)
# backoff_first_s = 0.0           # wait before the first restart,
# backoff_s = 0.5                 # before the second; doubling
# backoff_max_s = 60.0            # up to this
# backoff_jitter = 0.2            # plus or minus this fraction
# healthy_after_s = 60.0          # running this long makes the next restart a first one again
# worker_memory_mib = 512         # a worker that wants more is ended and replaced; default: unlimited
# engine_memory_mib = 2048        # the engine
# open_files = 1024               # descriptors of each child; default: as many as the supervisor may have
# core_dumps = false              # whether a crashing child writes a core file

[engine]
# handlers = ["my_strategy:setup"]  # module:function, called with the EventEngine; default: none
# numbers = "float"               # or "decimal", "text"
# queue_limit = 100000            # events that may wait for handlers
# never_drop_limit = 1000000      # the same for orders, fills, logs and what else must not be dropped
# put_wait_s = 5.0                # how long a full queue holds back whoever puts events into it
# block = ["eTick."]              # another policy for a class of events: wait for room, then drop
# conflate = ["eMine."]           # ... or only the newest of each symbol waits
# never_drop = ["eMyFill."]       # ... or an error instead of a loss
# handlers_s = 120.0              # the set-up of all handlers may take this long together
# slow_handler_ms = 100.0         # a handler that takes longer is counted and logged
# suspend_after = 100             # a handler that fails so often in a row is called no more; default: never
# ticks = "change"                # when an eTick. is made, for who has a handler for it; or "trade", "interval", "off"
# tick_interval_s = 0.5           # with "interval": not more often than this
# bars_from_trades = ["1m"]       # eBar. made of trades, where the exchange sends none; default: none
# preload = false                # keep a process with the handlers' modules imported: a dead engine is replaced sooner
# leak_sample_s = 5.0             # how often the engine looks for what grows in its process; 0: never
# book_updates = "snapshot"       # "deliver": hand over updates of a book without its snapshot too

[ring]
# size_mib = 4                    # what a worker may hold that the engine has not done with: a file for each
# full_wait_s = 5.0               # how long a full ring holds back the exchange before events are dropped

# One table for each connection; each runs in a process of its own.
[[connections]]
name = "sim"                      # a-z, 0-9 and "-"
exchange = "sim"                  # the embedded simulated exchange; `foxtrot-supervisor check` names the others
channels = ["trade", "quote", "book"]
symbols = ["BTCUSDT", "ETHUSDT"]  # as the exchange spells them
# redundancy = 1                  # 2: two processes hold the same streams
# backfill = false
# stale_after_s = 30.0            # no data for this long: the connection is replaced; default: the exchange's limit
# rotate_after_s = 82800.0        # replaced at this age; default: before the exchange's own limit
# client = "picows"               # or "websockets"
# url = "wss://testnet.example"   # another address than the exchange's own
# more_urls = []                  # further addresses beside url: the two sides begin with different ones
# rest_url = "https://testnet.example"
# ca_file = "ca.pem"              # a private certificate authority, beside this file
# proxy = "http://proxy.example:3128"
# restart = "permanent"           # default: the one of [supervisor]
# essential = true                # FATAL here sets exit status 5

# [[connections]]
# name = "binance-spot"
# exchange = "binance"
# channels = ["trade", "quote", "book"]
# symbols = ["BTCUSDT", "ETHUSDT"]
"""
