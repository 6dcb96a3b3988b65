"""Clients of a running supervisor: operator requests and the stream of events."""
