"""What runs in the children: one exchange connection in one process, and the simulated exchange."""
