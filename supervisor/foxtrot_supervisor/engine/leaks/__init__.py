"""The leak monitor of the engine process."""
