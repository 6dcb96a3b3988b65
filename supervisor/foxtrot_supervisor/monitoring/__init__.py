"""Metrics and health by HTTP, and alerts: services beside a run, which are clients of its operator socket."""
