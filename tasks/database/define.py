"""Functions, views and rights: applied anew whenever they change, in one transaction.

What an earlier Openbook defined and this one does not is dropped; so is, before it is made again,
what `create or replace` cannot change: a function's result, a view's columns. Both are known by
`openbook.definitions`, the record of what was defined here. Nothing in the database itself would
tell them from what users made: owner and schema may be the same. What hangs on a definition is
dropped with it, and must be there again at the end, or nothing was done.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import Connection
from psycopg.errors import (
    AmbiguousFunction,
    DependentObjectsStillExist,
    InvalidFunctionDefinition,
    InvalidTableDefinition,
    WrongObjectType,
)
from psycopg.rows import class_row
from psycopg.sql import SQL

from tasks.database import schema
from tasks.database.queries import query
from tasks.database.schema import SqlFile
from tasks.errors import Fatal

_REFUSALS = (
    AmbiguousFunction, InvalidFunctionDefinition, InvalidTableDefinition, WrongObjectType,
)  # fmt: skip
"""How Postgres says that a definition stands in the way of its successor."""
_REMEDY = "Drop it, run `openbook migrate`, and make it again. Nothing was changed."
_NAMED = re.compile(r"^create or replace (?:function|procedure|view) ([a-z0-9_.]+)", re.MULTILINE)


def define(connection: Connection, files: Sequence[SqlFile]) -> None:
    """Apply the definitions; raises Fatal, with nothing changed, when they cannot all be applied.

    Readers see the old ones or the new ones. Files are applied over what is there; if Postgres
    refuses one of them, what that file defines is dropped first, and at last what all of them do.
    """
    dropped: set[str] = set()
    while True:
        try:
            with connection.transaction():
                _apply(connection, files, dropped)
            return
        except _Refused as refused:
            more = refused.names if refused.names - dropped else _names(files)
            if more <= dropped:
                raise refused.error from refused.error.__cause__
            dropped |= more


@dataclass(frozen=True, slots=True)
class _Definition:
    """A row of openbook.definitions; type and identity are as pg_identify_object wrote them."""

    type: str
    identity: str
    name: str


class _Refused(Exception):
    """A file could not be applied over what was defined before."""

    def __init__(self, names: set[str], error: Fatal) -> None:
        self.names = names
        self.error = error


def _apply(connection: Connection, files: Sequence[SqlFile], dropped: Collection[str]) -> None:
    # A function may be defined before what its body names.
    connection.execute("set local check_function_bodies = off")
    recorded = _definitions(connection, "definitions")
    others = _others(connection)
    _drop_first(connection, [one for one in recorded if one.name in dropped])
    rights = [file for file in files if file.name == schema.RIGHTS]
    for file in files:
        if file not in rights:
            _apply_file(connection, file)
    defined = _definitions(connection, "definitions_made")
    for file in rights:  # after the question, since it touches functions that others defined
        _apply_file(connection, file)
    _drop_rest(connection, set(recorded) - set(defined))
    if lost := others - _others(connection):
        raise Fatal(
            f"{', '.join(sorted(lost))} uses what this Openbook defines otherwise or no more",
            _REMEDY,
        )
    connection.execute(
        query("definitions_store"),
        {
            "types": [one.type for one in defined],
            "identities": [one.identity for one in defined],
            "names": [one.name for one in defined],
        },
    )
    connection.execute(query("record_definitions"), {"sha256": schema.fingerprint(files)})


def _apply_file(connection: Connection, file: SqlFile) -> None:
    try:
        execute(connection, file)
    except Fatal as error:
        if isinstance(error.__cause__, _REFUSALS):
            raise _Refused(_names([file]), error) from error
        raise


def _definitions(connection: Connection, name: str) -> list[_Definition]:
    with connection.cursor(row_factory=class_row(_Definition)) as cursor:
        return cursor.execute(query(name)).fetchall()


def _names(files: Sequence[SqlFile]) -> set[str]:
    return {name for file in files for name in _NAMED.findall(file.text)}


def _drop_first(connection: Connection, definitions: Iterable[_Definition]) -> None:
    """Drop what is about to be made again, and all that hangs on it."""
    for one in definitions:
        connection.execute(SQL(f"drop {one.type} if exists {one.identity} cascade"))


def _drop_rest(connection: Connection, definitions: Collection[_Definition]) -> None:
    """Drop what is not made any more; what was just made and found it still there is refused."""
    try:
        for one in sorted(definitions, key=lambda one: one.type, reverse=True):
            connection.execute(SQL(f"drop {one.type} if exists {one.identity}"))
    except DependentObjectsStillExist as error:
        raise _Refused(
            {one.name for one in definitions},
            Fatal(f"{error.diag.message_primary}: {error.diag.message_detail}", _REMEDY),
        ) from error


def _others(connection: Connection) -> set[str]:
    """What stands in the database and is no recorded definition, and could hang on one."""
    return {name for (name,) in connection.execute(query("definitions_others"))}


def execute(connection: Connection, file: SqlFile) -> None:
    """Run all of a file's statements; raises Fatal with its name and line."""
    try:
        connection.execute(SQL(file.text))
    except psycopg.Error as error:
        position = error.diag.statement_position
        line = file.text.count("\n", 0, int(position)) + 1 if position else None
        where = f"sql/{file.name}{f', line {line}' if line else ''}"
        raise Fatal(
            f"{where} failed: {error.diag.message_primary or error}",
            "Nothing of that file was applied.",
        ) from error
