"""The worker process: one connection, from frames to the ring."""
