"""Search from Python: `openbook.search` in one round trip, and the query's embedding if need be."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing, nullcontext, suppress
from datetime import datetime
from functools import lru_cache
from typing import Any

from pgvector import HalfVector
from psycopg import Connection, DataError, errors
from psycopg.types.json import Jsonb

from tasks.database import connect
from tasks.database import query as statement
from tasks.embedders import Embedder, open_embedder
from tasks.errors import Fatal, Rejected
from tasks.records import Hit
from tasks.retrieve.notes import notes_of
from tasks.settings import Settings, current


def search(
    query: str,
    *,
    k: int = 10,
    mode: str = "hybrid",
    filter: Mapping[str, Any] | None = None,
    predicate: str | None = None,
    collection: str = "default",
    as_of: datetime | None = None,
    per_document: bool = False,
    skip: int = 0,
    principals: Sequence[str] | None = None,
    rerank: bool | None = None,
    log: bool = True,
    settings: Settings | None = None,
    connection: Connection | None = None,
) -> list[Hit]:
    """The `k` best chunks for a query among the current documents of a collection, best first.

    `mode` is `hybrid`, `dense` or `keyword`. What `query` can ask for beside words is described in
    sql/functions/query.sql, `filter` in filters.sql, `predicate` in predicate.sql. `as_of` searches
    what readers saw at that time, `per_document` finds the best chunk of each document, and `skip`
    leaves out that many hits: pages of one `k` neither skip nor repeat a hit while nothing is
    published. Only for a query whose embedding the database lacks is the embedder loaded; the
    embedding is then stored, so that the same text can be searched in SQL. Without a `connection`
    one is opened.

    What is found is what the connection's login may read; a trusted login names the `principals`
    for whom it asks, users and groups, and finds what they and the public may read. On a connection
    that is in a transaction the names hold until its end. The search is written into the table
    search_log, unless `log` is false or the transaction is read-only; from a standby, by way of
    its primary.

    `rerank` lets the settings' reranker put the best hits in order; None: in hybrid mode, if there
    is one.

    Raises Rejected for parameters that cannot be used, such as a query without words or a time to
    come, and Fatal when the model that serves is not
    the one that the settings name, or the login may not name principals.
    """
    settings = settings or current()
    if connection is None:
        with closing(connect(settings.reading(), autocommit=True)) as own:
            return search(
                query,
                k=k,
                mode=mode,
                filter=filter,
                predicate=predicate,
                collection=collection,
                as_of=as_of,
                per_document=per_document,
                skip=skip,
                principals=principals,
                rerank=rerank,
                log=log,
                settings=settings,
                connection=own,
            )
    started = time.perf_counter()
    if rerank is None:
        rerank = mode == "hybrid" and settings.reranker != "off"
    # What stands behind the reranked hits keeps its place.
    rerank = rerank and k > 0 and 0 <= skip < settings.rerank_hits
    asked = {
        "query": storable(query),
        "k": max(k, min(skip + k, 1000), settings.rerank_hits) if rerank else k,
        "mode": mode,
        "filter": Jsonb(dict(filter or {})),
        "predicate": None if predicate is None else storable(predicate),
        "collection": storable(collection),
        "as_of": as_of,
        "per_document": per_document,
        "skip": 0 if rerank else skip,
        "embedding": None,
    }
    model, words, hits = _ask(connection, asked, principals)
    if hits is None:
        asked["embedding"] = embedding_of(words, model, settings)
        *_, hits = _ask(connection, asked, principals)
        known = {**asked, "model": model, "words": words}
        _write(connection, settings, "remember_query", known)
    hits = hits or []
    if rerank and hits:
        from tasks.retrieve.rerank import rerank as reranked

        hits = reranked(settings, words, hits)[skip : skip + k]
    if log:
        milliseconds = 1000 * (time.perf_counter() - started)
        chunk_ids = [hit.chunk_id for hit in hits]
        taken = {"chunk_ids": chunk_ids, "milliseconds": milliseconds}
        told = {**asked, "k": k, "skip": skip, **taken}
        _write(connection, settings, "log_search", told, principals)
    return hits


def _ask(
    connection: Connection, asked: Mapping[str, Any], principals: Sequence[str] | None
) -> tuple[str, str, list[Hit] | None]:
    """The serving model, the query's words, and the hits; None while the words want a vector."""
    rows = ask(connection, "search", asked, principals)
    model, words, searched = rows[0][:3]
    return model, words, [Hit(*hit) for _, _, _, *hit in rows if hit[0]] if searched else None


def ask(
    connection: Connection,
    name: str,
    asked: Mapping[str, Any],
    principals: Sequence[str] | None = None,
) -> list[Any]:
    """The rows of the named query, asked for these principals; raises Rejected if it cannot be."""
    try:
        with connection.transaction() if principals is not None else nullcontext():
            if principals is not None:
                act_for(connection, principals)
            return connection.execute(statement(name), asked).fetchall()
    except (errors.UntranslatableCharacter, errors.InvalidTextRepresentation):
        raise Rejected(
            "the filter holds a text or number that Postgres cannot",
            "Leave out NUL, halves of surrogate pairs, NaN and infinite numbers.",
        ) from None
    except DataError as error:
        raise Rejected(
            error.diag.message_primary or str(error), error.diag.message_hint or ""
        ) from None


def storable(text: str) -> str:
    """The text without what Postgres cannot hold."""
    return text.encode("utf-8", "replace").decode().replace("\0", " ")


def act_for(connection: Connection, principals: Sequence[str]) -> None:
    """Let the connection stand for these users and groups until its transaction ends.

    Raises Fatal when its login is not trusted to name them.
    """
    try:
        connection.execute("select openbook.act_for(%s)", [list(principals)])
    except errors.InsufficientPrivilege:
        raise Fatal(
            f"the login {connection.info.user} may not name principals",
            "Connect as a member of openbook_search, or leave the principals out.",
        ) from None


def embedding_of(text: str, model: str, settings: Settings) -> HalfVector:
    """The text's vector by the settings' embedder; raises Fatal if that is not the model."""
    embedder = _embedder(settings)
    if embedder.name != model:
        raise Fatal(
            f"search uses the model {model}, and the settings name {embedder.name}",
            "Set OPENBOOK_EMBEDDER (and its kin) to the former, or let search use the latter: "
            f"`openbook reembed`, then `openbook models activate {embedder.name}`.",
        )
    return HalfVector(embedder.embed([text])[0])


@lru_cache(maxsize=1)
def _embedder(settings: Settings) -> Embedder:
    """The settings' embedder, loaded once a process."""
    return open_embedder(settings)


def _write(
    connection: Connection,
    settings: Settings,
    name: str,
    values: Mapping[str, Any],
    principals: Sequence[str] | None = None,
) -> None:
    """Run the statement that keeps something of the search: here, or where searches only read, at
    the primary; where nothing can be written, not at all."""

    def write(connection: Connection) -> None:
        with suppress(errors.InsufficientPrivilege), connection.transaction():
            if principals is not None:
                act_for(connection, principals)
            connection.execute(statement(name), values)

    try:
        write(connection)
    except errors.ReadOnlySqlTransaction:
        if settings.search_url is not None:
            notes_of(settings).leave(write)
