"""The venue protocols that the simulated exchange speaks."""
