"""Which conversations a spec's source names: a JSON filter, a SQL predicate, or both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.sql import SQL, Composable, Literal
from psycopg.types.json import Jsonb

from tasks.database import query
from tasks.datasets.spec import Source
from tasks.errors import Rejected

_COLUMNS = {
    "id": "c.id", "external_id": "c.external_id", "format": "c.format", "model": "c.model",
    "user": "c.user_pseudonym", "tenant": "c.tenant_pseudonym",
    "started_at": "coalesce(c.started_at, c.logged_at)", "logged_at": "c.logged_at",
}  # fmt: skip
_FEEDBACK = {"kind": "f.kind", "value": "f.value", "source": "f.source", "given_at": "f.given_at"}
_SIGNS = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_DEEPEST = 16
_LONGEST_PREDICATE = 4_000
_PREDICATE_SECONDS = 60


def condition(source: Mapping[str, Any]) -> Composable:
    """A filter as a condition on conversations c; every value is bound, every name is known.

    Fields: id, external_id, format, model, user, tenant, started_at, logged_at, tags, feedback
    (with kind, value, source, given_at of one and the same feedback) and metadata.KEY. Operators:
    eq (or the bare value), ne, in, nin, gt, gte, lt, lte, prefix, exists; and, or, not.

    Raises Rejected for anything else.
    """
    return _all_of(source, _COLUMNS, 0)


def _all_of(filter: Any, columns: Mapping[str, str], depth: int) -> Composable:
    if not isinstance(filter, Mapping):
        raise _refused(f"{filter!r} is not an object", 'Write {"name": value}.')
    if depth > _DEEPEST:
        raise _refused("it is nested too deep", f"Nest up to {_DEEPEST} deep.")
    parts = [_part(name, value, columns, depth) for name, value in filter.items()]
    return SQL("({})").format(SQL(" and ").join(parts)) if parts else SQL("true")


def _part(name: str, value: Any, columns: Mapping[str, str], depth: int) -> Composable:
    if name in ("and", "or"):
        if not isinstance(value, list) or not value:
            raise _refused(f"{name!r} has no list of filters", f'Write {{"{name}": [{{…}}]}}.')
        parts = [_all_of(one, columns, depth + 1) for one in value]
        return SQL("({})").format(SQL(f" {name} ").join(parts))
    if name == "not":
        return SQL("(({}) is not true)").format(_all_of(value, columns, depth + 1))
    if name == "feedback" and columns is _COLUMNS:
        inner = _all_of(value, _FEEDBACK, depth + 1)
        return SQL(
            "exists (select from openbook.feedback f where f.conversation_id = c.id and {})"
        ).format(inner)
    operators = value if isinstance(value, Mapping) else {"eq": value}
    parts = [_comparison(name, sign, one, columns) for sign, one in operators.items()]
    return SQL("({})").format(SQL(" and ").join(parts)) if parts else SQL("true")


def _comparison(  # noqa: PLR0911
    name: str, sign: str, value: Any, columns: Mapping[str, str]
) -> Composable:
    if name == "tags" and columns is _COLUMNS:
        return _tags(sign, value)
    if name.startswith("metadata.") and columns is _COLUMNS:
        return _metadata(name.removeprefix("metadata."), sign, value)
    if name not in columns:
        known = ", ".join([*columns, *(["tags", "feedback", "metadata.KEY"] * (len(columns) > 5))])
        raise _refused(f"unknown field {name!r}", f"Known are {known}.")
    field = SQL(columns[name])
    if sign in ("ne", "nin"):
        inner = _comparison(name, "eq" if sign == "ne" else "in", value, columns)
        return SQL("({} is not true)").format(inner)
    if sign == "in" and isinstance(value, list):
        return SQL("({})").format(
            SQL(" or ").join([SQL("false"), *(_equal(field, one) for one in value)])
        )
    if sign == "exists" and isinstance(value, bool):
        return SQL("(({} is not null) = {})").format(field, Literal(value))
    if sign == "prefix" and isinstance(value, str):
        return SQL("starts_with({}::text, {})").format(field, Literal(value))
    if sign == "eq":
        return _equal(field, value)
    if sign in _SIGNS and isinstance(value, str | int | float) and not isinstance(value, bool):
        return SQL("({} {} {})").format(field, SQL(_SIGNS[sign]), _bound(field, value))
    raise _refused(f"{sign!r} of {name!r} cannot be {value!r}", "See the operators in the README.")


def _equal(field: Composable, value: Any) -> Composable:
    if value is None:
        return SQL("({} is null)").format(field)
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise _refused(f"{value!r} cannot be compared with", "Compare with a text or a number.")
    return SQL("({} = {})").format(field, _bound(field, value))


def _bound(field: Composable, value: Any) -> Composable:
    text = field.as_string()
    if "_at" in text:
        return SQL("{}::timestamptz").format(Literal(str(value)))
    return Literal(value if text in ("c.id", "f.value") else str(value))


def _tags(sign: str, value: Any) -> Composable:
    wanted = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str) for one in wanted) or sign not in ("eq", "in", "ne", "nin"):
        raise _refused(f"{sign!r} of 'tags' cannot be {value!r}", "Use eq, ne, in, nin with texts.")
    shared = SQL("(c.tags && {}::text[])").format(Literal(wanted))
    return SQL("(not {})").format(shared) if sign in ("ne", "nin") else shared


def _metadata(key: str, sign: str, value: Any) -> Composable:
    held = SQL("(c.metadata -> {})").format(Literal(key))
    if sign == "exists" and isinstance(value, bool):
        return SQL("((c.metadata ? {}) = {})").format(Literal(key), Literal(value))
    if sign in ("eq", "ne", "in", "nin"):
        values = value if sign in ("in", "nin") and isinstance(value, list) else [value]
        either = SQL(" or ").join(
            [SQL("false"), *(SQL("{} = {}").format(held, Literal(Jsonb(one))) for one in values)]
        )
        return SQL("(({}) is not true)" if sign in ("ne", "nin") else "({})").format(either)
    if sign in _SIGNS and isinstance(value, str | int | float):
        return SQL(
            "(jsonb_typeof({held}) = jsonb_typeof({value}) and {held} {sign} {value})"
        ).format(held=held, sign=SQL(_SIGNS[sign]), value=Literal(Jsonb(value)))
    raise _refused(f"{sign!r} of 'metadata.{key}' cannot be {value!r}", "Use another operator.")


def _refused(problem: str, remedy: str) -> Rejected:
    return Rejected(f"source.filter: {problem}", remedy)


def choose(connection: Connection, source: Source, general: Mapping[str, Any] | None) -> int:
    """Fill the temporary table `chosen` with the source's conversations; how many there are.

    `general` is the filter of the mix: those that it adds are marked as general data.
    """
    within = condition(source.filter)
    if source.where is not None:
        ids = _ids_where(connection, source.where)
        within = SQL("({} and c.id = any ({}::bigint[]))").format(within, Literal(ids))
    added = condition(general) if general is not None else SQL("false")
    connection.execute(query("curate_chosen").format(within=within, general=added))
    row = connection.execute("select count(*) from chosen where not general").fetchone()
    assert row is not None
    return int(row[0])


def _ids_where(connection: Connection, predicate: str) -> list[int]:
    """The conversations of analytics.conversations for which a predicate holds.

    It runs as one statement (the extended protocol takes no second one) that may only read.
    """
    if len(predicate) > _LONGEST_PREDICATE:
        raise Rejected("source.where is too long", f"Write up to {_LONGEST_PREDICATE} characters.")
    statement = f"select conversation_id from analytics.conversations where ({predicate}\n)"  # noqa: S608
    try:
        with connection.transaction():
            connection.execute("set local transaction_read_only = on")
            connection.execute(f"set local statement_timeout = '{_PREDICATE_SECONDS}s'")
            rows = connection.execute(statement.encode(), prepare=True).fetchall()
            raise _Done([int(row[0]) for row in rows])
    except _Done as done:
        return done.ids
    except psycopg.Error as error:
        raise Rejected(
            f"source.where cannot be used: {error.diag.message_primary or error}",
            "Write a condition on the columns of analytics.conversations.",
        ) from None


class _Done(Exception):
    """Rolls the reading transaction back, and with it what it had set."""

    def __init__(self, ids: list[int]) -> None:
        super().__init__()
        self.ids = ids
