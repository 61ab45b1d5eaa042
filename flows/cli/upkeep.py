"""Commands that keep the book: forget, verify, reembed, models, sql, migrate, down."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from flows.cli.group import FAILED, as_json, main, on_prefect, print_json
from tasks.settings import current


@main.command()
@click.argument("paths", nargs=-1, required=True)
@as_json
def forget(paths: tuple[str, ...], as_json: bool) -> None:
    """Remove the documents at each PATH for good: history, chunks, vectors that nobody else uses.

    A PATH is a file or folder, as search shows it or absolute. The files themselves stay where they
    are: delete them first, or the next run reads them again.
    """
    from dataclasses import asdict

    from tasks.database import connect
    from tasks.upkeep.forget import forget as remove

    with connect(current()) as connection:
        removals = {path: asdict(remove(connection, path)) for path in paths}
    if as_json:
        print_json(removals)
        return
    for path, removal in removals.items():
        counts = ", ".join(f"{count:,} {name}" for name, count in removal.items() if count)
        click.echo(f"{path}: removed {counts}")


@main.command()
@click.option("--repair", is_flag=True, help="Mend what differs, at the least cost.")
@as_json
def verify(repair: bool, as_json: bool) -> None:
    """Compare documents, versions, chunks and vectors, and say what differs.

    Exit code 1 if anything differs and was not mended.
    """
    from tasks.database import connect
    from tasks.upkeep.verify import verify as compare

    if repair:
        with on_prefect():
            from flows.maintain import verify_book

            mended = verify_book(mend=True)
    else:
        mended = []
    with connect(current()) as connection:
        found = compare(connection)
    if as_json:
        print_json(
            {
                "mended": {finding.check: finding.count for finding in mended},
                "found": {finding.check: finding.count for finding in found},
            }
        )
    else:
        for finding in mended:
            click.echo(f"mended: {finding.count:,} {finding.what}")
        for finding in found:
            click.echo(f"{finding.count:,} {finding.what}, such as {finding.examples[0]}")
        if not found:
            click.echo("Everything recorded is stored.")
    if found:
        sys.exit(FAILED)


@main.command()
@click.option("--max-usd", type=float, help="Refuse to start when it would cost more.")
@as_json
def reembed(max_usd: float | None, as_json: bool) -> None:
    """Embed everything with the configured model, beside the one that search uses.

    Set OPENBOOK_EMBEDDER (and its kin) to the new model for this command; search and ingest go on
    with the old one. When it has covered every text: openbook models activate NAME.
    """
    with on_prefect():
        from flows.reembed import reembed as reembed_flow

        outcome = reembed_flow(max_usd=max_usd)
    if as_json:
        print_json(outcome)
    else:
        click.echo(
            f"{outcome['model']}: {outcome['embedded']:,} texts embedded, {outcome['tokens']:,} "
            f"tokens, ${outcome['usd']:.2f}, {outcome['lacking']:,} lacking"
        )


@main.group(invoke_without_command=True)
@as_json
@click.pass_context
def models(ctx: click.Context, as_json: bool) -> None:
    """List the embedding models, and how much of the readable text each has covered."""
    if ctx.invoked_subcommand:
        return
    from dataclasses import asdict

    from flows import show
    from tasks.database import connect
    from tasks.upkeep.models import models as all_models

    with connect(current()) as connection:
        found = all_models(connection)
    if as_json:
        print_json([asdict(model) for model in found])
    else:
        show.models(found)


@models.command()
@click.argument("name")
def activate(name: str) -> None:
    """Let search use the model NAME; refused while it lacks a readable text."""
    from tasks.database import connect
    from tasks.upkeep.models import activate as switch

    with connect(current()) as connection:
        switch(connection, name)
    click.echo(f"Search uses {name} now; set OPENBOOK_EMBEDDER to it for ingest and search.")


@main.command(context_settings={"ignore_unknown_options": True})
@click.option("--dsn", "only_dsn", is_flag=True, help="Print the connection string and end.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def sql(only_dsn: bool, arguments: tuple[str, ...]) -> None:
    """Open psql on the database; ARGUMENTS go to psql, such as -c "select ..."."""
    from tasks.database import bin_path, connect, dsn

    settings = current()
    connect(settings).close()
    if only_dsn:
        click.echo(dsn(settings))
        return
    environment = {**os.environ, "PGOPTIONS": "-c search_path=openbook,analytics,public"}
    os.execve(bin_path("psql"), ["psql", dsn(settings), *arguments], environment)  # noqa: S606


@main.command()
@click.option("--check", is_flag=True, help="Only say what is pending; exit code 1 if anything is.")
@as_json
def migrate(check: bool, as_json: bool) -> None:
    """Bring the database's schema, functions, views and roles up to date."""
    from tasks.database import check as pending
    from tasks.database import migrate as apply

    settings = current()
    if check:
        files = pending(settings)
        values: dict[str, Any] = {"pending": files}
        text = "\n".join(files) or "Nothing is pending."
    else:
        report = apply(settings)
        values = {
            "applied": list(report.applied),
            "definitions": report.definitions,
            "version": report.version,
        }
        text = (
            f"The schema is at version {report.version}; {len(report.applied)} migrations applied."
        )
    if as_json:
        print_json(values)
    else:
        click.echo(text)
    if check and values["pending"]:
        sys.exit(FAILED)


@main.command()
@as_json
def down(as_json: bool) -> None:
    """Stop the embedded Postgres and the Prefect server that these commands started."""
    from flows.server import stop_server
    from tasks.database import stop

    settings = current()
    stopped = {"prefect": stop_server(settings), "postgres": stop(settings)}
    if as_json:
        print_json(stopped)
    else:
        for name, was_running in stopped.items():
            click.echo(f"{name}: {'stopped' if was_running else 'was not running'}")
