"""Identity rules: one module for each way to tell a copy from a new event. Pure functions over a `Stream`."""
