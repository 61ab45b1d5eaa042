"""Commands that fill the book and say what is in it: ingest, plan, status, sources."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from flows.cli.group import FAILED, as_json, main, on_prefect, print_json, tell
from tasks.errors import Fatal, OpenbookError
from tasks.settings import current

_COLLECTION = click.option(
    "--collection", help="The collection of a new folder's documents; without it, default."
)
_LANGUAGE = click.option(
    "--language",
    help="Language of a new folder's documents, as Postgres names its text search configurations; "
    "without it, english.",
)


@main.command()
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(path_type=Path))
@_COLLECTION
@_LANGUAGE
@click.option(
    "--readers",
    metavar="NAMES",
    help="Users and groups who may read the documents, such as public,group:finance; '' for none. "
    "Files named .openbook.yaml in the folder say more.",
)
@click.option(
    "--allow-mass-delete", is_flag=True, help="Go on although a folder lost most of its documents."
)
@as_json
def ingest(
    paths: tuple[Path, ...],
    *,
    collection: str | None,
    language: str | None,
    readers: str | None,
    allow_mass_delete: bool,
    as_json: bool,
) -> None:
    """Bring the documents of each folder PATH up to date; without PATH, of every known folder.

    Only files that changed are read, and only texts never seen before are embedded. A file or a
    folder that cannot be used is named with the reason, and the others go on.
    """
    from flows import show
    from tasks.ingest.runs import existing_folder

    folders = paths or known_folders()
    reports: list[dict[str, Any]] = []
    failures: list[dict[str, str | None]] = []
    for folder in folders:
        try:
            existing_folder(folder)  # said before a Prefect server is started
            with on_prefect(), show.progress(quiet=as_json):
                from flows.ingest import ingest as ingest_flow

                report = ingest_flow(
                    folder=str(folder.absolute()),
                    collection=collection,
                    language=language,
                    readers=None if readers is None else _names(readers),
                    allow_mass_delete=allow_mass_delete,
                )
        except OpenbookError as error:
            if len(folders) == 1:
                raise
            tell(error)
            failures.append(
                {"folder": str(folder), "error": error.message, "remedy": error.remedy or None}
            )
            continue
        reports.append(report)
        if not as_json:
            show.report(report)
    if as_json:
        print_json(reports[0] if len(folders) == 1 else _total(reports, failures))
    if failures or any(report["rejected"] or report["pending"] for report in reports):
        sys.exit(FAILED)


@main.command()
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(path_type=Path))
@_COLLECTION
@_LANGUAGE
@as_json
def plan(
    paths: tuple[Path, ...], collection: str | None, language: str | None, as_json: bool
) -> None:
    """Say what `ingest` would read, embed and spend, and change nothing."""
    from flows import show
    from tasks.database import connect
    from tasks.embedders import open_embedder
    from tasks.ingest.parse import ParserPool
    from tasks.ingest.plan import plan as make_plan
    from tasks.ingest.read import Reader
    from tasks.ingest.writer import open_writer

    settings = current()
    with connect(settings) as connection, ParserPool(settings) as pool:
        embedder = open_embedder(settings)
        reader = Reader(pool, embedder.tokenizer, settings, open_writer(settings))
        plans = [
            make_plan(
                connection, folder, embedder, reader, collection=collection, language=language
            )
            for folder in paths or known_folders()
        ]
    if as_json:
        values = [each.as_json() for each in plans]
        print_json(values[0] if len(values) == 1 else {"plans": values})
    else:
        for each in plans:
            show.plan(each)


@main.command()
@as_json
def status(as_json: bool) -> None:
    """Show sources and how far behind they are, what is rejected, models, costs and servers.

    The exit code is 1 when someone has to look after something, which is then named at the end:
    a source whose folder is gone, whose run failed or was killed, or that is behind by more than
    OPENBOOK_BEHIND_HOURS, a deployment whose last run failed, a Prefect server that does not
    answer, rejected files, an invalid index, a serving model tainted or shut down.
    """
    from datetime import timedelta

    from flows import show_status
    from flows.runs import failed_deployments
    from flows.server import known_server
    from tasks.answer.offline import offline_url
    from tasks.database import connect
    from tasks.ingest.status import problems
    from tasks.ingest.status import status as look
    from tasks.upkeep.indexes import summary

    settings = current()
    with connect(settings) as connection:
        values = {
            **look(connection),
            "indexes": summary(connection),
            "prefect": known_server(settings),
            "offline": offline_url(settings),
        }
    values["problems"] = problems(values, timedelta(hours=settings.behind_hours))
    if values["prefect"]:
        values["problems"] += failed_deployments(values["prefect"])
    if as_json:
        print_json(values)
    else:
        show_status.status(values)
    if values["problems"]:
        sys.exit(FAILED)


@main.command()
@as_json
def sources(as_json: bool) -> None:
    """List the folders that are kept in step."""
    from dataclasses import asdict

    from flows import show
    from tasks.database import connect
    from tasks.ingest.runs import sources as all_sources

    with connect(current()) as connection:
        found = all_sources(connection)
    if as_json:
        print_json([asdict(source) for source in found])
    else:
        show.sources(found)


def known_folders() -> list[Path]:
    from tasks.database import connect
    from tasks.ingest.runs import sources as all_sources

    with connect(current()) as connection:
        folders = [Path(source.root) for source in all_sources(connection)]
    if not folders:
        raise Fatal("No folder is known yet", "Name one: openbook ingest PATH.")
    return folders


def _names(text: str) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def _total(reports: list[dict[str, Any]], failures: list[dict[str, str | None]]) -> dict[str, Any]:
    """Several runs as one: counts added up, lists joined, each run's own report under `runs`.

    `failed` names the folders that have no report.
    """
    total: dict[str, Any] = {"run_id": [report["run_id"] for report in reports]}
    for name, value in reports[0].items() if reports else ():
        if isinstance(value, (int, float)) and name != "run_id":
            total[name] = sum(report[name] for report in reports)
    total["rejected"] = [one for report in reports for one in report["rejected"]]
    return {**total, "runs": reports, "failed": failures}
