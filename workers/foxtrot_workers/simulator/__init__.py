"""A simulated exchange that speaks a real exchange's protocol on the loopback address."""
