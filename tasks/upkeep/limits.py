"""What analysts' sessions may take of the server, held to by whoever watches."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import psycopg
from psycopg import Connection
from psycopg.rows import class_row

from tasks.errors import Fatal


@dataclass(frozen=True, slots=True)
class Ended:
    """A statement that was cancelled, or a session that was ended, and how old it was."""

    login: str
    process: int
    age: timedelta
    deed: str


def limit_analysts(connection: Connection) -> list[str]:
    """Bound connections and temporary files of every analyst's login; those newly bound.

    Raises Fatal without the right to alter roles.
    """
    try:
        with connection.transaction():
            rows = connection.execute("select openbook.limit_analysts()").fetchall()
    except psycopg.errors.InsufficientPrivilege as error:
        raise _not_allowed(
            connection, error, "Connect as a superuser, or grant it createrole."
        ) from None
    return [login for (login,) in rows]


def end_overdue(connection: Connection) -> list[Ended]:
    """Cancel analysts' statements that are too old, and end sessions that do not yield.

    Raises Fatal without the right to end the statements of others.
    """
    try:
        with connection.transaction(), connection.cursor(row_factory=class_row(Ended)) as cursor:
            return cursor.execute("select * from openbook.end_overdue()").fetchall()
    except psycopg.errors.InsufficientPrivilege as error:
        raise _not_allowed(
            connection, error, "Grant it pg_signal_backend and pg_read_all_stats."
        ) from None


def _not_allowed(connection: Connection, error: psycopg.Error, remedy: str) -> Fatal:
    return Fatal(
        f"the login {connection.info.user} may not hold analysts to their limits: "
        f"{error.diag.message_primary}",
        remedy,
    )
