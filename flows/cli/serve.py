"""Commands that give the book to other programs: serve, tokens, mcp."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from flows.cli.group import as_json, main, print_json
from tasks.errors import Fatal
from tasks.settings import current

if TYPE_CHECKING:
    from tasks.serve.library import Answering, Retrieval


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    default=8765,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="The port to listen on; 0 takes a free one.",
)
@click.option(
    "--concurrency",
    default=8,
    show_default=True,
    type=click.IntRange(1, 200),
    help="Searches side by side; each holds a connection to the database.",
)
@click.option(
    "--rate",
    default=20.0,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="Requests a second that one token may make.",
)
@click.option(
    "--seconds",
    default=10.0,
    show_default=True,
    type=click.FloatRange(0.1, 600),
    help="The longest that a request may take.",
)
@as_json
def serve(
    *, host: str, port: int, concurrency: int, rate: float, seconds: float, as_json: bool
) -> None:
    """Answer searches over HTTP, with a search page, until Ctrl-C or SIGTERM.

    \b
    /                                  the search page
    /v1/vector_stores/{id}/search ...  OpenAI's vector stores, read-only: a collection is a store
    /search, /why, /neighbours         whole hits, why each is one, what stands around it
    /answer, /v1/chat/completions      cited answers, streamed: a collection is a model
    /health, /metrics, /openapi.json   for operators

    Without tokens the server is reached from this machine alone, and shows what the database login
    sees. For others, give each caller a token: openbook tokens add NAME. For TLS, put it behind a
    reverse proxy.
    """
    from tasks.serve.app import serve as run
    from tasks.serve.limits import Limits

    def announce(address: str, locked: bool) -> None:
        if as_json:
            print_json({"address": address, "tokens": locked})
        else:
            asked = "asks for a token" if locked else "open to this machine alone"
            click.echo(f"Openbook answers at {address} ({asked}); Ctrl-C ends it.")
        sys.stdout.flush()

    limits = Limits(concurrency=concurrency, rate=rate, seconds=seconds)
    run(current(), _retrieval(), _answering(), limits, host=host, port=port, announce=announce)


def _retrieval() -> Retrieval:
    from tasks.retrieve.search import act_for, search
    from tasks.retrieve.why import why
    from tasks.serve.library import Retrieval

    return Retrieval(search=search, why=why, act_for=act_for)


def _answering() -> Answering:
    from flows.ask import keep, prepare
    from tasks.answer.answer import complete
    from tasks.serve.library import Answering

    return Answering(prepare=prepare, write=complete, log=keep)


@main.group()
def tokens() -> None:
    """Give out, list and revoke the tokens that `openbook serve` asks for."""


@tokens.command("add")
@click.argument("name")
@click.option(
    "--principal",
    "principals",
    multiple=True,
    metavar="PRINCIPAL",
    help="A user or group as which the caller reads, such as ann or group:sales; repeat it "
    "for more. Without any, only what is public.",
)
@click.option(
    "--unrestricted", is_flag=True, help="The caller sees whatever the database login sees."
)
@click.option(
    "--collection",
    "collections",
    multiple=True,
    metavar="COLLECTION",
    help="A collection that the caller may use; repeat it for more. Without any, all of them.",
)
@as_json
def add(
    name: str,
    *,
    principals: tuple[str, ...],
    unrestricted: bool,
    collections: tuple[str, ...],
    as_json: bool,
) -> None:
    """Make a token for the caller NAME and print it, once: only its hash is kept."""
    from tasks.serve.access import add_token, tokens_file

    if unrestricted and principals:
        raise click.UsageError("--unrestricted and --principal exclude each other")
    secret = add_token(
        tokens_file(current()),
        name,
        principals=None if unrestricted else principals,
        collections=collections or None,
    )
    if as_json:
        print_json({"name": name, "token": secret})
    else:
        click.echo(secret)


@tokens.command("list")
@as_json
def list_tokens(as_json: bool) -> None:
    """List the tokens by name, with what each may see."""
    from tasks.serve.access import read_tokens, tokens_file

    kept = read_tokens(tokens_file(current()))
    if as_json:
        shown = [asdict(token) for token in kept]
        print_json([{k: v for k, v in token.items() if k != "sha256"} for token in shown])
        return
    for token in kept:
        if token.principals is None:
            sees = "unrestricted"
        else:
            sees = ", ".join(token.principals) or "what is public"
        where = "all collections" if token.collections is None else ", ".join(token.collections)
        click.echo(f"{token.name}: {sees}; {where}; since {token.created_at}")
    if not kept:
        click.echo("There is no token: serve is open to this machine alone.")


@tokens.command("revoke")
@click.argument("name")
@as_json
def revoke(name: str, as_json: bool) -> None:
    """End the token of the caller NAME; running servers refuse it from now on."""
    from tasks.serve.access import revoke_token, tokens_file

    revoke_token(tokens_file(current()), name)
    if as_json:
        print_json({"name": name, "revoked": True})
    else:
        click.echo(f"The token {name} is not accepted any more.")


@main.command()
def mcp() -> None:
    """Answer an assistant by the Model Context Protocol, on standard input and output.

    Two tools that only read: search (query, k, filter, collection) and fetch (a passage with its
    neighbours, or a whole document). They see what the database login sees. Assistants are told
    of it in their settings: {"mcpServers": {"openbook": {"command": "openbook", "args": ["mcp"]}}}.
    """
    from tasks.database import Pool
    from tasks.serve.library import Library
    from tasks.serve.limits import Limits

    try:
        from tasks.serve.mcp import create_server
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("mcp"):
            raise
        raise Fatal(
            "the package mcp is not installed", "Install it: pip install 'openbook[mcp]'."
        ) from None
    settings, limits = current(), Limits()
    pool = Pool(
        settings.reading(),
        limits.concurrency,
        seconds=limits.seconds,
        application_name="openbook mcp",
    )
    create_server(Library(settings, _retrieval(), pool)).run("stdio")
