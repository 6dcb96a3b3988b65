"""One package for each exchange, with the same modules in the same order; none imports another."""
