"""Fault injection against real supervisors on a simulated exchange."""
