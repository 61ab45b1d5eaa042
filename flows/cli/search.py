"""Commands that find: search, more-like, why."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from flows.cli.group import as_json, main, print_json
from tasks.settings import current

if TYPE_CHECKING:
    from psycopg import Connection

    from tasks.records import Hit, Neighbour

_LENGTH = click.option(
    "-k", default=10, show_default=True, type=click.IntRange(1, 1000), help="Hits, or hits a page."
)
_MODE = click.option(
    "--mode",
    type=click.Choice(["hybrid", "dense", "keyword"]),
    default="hybrid",
    show_default=True,
    help="Meaning and words, meaning alone, or words alone (BM25).",
)
FILTER = click.option(
    "--filter",
    "filter_text",
    metavar="JSON",
    help='Conditions on documents, such as \'{"format": "pdf", "path": {"prefix": "hr/"}}\'.',
)
WHERE = click.option(
    "--where",
    metavar="PREDICATE",
    help="The same, as SQL has it: \"format = 'pdf' and year >= 2024 and path like 'hr/%'\".",
)
_GROUP = click.option("--group", is_flag=True, help="The best chunk of each document.")
_PAGE = click.option(
    "--page", default=1, show_default=True, type=click.IntRange(1, 1000), help="Which page of hits."
)
_AS_OF = click.option(
    "--as-of",
    metavar="TIME",
    help="Search what readers saw then: 2026-11-21, 2026-11-21T08:30+01:00.",
)


@main.command()
@click.argument("query")
@_LENGTH
@_MODE
@FILTER
@WHERE
@_GROUP
@_PAGE
@_AS_OF
@click.option(
    "--neighbours",
    default=0,
    show_default=True,
    type=click.IntRange(0, 20),
    help="Chunks to show before and after each hit.",
)
@click.option(
    "--collection", default="default", show_default=True, help="The collection to work in."
)
@as_json
def search(
    query: str,
    *,
    k: int,
    mode: str,
    filter_text: str | None,
    where: str | None,
    group: bool,
    page: int,
    as_of: str | None,
    neighbours: int,
    collection: str,
    as_json: bool,
) -> None:
    """Find the passages that answer QUERY, with the file, section and page of each.

    In QUERY, "dry running" has to stand in the passage as a phrase, -seal must not stand there, and
    path:policies/, format:pdf, source:handbook and title:prices hold on the document. Give a QUERY
    that begins with - behind --.
    """
    from tasks.database import connect
    from tasks.retrieve.search import search as find

    with closing(connect(current().reading(), autocommit=True)) as connection:
        found = find(
            query,
            k=k,
            mode=mode,
            filter=parse_filter(filter_text),
            predicate=where,
            collection=collection,
            as_of=_parse_time(as_of),
            per_document=group,
            skip=(page - 1) * k,
            connection=connection,
        )
        around = _around(connection, found, neighbours)
        if not as_json and _is_default("collection"):
            _tell_of_others(connection, collection)
        if not found:
            _tell_why_nothing(connection, collection, parse_filter(filter_text), where)
    _tell(query, found, around, as_json=as_json)


@main.command("more-like")
@click.argument("chunk", type=click.IntRange(0, 2**63 - 1))
@_LENGTH
@_MODE
@FILTER
@WHERE
@_GROUP
@_PAGE
@as_json
def more_like(
    *,
    chunk: int,
    k: int,
    mode: str,
    filter_text: str | None,
    where: str | None,
    group: bool,
    page: int,
    as_json: bool,
) -> None:
    """Find the passages that are most like the chunk of that number (a hit's chunk_id)."""
    from tasks.database import connect
    from tasks.retrieve.near import more_like as find

    with closing(connect(current().reading(), autocommit=True)) as connection:
        found = find(
            connection,
            chunk,
            k=k,
            mode=mode,
            filter=parse_filter(filter_text),
            predicate=where,
            per_document=group,
            skip=(page - 1) * k,
        )
    _tell(f"chunk {chunk}", found, {}, as_json=as_json)


@main.command()
@click.argument("query")
@click.argument("chunk", type=click.IntRange(0, 2**63 - 1))
@_LENGTH
@_MODE
@FILTER
@WHERE
@_AS_OF
@as_json
def why(
    query: str,
    *,
    chunk: int,
    k: int,
    mode: str,
    filter_text: str | None,
    where: str | None,
    as_of: str | None,
    as_json: bool,
) -> None:
    """Say why the chunk of that number is a hit of QUERY, or why it is none.

    Ranks and scores in each list, the words that matched, the filters and whether they are met, and
    whether readers see the chunk's version. A chunk that you may not read is not there.
    """
    from flows import show
    from tasks.database import connect
    from tasks.retrieve.why import why as explain

    with closing(connect(current().reading(), autocommit=True)) as connection:
        found = explain(
            connection,
            query,
            chunk,
            k=k,
            mode=mode,
            filter=parse_filter(filter_text),
            predicate=where,
            as_of=_parse_time(as_of),
        )
    if as_json:
        print_json(asdict(found))
    else:
        show.explanation(found)


def _around(
    connection: Connection, found: Sequence[Hit], distance: int
) -> dict[int, list[Neighbour]]:
    from tasks.retrieve.near import neighbours

    if not distance:
        return {}
    return {
        hit.chunk_id: neighbours(connection, hit.chunk_id, before=distance, after=distance)
        for hit in found
    }


def _tell(
    asked: str, found: Sequence[Hit], around: dict[int, list[Neighbour]], *, as_json: bool
) -> None:
    from flows import show

    if not as_json:
        show.hits(asked, found, around)
        return
    values = [asdict(hit) for hit in found]
    for value in values:
        if (near := around.get(value["chunk_id"])) is not None:
            value["neighbours"] = [asdict(each) for each in near]
    print_json(values)


def _is_default(option: str) -> bool:
    source = click.get_current_context().get_parameter_source(option)
    return source is click.core.ParameterSource.DEFAULT


def _tell_of_others(connection: Connection, collection: str) -> None:
    """The other collections that hold documents, where this one was not chosen but has some too."""
    from tasks.ingest.runs import sources

    filled = {source.collection for source in sources(connection)}
    if collection in filled and (others := sorted(filled - {collection})):
        click.echo(
            f"Searched {collection} alone; --collection takes another: {', '.join(others)}.",
            err=True,
        )


def _tell_why_nothing(
    connection: Connection, collection: str, filter: dict[str, Any] | None, predicate: str | None
) -> None:
    """The collections that hold documents where this one has none, or what no document has."""
    from tasks.ingest.runs import sources
    from tasks.retrieve.fields import fields_of_none

    filled = sorted({source.collection for source in sources(connection)})
    if collection not in filled:
        elsewhere = f"--collection takes another: {', '.join(filled)}" if filled else ""
        click.echo(
            f"The collection {collection} has no folder. "
            + (elsewhere or "Begin with: openbook ingest FOLDER")
            + ".",
            err=True,
        )
    elif unknown := fields_of_none(connection, collection, filter, predicate):
        click.echo(
            f"No document in {collection} has {' or '.join(unknown)}: see how it is spelt.",
            err=True,
        )
    elif filter or predicate:
        click.echo("The filter may leave no document.", err=True)


def parse_filter(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        value = json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"is no JSON: {error}", param_hint="--filter") from None
    if not isinstance(value, dict):
        raise click.BadParameter("must be a JSON object", param_hint="--filter")
    return value


def _parse_time(text: str | None) -> datetime | None:
    """A moment; without a zone, in this machine's. Says so where the past is not kept as long."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise click.BadParameter(
            "is no time: write 2026-11-21 or 2026-11-21T08:30+01:00", param_hint="--as-of"
        ) from None
    days = current().retention_days
    if datetime.now(UTC) - moment > timedelta(days=days):
        click.echo(
            f"The past is kept for {days:g} days (OPENBOOK_RETENTION_DAYS): of what readers saw "
            "before, only what stood longer is found.",
            err=True,
        )
    return moment
