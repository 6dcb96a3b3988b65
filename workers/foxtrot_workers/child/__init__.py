"""What every child process has: boot, control link, heartbeat, log, limits."""
