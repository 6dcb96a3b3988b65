"""Crash bundles: what is known of a process that died, or of a living run, in one file."""
