"""Commands that keep the book: forget, verify, maintain, reembed, sql, migrate, down."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.cli.group import FAILED, as_json, main, on_prefect, print_json
from tasks.settings import current

if TYPE_CHECKING:
    from psycopg import Connection

    from tasks.upkeep.verify import Finding


@main.command()
@click.argument("paths", nargs=-1)
@click.option("--user", "users", multiple=True, help="Forget this user's conversations.")
@click.option(
    "--conversation", "conversations", multiple=True, help="Forget the conversation of this id."
)
@as_json
def forget(
    paths: tuple[str, ...], users: tuple[str, ...], conversations: tuple[str, ...], as_json: bool
) -> None:
    """Remove for good: documents at each PATH, a user's conversations, or one conversation.

    A PATH is a file or folder, as search shows it or absolute; history, chunks and vectors that
    nobody else uses go with it. The files themselves stay where they are: delete them first, or the
    next run reads them again. A forgotten conversation is not loaded again, whatever holds it; what
    was searched for in its words goes too. Datasets lose what they hold of either, and are marked
    as tainted; their exported files go on this machine, and are named elsewhere, with exit code 1.
    Logged answers that quote a document are conversations, and backups keep what they hold: forget
    the ones by name (analytics.answers), and delete the others.
    """
    if not (paths or users or conversations):
        raise click.UsageError("Name a PATH, or use --user or --conversation.")
    from dataclasses import asdict

    from tasks.conversations.forget import forget_conversation, forget_user
    from tasks.conversations.pseudonyms import pseudonyms
    from tasks.database import connect
    from tasks.datasets.stale import remove_stale
    from tasks.upkeep.forget import forget as remove

    settings = current()
    with connect(settings) as connection:
        lying = _still_there(connection, paths)
        removals = {path: asdict(remove(connection, path)) for path in paths}
        for user in users:
            erasure = forget_user(connection, pseudonyms(settings), user)
            removals[f"user {user}"] = asdict(erasure)
        for name in conversations:
            erasure = forget_conversation(connection, pseudonyms(settings), name)
            removals[f"conversation {name}"] = asdict(erasure)
        removed, left = remove_stale(connection, settings)
    for file in lying:
        click.echo(f"{file} still lies there: delete it, or the next run reads it again.", err=True)
    if as_json:
        elsewhere = [asdict(one) for one in left]
        print_json({"removed": removals, "exports": removed, "elsewhere": elsewhere})
        sys.exit(FAILED if left else 0)
    for what, removal in removals.items():
        counts = ", ".join(f"{count:,} {name}" for name, count in removal.items() if count)
        click.echo(f"{what}: removed {counts or 'nothing, since nothing was there'}")
    for folder in removed:
        click.echo(f"{folder}: removed, since it held what is forgotten; export it again")
    for one in left:
        click.echo(
            f"{one.folder} on {one.host} still holds what is forgotten: run `openbook maintain` "
            f"there, or remove the files and row {one.id} of openbook.dataset_exports",
            err=True,
        )
    if left:
        sys.exit(FAILED)


def _still_there(connection: Connection, paths: tuple[str, ...]) -> list[Path]:
    """The files and folders in the sources that these paths name."""
    from tasks.ingest.runs import sources

    roots = [Path(source.root) for source in sources(connection)]
    meant = [root / path for path in paths for root in roots]
    meant += [Path(path).absolute() for path in paths]
    inside = [path for path in meant if any(path.is_relative_to(root) for root in roots)]
    return [path for path in dict.fromkeys(inside) if path.exists()]


@main.command()
@click.option("--repair", is_flag=True, help="Mend what differs, at the least cost.")
@as_json
def verify(repair: bool, as_json: bool) -> None:
    """Compare files, documents, versions, chunks, vectors and indexes, and say what differs.

    Every file is read. --repair reads again what was lost, buys vectors that are gone, and builds
    anew what is untrue of the indexes, no more. Exit code 1 if anything differs and was not mended.
    """
    from flows.differences import differences
    from tasks.database import connect

    mended: list[Finding] = []
    failed: list[str] = []
    if repair:
        with on_prefect():
            from flows.maintain import verify_book

            mended, failed = verify_book()
    with connect(current()) as connection:
        found = differences(connection, current())
    if as_json:
        print_json(
            {
                "mended": {finding.check: finding.count for finding in mended},
                "failed": failed,
                "found": {finding.check: finding.count for finding in found},
            }
        )
    else:
        for finding in mended:
            click.echo(f"was so: {finding.count:,} {finding.what}, such as {finding.examples[0]}")
        for failure in failed:
            click.echo(f"failed: {failure}")
        for finding in found:
            click.echo(f"is so: {finding.count:,} {finding.what}, such as {finding.examples[0]}")
        if not found:
            click.echo("Everything recorded is stored, and every file is as it was read.")
    if found:
        sys.exit(FAILED)


@main.command()
@click.option(
    "--retention-days",
    type=click.FloatRange(min=0),
    help="How long the past stays searchable; without it, OPENBOOK_RETENTION_DAYS.",
)
@as_json
def maintain(retention_days: float | None, as_json: bool) -> None:
    """Do by hand what a deployment does every night.

    Removes what is past its time: ended versions, vectors of retired models, documents and queries
    of long ago. Verifies what is stored and mends it. Builds bloated or broken indexes anew, and
    shows how they do. Exit code 1 if something could not be mended.
    """
    from flows import show

    with on_prefect():
        from flows.maintain import maintain as maintain_flow

        report = maintain_flow(retention_days=retention_days)
    if as_json:
        print_json(report)
    else:
        show.maintenance(report)
    if report["failed"]:
        sys.exit(FAILED)


@main.command()
@click.option("--plan", "only_plan", is_flag=True, help="Only say what it would buy, and end.")
@click.option("--max-usd", type=float, help="Refuse to start when it would cost more.")
@click.option(
    "--tokens-per-minute",
    type=click.FloatRange(min=0, min_open=True),
    help="Buy no faster than this on average, so that ingest and questions have their share.",
)
@as_json
def reembed(
    only_plan: bool, max_usd: float | None, tokens_per_minute: float | None, as_json: bool
) -> None:
    """Embed everything with the configured model, beside the one that search uses.

    Set OPENBOOK_EMBEDDER (and its kin) to the new model for this command; search and ingest go on
    with the old one. What was bought is kept if it ends early: call it again. When it has covered
    every text: openbook models activate NAME.
    """
    from dataclasses import asdict

    from tasks.database import connect
    from tasks.embedders import open_embedder
    from tasks.upkeep.models import estimate

    embedder = open_embedder(current())
    with connect(current()) as connection:
        price = estimate(connection, embedder.name, embedder.usd_per_million_tokens)
    if not as_json:
        click.echo(
            f"{embedder.name}: {price.texts:,} texts to embed, {price.tokens:,} tokens, "
            f"about ${price.usd:.2f}"
        )
    if only_plan:
        if as_json:
            print_json({"model": embedder.name, **asdict(price)})
        return
    with on_prefect():
        from flows.reembed import reembed as reembed_flow

        outcome = reembed_flow(max_usd=max_usd, tokens_per_minute=tokens_per_minute)
    if as_json:
        print_json(outcome)
    else:
        click.echo(
            f"{outcome['model']}: {outcome['embedded']:,} texts embedded, {outcome['tokens']:,} "
            f"tokens, ${outcome['usd']:.2f}, {outcome['lacking']:,} lacking"
        )
    if outcome["lacking"]:
        sys.exit(FAILED)


@main.command(context_settings={"ignore_unknown_options": True})
@click.option("--dsn", "only_dsn", is_flag=True, help="Print the connection string and end.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def sql(only_dsn: bool, arguments: tuple[str, ...]) -> None:
    """Open psql on the database; ARGUMENTS go to psql, such as -c "select ..."."""
    from tasks.database import bin_path, connect, dsn, for_programs

    settings = current()
    connect(settings).close()
    if only_dsn:
        click.echo(dsn(settings))
        return
    address, password = for_programs(settings)
    environment = {
        **os.environ,
        **password,
        "PGOPTIONS": "-c search_path=openbook,analytics,public",
    }
    os.execve(bin_path("psql"), ["psql", address, *arguments], environment)  # noqa: S606


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
    """Stop what `up` started, and any command's servers: Postgres, Prefect, the small model."""
    from flows.server import stop_server
    from flows.up import end_up
    from tasks.answer.offline import stop_offline
    from tasks.database import stop

    settings = current()
    stopped = {
        "up": end_up(settings),
        "model": stop_offline(settings),
        "prefect": stop_server(settings),
        "postgres": stop(settings),
    }
    if as_json:
        print_json(stopped)
    else:
        for name, was_running in stopped.items():
            click.echo(f"{name}: {'stopped' if was_running else 'was not running'}")
