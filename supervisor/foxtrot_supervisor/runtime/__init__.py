"""The supervisor's shell: event loop, timers, links, signals, run directory, audit."""
