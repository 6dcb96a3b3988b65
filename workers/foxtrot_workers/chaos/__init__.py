"""Faults inside child processes."""
