"""Commands about who reads what, and how much of the server it may take: principals, watch."""

from __future__ import annotations

import time
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
@as_json
def set_(login: str, names: tuple[str, ...], collections: tuple[str, ...], as_json: bool) -> None:
    """Let LOGIN stand for exactly these users and groups NAMES, such as ana group:finance.

    What was set before is replaced. The login itself is made in SQL: create role ana login; grant
    openbook_analyst to ana.
    """
    from tasks.database import connect
    from tasks.upkeep.principals import set_principals

    with connect(current()) as connection:
        set_principals(connection, login, names, collections)
    if as_json:
        print_json({"login": login, "principals": names, "collections": collections})
        return
    stands = ", ".join((*names, "public"))
    where = f" in {', '.join(collections)} alone" if collections else ""
    click.echo(f"{login} stands for {stands}{where}.")


@main.command()
@click.option(
    "--every",
    default=5.0,
    show_default=True,
    type=click.FloatRange(0.1),
    help="Seconds between looks.",
)
@click.option("--once", is_flag=True, help="Look once and end.")
@as_json
def watch(every: float, once: bool, as_json: bool) -> None:
    """Hold analysts' sessions to the limits in openbook.analyst_limits, until stopped.

    Statements that are too old are cancelled, whatever statement_timeout their session has set;
    connections and temporary files are bounded for each login that is an analyst's.
    """
    from tasks.database import connect
    from tasks.upkeep.limits import end_overdue, limit_analysts

    with connect(current(), autocommit=True, application_name="openbook watch") as connection:
        while True:
            bounded, ended = limit_analysts(connection), end_overdue(connection)
            if as_json and (once or bounded or ended):
                print_json({"bounded": bounded, "ended": [asdict(one) for one in ended]})
            elif not as_json:
                for login in bounded:
                    click.echo(f"{login}: connections and temporary files are bounded")
                for one in ended:
                    click.echo(f"{one.login}, process {one.process}: {one.deed} after {one.age}")
            if once:
                return
            time.sleep(every)
