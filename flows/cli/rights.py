"""Commands about who reads what: principals."""

from __future__ import annotations

from dataclasses import asdict

import click

from flows.cli.group import as_json, main, print_json
from tasks.settings import current


@main.group(invoke_without_command=True)
@as_json
@click.pass_context
def principals(ctx: click.Context, as_json: bool) -> None:
    """List the database's logins and the users and groups for whom each stands.

    A login reads the documents whose readers it stands for, and the public ones. Members of
    openbook_search name those for whom they ask with each request instead; members of
    openbook_owner and openbook_ingest, and superusers, read everything.
    """
    if ctx.invoked_subcommand:
        return
    from flows import show
    from tasks.database import connect
    from tasks.upkeep.principals import logins

    with connect(current()) as connection:
        found = logins(connection)
    if as_json:
        print_json([asdict(login) for login in found])
    else:
        show.logins(found)


@principals.command("set")
@click.argument("login")
@click.argument("names", nargs=-1)
@click.option(
    "--only-in",
    "collections",
    multiple=True,
    metavar="COLLECTION",
    help="Confine the login to this collection; may be repeated. Without it: all collections.",
)
def set_(login: str, names: tuple[str, ...], collections: tuple[str, ...]) -> None:
    """Let LOGIN stand for exactly these users and groups NAMES, such as ana group:finance.

    What was set before is replaced. The login itself is made in SQL: create role ana login; grant
    openbook_analyst to ana.
    """
    from tasks.database import connect
    from tasks.upkeep.principals import set_principals

    with connect(current()) as connection:
        set_principals(connection, login, names, collections)
    stands = ", ".join((*names, "public"))
    where = f" in {', '.join(collections)} alone" if collections else ""
    click.echo(f"{login} stands for {stands}{where}.")
