"""Messages for the person at the command line, and the error that ends a command with one."""

from __future__ import annotations

import click

__all__ = ["Failure", "say"]


class Failure(Exception):
    """Ends a command: `message` is printed as it is (it may have several lines), `code` is the exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


def say(message: str) -> None:
    """Print a line for people on stderr."""
    click.echo(message, err=True)
