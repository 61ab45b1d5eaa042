"""Which conversations a spec's source names: a JSON filter, a SQL predicate, or both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Never

import psycopg
from psycopg import Connection
from psycopg.sql import SQL, Composable

from tasks.database import query
from tasks.datasets.condition import COLUMNS, Condition, Refused
from tasks.datasets.spec import Spec
from tasks.errors import Rejected


def choose(connection: Connection, spec: Spec) -> int:
    """Fill the temporary table `chosen` with the source's conversations; how many there are.

    Those that the mix adds are marked as general data. Raises Rejected for a filter or a predicate
    that cannot be used, a predicate with the place.
    """
    source, condition = spec.source, Condition()
    within = _filtered(condition, source.filter, "source.filter")
    if source.where is not None:
        within = SQL("{} and {}").format(within, _where(connection, condition, source.where))
    chosen = _conversations(within) if source.filter or source.where else SQL("true")
    added = (
        _conversations(_filtered(condition, spec.mix.filter, "mix.filter"))
        if spec.mix is not None
        else SQL("false")
    )
    connection.execute(
        query("curate_chosen").format(within=chosen, general=added),
        {
            **condition.values,
            "corrections": spec.quality.corrections or spec.kind == "preference",
        },
    )
    row = connection.execute("select count(*) from chosen where not general").fetchone()
    assert row is not None
    return int(row[0])


def _conversations(condition: Composable) -> Composable:
    return SQL("c.id in (select v.conversation_id from analytics.conversations v where {})").format(
        condition
    )


def _filtered(condition: Condition, filter: Mapping[str, Any], key: str) -> Composable:
    try:
        return condition.compile(filter)
    except Refused as refused:
        raise Rejected(f"{key}: {refused.problem}", refused.remedy) from None


def _where(connection: Connection, condition: Condition, predicate: str) -> Composable:
    """The predicate, read by the grammar that search's predicates have; none of it becomes SQL."""
    try:
        with connection.transaction():
            row = connection.execute("select openbook.predicate_filter(%s)", [predicate]).fetchone()
    except psycopg.errors.InvalidParameterValue as error:
        problem = (error.diag.message_primary or "").removeprefix("predicate: ")
        known = f"Fields are {', '.join(COLUMNS)}, metadata.KEY."
        remedy = f"{error.diag.message_hint or ''} {known}".lstrip()
        raise Rejected(f"source.where: {problem}", remedy) from None
    assert row is not None
    try:
        return condition.compile(row[0], feedback=False)
    except Refused as refused:
        _refuse(connection, predicate, refused)


def _refuse(connection: Connection, predicate: str, refused: Refused) -> Never:
    row = connection.execute(
        "select token ->> 'at' from jsonb_array_elements(openbook.predicate_tokens(%s)) token"
        " where token ->> 'kind' = 'name' and token ->> 'value' = %s limit 1",
        [predicate, refused.name],
    ).fetchone()
    place = f"at character {row[0]}, " if row else ""
    raise Rejected(f"source.where: {place}{refused.problem}", refused.remedy) from None
