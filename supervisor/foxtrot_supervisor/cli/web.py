"""The command `web`: serves a page that shows a run, and with a token changes it."""

from __future__ import annotations

import importlib
from typing import Any

import click

from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_supervisor.cli.common import config_option, find_run, interruptible, known_errors, run_dir_option
from foxtrot_supervisor.cli.messages import Failure, say
from foxtrot_supervisor.system.secret_file import SecretRefused, read_secret

__all__ = ["LISTEN", "web"]

LISTEN = "127.0.0.1:8737"
"""Where the view listens unless told otherwise."""


@click.command()
@click.option("--listen", default=LISTEN, show_default=True, metavar="HOST:PORT", help="IP address and port; 0: any.")
@click.option("--token-file", metavar="FILE", help="File with the token that allows actions; mode 0600.")
@click.option("--token-to-read", is_flag=True, help="Reading needs the token too (always so for other machines).")
@click.option("--host", "hosts", multiple=True, metavar="NAME", help="Name that browsers use for it; repeatable.")
@click.option("--tls-cert", metavar="FILE", help="Serve https:// with this certificate (needs --tls-key).")
@click.option("--tls-key", metavar="FILE", help="Private key of --tls-cert.")
@click.option("--insecure", is_flag=True, help="Listen for other machines without TLS.")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="S",
    help="Wait up to S seconds for a run to appear.",
)
@config_option
@run_dir_option
@known_errors
def web(
    listen: str,
    token_file: str | None,
    token_to_read: bool,
    hosts: tuple[str, ...],
    tls_cert: str | None,
    tls_key: str | None,
    insecure: bool,
    wait_s: float,
    config_path: str | None,
    run_dir_path: str | None,
) -> None:
    """Serve a page that shows a run, and with a token changes it.

    Until Ctrl-C or SIGTERM.

    Prints the address of the page. Without --token-file the page is read-only.

    \b
    foxtrot-supervisor web
    (umask 077; openssl rand -hex 32 > token); foxtrot-supervisor web --token-file token
    """
    listening = _module("foxtrot_supervisor.web.listening")
    access = _module("foxtrot_supervisor.web.access")
    interruptible()
    try:
        run = _module("foxtrot_supervisor.web.run")
        token = None
        if token_file is not None:
            token = read_secret(token_file, least=access.TOKEN_CHARS_MIN, most=access.TOKEN_CHARS_MAX)
        tls = listening.tls_context(tls_cert, tls_key)
        protection = listening.Protection(
            token=token, token_to_read=token_to_read, hosts=hosts, with_tls=tls is not None, insecure=insecure
        )
        address = listening.parse_address(listen)
        listening.policy_for(address, protection)
        place = find_run(run_dir_path, config_path, wait_s)
        bound, address = listening.bind(address)
    except (listening.ListenRefused, SecretRefused) as error:
        raise Failure(str(error), SupervisorExit.START_FAILED) from None
    except KeyboardInterrupt:
        return
    with bound:
        policy = listening.policy_for(address, protection)
        click.echo(listening.url_of(address, policy))
        say(f"serving the run in {place}" + ("" if token else "; read-only without --token-file"))
        run.serve(place, bound, tls, policy, say)


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != "aiohttp":
            raise
        raise Failure(
            "the web view needs aiohttp: pip install foxtrot-supervisor[web]", SupervisorExit.START_FAILED
        ) from None
